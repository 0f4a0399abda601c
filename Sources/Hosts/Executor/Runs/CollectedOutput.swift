// Invariant: a buffer's bytes are accessible during the call, and are copied in it.

import Synchronization
import WasmInterpreter
import WasmWASI

/// Standard output of a program, collected. It takes everything: the run's limit of output bounds it.
final class CollectedOutput: GuestStream {
    let changes = WakeSource()
    private let bytes = Mutex<[UInt8]>([])

    var writableByteCount: Int? { 1 << 16 }

    func write(_ buffer: UnsafeRawBufferPointer) throws(Errno) -> Int {
        bytes.withLock { bytes in unsafe bytes.append(contentsOf: buffer) }
        return buffer.count
    }

    /// The bytes that were written, which are gone from here then.
    func take() -> [UInt8] {
        bytes.withLock { bytes in
            defer { bytes = [] }
            return bytes
        }
    }
}
