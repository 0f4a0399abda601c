import Synchronization

// Everything here runs in the isolation of the caller: a store is not `Sendable` and never leaves
// it. Only cancellation comes from elsewhere.

/// Calls that do not hold a thread while their guest waits.
///
///     let results = try await function.call([.i32(7)])
///
/// The guest runs on the caller's executor. While it waits for an asynchronous host function, in
/// WASI or for another guest, the caller's task is suspended. While it computes, the task yields
/// every `Store.yieldInterval` units. While it waits, the caller's actor may use the store, also
/// for more asynchronous calls: each has its own stack.
///
/// When the task is cancelled, the guest ends with `CancellationError`: at once if it computes or
/// waits, and after the host function if it waits for an asynchronous one. No more code of the
/// guest runs.
extension Function {
    /// Calls the function and suspends the task until it returns.
    ///
    /// - Throws: `CancellationError`, `CallError` if the arguments do not fit, and the errors of
    ///   the guest and its host functions, as without `await`. Where `Store.onOutOfFuel` is
    ///   `.suspend`, a guest whose fuel is used up traps: resume an `Execution` by hand to give it
    ///   more.
    nonisolated(nonsending)
        public func call(_ arguments: [Value] = []) async throws -> [Value]
    {
        let types = type.results
        return try await finish(start(arguments)) { slots in
            var slot = 0
            return types.map { type in
                defer { slot += type.slotCount }
                return slots.value(slot, as: type)
            }
        }
    }

    /// Calls the function with Swift values.
    ///
    ///     let sum = try await add.call(2 as Int32, 3 as Int32, returning: Int32.self)
    ///
    /// - Throws: `CallError.signature` if the types are not the function's; otherwise as
    ///   `call(_:)`.
    nonisolated(nonsending)
        public func call<each Argument: WasmValue, Result: WasmValue>(
            _ arguments: repeat each Argument, returning: Result.Type = Result.self
        ) async throws -> Result
    {
        try await typed(as: ((repeat each Argument) -> Result).self).call(repeat each arguments)
    }

    /// - Parameter isolation: the caller's. The operation below names it, or it would run
    ///   elsewhere.
    fileprivate func finish<Results>(
        _ execution: Execution, isolation: isolated (any Actor)? = #isolation,
        reading: (borrowing CallSlots) throws -> Results
    ) async throws -> Results {
        let cancellation = TaskCancellation(store.interruptHandle, execution.wakeCell)
        return try await withTaskCancellationHandler {
            _ = isolation
            return try await execution.finish(cancellation, reading: reading)
        } onCancel: {
            cancellation.cancel()
        }
    }
}

extension TypedFunction {
    /// Calls the function and suspends the task until it returns.
    ///
    ///     let add = try instance.function("add", as: ((Int32, Int32) -> Int32).self)
    ///     let sum = try await add.call(2, 3)
    ///
    /// - Throws: as `Function.call(_:)` with `await`.
    nonisolated(nonsending)
        public func call<each Parameter: WasmValue, each Result: WasmValue>(
            _ arguments: repeat each Parameter
        ) async throws -> (repeat each Result)
    where Signature == (repeat each Parameter) -> (repeat each Result) {
        let execution = try function.start(with: repeat each arguments)
        return try await function.finish(execution) { slots in
            var slot = 0
            return (repeat (each Result)(slots: slots, at: &slot))
        }
    }

    /// The same for one result: see `TypedFunction.callAsFunction`.
    nonisolated(nonsending)
        public func call<each Parameter: WasmValue, Result: WasmValue>(
            _ arguments: repeat each Parameter
        ) async throws -> Result where Signature == (repeat each Parameter) -> Result
    {
        let execution = try function.start(with: repeat each arguments)
        return try await function.finish(execution) { slots in
            var slot = 0
            return Result(slots: slots, at: &slot)
        }
    }
}

extension Function {
    /// Prepares a call with arguments of the function's types.
    fileprivate func start<each Argument: WasmValue>(
        with arguments: repeat each Argument
    ) throws -> Execution {
        try start { slots in
            var slot = 0
            do throws(ValueError) {
                repeat try (each arguments).write(to: slots, at: &slot)
            } catch {
                throw argumentError(error, slot: slot)
            }
        }
    }
}

extension Execution {
    /// Resumes the guest until it returns.
    nonisolated(nonsending)
        fileprivate func finish<Results>(
            _ cancellation: TaskCancellation, reading: (borrowing CallSlots) throws -> Results
        ) async throws -> Results
    {
        var input = Input.nothing
        while true {
            slice = store.yieldInterval
            if let results = try cancellation.resuming({ try resume(input, reading: reading) }) {
                return results
            }
            input = .nothing
            switch reason {
            case .endOfSlice: await Task.yield()
            case .hostFunction(let call):
                guard let request = call.request as? AsyncRequest else {
                    throw SuspensionError.resultsMissing
                }
                do {
                    input = .results(try await request.body())
                } catch {
                    input = .failure(error)
                }
            case .wait(let wait):
                try cancellation.check()
                try await self.wait(for: self.wait ?? wait)
            case .outOfFuel, nil: throw Trap(.outOfFuel, backtrace: backtrace)
            }
        }
    }
}

extension Execution {
    /// Suspends the task until the guest can be resumed.
    nonisolated(nonsending)
        private func wait(for wait: Wait) async throws
    {
        // If there is no such thread, this one waits.
        guard let thread = WaitThread.shared else { return try park() }
        let cells = [wakeCell, store.interruptHandle.wakeCell]
        await withCheckedContinuation { continuation in
            thread.watch(wait, cells) { continuation.resume() }
        }
    }
}

/// Passes the cancellation of a task to the guest that it runs, and to no other guest of the store.
private final class TaskCancellation: Sendable {
    private struct State {
        var isRunning = false
        var isCancelled = false
    }

    private let state = Mutex(State())
    private let handle: InterruptHandle
    /// Ends the guest's waiting.
    private let cell: WakeCell

    init(_ handle: InterruptHandle, _ cell: WakeCell) {
        self.handle = handle
        self.cell = cell
    }

    func cancel() {
        state.withLock { state in
            state.isCancelled = true
            // A waiting guest is woken, to end.
            if state.isRunning { handle.interrupt() } else { cell.wake() }
        }
    }

    /// Throws if the task was cancelled. A cancellation after this wakes the guest.
    func check() throws {
        if state.withLock({ $0.isCancelled }) { throw CancellationError() }
    }

    /// Runs the guest for a while, unless it was cancelled.
    func resuming<Results>(_ body: () throws -> Results) throws -> Results {
        try enter()
        let result = Result { try body() }
        let isCancelled = state.withLock { state in
            state.isRunning = false
            // A guest that ended by itself did not take the request; the next one must not.
            if state.isCancelled { handle.reset() }
            return state.isCancelled
        }
        if isCancelled, case .failure(let error) = result, (error as? Trap)?.code == .interrupted {
            throw CancellationError()
        }
        return try result.get()
    }

    private func enter() throws {
        try state.withLock { state in
            guard !state.isCancelled else { throw CancellationError() }
            state.isRunning = true
        }
    }
}
