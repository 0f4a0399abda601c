/// `wasmd inspect`: shows the contents of a module.
struct InspectCommand {
    private let file: Word
    private let printsJSON: Bool

    init(_ arguments: ParsedArguments) {
        file = arguments.words.first ?? ""
        printsJSON = arguments.has(.json)
    }

    /// Shows a module that can be decoded, and reports if it is not valid.
    func perform(_ console: Console) -> Int32 {
        do throws(Refusal) {
            let facts = try ModuleFacts(file: file)
            if printsJSON {
                facts.writeJSON(to: console.output)
            } else {
                console.output.write(InspectionText(facts).text)
            }
            guard let refusal = facts.refusal else { return ExitCode.success }
            console.output.flush()
            console.complain(refusal.text)
            return ExitCode.refused
        } catch {
            console.complain(error.text)
            return ExitCode.refused
        }
    }
}
