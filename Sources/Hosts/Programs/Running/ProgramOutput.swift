// Soundness: the buffer of `write` is valid for the length of the call, and only its bytes are
// copied.

import Synchronization
import WasmInterpreter
import WasmWASI

/// The standard output of a program that answers a request. It is kept until the handler takes it; a
/// program that has printed `capacity` bytes waits until then.
final class ProgramOutput: GuestStream {
    private struct State {
        var bytes: [UInt8] = []
        var isClosed = false
    }

    let changes = WakeSource()
    private let state = Mutex(State())
    private static let capacity = 65_536

    func write(_ bytes: UnsafeRawBufferPointer) throws(Errno) -> Int {
        try state.withLock { (state) throws(Errno) in
            let count = min(bytes.count, Self.capacity - state.bytes.count)
            guard count > 0 else { throw .again }
            unsafe state.bytes.append(contentsOf: bytes.prefix(count))
            return count
        }
    }

    var writableByteCount: Int? {
        let room = state.withLock { Self.capacity - $0.bytes.count }
        return room > 0 ? room : nil
    }

    func guestDidClose(_ directions: Wait.Directions) {
        if directions.contains(.writing) { state.withLock { $0.isClosed = true } }
    }

    /// Takes what was printed since the last call.
    ///
    /// - Returns: the bytes, and whether the program has closed the stream, so that they are the
    ///   last ones.
    func take() -> (bytes: [UInt8], isClosed: Bool) {
        let taken = state.withLock { state in
            defer { state.bytes = [] }
            return (bytes: state.bytes, isClosed: state.isClosed)
        }
        if !taken.bytes.isEmpty { changes.signal() }
        return taken
    }
}
