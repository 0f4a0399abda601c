// Invariants: `exchange.top` is the first slot that no frame in use covers, at most `stackLimit`
// when a run starts, so that there is room for every legal frame after it; it is restored however a
// run ends. Between `beginCall` and `endCall`, it is after the slots of the call.

import WasmMachine
import WasmSystem

/// Calls from the host into guests, and from guests into the host.
extension Store {
    /// Checks that a call can start and returns where its arguments go. The slots of arguments and
    /// results belong to the call until `endCall`, even if the code that writes or reads them calls
    /// guests.
    ///
    /// - Throws: `Trap` if calls are nested too deep or the guest was asked to stop.
    @inline(__always)
    func beginCall(_ signature: Signature) throws -> UnsafeMutablePointer<UInt64> {
        if callDepth > 0 { try checkNesting() }
        if valueStack == nil { try prepareStack() }
        let top = exchange.pointee.top
        guard signature.headerIndex < Int(UInt16.max) else { throw Trap(.stackExhausted) }
        if UnsafeMutableRawPointer(top) > stackLimit, let code = growStack(to: top) {
            throw Trap(code)
        }
        exchange.pointee.top = top + signature.headerIndex
        return top
    }

    /// Gives up the slots of a call, whether it ran or not.
    @inline(__always)
    func endCall(_ slots: StackPointer) { exchange.pointee.top = slots }

    /// Runs a function whose arguments are in the slots from `top` on, which `beginCall` returned;
    /// its results are in the same slots afterwards.
    ///
    /// - Throws: `Trap`, `Exception`, or what a host function threw.
    func run(_ record: UnsafeMutablePointer<FunctionRecord>, _ top: StackPointer) throws {
        if let code = stopRequest() { throw Trap(code) }
        let header = top + Int(record.pointee.headerIndex)
        if let code = collectIfDue(top: header) { throw Trap(code) }
        if exchange.pointee.isProfiled { profiler?.resume(depth: callDepth) }
        let outer = exchange.pointee.place
        if callDepth > 0 {
            suspendedRuns.append(outer)
        } else {
            runningStack = NativeStack.address()
        }
        callDepth += 1
        // No `defer`: it would be a function of its own, called at each exit.
        let error = enter(record, top, header)
        callDepth -= 1
        if exchange.pointee.isProfiled { profiler?.pause(depth: callDepth) }
        if callDepth > 0 { suspendedRuns.removeLast() }
        // Results are still to be read.
        exchange.pointee.top = header
        exchange.pointee.place = outer
        heap.externs.releaseDead()
        if let error { throw error }
    }

    /// Runs a guest's function on the machine, or one of the host; returns why it ended if it did
    /// not return.
    @inline(__always)
    private func enter(
        _ record: UnsafeMutablePointer<FunctionRecord>, _ top: StackPointer,
        _ header: StackPointer
    ) -> (any Error)? {
        if exchange.pointee.budget < 0 {
            // The call of the host function that called this used a unit that was not there.
            let code = refill(owing: exchange.pointee.budget.magnitude)
            if let code = TrapCode(rawValue: UInt8(truncatingIfNeeded: code)) { return Trap(code) }
        }
        guard let context = record.pointee.context else {
            exchange.pointee.place = nil
            let code = callHost(record, top, context: nil)
            return TrapCode(rawValue: UInt8(truncatingIfNeeded: code)).map(failure)
        }
        header[0] = haltCode
        header[1] = UInt64(UInt(bitPattern: top))
        let view = ContextView(context)
        view.budget = exchange.pointee.budget
        view.stackLimit = stackLimit
        exchange.pointee.exitCode = 0
        Machine.run(code: record.pointee.code, stack: top, context: context)
        let exit = exchange.pointee.exitCode
        guard exit != 0 else { return nil }
        let error = failure(TrapCode(rawValue: UInt8(truncatingIfNeeded: exit)) ?? .unreachable)
        clearFrames(from: top)
        return error
    }

    /// The error for a run that ended with this code.
    func failure(_ code: TrapCode) -> any Error {
        if code == .hostError, let error = pendingError {
            pendingError = nil
            guard var trap = error as? Trap, trap.backtrace.frames.isEmpty else { return error }
            trap.backtrace = Backtrace(of: self, atCall: true)
            return trap
        }
        var trap = Trap(code, backtrace: Backtrace(of: self, atCall: false))
        trap.detail = TrapDetail(code, of: self)
        if observer != nil { notify { $0.didTrap(trap) } }
        return trap
    }

    /// Calls a host function. Returns 0 if it returned, `suspended` if the guest must wait for it,
    /// or a trap code.
    func callHost(
        _ record: UnsafeMutablePointer<FunctionRecord>, _ arguments: StackPointer,
        context: ContextPointer?
    ) -> UInt64 {
        guard let function = HostFunctionRecord.host(of: record) else {
            return TrapCode.hostError.answer
        }
        let header = Int(record.pointee.headerIndex)
        let savedTop = exchange.pointee.top
        // Room for a frame header, in case the machine keeps one there.
        let top = arguments + (header + 2)
        guard header < Int(UInt16.max), UnsafeMutableRawPointer(top) <= stackEnd else {
            return TrapCode.stackExhausted.answer
        }
        exchange.pointee.top = top
        let isProfiled = exchange.pointee.isProfiled
        if isProfiled, context != nil { profiler?.beginHostCall(of: self) }
        let answer: UInt64
        do {
            try Unmanaged<HostFunction>.fromOpaque(function)._withUnsafeGuaranteedRef {
                try $0.body(
                    Caller(store: Unmanaged.passUnretained(self), context: context),
                    CallSlots(arguments, count: header, of: exchange))
                switch $0.resultCheck {
                case .none: break
                case .clear: arguments[0] &= 0xffff_ffff
                case .all: try checkResults(of: $0.type, in: arguments)
                }
            }
            if heap.externs.attention != 0 || exchange.pointee.missingSlotMark != 0 {
                answer = try attend(top: top)
            } else {
                answer = 0
            }
        } catch {
            answer = failed(error, in: record, arguments, context)
        }
        exchange.pointee.top = savedTop
        if isProfiled, context != nil { profiler?.endHostCall(of: self, record) }
        exchange.pointee.callsUntilLook &-= 1
        if exchange.pointee.callsUntilLook == 0 { lookAfterCalls() }
        return answer
    }

    /// Does what is due after a call of a host function; returns a trap code, or 0.
    @inline(never)
    private func attend(top: StackPointer) throws -> UInt64 {
        if let code = collectIfDue(top: top) { return code.answer }
        heap.externs.releaseDead()
        try checkSlotFault()
        return 0
    }

    /// The result of a call whose host function threw. A function of its own, so that calls which
    /// return need no stack for it.
    @inline(never)
    private func failed(
        _ error: any Error, in record: UnsafeMutablePointer<FunctionRecord>,
        _ arguments: StackPointer, _ context: ContextPointer?
    ) -> UInt64 {
        guard let suspension = error as? Suspension else {
            pendingError = error
            return TrapCode.hostError.answer
        }
        return wait(suspension, in: record, arguments, context: context)
    }
}

/// How much native stack nested calls may use: host functions that call guests that call host
/// functions are the only kind of recursion that takes native stack.
struct NativeStackBounds {
    /// The thread that the address was found for.
    var thread: UInt = 0
    /// Below this address no nested call starts.
    var lowest: UInt = 0

    /// Nested calls that start without checking the native stack.
    static let freeDepth = 8
    /// What a host function may need on its own.
    static let reserve: UInt = 128 << 10
    /// Addresses as near to each other as this are taken to be on one stack.
    static let near: UInt = 64 << 10
}

extension Store {
    /// Runs a closure of the host while the guest is in the middle of an instruction: where its
    /// frames end is not known, so no other guest may be called and nothing is collected.
    func holdingGuest<Answer: Sendable>(_ body: () -> Answer) -> Answer {
        let wasHeld = isGuestHeld
        isGuestHeld = true
        if callDepth == 0 { runningStack = NativeStack.address() }
        // A nested call checks `isGuestHeld` only if another has not returned.
        callDepth += 1
        defer {
            callDepth -= 1
            isGuestHeld = wasHeld
        }
        // Such a closure may call another, on the thread that has the lock.
        if let callbackLock, !wasHeld { return callbackLock.locked(body) }
        return body()
    }

    /// Whether a call from the host has not returned.
    package var isRunning: Bool { callDepth > 0 }

    @inline(never)
    func checkNesting() throws {
        guard isOwnThread else { throw CallError.storeInUse }
        guard !isGuestHeld else { throw CallError.guestIsHeld }
        guard callDepth < limits.nestedCalls else { throw exhausted() }
        guard callDepth >= NativeStackBounds.freeDepth else { return }
        if nativeStack.thread != NativeStack.thread {
            nativeStack.thread = NativeStack.thread
            let lowest = NativeStack.lowestAddress() ?? 0
            nativeStack.lowest =
                lowest.addingReportingOverflow(
                    NativeStackBounds.reserve
                ).partialValue
        }
        guard NativeStack.currentAddress() > nativeStack.lowest else { throw exhausted() }
    }

    /// Whether the current thread is the one that runs guests, if there is one. Valid while
    /// `callDepth` is not 0.
    ///
    /// Nested calls are below the outer one on the same native stack, mostly near; the stack's
    /// bounds are looked up only for others.
    var isOwnThread: Bool {
        runningStack == 0 || runningStack &- NativeStack.address() < NativeStackBounds.near
            || NativeStack.contains(runningStack)
    }

    private func exhausted() -> Trap {
        Trap(.stackExhausted, backtrace: Backtrace(of: self, atCall: true))
    }
}
