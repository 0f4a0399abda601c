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
            // What a module may use is nobody's concern here.
            module = try decode(file.bytes, features: [.all, .legacyExceptions])
        } catch {
            throw file.refusal(error)
        }
        let result: Result<Void, Refusal>
        do throws(PrintingError) {
            result = try printer.print(module) { text in
                Result { () throws(Refusal) in try output.write(text, console) }
            }
        } catch {
            switch error {
            case .malformed(let error): throw file.refusal(error)
            case .textTooLarge:
                throw Refusal(file: file.path, reason: "its text would be larger than 2 GiB")
            }
        }
        try result.get()
    }
}
