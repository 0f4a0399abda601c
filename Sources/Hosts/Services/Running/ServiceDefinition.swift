import WasmInterpreter
import WasmWASI
import WasmdBroker
import WasmdGuests
import WasmdOperation

/// A module that runs as a service, and everything that it may use.
public struct ServiceDefinition: Sendable {
    /// What is called.
    public enum Entry: Sendable {
        /// `_start`, with the arguments of the world.
        case command
        /// `init` with the path of the configuration, and the number of the first socket if there
        /// is one.
        case initialise(configuration: String, passesSocket: Bool)
        /// An export without parameters.
        case function(Name)
    }

    public var name: String
    /// Returns the module in the binary format; called on a thread of the pool, before each start.
    public var load: @Sendable () throws -> ModuleBytes
    public var entry: Entry
    /// Folders, environment, arguments and standard streams. Sockets come after the folders.
    public var world = WASI()
    public var sockets: [ServiceSocket] = []
    public var outbound = OutboundPolicy.nothing
    /// Responses that may be open at one time.
    public var sessions = 42
    /// The topics that it may publish, and read and subscribe.
    public var topics = TopicPermissions.none
    /// Topics that it may make: those count that hold messages or have a last value.
    public var topicLimit = 200
    public var restart = RestartPolicy()
    public var limits = RunLimits()
    /// When it is started; nil for at once. A run that is not finished is not started again.
    public var schedule: CronExpression?
    /// The stores of `wasmd:kv` that it may use, and the values of `wasmd:config`.
    public var stores: [String] = []
    /// What it may add to its stores.
    public var storeLimits = GuestStores.Limits()
    public var values: [String: [UInt8]] = [:]
    /// Receives what it says; nil for the host's output.
    public var log: ServiceLog?
    /// Services that must be ready before it starts.
    public var after: [String] = []

    public init(
        _ name: String, _ entry: Entry, load: @escaping @Sendable () throws -> ModuleBytes
    ) {
        self.name = name
        self.entry = entry
        self.load = load
        limits.time = nil
        limits.waitingTime = nil
    }
}
