import Synchronization
import WasmSystem
import WasmdGuests

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
    /// What names that the tenant makes begin with.
    public let prefix: String
    /// The scope of the tenant's runs: `quotas.instances` is its number of places.
    public let runs: RunScope
    private let state: Mutex<Quotas>

    public init(_ name: String, prefix: String? = nil, quotas: Quotas = Quotas()) {
        self.name = name
        self.prefix = prefix ?? name
        runs = RunScope(.account, name)
        state = Mutex(quotas)
    }

    public var quotas: Quotas { state.withLock { $0 } }
}
