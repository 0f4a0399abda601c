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
        guard case .path(let path) = self else { return console.output.write(bytes) }
        if let failure = Self.replace(path, with: UnsafeRawBufferPointer(bytes)) {
            throw Refusal(FileError(errno: failure, path: path), file: path)
        }
    }

    /// Answers the `errno` of what fails.
    private static func replace(_ path: String, with bytes: UnsafeRawBufferPointer) -> Int32? {
        var old = stat()
        let exists = lstat(path, &old) == 0
        // Only beside the file can the new one take its place in one step. What is no file (a
        // device, a link), or may not be written, is opened as it is.
        if !exists || (old.st_mode & S_IFMT == S_IFREG && access(path, W_OK) == 0) {
            let draft = "\(path).\(getpid())"
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
