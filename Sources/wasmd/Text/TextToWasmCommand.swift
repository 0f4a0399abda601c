import WasmDecoder
import WasmText
import WasmValidator

/// `wasmd wat2wasm`: converts text to a module.
struct TextToWasmCommand {
    private let file: Word
    private let output: OutputFile
    private let keepsNames: Bool
    private let checks: Bool

    init(_ arguments: ParsedArguments) {
        file = arguments.words.first ?? ""
        output =
            arguments.word(of: .output).map(OutputFile.init)
            ?? OutputFile(insteadOf: file, ending: ".wasm")
        keepsNames = !arguments.has(.noNames)
        checks = !arguments.has(.noCheck)
    }

    func perform(_ console: Console) -> Int32 {
        do throws(Refusal) {
            let (module, dropped) = try module()
            try module.withUnsafeBufferPointer { (bytes) throws(Refusal) in
                try output.write(bytes, console)
            }
            if !dropped.isEmpty {
                console.complain(
                    "warning: \(printable(file.text)): the code was changed since the text was printed; "
                        + "these sections hold offsets into it and are left out: "
                        + sectionNames(dropped))
            }
            return ExitCode.success
        } catch {
            console.complain(error.text)
            return ExitCode.refused
        }
    }

    /// The module in the binary format, checked or without names if the options say so.
    private func module() throws(Refusal) -> (bytes: [UInt8], dropped: [Name]) {
        let file = try ModuleFile(file)
        guard file.isText else { return try parse(notText: file.bytes) }
        let binary = file.bytes[file.bytes.range]
        if !checks && keepsNames { return (binary, file.droppedSections) }
        let module: ParsedModule
        do throws(DecodingError) {
            module = try decode(file.bytes, features: [.all, .legacyExceptions])
        } catch {
            throw file.refusal(error)
        }
        if checks { try check(module, file) }
        return (
            keepsNames ? binary : Self.withoutNames(binary, module), file.droppedSections
        )
    }

    private func check(_ module: ParsedModule, _ file: ModuleFile) throws(Refusal) {
        do throws(ValidationError) {
            _ = try WasmValidator.validate(module, types: TypeRegistry())
        } catch {
            var refusal = file.refusal(error)
            refusal.hint = "The module is not valid; --no-check writes it all the same."
            throw refusal
        }
    }

    /// Refuses input that does not look like text, unless it is blank.
    private func parse(
        notText content: ModuleBytes
    ) throws(Refusal) -> (bytes: [UInt8], dropped: [Name]) {
        let text = content[content.range]
        if text.starts(with: [0x00, 0x61, 0x73, 0x6d]) {
            throw Refusal(
                file: file.text, reason: "this is a module in the binary format already",
                hint: "Print it with: wasmd wasm2wat \(shellQuoted(file.text))")
        }
        do throws(TextError) {
            return (try parseModule(text), [])
        } catch {
            throw Refusal(error, in: text, file: file.text)
        }
    }

    private static func withoutNames(_ binary: [UInt8], _ module: ParsedModule) -> [UInt8] {
        var result = Array(binary.prefix(8))
        var customs = module.customSections[...]
        for section in module.sections {
            if section.id == 0, customs.popFirst()?.name == "name" { continue }
            result += binary[section.range.start..<section.range.end]
        }
        return result
    }
}
