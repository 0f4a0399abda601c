/// Fuel, deadline and interruption. The machine counts a budget down and asks the store when it is
/// used up; the store hands out the next slice or stops the guest.
extension Store {
    /// Units that the machine gets at once: about a millisecond, at most, until it asks again.
    static let budgetSlice: UInt64 = 100_000

    private var slice: UInt64 {
        execution.pointee.isProfiled ? profiler?.nextSlice() ?? Self.budgetSlice : Self.budgetSlice
    }

    /// Puts a new slice into `execution.budget` after taking from it the units already used.
    ///
    /// - Returns: 0, or the trap code of what stops the guest.
    func refill(owing units: UInt64) -> UInt64 {
        execution.pointee.budget = 0
        if let code = stopRequest() { return UInt64(code.rawValue) }
        guard let reserve = fuelReserve else {
            execution.pointee.budget = Int64(slice) - Int64(clamping: min(units, 1))
            return 0
        }
        guard reserve >= units else {
            fuelReserve = 0
            return UInt64(TrapCode.outOfFuel.rawValue)
        }
        let slice = min(reserve - units, slice)
        fuelReserve = reserve - units - slice
        execution.pointee.budget = Int64(slice)
        return 0
    }

    /// Why the guest must stop, if it must: somebody asked for it, or its time is over. A request
    /// is gone once it was seen here.
    ///
    /// The machine looks by itself; a host function that waits should look too, from time to time,
    /// and throw a `Trap` with this code.
    public func stopRequest() -> TrapCode? {
        if interruptHandle.consume() { return .interrupted }
        if hasDeadline, let deadline, ContinuousClock.now >= deadline { return .interrupted }
        return nil
    }
}
