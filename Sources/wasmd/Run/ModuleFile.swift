import WasmInterpreter
import WasmText
import WasmValidator

/// A module as the command line names it: a file in the binary or the text format.
struct ModuleFile {
    let path: String
    /// The module in the binary format.
    let bytes: ModuleBytes
    let isText: Bool

    /// Reads a file and makes a text binary; `-` is standard input.
    init(_ path: String) throws(Refusal) {
        self.path = path
        let content = try openModule(path)
        isText = Self.isText(content)
        guard isText else {
            bytes = content
            return
        }
        let text = content[content.range]
        do throws(TextError) {
            bytes = ModuleBytes(try parseModule(text))
        } catch {
            throw Refusal(error, in: text, file: path)
        }
    }

    /// Text starts with a parenthesis or a comment, behind blanks; no binary module does.
    private static func isText(_ content: ModuleBytes) -> Bool {
        content.withUnsafeBytes { bytes in
            let first = bytes.first { $0 != 0x20 && !(0x09...0x0d ~= $0) }
            return first == UInt8(ascii: "(") || first == UInt8(ascii: ";")
        }
    }
}

// Refusals say where in the file something is wrong. Offsets of the binary that a text became are
// of no use; the function is.
extension ModuleFile {
    func refusal(_ error: ModuleError) -> Refusal {
        switch error {
        case .file(let error): Refusal(error, file: path)
        case .malformed(let error): refusal(error)
        case .invalid(let error): refusal(error)
        }
    }

    func refusal(_ error: DecodingError) -> Refusal {
        isText
            ? Refusal(file: path, reason: error.message)
            : Refusal(error, bytes: bytes, file: path)
    }

    func refusal(_ error: ValidationError) -> Refusal {
        guard isText else { return Refusal(error, file: path) }
        var place = error.function.map { "function \(name(of: $0)): " } ?? ""
        if let opcode = error.opcode { place += "\(opcode.name): " }
        return Refusal(file: path, reason: place + error.message)
    }

    /// `$add` if the text names the function, else its index.
    private func name(of function: FunctionIndex) -> String {
        let features: Features = [.all, .legacyExceptions]
        guard let module = try? decode(bytes, features: features),
            let name = module.names()?.functions[function]
        else { return "\(function)" }
        return "$\(printable(name.description))"
    }
}
