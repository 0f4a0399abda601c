import WasmInterpreter
import WasmWASI
import WasmdEventLoop
import WasmdGuests

/// How the guests of a transport run.
public struct TransportOptions: Sendable {
    /// Arguments, environment, folders and standard streams of each guest. Its `trace` also gets the
    /// functions of the transport's interface, if it is set by `trace`.
    public var world = WASI()
    /// The configuration of the guest, which is its own affair: what `pull_config` opens, and the
    /// file `/conf/watm.cfg`. Nil for none.
    public var configuration: [UInt8]?
    /// Addresses that guests may choose by themselves.
    public var addresses = AddressPolicy()
    /// The limits of one guest.
    public var limits = Limits()
    /// The limits of its sockets.
    public var sockets = GuestSocketLimits()
    /// Whether one direction of a connection goes on when the other has ended, with guests that end
    /// both: the host passes the end on by itself, and tells the guest when both have ended. The
    /// guest cannot write anything at the end of its own then.
    public var keepsHalves = false
    /// Finds the addresses of hosts.
    public var resolver: Resolver?
    /// Receives a line for each call of a guest, and for each call of the guest by its host.
    public var trace: (@Sendable (String) -> Void)?

    /// The limits of one guest: of one connection, or of the entry of a preview.
    public struct Limits: Sendable, Hashable {
        /// Bytes of everything that the guest takes.
        public var memory: UInt64 = 256 << 20
        /// Bytes of the value stack.
        public var stack = 1 << 20
        /// Units of work, as `Store.fuel`; nil for no limit.
        public var fuel: UInt64?
        /// How long a connection may live; nil for no limit.
        public var time: Duration?
        /// How long a guest may take until its worker begins; connecting counts.
        public var startTime = Duration.seconds(30)
        /// How long connecting to a remote may take.
        public var connectTime = Duration.seconds(10)
        /// How long a worker has to end after it was cancelled, or after a peer has gone; then it
        /// is stopped.
        public var stopTime = Duration.seconds(1)
        /// Open descriptors of a guest.
        public var descriptors = 64

        public init() {}

        var store: StoreLimits {
            var limits = StoreLimits(totalBytes: memory)
            limits.stackBytes = max(stack, 64 << 10)
            return limits
        }
    }

    public init() {
        world.standardInput = .null
    }

    /// The world of each guest, with the folder of the configuration.
    ///
    /// - Throws: `Errno` if the configuration does not fit into a folder in memory.
    func completeWorld(_ files: MemoryFolder?) -> WASI {
        var world = world
        world.limits.descriptors = min(world.limits.descriptors, max(limits.descriptors, 8))
        if let files {
            world.folders.append(
                .init(files, guestPath: Self.configurationFolder, isReadOnly: true))
        }
        if let trace { world.trace = CallTrace(trace) }
        return world
    }

    static let configurationFolder = "/conf/"
    static let configurationFile = "watm.cfg"
}
