import Synchronization
import WasmSystem
import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP
import WasmdHTTPClient
import WasmdStorage
import WasmdWasmiot

/// Wasmiot's orchestrator: the registry of modules, devices, deployments and their execution.
///
/// All functions are called from tasks of a loop.
public final class Orchestrator: Sendable {
    public struct Options: Sendable {
        /// Bytes of a module.
        public var moduleLimit = 64 << 20
        /// Bytes of a request with its files.
        public var bodyLimit = 128 << 20
        /// Statuses as they should be, and not as existing clients know them.
        public var usesRightStatuses = false
        /// Pages of browsers that may use the server, beside those of the configuration.
        public var cors: CORSPolicy = {
            var policy = CORSPolicy()
            policy.allowsLoopback = true
            return policy
        }()
        /// The URL at which devices reach the server, as `http://HOST:PORT`; nil to use the address
        /// of the connection to each device.
        public var publicURL: String?
        /// Between two checks of a device.
        public var healthInterval = Duration.seconds(15)
        public var healthTimeout = Duration.seconds(5)
        /// Checks in a row that change a device's status.
        public var healthThreshold = 5
        /// For a device to fetch what is deployed.
        public var deployTimeout = Duration.seconds(60)
        /// How long a migration waits for its source to give up the instance: longer than a device
        /// lets runs wait, which is 30 s.
        public var migrationPatience = Duration.seconds(40)
        /// For each call of an execution.
        public var callTimeout = Duration.seconds(60)
        /// How often, and after how long, a result is asked for again that is not there yet.
        public var retryCount = 5
        public var retryDelay = Duration.seconds(5)
        /// Bytes that the documents of one kind take in memory: descriptions of devices, logs, lists,
        /// cards, zones, certificates, executions. Four times as many are for modules, for
        /// deployments, and for devices.
        public var documentMemory = 64 << 20
        /// Logs of devices that are kept.
        public var logLimit = 10_000
        /// Executions that have ended and are kept.
        public var executionLimit = 1000
        /// Executions at one time; more are refused with 503.
        public var executionsAtOnce = 1000
        /// The page in place of the built-in one.
        public var web: WebFolder?
        /// For the document of the interface.
        public var version = "0"
        /// Is told what went wrong although nobody asked: a sentence without a full stop.
        public var report: @Sendable (String) -> Void = { _ in }

        public init() {}
    }

    public let options: Options
    public let registry: ModuleRegistry
    let store: RecordStore
    let devices: Devices
    let deployments: Collection
    let executions: Executions
    let datalist: Datalist
    let logs: Collection
    let certificates: Collection
    let zones: Collection
    let cards: [Card: Collection]
    private let answers = AnswerRoom()
    private let state = Mutex(State())

    private struct State {
        /// Where the server listens.
        var port: UInt16 = 0
        var address = "127.0.0.1"
        /// URLs that were told to devices.
        var own: Set<String> = []
        /// Origins of the configuration.
        var cors = CORSPolicy()
        var clients: [ObjectIdentifier: HTTPClient] = [:]
        var isImporting = false
        /// Asks the local network again who is there.
        var onReset: @Sendable () -> Void = {}
    }

    /// Reads all documents; blocks the thread.
    ///
    /// - Throws: `StorageError`
    public init(_ store: RecordStore, _ options: Options = Options()) throws {
        self.options = options
        self.store = store
        let room = Room(bytes: options.documentMemory)
        let large = Room(bytes: room.bytes > Int.max / 4 ? Int.max : room.bytes * 4)
        registry = try ModuleRegistry(store, large, moduleLimit: options.moduleLimit)
        devices = try Devices(store, large, descriptionRoom: room.bytes)
        deployments = try Collection(store, "deployment", large)
        executions = try Executions(
            store, room, limit: options.executionLimit, runningLimit: options.executionsAtOnce)
        datalist = try Datalist(store, room)
        logs = try Collection(store, "log", Room(ofLast: options.logLimit, bytes: room.bytes))
        certificates = try Collection(
            store, "certificate", Room(ofLast: .max, bytes: room.bytes))
        zones = try Collection(store, "zone", room)
        var cards: [Card: Collection] = [:]
        for card in Card.allCases { cards[card] = try Collection(store, card.rawValue, room) }
        self.cards = cards
    }

    /// Reports stored documents that have no room in memory.
    func reportLeft() {
        for (folder, collection) in exported where collection.leftCount > 0 {
            options.report(
                "\(collection.leftCount) documents of '\(folder)' have no room in memory: they are "
                    + "there after a start with room, and deleted with all others of their kind")
        }
    }

    // MARK: Imports

    /// Bytes of an import in memory.
    var importMemory: Int {
        options.documentMemory > Int.max / 8 ? Int.max : max(options.documentMemory, 1) * 8
    }

    /// Whether an import may begin: one at a time, since all of it is in memory.
    func beginImport() -> Bool {
        state.withLock { state in
            defer { state.isImporting = true }
            return !state.isImporting
        }
    }

    func endImport() { state.withLock { $0.isImporting = false } }

    // MARK: Pages of browsers

    /// Sets the origins that the configuration allows.
    public func setOrigins(_ cors: CORSPolicy) { state.withLock { $0.cors = cors } }

    /// Pages that may use the server: those of the options and of the configuration.
    var cors: CORSPolicy { options.cors.union(state.withLock { $0.cors }) }

    /// What a request without a token may be addressed to, and come from: also the name by which
    /// devices reach the server.
    var pages: SameOriginRules {
        var names: [[UInt8]] = []
        if let url = options.publicURL.flatMap({ URL(Array($0.utf8)) }) {
            names.append(Array(url.authority.hostBytes))
        }
        return SameOriginRules(machine: [], names: names, cors: cors)
    }

    // MARK: Looking for devices

    /// Sets what looks for devices again when a client asks for it.
    func setReset(_ action: @escaping @Sendable () -> Void) {
        state.withLock { $0.onReset = action }
    }

    /// Asks the local network again who is there, also devices that clients have removed, and checks
    /// all that are known.
    func resetDiscovery(on loop: EventLoop) {
        let action = state.withLock { $0.onReset }
        action()
        let removed = devices.takeRemoved().map { device in
            DeviceRegistration(
                name: device.name, host: nil, port: device.port, addresses: device.addresses)
        }
        loop.spawn { [self] in
            // Each may wait for its time limit.
            let tasks = removed.map { registration in
                loop.spawn { [self] in await found(registration, on: loop) }
            }
            await checkAll(on: loop)
            for task in tasks { _ = await task.value }
        }
    }

    // MARK: Addresses

    /// Makes the core modules and the orchestrator's own device.
    func begin(port: UInt16, address: String, on loop: EventLoop) async throws {
        state.withLock { state in
            state.port = port
            state.address = address
        }
        try await registry.addCore(on: loop)
        let isWildcard = address == "0.0.0.0" || address == "::"
        let device = try await devices.register(
            DeviceRegistration(
                name: Device.orchestrator, host: nil, port: port,
                addresses: [isWildcard ? "127.0.0.1" : address]), on: loop)
        try await devices.update(device.id, on: loop) { device in
            device.description = Self.description
            device.status = .active
        }
    }

    /// What the orchestrator says about itself as a device.
    static var description: Document {
        .object([
            .init(
                "platform",
                .object([
                    .init("memory", .object([.init("bytes", .null)])),
                    .init(
                        "cpu",
                        .object([
                            .init("humanReadableName", .null),
                            .init("clockSpeed", .object([.init("Hz", .null)])),
                        ])),
                ])),
            .init("supervisorInterfaces", .array([])),
        ])
    }

    /// The client of a loop.
    func client(_ loop: EventLoop, _ timeout: Duration) -> DeviceClient {
        let client = state.withLock { state in
            if let known = state.clients[ObjectIdentifier(loop)] { return known }
            let made = HTTPClient(on: loop)
            state.clients[ObjectIdentifier(loop)] = made
            return made
        }
        return DeviceClient(client: client, timeout: timeout, room: answers)
    }

    /// URLs of the server that devices know.
    var ownAddresses: Set<String> { state.withLock { $0.own } }

    /// The URL at which a device reaches the server: the public one, else that of the address from
    /// which the device is reached.
    func ownURL(for device: Device, on loop: EventLoop) async -> String {
        let url = options.publicURL.map { Self.trimmed($0) } ?? localURL(for: device, on: loop)
        state.withLock { _ = $0.own.insert(url) }
        return url
    }

    static func trimmed(_ url: String) -> String {
        url.utf8.last == UInt8(ascii: "/") ? String(url.dropLast()) : url
    }

    private func localURL(for device: Device, on loop: EventLoop) -> String {
        let port = state.withLock { $0.port }
        // Connecting a socket of UDP sends nothing, but chooses the local address.
        if !device.isOrchestrator, let target = device.addresses.first.flatMap(Self.internet),
            let socket = try? DatagramSocket(connectedTo: target, on: loop)
        {
            defer { socket.close() }
            if let local = socket.localAddress, let text = DeviceAddress(listener: local).text {
                return Self.url(text, port)
            }
        }
        return listenerURL
    }

    /// The URL of the address that the server listens on; of loopback for a wildcard.
    var listenerURL: String {
        let (port, address) = state.withLock { ($0.port, $0.address) }
        let isWildcard = address == "0.0.0.0" || address == "::"
        return Self.url(isWildcard ? "127.0.0.1" : address, port)
    }

    /// The socket address of an address in text form; nil for names.
    private static func internet(_ text: String) -> SystemAddress? {
        let bare = String(bareAddress(text))
        if let bytes = SystemAddress.ipv4Bytes(bare) { return .ipv4(bytes, port: 9) }
        return SystemAddress.ipv6Bytes(bare).map { .ipv6($0, port: 9) }
    }

    /// An address without brackets.
    static func bareAddress(_ address: String) -> Substring {
        address.utf8.first == UInt8(ascii: "[") ? address.dropFirst().dropLast() : address[...]
    }

    private static func url(_ host: String, _ port: UInt16) -> String {
        host.utf8.contains(UInt8(ascii: ":"))
            ? "http://[\(host)]:\(port)" : "http://\(host):\(port)"
    }
}
