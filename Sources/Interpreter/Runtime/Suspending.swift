// Invariants: an execution that is not running has its frames on its own stack, up to the stack's
// `top`; the place where it waits was left by the machine. `executions.current` is an execution
// that runs, on the store's current stack, and is kept by the caller of `goOn`. An execution with a
// stack is in `executions.all`, at its `listIndex`.

import WasmMachine
import WasmSystem

/// The executions of a store.
struct ExecutionList {
    /// Those that have a stack, so that collections find what it holds.
    private(set) var all: [Unmanaged<Execution>] = []
    /// The innermost one that runs, and how deep calls were nested when it was resumed: a more
    /// deeply nested call cannot wait.
    var current: (execution: Unmanaged<Execution>, depth: Int)?
    /// The stack of one that has ended, for the next.
    var spareStack: ValueStack?

    mutating func insert(_ execution: Execution) {
        execution.listIndex = all.count
        all.append(.passUnretained(execution))
    }

    /// The last one takes its place: constant time, since any number of executions can wait.
    mutating func remove(_ execution: Execution) {
        guard let index = execution.listIndex, let last = all.popLast() else { return }
        execution.listIndex = nil
        guard index < all.count else { return }
        all[index] = last
        last._withUnsafeGuaranteedRef { $0.listIndex = index }
    }
}

extension Store {
    /// A stack for an execution.
    func takeStack() throws(ResourceError) -> ValueStack {
        if let spare = executions.spareStack {
            executions.spareStack = nil
            return spare
        }
        return try makeStack()
    }

    /// Forgets an execution, which does not run, and its frames.
    func end(_ execution: Execution) {
        if case .ended = execution.state { return }
        stopWaiting(execution)
        if let wait = execution.atomicWait {
            _ = wait.memory.dequeue(execution.wakeCell, at: wait.address)
        }
        execution.atomicWait = nil
        execution.state = .ended
        execution.place = nil
        execution.pendingCall = nil
        execution.continuation = nil
        guard var stack = execution.stack else { return }
        execution.stack = nil
        executions.remove(execution)
        stack.top = execution.start
        // Values that its frames left would keep objects alive.
        if executions.spareStack == nil, heap.space.frontier == 0 {
            executions.spareStack = stack
        } else {
            stack.release(to: engine.reservations, account)
        }
        heap.externs.releaseDead()
    }

    /// The execution that would be suspended if the running guest had to wait now; nil if it must
    /// not: a host waits for it on the native stack.
    var suspendable: Execution? {
        guard let current = executions.current, current.depth == callDepth else { return nil }
        return current.execution.takeUnretainedValue()
    }

    /// Starts or continues an execution. Returns whether it has returned; then its results are in
    /// its first slots, and the caller must end it. If not, it waits.
    ///
    /// - Throws: what ends the guest; or an error of `input`, in which case nothing has happened.
    func goOn(_ execution: Execution, with input: Execution.Input) throws -> Bool {
        if callDepth > 0 { try checkNesting() }
        if case .results(let write) = input, let call = execution.pendingCall {
            let header = Int(call.record.pointee.headerIndex)
            try write(
                CallSlots(call.slots, count: header, of: exchange))
            try checkSlotFault()
            try checkResults(of: signature(call.record.pointee.typeID).type, in: call.slots)
        }
        guard let stack = execution.stack else { throw SuspensionError.notSuspended }
        let outerStack = exchangeStack(stack)
        if exchange.pointee.isProfiled { profiler?.resume(depth: callDepth) }
        let outerPlace = exchange.pointee.place
        let outerRun = executions.current
        execution.stack = outerStack
        if callDepth > 0 {
            suspendedRuns.append(outerPlace)
        } else {
            runningStack = NativeStack.address()
        }
        callDepth += 1
        executions.current = (.passUnretained(execution), callDepth)
        stopWaiting(execution)
        let isFirst = if case .ready = execution.state { true } else { false }
        execution.state = .running
        beginSlice(of: execution)

        let result = Result { try isFirst ? begin(execution) : proceed(execution, with: input) }

        executions.current = outerRun
        callDepth -= 1
        // The profiler does not charge waiting time.
        if exchange.pointee.isProfiled { profiler?.pause(depth: callDepth) }
        if callDepth > 0 { suspendedRuns.removeLast() }
        exchange.pointee.place = outerPlace
        execution.stack = exchangeStack(outerStack)
        // The guest that called this may be of the instance that ran here.
        if callDepth > 0, let outerPlace {
            ContextView(outerPlace.context).stackLimit = stackLimit
        }
        switch result {
        case .success(0): return true
        case .success:
            execution.stack?.top = top(of: execution)
            return false
        case .failure(let error):
            end(execution)
            throw error
        }
    }

    /// The end of the frames of an execution that waits.
    private func top(of execution: Execution) -> StackPointer {
        if let call = execution.pendingCall {
            return call.slots + (Int(call.record.pointee.headerIndex) + linkSlots)
        }
        guard let place = execution.place else {
            return execution.start + execution.function.signature.headerIndex
        }
        let module = InstanceStorage.of(place.context).module
        return place.stack + module.code.slotCount(at: place.code)
    }

    // MARK: Running

    /// Returns 0 if the guest returned, `suspended` if it waits.
    private func begin(_ execution: Execution) throws -> UInt64 {
        let record = execution.function.record
        exchange.pointee.place = nil
        if try payDebts(of: execution) { return suspended }
        let header = execution.start + Int(record.pointee.headerIndex)
        if let code = collectIfDue(top: header) { throw failure(code) }
        guard let context = record.pointee.context else {
            let code = callHost(record, execution.start, context: nil)
            if code == suspended { return code }
            return try outcome(of: code)
        }
        header[0] = UInt64(UInt(bitPattern: Machine.haltCode))
        header[1] = UInt64(UInt(bitPattern: execution.start))
        return try enter(
            execution,
            at: GuestPlace(code: record.pointee.code, stack: execution.start, context: context))
    }

    private func proceed(_ execution: Execution, with input: Execution.Input) throws -> UInt64 {
        let call = execution.pendingCall
        let place = execution.place
        exchange.pointee.place = place
        var accumulators = execution.accumulators
        switch input {
        case .nothing:
            if let wait = execution.atomicWait {
                guard try finish(wait, of: execution, &accumulators) else { return suspended }
            } else if let continuation = execution.continuation, let call {
                if let code = stopRequest() {
                    pendingError = Trap(code)
                    throw failure(.hostError)
                }
                execution.continuation = nil
                execution.pendingCall = nil
                let code = goOn(call, with: continuation, context: place?.context)
                guard code == 0 else { return try goOn(execution, after: code) }
                guard place != nil else { return 0 }
                let first = call.slots[0]
                accumulators = Accumulators(result: first)
            }
        case .results:
            guard place != nil else { return 0 }
            let first = call?.slots[0] ?? 0
            accumulators = Accumulators(result: first)
        case .failure(let error):
            execution.pendingCall = nil
            execution.continuation = nil
            pendingError = error
            return try goOn(execution, after: TrapCode.hostError.answer)
        }
        execution.pendingCall = nil
        guard let place = execution.place else { return try begin(execution) }
        if try payDebts(of: execution) {
            execution.accumulators = accumulators
            return suspended
        }
        return try enter(execution, at: place, accumulators)
    }

    /// Continues after a host function that did not return: in the handler of the exception that it
    /// threw, or not at all. Returns `suspended` if it waits again.
    private func goOn(_ execution: Execution, after code: UInt64) throws -> UInt64 {
        guard code != suspended else { return code }
        let code =
            code == TrapCode.hostError.answer && execution.place != nil ? unwindHostError() : code
        guard code == landed, let place = exchange.pointee.place else {
            return try outcome(of: code)
        }
        if let code = stopRequest() { throw self.failure(code) }
        return try enter(execution, at: place)
    }

    /// Takes units that were used before and not paid for; returns whether the execution has to
    /// wait for them.
    private func payDebts(of execution: Execution) throws -> Bool {
        if let code = stopRequest() { throw failure(code) }
        let units =
            execution.owed + (exchange.pointee.budget < 0 ? exchange.pointee.budget.magnitude : 0)
        execution.owed = 0
        guard units > 0 else { return false }
        giveBack()
        let code = refill(owing: units)
        return try code == suspended || outcome(of: code) == suspended
    }

    /// Runs the machine from `place` on.
    private func enter(
        _ execution: Execution, at place: GuestPlace, _ accumulators: Accumulators = Accumulators()
    ) throws -> UInt64 {
        let context = ContextView(place.context)
        context.budget = exchange.pointee.budget
        context.stackLimit = stackLimit
        exchange.pointee.exitCode = 0
        Machine.run(
            code: place.code, stack: place.stack, context: place.context,
            accumulators: accumulators)
        let exit = exchange.pointee.exitCode
        guard exit == suspended else { return try outcome(of: exit) }
        execution.place = exchange.pointee.place
        if execution.pendingCall == nil {
            execution.accumulators = exchange.pointee.accumulators
            // The missing units are recorded as owed. In the middle of an instruction none are.
            if execution.atomicWait == nil, execution.bytesDone == 0 {
                exchange.pointee.budget = 0
            }
        }
        return exit
    }

    private func outcome(of exit: UInt64) throws -> UInt64 {
        guard exit != 0 else { return 0 }
        throw failure(TrapCode(rawValue: UInt8(truncatingIfNeeded: exit)) ?? .unreachable)
    }
}
