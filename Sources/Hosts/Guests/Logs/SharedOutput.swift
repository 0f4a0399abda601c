import Synchronization
import WasmSystem

/// Passes on what a guest writes to a stream that others write to as well, and drops what comes too
/// fast, so that their lines are not lost because of it.
public final class SharedOutput: Sendable {
    private let pass: @Sendable ([UInt8]) -> Void
    private let state = Mutex((allowance: LineAllowance(), lost: UInt64(0)))

    /// - Parameter pass: must not wait.
    public init(_ pass: @escaping @Sendable ([UInt8]) -> Void) { self.pass = pass }

    public func write(_ bytes: [UInt8]) {
        let now = SystemClock.monotonic.now
        let lost = state.withLock { state -> UInt64? in
            guard state.allowance.take(bytes, at: now) == nil else {
                state.lost &+= 1
                return nil
            }
            defer { state.lost = 0 }
            return state.lost
        }
        guard let lost else { return }
        if lost > 0 { pass(Array("[\(lost) writes were lost: they came too fast]\n".utf8)) }
        pass(bytes)
    }
}
