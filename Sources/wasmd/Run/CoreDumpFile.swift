import WasmInterpreter
import WasmSystem

/// The file of `--coredump`.
enum CoreDumpFile {
    /// Writes a dump of a store whose guest was stopped. Replaces an existing file.
    static func write(
        to path: Word, _ store: Store, _ backtrace: Backtrace, program: String
    ) throws(Refusal) {
        let file = FileDescriptor(owning: try path.opened([.writeOnly, .create, .truncate]))
        let number = file.number
        var failure: SystemError?
        do {
            try store.writeCoreDump(backtrace, name: program) { bytes in
                if let error = writeAll(bytes, to: number) {
                    failure = error
                    throw FileError(error, path: path.text)
                }
            }
        } catch {
            failure = failure ?? .io
        }
        do throws(SystemError) { try file.close() } catch { failure = failure ?? error }
        if let failure {
            throw Refusal(FileError(failure, path: path.text), file: path.text)
        }
    }
}
