import WasmdDiscovery
import WasmdDocuments
import WasmdEventLoop
import WasmdGuests
import WasmdOperation
import WasmdStorage

/// A host beside the executor, before its data is read.
///
/// Made before the process restricts itself: it reads what is out of reach then.
protocol DaemonService: Sendable {
    /// Reads what is stored. Not on a loop.
    func open(_ store: WasmdStorage.Store, _ house: DaemonHouse) throws -> any OpenService
}

/// What all hosts of a process share.
struct DaemonHouse: Sendable {
    /// Places and records of runs: those of all hosts are in the same metrics and lists.
    let runs: GuestRuns
    let readiness: Readiness
}

/// A host beside the executor that serves.
protocol OpenService: Sendable {
    var personality: DaemonSettings.Personality { get }
    /// For its listeners, in the order in which they are asked.
    var surfaces: [any Surface] { get }
    /// What operators see of it, beside the admin interface.
    var adminSurfaces: [any Surface] { get }
    /// Its operations, for the document of the interface.
    var api: APITable { get }
    /// What the status of the server says about it.
    var status: Document.Member? { get }
    /// Adds its metrics.
    func watch(_ metrics: MetricRegistry)
    /// Is told the settings, also after each reload.
    func follow(_ settings: DaemonSettings)
    /// Starts what it does by itself. Its listeners serve already.
    func start(on loop: EventLoop) async throws
    /// Advertises itself in the local network and looks for others. On the loop of the discovery.
    func join(_ discovery: LocalDiscovery)
    /// Ends what it does by itself. Its listeners do not serve any more.
    func finish()
}

extension OpenService {
    var status: Document.Member? { nil }
    var adminSurfaces: [any Surface] { [] }
    func finish() {}
    func follow(_ settings: DaemonSettings) {}
}

/// The hosts beside the executor that settings ask for.
///
/// A new one adds its section to `DaemonSettings`, its personality, and a line here.
struct DaemonServices: Sendable {
    private let all: [any DaemonService]
    private let discovery: DiscoveryService?

    /// - Throws: `Refusal`
    init(_ settings: DaemonSettings, _ listeners: DaemonListeners) throws {
        var all: [any DaemonService] = []
        if let service = OrchestratorService(settings, listeners) { all.append(service) }
        if let service = try SupervisorService(settings, listeners) { all.append(service) }
        if let service = try OthismoService(settings, listeners) { all.append(service) }
        self.all = all
        discovery = DiscoveryService(settings)
    }

    /// Whether one of them makes connections, to any port.
    static func connect(_ settings: DaemonSettings) -> Bool {
        !settings.orchestrator.listen.isEmpty || !settings.supervisor.listen.isEmpty
    }

    func open(
        _ store: WasmdStorage.Store, _ house: DaemonHouse
    ) throws -> OpenServices {
        OpenServices(all: try all.map { try $0.open(store, house) }, discovery: discovery)
    }
}

/// The hosts beside the executor that serve.
struct OpenServices: Sendable {
    fileprivate let all: [any OpenService]
    fileprivate let discovery: DiscoveryService?

    var apis: [APITable] { all.map(\.api) }
    var adminSurfaces: [any Surface] { all.flatMap(\.adminSurfaces) }
    var status: [Document.Member] { all.compactMap(\.status) }

    func watch(_ metrics: MetricRegistry) { for service in all { service.watch(metrics) } }

    func surfaces(_ personality: DaemonSettings.Personality) -> [any Surface] {
        all.filter { $0.personality == personality }.flatMap(\.surfaces)
    }

    func follow(_ settings: DaemonSettings) { for service in all { service.follow(settings) } }

    func start(on loop: EventLoop) async throws {
        for service in all { try await service.start(on: loop) }
        discovery?.start(all, on: loop)
    }

    /// To be called when no listener serves any more.
    func finish() { for service in all { service.finish() } }

    /// Tells others that the server ends.
    func sayGoodbye() { discovery?.stop() }
}
