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
        guard case .path(let path) = self else { return console.output.write(bytes) }
        if let failure = Self.replace(path, with: UnsafeRawBufferPointer(bytes)) {
            throw Refusal(FileError(errno: failure, path: path.text), file: path.text)
        }
    }

    /// Answers the `errno` of what fails.
    private static func replace(_ path: Word, with bytes: UnsafeRawBufferPointer) -> Int32? {
        let draft = Word(bytes: path.bytes + ".\(getpid())".utf8)
        return path.withCString { path in
            draft.withCString { draft in replace(path, with: bytes, draft: draft) }
        }
    }

    private static func replace(
        _ path: UnsafePointer<CChar>, with bytes: UnsafeRawBufferPointer,
        draft: UnsafePointer<CChar>
    ) -> Int32? {
        var old = stat()
        let exists = lstat(path, &old) == 0
        // Only beside the file can the new one take its place in one step. What is no file (a
        // device, a link), or may not be written, is opened as it is.
        if !exists || (old.st_mode & S_IFMT == S_IFREG && access(path, W_OK) == 0) {
            let descriptor = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
            if descriptor >= 0 {
                if exists { fchmod(descriptor, old.st_mode & 0o777) }
                var failure = writeAndClose(bytes, descriptor)
                if failure == nil, rename(draft, path) != 0 { failure = errno }
                if failure != nil { unlink(draft) }
                return failure
            }
        }
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
        return descriptor < 0 ? errno : writeAndClose(bytes, descriptor)
    }

    private static func writeAndClose(
        _ bytes: UnsafeRawBufferPointer, _ descriptor: Int32
    ) -> Int32? {
        let failure = writeAll(bytes, to: descriptor)
        // Some file systems say only now that there is no room.
        return close(descriptor) != 0 ? failure ?? errno : failure
    }
}
