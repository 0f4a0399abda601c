import Glibc
import WasmDecoder

/// Where a command that makes a file puts it.
enum OutputFile: Equatable {
    case standardOutput
    case path(String)

    /// What `--output` says; `-` is standard output.
    init(_ text: String) { self = text == "-" ? .standardOutput : .path(text) }

    /// The name of `file`, without its folder, with another ending: `module.wasm` for
    /// `tests/module.wat`, and for `module.wasm` a name that is not its own. What comes from
    /// standard input goes to standard output.
    init(insteadOf file: String, ending: String) {
        guard file != "-" else {
            self = .standardOutput
            return
        }
        var name = file.split(separator: "/").last ?? ""
        if let dot = name.lastIndex(of: "."), dot != name.startIndex, !name.hasSuffix(ending) {
            name = name[..<dot]
        }
        self = .path(name + ending)
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
    private let path: String?
    private var descriptor: Int32?
    /// The file beside the one that it will replace.
    private var draft: String?
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

    private mutating func open(_ path: String) {
        var old = stat()
        let exists = lstat(path, &old) == 0
        if !exists || (old.st_mode & S_IFMT == S_IFREG && access(path, W_OK) == 0) {
            let draft = "\(path).\(getpid())"
            let file = Glibc.open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
            if file >= 0 {
                if exists { fchmod(file, old.st_mode & 0o777) }
                descriptor = file
                self.draft = draft
                return
            }
        }
        let file = Glibc.open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
        if file >= 0 { descriptor = file } else { failure = errno }
    }

    /// Everything was written: the file takes its place.
    mutating func finish() throws(Refusal) {
        guard let path else { return }
        if descriptor == nil, failure == nil { open(path) }
        closeFile()
        if failure == nil, let draft, rename(draft, path) != 0 { failure = errno }
        guard let failure else { return }
        if let draft { unlink(draft) }
        throw Refusal(FileError(errno: failure, path: path), file: path)
    }

    /// Removes what was written beside the file.
    mutating func discard() {
        closeFile()
        if let draft { unlink(draft) }
    }

    private mutating func closeFile() {
        guard let descriptor else { return }
        // Some file systems say only now that there is no room.
        if close(descriptor) != 0 { failure = failure ?? errno }
        self.descriptor = nil
    }
}
