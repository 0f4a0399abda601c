// Invariant: a `StopSignal` is used during the call of the host that it was made for, which its store
// outlives.

import WasmMachine

/// Fuel, deadline and interruption. The machine counts a budget down and asks the store when it is
/// used up; the store grants more units, stops the guest, or lets it wait.
extension Store {
    /// Grants units: puts them into `exchange.budget`, less the units already used.
    ///
    /// - Parameter inOperation: an instruction is at work, which a guest cannot leave and come back
    ///   to. Where lack of fuel does not end the guest, it goes on in debt: the budget is negative.
    /// - Returns: 0, `suspended`, or the trap code of what stops the guest.
    func refill(owing units: UInt64, inOperation: Bool = false) -> UInt64 {
        exchange.pointee.budget = 0
        if let code = stopRequest() { return code.answer }
        if fuelPot != nil, let missing = missingFuel(units) { drawFuel(missing) }
        if let missing = missingFuel(units) {
            let code = supply(missing, of: units, inOperation: inOperation)
            // Nothing, or a debt that the next refill has to pay.
            if code != 0 || exchange.pointee.budget < 0 { return code }
        }
        var granted = pace.next(at: .now)
        if exchange.pointee.isProfiled, let profiler {
            granted = min(granted, profiler.nextGrant())
        }
        if let execution = suspendable, let left = execution.sliceLeft {
            guard left > 0 || inOperation else {
                execution.wait(.endOfSlice, owing: units)
                return suspended
            }
            // Behind an operation, which is finished in any case, the machine asks again.
            granted = inOperation ? 0 : min(granted, left)
            execution.sliceLeft = left - min(left, inOperation ? units : granted)
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

    /// Takes units of what the store itself did for a guest from `exchange.budget`.
    ///
    /// - Returns: what stops the guest.
    func charge(_ units: UInt64) -> TrapCode? {
        let budget = exchange.pointee.budget
        let left = budget.subtractingReportingOverflow(Int64(clamping: units)).partialValue
        exchange.pointee.budget = left
        guard left < 0 else { return nil }
        let code = refill(owing: left.magnitude, inOperation: true)
        return TrapCode(rawValue: UInt8(truncatingIfNeeded: code))
    }

    /// How many of the units are not there.
    private func missingFuel(_ units: UInt64) -> UInt64? {
        guard let fuelReserve, fuelReserve < units else { return nil }
        return units - fuelReserve
    }

    /// Does what the policy says. Answers 0 if the guest may go on: the fuel is there, or the budget
    /// is negative by what is missing.
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
            // The closure may have taken any time.
            if let code = stopRequest() { return code.answer }
            if missingFuel(units) == nil { return 0 }
        }
        fuelReserve = 0
        return TrapCode.outOfFuel.answer
    }

    /// Takes units that the machine has not used back into the reserve.
    func giveBack() {
        let left = UInt64(max(0, exchange.pointee.budget))
        exchange.pointee.budget = 0
        fuelReserve = fuelReserve.map { $0.addingReportingOverflow(left).partialValue }
    }

    /// An execution is resumed: it has its slice before it.
    func beginSlice(of execution: Execution) {
        execution.sliceLeft = execution.slice.map { max(1, $0) }
        if execution.sliceLeft != nil, exchange.pointee.budget > 0 { giveBack() }
    }

    /// Why the guest must stop, if it must: somebody asked for it, or its time is over. A request
    /// is gone once it was seen here.
    ///
    /// The machine looks by itself; a host function that waits should look too, from time to time,
    /// and throw a `Trap` with this code.
    public func stopRequest() -> TrapCode? {
        if interruptHandle.consume() { return .interrupted }
        return hasDeadline && isOverdue ? .deadlineExceeded : nil
    }

    // Not inlined: an instant's layout is known to its own library only, which takes a frame of its
    // own to look at.
    @inline(never)
    private var isOverdue: Bool { deadline.map { .now >= $0 } ?? false }
}

/// Why what a guest asked for ends in the middle: somebody wants the guest to stop, its fuel is used
/// up, or there is no room for what it wants.
struct GuestStop: Error {
    let code: TrapCode
}

// What the store does for a guest, or to make one, and may take long.
extension Store {
    /// Bytes that are filled or copied at once: fresh pages take some 0.6 ms.
    private static let pieceByteCount = 1 << 19

    /// Looks whether the guest is to stop.
    func checkStop() throws(GuestStop) {
        if let code = stopRequest() { throw GuestStop(code: code) }
    }

    /// Calls `body` with the ranges of pieces of `byteCount` bytes, in order, each after a look whether
    /// the guest is to stop; from 4 KiB on each KiB costs a unit of budget. No guest code may run.
    ///
    /// - Throws: what stops the guest; the pieces before were done.
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
    /// Whether the guest is to stop, for calls of the host that take long: they end early then, and
    /// what they answer does not matter, since the guest stops after them. A request stays.
    ///
    /// Costs about a nanosecond.
    @inline(__always)
    var mustStop: Bool { interruptHandle.hasStopBits && isStopConfirmed() }

    @inline(never)
    private func isStopConfirmed() -> Bool {
        // In this order: what rings from here on is not forgotten.
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

    /// What stops the guest after a closure of the host, which may have taken any time, in the midst of
    /// an instruction.
    func stopAfterClosure() -> TrapCode? {
        interruptHandle.hasStopBits ? confirmedStopRequest() : nil
    }

    /// The alarm has rung. A deadline that is over stops each guest of the store until there is another;
    /// one that is not was changed when the alarm rang, and may have been forgotten.
    private func settleAlarm(isOver: Bool) {
        if isOver { interruptHandle.ring() } else { setAlarm() }
    }

    /// Tells the alarm of the deadline.
    func setAlarm() {
        interruptHandle.silence()
        if let deadline {
            DeadlineAlarm.shared.set(interruptHandle, to: deadline)
        } else {
            interruptHandle.alarm.cancel()
        }
    }

    /// A closure of the host ran in the midst of an instruction, which cannot stop the guest: if
    /// somebody wants it to stop, its next branch or call asks.
    func lookSoon(_ context: ContextView) {
        guard interruptHandle.hasStopBits, context.budget > 0 else { return }
        exchange.pointee.budget = context.budget
        giveBack()
        context.budget = 0
    }
}

/// Whether a guest is to stop: for calls of the host that take long.
///
/// Invariant: used during the call that it was made for, on the thread of the guest.
package struct StopSignal: @unchecked Sendable {
    private let unretainedStore: Unmanaged<Store>

    init(_ store: Unmanaged<Store>) { unretainedStore = store }

    /// True from the deadline on, or once somebody asked. What the call answers then does not matter:
    /// the guest stops when it returns.
    package var isRaised: Bool { unretainedStore._withUnsafeGuaranteedRef { $0.mustStop } }
}

extension StopSignal? {
    /// False without a signal.
    package var isRaised: Bool { self?.isRaised ?? false }
}

extension Execution {
    /// Notes why the guest is about to be left.
    fileprivate func wait(_ reason: Reason, owing units: UInt64) {
        state = .waiting(reason)
        owed = units
    }
}

/// How many units the machine gets at once: as many as take it about a quarter of a millisecond, so
/// that it asks often enough where a unit is slow (cache misses, copies below what is charged for),
/// and costs nothing where it is fast.
struct Pace {
    private var units = Self.range.lowerBound
    private var last: ContinuousClock.Instant?

    static let range: ClosedRange<UInt64> = 512...50_000
    private static let nanoseconds: UInt64 = 250_000

    /// The next amount; time with the host counts as well, which makes it smaller for a while only.
    mutating func next(at now: ContinuousClock.Instant) -> UInt64 {
        defer { last = now }
        guard let last else { return units }
        let (seconds, attoseconds) = last.duration(to: now).components
        let elapsed = seconds > 0 ? .max : UInt64(max(1, attoseconds / 1_000_000_000))
        units = min(units &* Self.nanoseconds / elapsed, units &* 2)
        units = min(max(units, Self.range.lowerBound), Self.range.upperBound)
        return units
    }
}
