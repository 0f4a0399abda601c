import WasmInterpreter
import WasmText
import WasmValidator

/// A module as the command line names it: a file in the binary or the text format.
struct ModuleFile {
    let path: String
    /// The module in the binary format.
    let bytes: ModuleBytes
    /// The text that the module was made from; nil for a binary.
    private let text: [UInt8]?
    /// Custom sections of the text that no longer apply, so that the module lacks them.
    private(set) var droppedSections: [Name] = []

    var isText: Bool { text != nil }

    /// The position of each instruction in the text; nil for a binary. Computed at each call.
    var textMap: TextMap? { text.flatMap { TextMap($0) } }

    /// Reads a file and converts text to a binary; `-` is standard input.
    ///
    /// - Parameter willParse: called when the file was read and is text.
    init(_ file: Word, willParse: () -> Void = {}) throws(Refusal) {
        path = file.text
        let content = try openModule(file)
        if let format = content.foreignFormat {
            throw Refusal(file: path, reason: format.message)
        }
        guard Self.isText(content, path) else {
            text = nil
            bytes = content
            return
        }
        let text = content[content.range]
        self.text = text
        willParse()
        do throws(TextError) {
            let module = try assembleModule(text)
            bytes = ModuleBytes(module.bytes)
            droppedSections = module.droppedSections
        } catch {
            throw Refusal(error, in: text, file: path)
        }
    }

    /// Whether it is text. Text starts with a parenthesis or a comment, after blanks; no binary
    /// module does. A file with a name for text is text, unless it starts as a binary.
    private static func isText(_ content: ModuleBytes, _ path: String) -> Bool {
        content.withUnsafeBytes { bytes in
            let first = bytes.first { $0 != 0x20 && !(0x09...0x0d ~= $0) }
            return first == UInt8(ascii: "(") || first == UInt8(ascii: ";")
                || (path.hasSuffix(".wat") && first != 0)
        }
    }
}

// Refusals name the position in the file. For text that is the line, not the offset in the binary
// made from it.
extension ModuleFile {
    func refusal(_ error: ModuleError) -> Refusal {
        switch error {
        case .file(let error): Refusal(error, file: path)
        case .malformed(let error): refusal(error)
        case .invalid(let error): refusal(error)
        case .cancelled: Refusal(file: path, reason: "loading was cancelled")
        }
    }

    func refusal(_ error: DecodingError) -> Refusal {
        guard let text else { return Refusal(error, bytes: bytes, file: path) }
        guard let place = TextMap(text)?.place(at: error.offset) else {
            return Refusal(file: path, reason: error.message)
        }
        return Refusal(error.message, at: place, in: text, file: path)
    }

    func refusal(_ error: ValidationError) -> Refusal {
        guard let text else { return Refusal(error, file: path) }
        if let place = self.place(of: error, in: text) {
            return Refusal(error.message, at: place, in: text, file: path)
        }
        var place = error.function.map { "function \(name(of: $0)): " } ?? ""
        if let opcode = error.opcode { place += "\(opcode.name): " }
        return Refusal(file: path, reason: place + error.message)
    }

    /// The instruction, or the field, that is not valid.
    private func place(of error: ValidationError, in text: [UInt8]) -> TextPlace? {
        if error.function == nil {
            let map = TextMap(text)
            if let entry = error.entry {
                return map?.place(ofEntry: entry.position, inSection: entry.section)
            }
            return map?.place(at: error.offset)
        }
        guard let function = error.function, let module,
            let body = module.body(of: function)
        else { return nil }
        return placeOfInstruction(
            in: text, function: function, offset: error.offset - body.start)
    }

    private var module: ParsedModule? {
        try? decode(bytes, features: [.all, .legacyExceptions])
    }

    /// `$add` if the text names the function, else its index.
    private func name(of function: FunctionIndex) -> String {
        guard let name = module?.names()?.functions[function] else { return "\(function)" }
        return "$\(printable(name.description))"
    }
}
