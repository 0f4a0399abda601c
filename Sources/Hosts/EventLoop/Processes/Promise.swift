// Soundness: each continuation is in the list of those that wait, under the lock, until it is
// resumed; whoever removes it resumes it.

import Synchronization

/// A value that tasks of any loop wait for. It is set once, from any thread.
final class Promise<Value: Sendable>: Sendable {
    @safe private struct Waiter: @unchecked Sendable {
        private let continuation: UnsafeContinuation<Value?, Never>

        init(_ continuation: UnsafeContinuation<Value?, Never>) {
            unsafe self.continuation = continuation
        }

        func resume(_ value: Value?) { unsafe continuation.resume(returning: value) }
    }

    private struct State: Sendable {
        var value: Value?
        var waiting: [UInt64: Waiter] = [:]
        var lastNumber: UInt64 = 0
        /// Waits that were cancelled before they began.
        var cancelled: Set<UInt64> = []
    }

    private let state = Mutex(State())

    /// The value, if it was set.
    var current: Value? { state.withLock { $0.value } }

    /// Sets the value; later calls have no effect.
    func fulfil(_ value: Value) {
        let waiting = state.withLock { state -> [Waiter] in
            guard state.value == nil else { return [] }
            state.value = value
            defer { state.waiting = [:] }
            return Array(state.waiting.values)
        }
        for waiter in waiting { waiter.resume(value) }
    }

    /// Waits for the value.
    ///
    /// - Throws: `.cancelled`.
    func get() async throws(LoopError) -> Value {
        let number = state.withLock { state in
            state.lastNumber += 1
            return state.lastNumber
        }
        let value = await withTaskCancellationHandler {
            await unsafe withUnsafeContinuation {
                (continuation: UnsafeContinuation<Value?, Never>) in
                let waiter = unsafe Waiter(continuation)
                let result = state.withLock { state -> Value?? in
                    if let value = state.value { return value }
                    if state.cancelled.remove(number) != nil { return .some(nil) }
                    state.waiting[number] = waiter
                    return nil
                }
                if let result { waiter.resume(result) }
            }
        } onCancel: {
            let waiter = state.withLock { state -> Waiter? in
                if let waiter = state.waiting.removeValue(forKey: number) { return waiter }
                if state.value == nil { state.cancelled.insert(number) }
                return nil
            }
            waiter?.resume(nil)
        }
        guard let value else { throw .cancelled }
        return value
    }
}
