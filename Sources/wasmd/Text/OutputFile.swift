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

    /// Writes all bytes; a file that is there already is replaced.
    func write(_ bytes: UnsafeBufferPointer<UInt8>, _ console: Console) throws(Refusal) {
        guard case .path(let path) = self else { return console.output.write(bytes) }
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else {
            throw Refusal(FileError(errno: errno, path: path), file: path)
        }
        var failure: Int32 = 0
        var rest = UnsafeRawBufferPointer(bytes)[...]
        while !rest.isEmpty, failure == 0 {
            let buffer = UnsafeRawBufferPointer(rebasing: rest)
            let count = Glibc.write(descriptor, buffer.baseAddress, buffer.count)
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno != EINTR {
                failure = errno
            }
        }
        // Some file systems say only now that there is no room.
        if close(descriptor) != 0, failure == 0 { failure = errno }
        if failure != 0 { throw Refusal(FileError(errno: failure, path: path), file: path) }
    }
}
