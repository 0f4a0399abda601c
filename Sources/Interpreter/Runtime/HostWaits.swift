// Invariant: as long as an execution waits with a continuation, `pendingCall` has the slots that
// the host function was called with, which nothing else uses.

import WasmMachine

/// Host functions that wait for descriptors, streams or a time. A guest that can be suspended is;
/// else its thread is parked here.
extension Store {
    /// After a host function threw a suspension. Returns the same as `callHost`.
    @inline(never)
    func wait(
        _ suspension: Suspension, in record: UnsafeMutablePointer<FunctionRecord>,
        _ arguments: StackPointer, context: ContextPointer?
    ) -> UInt64 {
        if let execution = suspendable {
            execution.pendingCall = (record, arguments)
            switch suspension.content {
            case .request(let request):
                execution.state = .waiting(.hostFunction(Execution.HostCall(request: request)))
            case .wait(let wait, let continuation):
                execution.continuation = continuation
                execution.startWaiting(wait)
            }
            return suspended
        }
        var suspension = suspension
        while true {
            guard case .wait(let wait, let continuation) = suspension.content else {
                pendingError = SuspensionError.cannotWait
                return TrapCode.hostError.answer
            }
            let cell = ownCell
            cell.reset()
            wait.subscribe(cell)
            let stop = park(wait, cell)
            wait.unsubscribe(cell)
            if let code = stop {
                pendingError = Trap(code)
                return TrapCode.hostError.answer
            }
            do {
                return try finish(record, arguments, continuation, context: context)
            } catch let next as Suspension {
                suspension = next
            } catch {
                pendingError = error
                return TrapCode.hostError.answer
            }
        }
    }

    /// Calls the continuation of an execution that waited. Returns the same as `callHost`.
    func goOn(
        _ call: (record: UnsafeMutablePointer<FunctionRecord>, slots: StackPointer),
        with continuation: Suspension.Continuation, context: ContextPointer?
    ) -> UInt64 {
        let savedTop = exchange.pointee.top
        // As `callHost` does; there is room, since it was called before.
        exchange.pointee.top = call.slots + (Int(call.record.pointee.headerIndex) + 2)
        let isProfiled = exchange.pointee.isProfiled && context != nil
        if isProfiled { profiler?.beginHostCall(of: self) }
        defer {
            exchange.pointee.top = savedTop
            if isProfiled { profiler?.endHostCall(of: self, call.record) }
        }
        do {
            return try finish(call.record, call.slots, continuation, context: context)
        } catch let suspension as Suspension {
            return wait(suspension, in: call.record, call.slots, context: context)
        } catch {
            pendingError = error
            return TrapCode.hostError.answer
        }
    }

    /// Calls a continuation, and checks its results as those of the function.
    private func finish(
        _ record: UnsafeMutablePointer<FunctionRecord>, _ arguments: StackPointer,
        _ continuation: Suspension.Continuation, context: ContextPointer?
    ) throws -> UInt64 {
        let header = Int(record.pointee.headerIndex)
        try continuation(
            Caller(store: Unmanaged.passUnretained(self), context: context),
            CallSlots(arguments, count: header, of: exchange))
        // The continuation is not the typed function, whose results need no check.
        try checkResults(of: signature(record.pointee.typeID).type, in: arguments)
        if let code = collectIfDue(top: arguments + (header + 2)) { return code.answer }
        heap.externs.releaseDead()
        try checkSlotFault()
        return 0
    }

    /// Ends the wait of an execution that continues or ends.
    func stopWaiting(_ execution: Execution) {
        guard case .waiting(.wait(let wait)) = execution.state else { return }
        wait.unsubscribe(execution.wakeCell)
    }
}

extension Execution {
    /// Records what the guest waits for.
    func startWaiting(_ wait: Wait) {
        // Earlier notifications concern another wait.
        wakeCell.reset()
        state = .waiting(.wait(wait))
        wait.subscribe(wakeCell)
    }
}
