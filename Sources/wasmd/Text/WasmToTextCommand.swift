import WasmDecoder
import WasmText

/// `wasmd wasm2wat`: prints a module in the text format.
struct WasmToTextCommand {
    private let file: Word
    private let output: OutputFile
    private var printer = TextPrinter()

    init(_ arguments: ParsedArguments) throws(UsageError) {
        file = arguments.words.first ?? ""
        output = arguments.word(of: .output).map(OutputFile.init) ?? .standardOutput
        printer.isFolded = arguments.has(.fold)
        printer.showsOffsets = arguments.has(.offsets)
        printer.keepsPadding = !arguments.has(.noPadding)
        if arguments.has(.noNames), arguments.has(.generateNames) {
            throw .conflict(.noNames, .generateNames, arguments.verb)
        }
        if arguments.has(.noNames) { printer.names = .none }
        if arguments.has(.generateNames) { printer.names = .generated }
    }

    func perform(_ console: Console) -> Int32 {
        do throws(Refusal) {
            try convert(console)
            return ExitCode.success
        } catch {
            console.complain(error.text)
            return ExitCode.refused
        }
    }

    private func convert(_ console: Console) throws(Refusal) {
        let file = try ModuleFile(file)
        let module: ParsedModule
        do throws(DecodingError) {
            // Printing a module does not depend on the enabled features.
            module = try decode(file.bytes, features: [.all, .legacyExceptions])
        } catch {
            throw file.refusal(error)
        }
        var draft = OutputDraft(output, console)
        do throws(PrintingError) {
            let report = try printer.print(module) { draft.write($0) }
            warn(report, file.path, console)
        } catch {
            draft.discard()
            switch error {
            case .malformed(let error): throw file.refusal(error)
            case .textTooLarge:
                throw Refusal(file: file.path, reason: "its text would be larger than 2 GiB")
            }
        }
        try draft.finish()
    }

    private func warn(_ report: PrintingReport, _ path: String, _ console: Console) {
        guard !report.droppedSections.isEmpty else { return }
        console.complain(
            "warning: \(printable(path)): without padding these sections would hold wrong offsets "
                + "and are left out: \(sectionNames(report.droppedSections))")
    }
}

/// Names of sections for a message, without repetition.
func sectionNames(_ names: [Name]) -> String {
    var seen: Set<Name> = []
    return names.filter { seen.insert($0).inserted }.map { printable($0.description) }
        .joined(separator: ", ")
}
