// Soundness: the bytes of a line are lent for the length of a call.

import Synchronization
import WasmSystem
import WasmdExecutor
import WasmdOperation

/// The log file of *wess*: a line for each change, in its form, which programs parse.
///
///     2026-11-28T12:00:00 | INFO wess::tx | src/serve.rs:1 - CREATE 7d444840-9dc0-…
///
/// A line is in the file before the answer leaves.
final class WessLog: WessObserver {
    private let file: Mutex<FileDescriptor>

    /// Opens the file for more lines; makes it with its folders.
    init(_ path: Word) throws(SystemError) {
        let bytes = path.bytes
        for (index, byte) in bytes.enumerated() where byte == UInt8(ascii: "/") && index > 0 {
            try? unsafe Kernel.createDirectory(
                CString(path: Array(bytes[..<index])), permissions: 0o777)
        }
        let number = try unsafe Kernel.open(
            path.cString, [.writeOnly, .create, .append], permissions: 0o666)
        file = Mutex(FileDescriptor(owning: number))
    }

    func wrote(_ action: String, _ id: ModuleID) {
        let time = Timestamp(nanoseconds: SystemClock.realtime.now).description.prefix(19)
        let line = Array("\(time) | INFO wess::tx | src/serve.rs:1 - \(action) \(id)\n".utf8)
        file.withLock { file in
            let number = file.number
            unsafe line.withUnsafeBytes { bytes in
                try? Signals.withoutWriteSignals { () throws(SystemError) in
                    try unsafe Kernel.writeAll(number, bytes)
                }
            }
        }
    }
}
