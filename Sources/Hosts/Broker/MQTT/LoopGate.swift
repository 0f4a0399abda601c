// Soundness: the continuation is resumed once, by the waiter that has it.

import Synchronization

/// Lets one task wait until something has happened. From any thread.
final class LoopGate: Sendable {
    private struct State: Sendable {
        var isOpen = false
        var waiter: SubscriptionWaiter?
    }

    private let state = Mutex(State())

    /// Lets the task that waits continue, or the next one that would.
    func open() {
        let waiter = state.withLock { state in
            defer { state.waiter = nil }
            if state.waiter == nil { state.isOpen = true }
            return state.waiter
        }
        waiter?.resume()
    }

    /// Waits for `open` since the last wait, or for the task's cancellation.
    func wait() async {
        let waiter = SubscriptionWaiter()
        await withTaskCancellationHandler {
            _ = await unsafe withUnsafeContinuation {
                (continuation: UnsafeContinuation<Bool, Never>) in
                unsafe waiter.set(continuation)
                let isOpen = state.withLock { state in
                    if state.isOpen {
                        state.isOpen = false
                        return true
                    }
                    state.waiter = waiter
                    return false
                }
                if isOpen { waiter.resume() }
            }
        } onCancel: {
            state.withLock { if $0.waiter === waiter { $0.waiter = nil } }
            waiter.resume()
        }
    }
}
