import Synchronization
import WasmInterpreter
import WasmdEventLoop

/// Work of a loop that a guest waits for, without a thread.
///
/// A host function starts it and throws `suspension`. The work is cancelled when nothing waits for
/// it any more, because the guest was stopped.
final class PendingWork<Value: Sendable>: Sendable {
    /// What the task and the guest share.
    private final class Place: Sendable {
        let result = Mutex<Result<Value, any Error>?>(nil)
        let source = WakeSource()
    }

    private let place = Place()
    private let task: LoopTask<Void>

    /// Starts work on a loop; from any thread.
    init(on loop: EventLoop, _ body: @escaping @Sendable () async throws -> Value) {
        let place = place
        task = loop.spawn {
            let result: Result<Value, any Error>
            do {
                result = .success(try await body())
            } catch {
                result = .failure(error)
            }
            place.result.withLock { $0 = result }
            place.source.signal()
        }
    }

    deinit { task.cancel() }

    /// What the host function throws. `finish` continues in its place when the work is done.
    func suspension(
        then finish:
            @escaping (borrowing Caller, borrowing CallSlots, Result<Value, any Error>)
            throws -> Void
    ) -> Suspension {
        let turn = place.source.turn
        var wait = Wait()
        // A result that came before the turn was read would not end the wait.
        if place.result.withLock({ $0 != nil }) {
            wait.end(at: .now)
        } else {
            wait.add(place.source, since: turn)
        }
        return Suspension(wait) { [self] caller, slots in
            guard let result = place.result.withLock({ $0 }) else {
                throw suspension(then: finish)
            }
            try finish(caller, slots, result)
        }
    }
}
