import Synchronization

/// Units of fuel that the stores of one program's threads take from when theirs are used up.
package final class FuelPot: Sendable {
    private let units: Mutex<UInt64>

    init(_ units: UInt64) { self.units = Mutex(units) }

    var left: UInt64 { units.withLock { $0 } }

    func set(_ value: UInt64) { units.withLock { $0 = value } }

    /// As many units as there are, up to `wanted`.
    func take(_ wanted: UInt64) -> UInt64 {
        units.withLock { units in
            let taken = min(wanted, units)
            units -= taken
            return taken
        }
    }

    func give(_ more: UInt64) {
        units.withLock { units in
            let (sum, overflow) = units.addingReportingOverflow(more)
            units = overflow ? .max : sum
        }
    }
}

/// Lets closures and objects of the host be used by one thread of a program at a time.
final class CallbackLock: Sendable {
    private let lock = Mutex<Void>(())

    func locked<Answer: Sendable>(_ body: () -> Answer) -> Answer { lock.withLock { _ in body() } }
}

// The stores of a program with threads.
extension Store {
    /// A store for another thread of this store's program, under the same limits: it has the same
    /// account and deadline, takes fuel from the same pot, and calls the same limiter, observer and
    /// closure for fuel, which are used by one thread at a time from then on.
    ///
    /// To be called by the thread of this store; the new one belongs to no thread yet.
    ///
    /// - Parameter byteCount: bytes that the thread will take at its start, charged now.
    /// - Throws: `ResourceError` if the program has no room for it and another value stack.
    package func makeThreadStore(
        prepaying byteCount: Int
    ) throws(ResourceError) -> Store {
        guard let account = ResourceAccount(prepaying: byteCount, from: account) else {
            throw .totalExceeded(limit: account.limit)
        }
        if callbackLock == nil { callbackLock = CallbackLock() }
        if fuelReserve != nil, fuelPot == nil {
            giveBack()
            fuelPot = FuelPot(fuelReserve ?? 0)
            fuelReserve = 0
        }
        let store = Store(engine: engine, limits: limits, account: account)
        try store.prepareStack()
        store.callbackLock = callbackLock
        store.fuelPot = fuelPot
        if fuelReserve != nil { store.fuelReserve = 0 }
        store.deadline = deadline
        store.limiter = limiter
        store.observer = observer
        store.onOutOfFuel = onOutOfFuel
        store.yieldInterval = yieldInterval
        return store
    }

    /// Gives the fuel that the store has left to the other threads of its program.
    package func returnFuel() {
        guard let fuelPot, fuelReserve != nil else { return }
        giveBack()
        fuelPot.give(fuelReserve ?? 0)
        fuelReserve = 0
    }

    /// Takes the missing units from the pot, and some more.
    func drawFuel(_ missing: UInt64) {
        guard let fuelPot, let reserve = fuelReserve else { return }
        let (wanted, overflow) = missing.addingReportingOverflow(Pace.range.upperBound * 2)
        fuelReserve = reserve &+ fuelPot.take(overflow ? missing : wanted)
    }
}

extension Module {
    /// Bytes that an instance takes at its start, approximately.
    package var instanceByteCount: Int {
        var total = UInt64(clamping: InstanceStorage.byteCount(self))
        func add(_ count: UInt64, _ size: UInt64) {
            let (product, overflow) = count.multipliedReportingOverflow(by: size)
            let (sum, carry) = total.addingReportingOverflow(overflow ? .max : product)
            total = carry ? .max : sum
        }
        for type in parsed.memories.dropFirst(parsed.importedMemoryCount) {
            add(type.limits.minimum, 1 << UInt64(type.pageSizeLog2))
        }
        for table in parsed.tableDefinitions { add(table.type.limits.minimum, 8) }
        return Int(clamping: total)
    }
}
