import Glibc
import WasmInterpreter

/// The file that `--coredump` asks for.
enum CoreDumpFile {
    /// Writes a dump of a store whose guest was stopped. What was there before is replaced.
    static func write(
        to path: Word, _ store: Store, _ backtrace: Backtrace, program: String
    ) throws(Refusal) {
        let descriptor = path.withCString {
            open($0, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
        }
        guard descriptor >= 0 else {
            throw Refusal(FileError(errno: errno, path: path.text), file: path.text)
        }
        var failure: Int32?
        do {
            try store.writeCoreDump(backtrace, name: program) { bytes in
                if let error = writeAll(bytes, to: descriptor) {
                    failure = error
                    throw FileError(errno: error, path: path.text)
                }
            }
        } catch {
            failure = failure ?? EIO
        }
        if close(descriptor) != 0 { failure = failure ?? errno }
        if let failure {
            throw Refusal(FileError(errno: failure, path: path.text), file: path.text)
        }
    }
}
