import Glibc
import WasmInterpreter
import WasmText
import WasmValidator
import WasmWASI

/// Why a file, or what it asks for, is refused: the one place that makes such errors into text.
struct Refusal: Error, Equatable {
    let file: String
    /// Byte offset in a binary file, where there is one.
    var offset: Int?
    /// Line and column in a text, both from 1.
    var line: Int?
    var column: Int?
    /// What is wrong, in one or more lines.
    let reason: String
    /// What to do about it, in one line.
    var hint: String?

    /// The whole text of an error that shows a line of the file.
    private var rendered: String?

    /// `FILE: 0x1a3: reason`, and the hint on a line of its own.
    var text: String {
        let place = printable(file) + ": " + (offset.map { hexadecimal($0) + ": " } ?? "")
        return (rendered ?? place + reason) + (hint.map { "\n  " + $0 } ?? "")
    }

    init(file: String, offset: Int? = nil, reason: String, hint: String? = nil) {
        self.file = file
        self.offset = offset
        self.reason = reason
        self.hint = hint
    }
}

extension Refusal {
    init(_ error: FileError, file: String) {
        let text = strerror(error.errno).map { String(cString: $0) }
        self.init(file: file, reason: text ?? "error \(error.errno)")
    }

    init(_ error: DecodingError, bytes: ModuleBytes, file: String) {
        self.init(
            file: file, offset: error.offset, reason: error.message,
            hint: Self.hint(for: error.reason, bytes))
    }

    init(_ error: ValidationError, file: String) {
        self.init(file: file, offset: error.offset, reason: error.message)
    }

    init(_ error: ModuleError, bytes: ModuleBytes, file: String) {
        switch error {
        case .file(let error): self.init(error, file: file)
        case .malformed(let error): self.init(error, bytes: bytes, file: file)
        case .invalid(let error): self.init(error, file: file)
        }
    }

    /// Shows the line that is wrong.
    init(_ error: TextError, in text: [UInt8], file: String) {
        self.init(error.explanation(in: text), at: error.place, in: text, file: file)
    }

    /// Shows the line of a place.
    init(_ reason: String, at place: TextPlace, in text: [UInt8], file: String) {
        self.init(file: file, reason: reason)
        (line, column) = place.position(in: text)
        rendered = place.rendered(reason, in: text, path: printable(file))
    }

    /// What instantiation throws, traps and errors of host functions aside.
    init(instantiation error: any Error, file: String) {
        let reason: String
        var hint: String?
        switch error {
        case let error as LinkError:
            let lines = error.failures.map { "\n  " + printable($0.description) }
            reason = "these imports are not there or do not match:" + lines.joined()
        case let error as ResourceError:
            reason = error.description
            hint = Self.option(for: error).map { "Allow more with \($0)." }
        case let error as WASISetupError:
            reason = printable(error.description)
            if error == .tooManyDescriptors { hint = "Allow more with --max-descriptors N." }
        default:
            reason = printable("\(error)")
        }
        self.init(file: file, reason: reason, hint: hint)
    }

    /// The option that sets the limit which was reached.
    private static func option(for error: ResourceError) -> String? {
        switch error {
        case .memoryTooLarge, .totalExceeded: "--max-memory SIZE"
        case .heapTooLarge: "--max-heap SIZE"
        case .tableTooLarge: "--max-table N"
        case .tooManyInstances, .tooManyMemories, .tooManyTables, .refused, .outOfMemory: nil
        }
    }

    /// What the file is, if it is no module but something that is easily taken for one.
    private static func hint(for reason: DecodingError.Reason, _ bytes: ModuleBytes) -> String? {
        let start = bytes[ByteRange(start: 0, end: 64)]
        switch reason {
        case .magicHeaderNotDetected:
            let first = start.first { $0 != 0x20 && $0 != 0x09 && $0 != 0x0a && $0 != 0x0d }
            guard first == UInt8(ascii: "(") || first == UInt8(ascii: ";") else { return nil }
            return "This looks like the text format."
        case .unknownBinaryVersion:
            guard start.count >= 8, start[4...7] == [0x0d, 0, 1, 0] else { return nil }
            return "This is a component; wasmd runs core modules."
        default:
            return nil
        }
    }
}

/// Opens a module's file; `-` is standard input.
func openModule(_ file: String) throws(Refusal) -> ModuleBytes {
    do throws(FileError) {
        return try ModuleBytes(path: file == "-" ? "/dev/stdin" : file)
    } catch {
        throw Refusal(error, file: file)
    }
}
