// Invariant: a `StopSignal` is used during the call of the host that it was made for, which its
// store outlives.

import WasmMachine
import WasmSystem

/// Fuel, deadline and interruption. The machine counts a budget down and asks the store when it is
/// used up; the store grants more units, stops the guest, or lets it wait.
extension Store {
    /// Grants units: puts them into `exchange.budget`, less the units already used.
    ///
    /// - Parameter inOperation: called in the middle of an instruction, which a guest cannot leave
    ///   and resume. Where lack of fuel does not end the guest, it continues with a negative
    ///   budget.
    /// - Returns: 0, `suspended`, or a trap code if the guest must stop.
    func refill(owing units: UInt64, inOperation: Bool = false) -> UInt64 {
        exchange.pointee.budget = 0
        if let code = stopRequest() { return code.answer }
        if fuelPot != nil, let missing = missingFuel(units) { drawFuel(missing) }
        if let missing = missingFuel(units) {
            let code = supply(missing, of: units, inOperation: inOperation)
            // No units, or a negative budget that the next refill pays.
            if code != 0 || exchange.pointee.budget < 0 { return code }
        }
        var granted = pace.next(at: SystemClock.monotonic.now)
        if exchange.pointee.isProfiled, let profiler {
            granted = min(granted, profiler.nextGrant())
        }
        if let execution = suspendable, execution.isSliced {
            guard inOperation || !execution.isSliceOver else {
                execution.wait(.endOfSlice, owing: units)
                return suspended
            }
            // After an operation, which is finished in any case, the machine asks again.
            if inOperation { granted = 0 }
            if let left = execution.sliceLeft {
                granted = min(granted, left)
                execution.sliceLeft = left - min(left, inOperation ? units : granted)
            }
        }
        guard let reserve = fuelReserve else {
            exchange.pointee.budget = Int64(granted) - Int64(clamping: min(units, 1))
            return 0
        }
        granted = min(granted, reserve - units)
        fuelReserve = reserve - units - granted
        exchange.pointee.budget = Int64(granted)
        return 0
    }

    /// Suspends the execution that runs, if its slice is over, in the middle of a bulk operation of
    /// which `done` bytes are done. What is left of the budget stays there.
    ///
    /// - Returns: whether it is suspended.
    func suspendsOperation(after done: UInt64) -> Bool {
        guard let execution = suspendable, execution.isSliced, execution.isSliceOver else {
            return false
        }
        execution.wait(.endOfSlice, owing: 0)
        execution.bytesDone = done
        return true
    }

    /// Takes units for the store's own work for a guest from `exchange.budget`.
    ///
    /// - Returns: a trap code if the guest must stop.
    func charge(_ units: UInt64) -> TrapCode? {
        let budget = exchange.pointee.budget
        let left = budget.subtractingReportingOverflow(Int64(clamping: units)).partialValue
        exchange.pointee.budget = left
        guard left < 0 else { return nil }
        let code = refill(owing: left.magnitude, inOperation: true)
        return TrapCode(rawValue: UInt8(truncatingIfNeeded: code))
    }

    /// How many of the units are missing.
    private func missingFuel(_ units: UInt64) -> UInt64? {
        guard let fuelReserve, fuelReserve < units else { return nil }
        return units - fuelReserve
    }

    /// Applies the policy. Returns 0 if the guest may continue: the fuel is there, or the
    /// budget is negative by what is missing.
    private func supply(_ missing: UInt64, of units: UInt64, inOperation: Bool) -> UInt64 {
        switch onOutOfFuel {
        case .trap: break
        case .suspend where inOperation, .ask where inOperation:
            fuelReserve = 0
            exchange.pointee.budget = -Int64(clamping: missing)
            return 0
        case .suspend:
            guard let execution = suspendable else { break }
            execution.wait(.outOfFuel, owing: units)
            return suspended
        case .ask(let body):
            let more = holdingGuest { body(missing) }
            guard let reserve = fuelReserve else { return 0 }
            fuelReserve = reserve.addingReportingOverflow(more).overflow ? .max : reserve + more
            // The closure may have taken a long time.
            if let code = stopRequest() { return code.answer }
            if missingFuel(units) == nil { return 0 }
        }
        fuelReserve = 0
        return TrapCode.outOfFuel.answer
    }

    /// Puts units that the machine has not used back into the reserve.
    func giveBack() {
        let left = UInt64(max(0, exchange.pointee.budget))
        exchange.pointee.budget = 0
        fuelReserve = fuelReserve.map { $0.addingReportingOverflow(left).partialValue }
    }

    /// Starts the slice of an execution that is resumed.
    func beginSlice(of execution: Execution) {
        execution.sliceLeft = execution.slice.map { max(1, $0) }
        exchange.pointee.callsUntilLook = 0
        if let time = execution.sliceNanoseconds {
            execution.sliceEnd = max(1, SystemClock.monotonic.now &+ time)
            exchange.pointee.callsUntilLook = Self.callsBetweenLooks
        } else {
            execution.sliceEnd = 0
        }
        if execution.isSliced, exchange.pointee.budget > 0 { giveBack() }
    }

    /// Calls of the host in a slice after which the clock is read: most take some microseconds, and
    /// the longest a quarter of a millisecond.
    private static let callsBetweenLooks = 16

    /// Lets the machine ask after the call of the host that runs.
    func lookAfterThisCall() {
        if exchange.pointee.callsUntilLook > 0 { exchange.pointee.callsUntilLook = 1 }
    }

    /// Lets the machine ask at its next check, after calls of the host.
    @inline(never)
    func lookAfterCalls() {
        exchange.pointee.callsUntilLook = Self.callsBetweenLooks
        if exchange.pointee.budget > 0 { giveBack() }
    }

    /// Why the guest must stop; nil if it need not: a stop was requested, or its time is over. A
    /// request is cleared once this returned it.
    ///
    /// The machine checks by itself; a host function that waits should check too, from time to
    /// time, and throw a `Trap` with this code.
    public func stopRequest() -> TrapCode? {
        if interruptHandle.consume() { return .interrupted }
        return hasDeadline && isOverdue ? .deadlineExceeded : nil
    }

    // Not inlined: an instant's layout is defined in its own library only, so comparing one takes a
    // stack frame.
    @inline(never)
    private var isOverdue: Bool {
        deadlineTime.map { DeadlineAlarm.origin.duration(to: .now) >= $0 } ?? false
    }
}

/// Why an operation for a guest ends early: a stop was requested, the fuel is used up, or there is
/// no room for what the guest wants.
struct GuestStop: Error {
    let code: TrapCode
}

// Work of the store for a guest, or to make one, that may take long.
extension Store {
    /// Bytes that are filled or copied at once: fresh pages take some 0.6 ms.
    private static let pieceByteCount = 1 << 19

    /// Checks whether the guest must stop.
    func checkStop() throws(GuestStop) {
        if let code = stopRequest() { throw GuestStop(code: code) }
    }

    /// Calls `body` with the ranges of pieces of `byteCount` bytes, in order, each after checking
    /// whether the guest must stop; from 4 KiB on each KiB costs a unit of budget. No guest code
    /// may run.
    ///
    /// - Throws: if the guest must stop; the pieces before were done.
    func inPieces(_ byteCount: Int, _ body: (Range<Int>) -> Void) throws(GuestStop) {
        guard byteCount >= Int(bulkChargeLimit) else { return body(0..<byteCount) }
        var start = 0
        while start < byteCount {
            let end = min(byteCount, start + Self.pieceByteCount)
            if let code = stopRequest() ?? charge(UInt64(end - start) >> 10) {
                throw GuestStop(code: code)
            }
            body(start..<end)
            start = end
        }
    }
}

// MARK: Stopping after calls of the host

extension Store {
    /// Whether the guest must stop, for calls of the host that take long: they end early then, and
    /// their result does not matter, since the guest stops after them. A request stays.
    ///
    /// Costs about a nanosecond.
    @inline(__always)
    var mustStop: Bool { interruptHandle.hasStopBits && isStopConfirmed() }

    @inline(never)
    private func isStopConfirmed() -> Bool {
        // In this order: a ring after this point is not lost.
        let wasRung = interruptHandle.silence()
        let isOver = hasDeadline && isOverdue
        if wasRung { settleAlarm(isOver: isOver) }
        return isOver || interruptHandle.hasRequest
    }

    /// As `stopRequest`, after the machine has found one of the handle's bits.
    @inline(never)
    func confirmedStopRequest() -> TrapCode? {
        let wasRung = interruptHandle.silence()
        let code = stopRequest()
        if wasRung { settleAlarm(isOver: hasDeadline && isOverdue) }
        return code
    }

    /// Why the guest must stop after a closure of the host, which may have taken a long time, in
    /// the middle of an instruction.
    func stopAfterClosure() -> TrapCode? {
        interruptHandle.hasStopBits ? confirmedStopRequest() : nil
    }

    /// Handles a ring of the alarm. A deadline that is over stops each guest of the store until
    /// there is another; one that is not over was changed when the alarm rang, so the alarm may
    /// have lost it.
    private func settleAlarm(isOver: Bool) {
        if isOver { interruptHandle.ring() } else { setAlarm() }
    }

    /// Sets the alarm to the deadline.
    func setAlarm() {
        interruptHandle.silence()
        if let deadlineTime {
            DeadlineAlarm.shared.set(interruptHandle, to: deadlineTime)
        } else {
            interruptHandle.alarm.cancel()
        }
    }

    /// To be called after a closure of the host ran in the middle of an instruction, which cannot
    /// stop the guest: if a stop was requested, the guest's next branch or call checks.
    func lookSoon(_ context: ContextView) {
        guard interruptHandle.hasStopBits, context.budget > 0 else { return }
        exchange.pointee.budget = context.budget
        giveBack()
        context.budget = 0
    }
}

/// Whether a guest must stop: for calls of the host that take long.
///
/// Invariant: used during the call that it was made for, on the thread of the guest.
package struct StopSignal: @unchecked Sendable {
    private let unretainedStore: Unmanaged<Store>

    init(_ store: Unmanaged<Store>) { unretainedStore = store }

    /// True from the deadline on, or once a stop was requested. The result of the call does not
    /// matter then: the guest stops when it returns.
    package var isRaised: Bool { unretainedStore._withUnsafeGuaranteedRef { $0.mustStop } }
}

extension StopSignal? {
    /// False without a signal.
    package var isRaised: Bool { self?.isRaised ?? false }
}

extension Execution {
    /// Whether it is to be suspended after some time or work.
    fileprivate var isSliced: Bool { sliceLeft != nil || sliceEnd != 0 }

    fileprivate var isSliceOver: Bool {
        sliceLeft == 0 || sliceEnd != 0 && SystemClock.monotonic.now >= sliceEnd
    }

    /// Notes why the guest is about to be suspended.
    fileprivate func wait(_ reason: Reason, owing units: UInt64) {
        state = .waiting(reason)
        owed = units
    }
}

/// How many units the machine gets at once: as many as it uses in about a quarter of a millisecond,
/// so that it checks often enough where a unit is slow (cache misses, copies too small to be
/// charged), and checks cost little where it is fast.
struct Pace {
    private var units = Self.range.lowerBound
    /// When there was an amount, in nanoseconds; 0 for never.
    private var last: UInt64 = 0

    static let range: ClosedRange<UInt64> = 512...50_000
    private static let nanoseconds: UInt64 = 250_000

    /// The next amount, at a time in nanoseconds; time in the host counts as well, which makes it
    /// smaller for a while only.
    mutating func next(at now: UInt64) -> UInt64 {
        defer { last = now }
        guard last > 0 else { return units }
        let elapsed = now > last ? now - last : 1
        units = min(units &* Self.nanoseconds / elapsed, units &* 2)
        units = min(max(units, Self.range.lowerBound), Self.range.upperBound)
        return units
    }
}
