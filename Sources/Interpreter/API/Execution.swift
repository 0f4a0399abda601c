// Invariants: while the state is `ready` or `waiting`, `stack` holds the guest's frames and no code
// runs on it; while it is `running`, it holds the stack that this run replaced, if there was one;
// once it `ended`, there is none. The store lists every execution that has a stack.

import WasmMachine
import WasmSystem

/// A call of a guest that can stop in the middle and be resumed later: when it waits, when its fuel
/// is used up, or after a given amount of work.
///
///     let execution = try function.start([.i32(7)])
///     var outcome = try execution.resume()
///     while case .suspended(let reason) = outcome {
///         switch reason {
///         case .hostFunction(let call):
///             outcome = try execution.resume(returning: answer(call.request))
///         case .outOfFuel:
///             store.fuel = 1_000_000
///             outcome = try execution.resume()
///         case .wait:
///             try execution.park()
///             outcome = try execution.resume()
///         case .endOfSlice: outcome = try execution.resume()
///         }
///     }
///
/// A suspended guest holds no thread and no native stack, only its frames on a value stack of its
/// own. So any number can wait in one store, and be resumed in any order; meanwhile the store can
/// be used for other calls. Releasing an execution cancels it: no more code of the guest runs, also
/// not to clean up.
///
/// A loop that runs many guests watches the `wait` of each, with `wakeCell` and the store's
/// `interruptHandle.wakeCell` attached to its `WakeQueue`, and calls `resume()` when one of these
/// is ready. Resuming early is harmless: the guest checks, and waits again.
///
/// Used by one thread at a time, like everything of a store; another thread may resume it.
public final class Execution {
    /// Why a guest is suspended.
    public enum Reason {
        /// A host function threw a `Suspension`: resume with `resume(returning:)` or
        /// `resume(throwing:)`.
        case hostFunction(HostCall)
        /// The guest waits for descriptors, streams of the embedder or a time: in a host function
        /// that threw a `Suspension` with a `Wait`, or in `memory.atomic.wait`. Resume with
        /// `resume()`.
        case wait(Wait)
        /// The store's fuel is used up, and `Store.onOutOfFuel` is `.suspend`.
        case outOfFuel
        /// The work of one `slice` was done.
        case endOfSlice
    }

    /// A call of a host function for which the guest waits.
    public struct HostCall {
        /// The request of the host function's `Suspension`.
        public let request: Any
    }

    /// The result of resuming.
    public enum Outcome {
        case finished([Value])
        case suspended(Reason)
    }

    enum State {
        case ready
        case running
        case waiting(Reason)
        case ended
    }

    /// The input with which the guest continues.
    enum Input {
        case nothing
        /// A host function's results, which the closure writes.
        case results((borrowing CallSlots) throws -> Void)
        case failure(any Error)
    }

    public let function: Function
    public var store: Store { function.store }

    /// Units of budget (backward branches and calls, as for `Store.fuel`) after which the guest is
    /// suspended with `.endOfSlice`; nil, the default, for no such limit. Counted from each
    /// resumption, and not exact: a long instruction, such as `array.copy`, is finished first; bulk
    /// operations on memories and tables go on after any 512 KiB.
    public var slice: UInt64?

    /// Time after which the guest is suspended with `.endOfSlice`; nil, the default, for no such
    /// limit. Counted from each resumption, host functions included. Not exact: the clock is read
    /// about each quarter of a millisecond of computing and after 16 calls of the host; a host
    /// function or a long instruction is finished first, but for bulk operations on memories and
    /// tables, which go on after any 512 KiB.
    public var sliceTime: Duration? {
        get { sliceNanoseconds.map { .nanoseconds(Int64(clamping: $0)) } }
        set { sliceNanoseconds = newValue?.boundedNanoseconds }
    }
    /// The same in nanoseconds, which costs nothing to set.
    package var sliceNanoseconds: UInt64?

    /// Whether `computingTime` is measured, which reads the clock twice for each resumption.
    @exclusivity(unchecked) public var measuresTime = false
    /// Nanoseconds in which the guest and the host functions that it called ran, without the time
    /// between resumptions; 0 unless `measuresTime`.
    @exclusivity(unchecked) public private(set) var computingTime: UInt64 = 0

    // Reading or writing one of these runs no other code, and most guests end in their first turn:
    // the checks for exclusive access would take as long as such a guest itself.
    @exclusivity(unchecked) var state = State.ready
    @exclusivity(unchecked) var stack: ValueStack?
    /// The index in the store's list of executions.
    var listIndex: Int?
    /// The first slot of the outermost frame, with the arguments and then the results.
    let start: StackPointer
    /// Where the guest waits; nil before it begins and if the host itself called a host function.
    @exclusivity(unchecked) var place: GuestPlace?
    var accumulators = Accumulators()
    /// Units of budget that the guest used but did not have.
    var owed: UInt64 = 0
    /// Bytes of the bulk operation at `place` that are done already.
    @exclusivity(unchecked) var bytesDone: UInt64 = 0
    /// The units that are left of the slice.
    var sliceLeft: UInt64?
    /// When the slice ends, in nanoseconds of the monotonic clock; 0 for `sliceTime` nil.
    var sliceEnd: UInt64 = 0
    /// The host function that the guest waits for, and its slots.
    @exclusivity(unchecked)
    var pendingCall: (record: UnsafeMutablePointer<FunctionRecord>, slots: StackPointer)?
    /// Called instead of that host function, if it waits with a `Wait`.
    @exclusivity(unchecked) var continuation: Suspension.Continuation?
    /// The guest's current `memory.atomic.wait`.
    @exclusivity(unchecked) var atomicWait: AtomicWait?

    /// Is woken when a source of the guest's `Wait` is signalled or another guest notifies it. Code
    /// that drives the execution may wake it too, so that the guest checks its wait.
    public private(set) lazy var wakeCell = WakeCell(thread: store.interruptHandle)

    init(_ function: Function, stack: ValueStack) {
        self.function = function
        self.stack = stack
        start = stack.top
    }

    deinit { store.end(self) }

    /// Why the guest waits; nil if it does not.
    public var reason: Reason? {
        if case .waiting(let reason) = state { reason } else { nil }
    }

    /// What the guest waits for in `Reason.wait`; ends at the store's deadline or earlier. Must be
    /// read again after each resumption.
    public var wait: Wait? {
        guard case .waiting(.wait(var wait)) = state else { return nil }
        if let deadline = store.deadline { wait.end(at: deadline) }
        return wait
    }

    /// Parks the thread until the guest's wait may be over; returns at once unless it waits in
    /// `Reason.wait`.
    ///
    /// - Throws: `Trap` if the guest must stop; it has ended then.
    public func park() throws {
        guard case .waiting(.wait(let wait)) = state, let code = store.park(wait, wakeCell) else {
            return
        }
        let trap = Trap(code, backtrace: backtrace)
        store.end(self)
        throw trap
    }

    /// The guest functions that have not returned, innermost first; empty unless the guest waits.
    public var backtrace: Backtrace {
        guard let reason else { return Backtrace() }
        switch reason {
        case .hostFunction: return Backtrace(at: place, atCall: true)
        case .wait: return Backtrace(at: place, atCall: atomicWait == nil)
        case .outOfFuel, .endOfSlice: return Backtrace(at: place, atCall: false)
        }
    }

    /// Begins, or continues after `.wait`, `.outOfFuel` or `.endOfSlice`. A guest whose wait is not
    /// over is suspended again.
    ///
    /// - Throws: `SuspensionError` if the guest cannot be resumed like this; then nothing has
    ///   changed. Otherwise as `Function.call(_:)`, and the execution has ended.
    public func resume() throws -> Outcome { try outcome(of: .nothing) }

    /// Continues with the results of the host function that the guest waits for.
    ///
    /// - Throws: `SuspensionError` if it waits for none, `CallError` if the values do not fit; then
    ///   nothing has changed. Otherwise as `resume()`.
    public func resume(returning results: [Value]) throws -> Outcome {
        guard let pendingCall, continuation == nil else { throw SuspensionError.resultsUnexpected }
        let types = store.signature(pendingCall.record.pointee.typeID).type.results
        return try outcome(
            of: .results { [store] in try store.write(results: results, of: types, to: $0.base) })
    }

    /// Continues as if the host function that the guest waits for had thrown: the guest can catch
    /// an `Exception`; every other error ends it and is thrown again.
    ///
    /// - Throws: as `resume(returning:)`.
    public func resume(throwing error: any Error) throws -> Outcome {
        try outcome(of: .failure(error))
    }

    /// Ends a waiting guest and frees its frames. Has no effect if it has ended or is running.
    public func cancel() {
        if case .running = state { return }
        store.end(self)
    }

    private func outcome(of input: Input) throws -> Outcome {
        let types = function.signature.type.results
        let results = try resume(input) { [store] in store.values(of: types, in: $0.base) }
        return results.map { .finished($0) } ?? .suspended(reason ?? .endOfSlice)
    }

    /// Continues, and reads the results if the guest returns; nil if it waits again.
    func resume<Results>(
        _ input: Input, reading: (borrowing CallSlots) throws -> Results
    ) throws -> Results? {
        try check(input)
        let begin = measuresTime ? SystemClock.monotonic.now : 0
        defer { if measuresTime { computingTime &+= SystemClock.monotonic.now &- begin } }
        guard try store.goOn(self, with: input) else { return nil }
        defer { store.end(self) }
        let results = try reading(
            CallSlots(
                start, count: function.signature.headerIndex,
                of: store.exchange))
        try store.checkSlotFault()
        return results
    }

    private func check(_ input: Input) throws(SuspensionError) {
        switch (state, input) {
        case (.running, _), (.ended, _): throw .notSuspended
        case (.waiting(.hostFunction), .nothing): throw .resultsMissing
        case (.waiting(.hostFunction), _), (.ready, .nothing), (.waiting, .nothing): break
        case (.ready, _), (.waiting, _): throw .resultsUnexpected
        }
    }
}

extension Function {
    /// Prepares a call that can be suspended. No code runs until it is resumed.
    ///
    /// - Throws: `CallError` if the arguments do not fit, `ResourceError` if there is no memory for
    ///   another stack.
    public func start(_ arguments: [Value] = []) throws -> Execution {
        try start { [store, signature] in
            try store.write(arguments: arguments, of: signature, to: $0.base)
        }
    }

    /// The same with arguments that `write` puts into slots.
    func start(writing write: (borrowing CallSlots) throws -> Void) throws -> Execution {
        guard store.callDepth == 0 || store.isGuestHeld || store.isOwnThread else {
            throw CallError.storeInUse
        }
        guard signature.headerIndex < Int(UInt16.max) else { throw Trap(.stackExhausted) }
        let execution = Execution(self, stack: try store.takeStack())
        try write(
            CallSlots(
                execution.start, count: signature.headerIndex,
                of: store.exchange))
        try store.checkSlotFault()
        try store.checkArguments(of: signature.type, in: execution.start)
        execution.stack?.top += signature.headerIndex
        store.executions.insert(execution)
        return execution
    }
}
