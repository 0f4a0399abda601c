import Synchronization
import WasmSystem
import WasmdGuests
import WasmdHTTP

/// A part of a server with users of its own: its tokens see and touch what it owns and nothing
/// else, and may use as much as its quotas say.
public final class Tenant: Sendable {
    public struct Quotas: Sendable, Equatable {
        /// Bytes of stored modules; nil for no limit.
        public var storedBytes: UInt64?
        /// Units of work a second of all runs together, in the long run; nil for no limit.
        public var fuelPerSecond: UInt64?
        /// Runs at one time; nil for no limit.
        public var instances: Int?

        public init() {}
    }

    public let name: String
    /// The scope of the tenant's runs: `quotas.instances` is its number of places.
    public let runs: RunScope
    private let state: Mutex<State>
    private let now: @Sendable () -> UInt64

    fileprivate struct State: Sendable {
        var quotas: Quotas
        var storedBytes: UInt64 = 0
        /// Fuel that may be used; negative after runs that used more.
        var fuel = 0.0
        /// When `fuel` was computed; nil before the first run.
        var time: UInt64?
    }

    /// - Parameter now: nanoseconds on a clock that never goes back.
    public init(
        _ name: String, quotas: Quotas = Quotas(),
        now: @escaping @Sendable () -> UInt64 = { SystemClock.monotonic.now }
    ) {
        self.name = name
        self.now = now
        runs = RunScope(.account, name)
        state = Mutex(State(quotas: quotas))
        setPlaces(quotas)
    }

    public var quotas: Quotas {
        get { state.withLock { $0.quotas } }
        set {
            state.withLock { $0.quotas = newValue }
            setPlaces(newValue)
        }
    }

    /// Runs beyond the quota are refused at once: to wait is the client's part.
    private func setPlaces(_ quotas: Quotas) {
        runs.places =
            quotas.instances.map { RunPlaces(running: $0, waiting: 0) } ?? RunPlaces()
    }

    // MARK: Stored bytes

    /// Bytes that the tenant's modules take.
    public var storedBytes: UInt64 { state.withLock { $0.storedBytes } }

    /// Sets what was stored before the process began.
    public func setStoredBytes(_ count: UInt64) { state.withLock { $0.storedBytes = count } }

    /// Counts bytes that are about to be stored in place of others.
    ///
    /// - Throws: if that is more than the quota; nothing is counted then.
    public func store(
        _ count: UInt64, inPlaceOf old: UInt64 = 0
    ) throws(AccessRefusal) {
        let quota: UInt64? = state.withLock { state in
            let rest = state.storedBytes - min(old, state.storedBytes)
            let (sum, overflow) = rest.addingReportingOverflow(count)
            // What makes it less is allowed also beyond the quota.
            if count > old, let quota = state.quotas.storedBytes, overflow || sum > quota {
                return quota
            }
            state.storedBytes = overflow ? .max : sum
            return nil
        }
        guard let quota else { return }
        throw exceeded(
            .insufficientStorage, "stored_bytes", "may store \(quota) bytes of modules")
    }

    /// Counts bytes back, after a removal or a write that failed.
    public func restore(_ count: UInt64, inPlaceOf new: UInt64) {
        state.withLock { state in
            state.storedBytes = state.storedBytes - min(new, state.storedBytes) &+ count
        }
    }

    // MARK: Runs

    /// The most units that a run may use now; nil for no limit.
    ///
    /// The quota is a bucket that holds what ten seconds bring, and is full at first. A run may use
    /// what is in it, and what it used is taken out when it ends: runs at the same time may use more
    /// together, for which later ones wait.
    ///
    /// - Throws: if a quota is used up.
    public func admitRun() throws(AccessRefusal) -> UInt64? {
        if runs.isFull {
            let count = quotas.instances ?? 0
            throw exceeded(
                .tooManyRequests, "instances", "may have \(count) runs at one time", after: 1)
        }
        let time = now()
        let (rate, fuel): (UInt64?, Double) = state.withLock { state in
            guard let rate = state.quotas.fuelPerSecond else { return (nil, 0) }
            state.refill(Double(rate), time)
            return (rate, state.fuel)
        }
        guard let rate else { return nil }
        guard fuel >= 1 else { throw fuelIsUsedUp(rate, fuel) }
        return fuel < 0x1p63 ? UInt64(fuel) : .max
    }

    /// Units that runs may use now; nil without a quota.
    public var availableFuel: UInt64? {
        let time = now()
        let fuel: Double? = state.withLock { state in
            guard let rate = state.quotas.fuelPerSecond else { return nil }
            state.refill(Double(rate), time)
            return state.fuel
        }
        return fuel.map { $0 < 1 ? 0 : $0 < 0x1p63 ? UInt64($0) : .max }
    }

    /// The refusal of a run that the quota of fuel has ended.
    public var fuelIsUsedUp: AccessRefusal {
        let (rate, fuel) = state.withLock { ($0.quotas.fuelPerSecond ?? 1, $0.fuel) }
        return fuelIsUsedUp(rate, fuel)
    }

    private func fuelIsUsedUp(_ rate: UInt64, _ fuel: Double) -> AccessRefusal {
        exceeded(
            .tooManyRequests, "fuel_per_second", "may use \(rate) units of fuel a second",
            after: Int(max(min((1 - fuel) / Double(rate), 86_400), 0)) + 1)
    }

    /// Takes what a run used.
    public func charge(fuel: UInt64) {
        let time = now()
        state.withLock { state in
            guard let rate = state.quotas.fuelPerSecond else { return }
            state.refill(Double(rate), time)
            state.fuel -= Double(fuel)
        }
    }

    private func exceeded(
        _ status: Status, _ quota: String, _ text: String, after seconds: Int? = nil
    ) -> AccessRefusal {
        var refusal = AccessRefusal(
            status, "tenant \(name) \(text): the quota \(quota) is used up")
        refusal.limit = "tenants.\(name).\(quota)"
        refusal.retryAfter = seconds
        return refusal
    }
}

extension Tenant.State {
    private static let seconds = 10.0

    fileprivate mutating func refill(_ rate: Double, _ now: UInt64) {
        let most = rate * Self.seconds
        if let time {
            fuel = min(fuel + Double(now > time ? now - time : 0) * 1e-9 * rate, most)
        } else {
            fuel = most
        }
        time = now
    }
}
