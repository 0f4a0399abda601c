// Soundness: a continuation is in `waiting` from the moment in which its task waits; whoever removes
// it from there, under the lock, resumes it, once.

import Synchronization
import WasmInterpreter
import WasmdEventLoop

/// The result of work that several tasks wait for. Work that no task waits for any more is given
/// up.
final class SharedResult<Success: Sendable>: Sendable {
    @safe private struct Waiter: @unchecked Sendable {
        let number: UInt64
        let continuation: UnsafeContinuation<Result<Success, any Error>, Never>
    }

    private struct State {
        var result: Result<Success, any Error>?
        var waiting: [Waiter] = []
        var lastNumber: UInt64 = 0
        /// Tasks that have joined and were not cancelled.
        var wantedCount = 0
        /// Tasks that were cancelled before they began to wait.
        var cancelled: Set<UInt64> = []
        var handle: InterruptHandle?
        var isAbandoned = false
    }

    private let state = Mutex(State())

    init() {}

    /// Whether nobody waits any more: the work should end.
    var isAbandoned: Bool { state.withLock { $0.isAbandoned } }

    /// Sets the handle that ends the work when it is given up.
    func setHandle(_ handle: InterruptHandle) {
        let isAbandoned = state.withLock { state in
            state.handle = handle
            return state.isAbandoned
        }
        if isAbandoned { handle.interrupt() }
    }

    /// Announces that a task will wait for the result; nil if the work was given up before.
    func join() -> UInt64? {
        state.withLock { state in
            guard !state.isAbandoned else { return nil }
            state.wantedCount += 1
            state.lastNumber += 1
            return state.lastNumber
        }
    }

    /// Waits for the result, once for each number of `join`.
    ///
    /// - Throws: the work's error; `LoopError.cancelled` if the task is cancelled.
    func value(_ number: UInt64) async throws -> Success {
        let result = await withTaskCancellationHandler {
            await unsafe withUnsafeContinuation { continuation in
                unsafe begin(Waiter(number: number, continuation: continuation))
            }
        } onCancel: {
            cancel(number)
        }
        return try result.get()
    }

    private func begin(_ waiter: Waiter) {
        let result = state.withLock { state -> Result<Success, any Error>? in
            if state.cancelled.remove(waiter.number) != nil {
                return .failure(LoopError.cancelled)
            }
            if let result = state.result { return result }
            state.waiting.append(waiter)
            return nil
        }
        if let result { unsafe waiter.continuation.resume(returning: result) }
    }

    private func cancel(_ number: UInt64) {
        let waiter = state.withLock { state -> Waiter? in
            guard state.result == nil else { return nil }
            state.wantedCount -= 1
            if state.wantedCount == 0 {
                state.isAbandoned = true
                state.handle?.interrupt()
            }
            guard let index = state.waiting.firstIndex(where: { $0.number == number }) else {
                state.cancelled.insert(number)
                return nil
            }
            return state.waiting.remove(at: index)
        }
        unsafe waiter?.continuation.resume(returning: .failure(LoopError.cancelled))
    }

    /// Sets the result and resumes all that wait.
    func finish(_ result: Result<Success, any Error>) {
        let waiting = state.withLock { state in
            state.result = result
            defer { state.waiting = [] }
            return state.waiting
        }
        for waiter in waiting { unsafe waiter.continuation.resume(returning: result) }
    }
}
