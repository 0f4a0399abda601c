import WasmInterpreter
import WasmSystem
import WasmText
import WasmValidator
import WasmWASI
import WasmdServices

/// Why a file or its imports are refused. The only place that converts such errors to text.
struct Refusal: Error, Equatable {
    let file: String
    /// Byte offset in a binary file, where there is one.
    var offset: Int?
    /// Line and column in a text, both from 1.
    var line: Int?
    var column: Int?
    /// What is wrong, in one or more lines.
    let reason: String
    /// The next step, in one line.
    var hint: String?

    /// The complete text of an error with a line of the file.
    private var rendered: String?

    /// `FILE: 0x1a3: reason`, and the hint on a line of its own.
    var text: String {
        let place = printable(file) + ": " + (offset.map { hexadecimal($0) + ": " } ?? "")
        return (rendered ?? place + reason) + (hint.map { "\n  " + $0 } ?? "")
    }

    /// The same on one line, for daemons, whose messages are read line by line.
    var singleLine: String {
        let place = printable(file) + ": " + (offset.map { hexadecimal($0) + ": " } ?? "")
        return (rendered ?? place + reason) + (hint.map { ". " + $0 } ?? "")
    }

    /// The same without the file, for places that name it already.
    var explanation: String {
        (offset.map { hexadecimal($0) + ": " } ?? "") + reason + (hint.map { "\n  " + $0 } ?? "")
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
        self.init(file: file, reason: error.reason)
    }

    init(_ error: DecodingError, bytes: ModuleBytes, file: String) {
        self.init(file: file, offset: error.offset, reason: error.message)
    }

    init(_ error: ValidationError, file: String) {
        self.init(file: file, offset: error.offset, reason: error.message)
    }

    init(_ error: ModuleError, bytes: ModuleBytes, file: String) {
        switch error {
        case .file(let error): self.init(error, file: file)
        case .malformed(let error): self.init(error, bytes: bytes, file: file)
        case .invalid(let error): self.init(error, file: file)
        case .cancelled: self.init(file: file, reason: "loading was cancelled")
        }
    }

    /// For `--save-module`.
    init(unsavable error: SavedModuleError, file: String) {
        let hint: String? =
            switch error {
            case .imported(.function, _), .imported(.tag, _), .tooLarge, .snapshot: nil
            case .imported:
                "let the module define and export it: clang has --no-import-memory by default"
            case .object: nil
            }
        self.init(file: file, reason: "cannot be saved as a module: \(error)", hint: hint)
    }

    /// Shows the line of the error.
    init(_ error: TextError, in text: [UInt8], file: String) {
        self.init(error.explanation(in: text), at: error.place, in: text, file: file)
    }

    /// Shows the line of a position.
    init(_ reason: String, at place: TextPlace, in text: [UInt8], file: String) {
        self.init(file: file, reason: reason)
        (line, column) = place.position(in: text)
        rendered = place.rendered(reason, in: text, path: printable(file))
    }

    /// Errors of instantiation, except traps and errors of host functions.
    init(instantiation error: any Error, file: String) {
        let reason: String
        var hint: String?
        switch error {
        case let error as LinkError:
            let lines = error.failures.map { "\n  " + printable($0.description) }
            reason =
                "these imports are not there or do not match:" + lines.joined()
                + (error.omittedCount > 0 ? "\n  and \(error.omittedCount) more" : "")
            hint = Self.hint(for: error)
        case let error as Refusal:
            self = error
            return
        case .folder(let path, _) as WASISetupError where path.contains(":"):
            reason = printable("\(error)")
            hint = "Between HOST and GUEST stand two colons: --dir \(Self.twoColons(path))"
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

    /// The options that define missing imports.
    private static func hint(for error: LinkError) -> String? {
        let unknown = error.failures.filter { $0.reason == .unknown }
        guard !unknown.isEmpty else { return nil }
        let ofServices: [Name] = [GuestHTTPImports.module, HostObservability.module]
        if unknown.allSatisfy({ ofServices.contains($0.module) }) {
            guard unknown.contains(where: { $0.module == GuestHTTPImports.module }) else {
                return
                    "It is a service: 'wasmd services' and [service.NAME] of 'wasmd serve' run it."
            }
            return "Name the hosts that it may send requests to with --allow-host URL."
        }
        let areFunctions = unknown.allSatisfy { $0.type.kind == .function }
        return "Give them with --preload NAME=FILE, or run without them: --unknown-imports "
            + (areFunctions ? "trap" : "zero")
    }

    /// `data::/data` for `data:/data`.
    private static func twoColons(_ path: String) -> String {
        let parts = path.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        return parts.map { shellQuoted(String($0)) }.joined(separator: "::")
    }

    /// The same without `--features +threads`, which has no effect with `--deterministic`.
    func withoutThreads() -> Refusal {
        func explained(_ text: String) -> String {
            text.replacing(
                " (--features +threads)", with: ", which --deterministic turns off")
        }
        var result = Refusal(
            file: file, offset: offset, reason: explained(reason), hint: hint)
        result.line = line
        result.column = column
        result.rendered = rendered.map(explained)
        return result
    }
}

/// Opens a module's file; `-` is standard input.
func openModule(_ file: Word) throws(Refusal) -> ModuleBytes {
    do throws(FileError) {
        // Uses the descriptor: opening it by a name needs /proc, and fails for sockets.
        if file == "-" { return try ModuleBytes(descriptor: Kernel.standardInput) }
        return try ModuleBytes(path: file.bytes)
    } catch {
        throw Refusal(error, file: file.text)
    }
}
