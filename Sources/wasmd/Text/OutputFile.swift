import WasmDecoder
import WasmSystem

/// Where a command that makes a file puts it.
enum OutputFile: Equatable {
    case standardOutput
    case path(Word)

    /// What `--output` says; `-` is standard output.
    init(_ word: Word) { self = word == "-" ? .standardOutput : .path(word) }

    /// The name of `file`, without its folder, with another ending: `module.wasm` for
    /// `tests/module.wat`, and for `module.wasm` a name that is not its own. What comes from
    /// standard input goes to standard output.
    init(insteadOf file: Word, ending: String) {
        guard file != "-" else {
            self = .standardOutput
            return
        }
        var name = file.lastComponent ?? ""
        if let dot = name.bytes.lastIndex(of: UInt8(ascii: ".")), dot > 0, !name.hasSuffix(ending) {
            name = Word(bytes: name.bytes[..<dot])
        }
        self = .path(Word(bytes: name.bytes + ending.utf8))
    }

    /// Writes all bytes. A file that is there already is replaced when all of them are written, and
    /// not touched if that fails.
    func write(_ bytes: UnsafeBufferPointer<UInt8>, _ console: Console) throws(Refusal) {
        var draft = OutputDraft(self, console)
        draft.write(bytes)
        try draft.finish()
    }
}

/// What is written to an output file piece by piece. A file that is there already is replaced at the
/// end, by `finish`, and not touched before.
///
/// Only beside the file can the new one take its place in one step. What is no file (a device, a
/// link), or may not be written, is opened as it is when the first piece comes.
struct OutputDraft {
    private let console: Console
    /// Nil for standard output.
    private let path: Word?
    private var descriptor: Int32?
    /// The file beside the one that it will replace.
    private var draft: Word?
    /// The first thing that failed.
    private var failure: SystemError?

    init(_ file: OutputFile, _ console: Console) {
        self.console = console
        if case .path(let path) = file { self.path = path } else { path = nil }
    }

    /// Writes more bytes; false if no more can be written.
    @discardableResult
    mutating func write(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let path else {
            console.output.write(bytes)
            return console.output.failure == nil
        }
        if descriptor == nil, failure == nil { open(path) }
        if failure == nil, let descriptor {
            failure = writeAll(UnsafeRawBufferPointer(bytes), to: descriptor)
        }
        return failure == nil
    }

    private mutating func open(_ path: Word) {
        let old = try? Kernel.status(path.cString, followsLink: false)
        if old.map({ $0.kind == .regular && Kernel.isAccessible(path.cString, for: .write) })
            ?? true
        {
            let draft = Word(bytes: path.bytes + ".\(CurrentProcess.identifier)".utf8)
            if let file = try? Kernel.open(draft.cString, [.writeOnly, .create, .exclusive]) {
                if let old { try? Kernel.setPermissions(file, old.permissions & 0o777) }
                descriptor = file
                self.draft = draft
                return
            }
        }
        do throws(SystemError) {
            descriptor = try Kernel.open(path.cString, [.writeOnly, .create, .truncate])
        } catch {
            failure = error
        }
    }

    /// Everything was written: the file takes its place.
    mutating func finish() throws(Refusal) {
        guard let path else { return }
        if descriptor == nil, failure == nil { open(path) }
        closeFile()
        if failure == nil, let draft { failure = Self.rename(draft, path) }
        guard let failure else { return }
        if let draft { try? Kernel.unlink(draft.cString) }
        throw Refusal(FileError(failure, path: path.text), file: path.text)
    }

    /// Returns why it failed.
    private static func rename(_ old: Word, _ new: Word) -> SystemError? {
        do throws(SystemError) {
            try Kernel.rename(old.cString, new.cString)
            return nil
        } catch {
            return error
        }
    }

    /// Removes what was written beside the file.
    mutating func discard() {
        closeFile()
        if let draft { try? Kernel.unlink(draft.cString) }
    }

    private mutating func closeFile() {
        guard let descriptor else { return }
        // Some file systems say only now that there is no room.
        do throws(SystemError) {
            try Kernel.close(descriptor)
        } catch {
            failure = failure ?? error
        }
        self.descriptor = nil
    }
}
