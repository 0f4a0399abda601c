import Glibc
import WasmDecoder

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
    /// The `errno` of the first thing that failed.
    private var failure: Int32?

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
        var old = stat()
        let exists = path.withCString { lstat($0, &old) } == 0
        if !exists
            || (old.st_mode & S_IFMT == S_IFREG && path.withCString { access($0, W_OK) } == 0)
        {
            let draft = Word(bytes: path.bytes + ".\(getpid())".utf8)
            let file = draft.withCString {
                Glibc.open($0, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
            }
            if file >= 0 {
                if exists { fchmod(file, old.st_mode & 0o777) }
                descriptor = file
                self.draft = draft
                return
            }
        }
        let file = path.withCString {
            Glibc.open($0, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
        }
        if file >= 0 { descriptor = file } else { failure = errno }
    }

    /// Everything was written: the file takes its place.
    mutating func finish() throws(Refusal) {
        guard let path else { return }
        if descriptor == nil, failure == nil { open(path) }
        closeFile()
        if failure == nil, let draft { failure = Self.rename(draft, path) }
        guard let failure else { return }
        if let draft { draft.withCString { _ = unlink($0) } }
        throw Refusal(FileError(errno: failure, path: path.text), file: path.text)
    }

    /// Returns the `errno` of a failure.
    private static func rename(_ old: Word, _ new: Word) -> Int32? {
        old.withCString { old in
            new.withCString { new in Glibc.rename(old, new) == 0 ? nil : errno }
        }
    }

    /// Removes what was written beside the file.
    mutating func discard() {
        closeFile()
        if let draft { draft.withCString { _ = unlink($0) } }
    }

    private mutating func closeFile() {
        guard let descriptor else { return }
        // Some file systems say only now that there is no room.
        if close(descriptor) != 0 { failure = failure ?? errno }
        self.descriptor = nil
    }
}
