import Synchronization
import WasmInterpreter
import WasmWASI

/// The standard output of a program that answers a request. It is kept until the handler takes it; a
/// program that has printed `capacity` bytes waits until then.
final class ProgramOutput: GuestStream {
    let changes = WakeSource()
    private let kept = Mutex<[UInt8]>([])
    private static let capacity = 65_536

    func write(_ bytes: UnsafeRawBufferPointer) throws(Errno) -> Int {
        try kept.withLock { (kept) throws(Errno) in
            let count = min(bytes.count, Self.capacity - kept.count)
            guard count > 0 else { throw .again }
            unsafe kept.append(contentsOf: bytes.prefix(count))
            return count
        }
    }

    var writableByteCount: Int? {
        let room = kept.withLock { Self.capacity - $0.count }
        return room > 0 ? room : nil
    }

    /// Takes what was printed since the last call.
    func take() -> [UInt8] {
        let bytes = kept.withLock { kept in
            defer { kept = [] }
            return kept
        }
        if !bytes.isEmpty { changes.signal() }
        return bytes
    }
}
