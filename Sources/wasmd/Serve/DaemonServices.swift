import WasmdBroker
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
    func open(_ store: RecordStore, _ house: DaemonHouse) throws -> any OpenService
}

/// What all hosts of a process share.
struct DaemonHouse: Sendable {
    /// Places and records of runs: those of all hosts are in the same metrics and lists.
    let runs: GuestRuns
    let readiness: Readiness
    /// Topics by which hosts and clients exchange messages.
    let broker: Broker
}

/// A host beside the executor that serves.
protocol OpenService: Sendable {
    var personality: DaemonSettings.Personality { get }
    /// For its listeners, in the order in which they are asked.
    var surfaces: [any Surface] { get }
    /// For operators: beside the admin interface.
    var operatorSurfaces: [any Surface] { get }
    /// Its operations, for the document of the interface.
    var api: APITable { get }
    /// What the status of the server says about it.
    var status: Document.Member? { get }
    /// Its limits, and what is used of them.
    var limits: [LimitUse] { get }
    /// Serves a listener of its personality that does not speak HTTP; false for others.
    func serve(_ bound: DaemonListeners.Bound, on loops: [EventLoop]) async throws -> Bool
    /// Adds its metrics.
    func watch(_ metrics: MetricRegistry)
    /// Is told the settings, also after each reload.
    func follow(_ settings: DaemonSettings)
    /// Checks what a reload changes of it, and changes nothing yet. Not on a loop.
    ///
    /// - Throws: why nothing of the configuration can be changed.
    func prepare(_ settings: DaemonSettings) throws(Refusal) -> PreparedReload
    /// Serves listeners of its own, which are not for HTTP. On a loop.
    func serve(on loops: [EventLoop], _ loop: EventLoop) async throws
    /// Closes its listeners that are not for HTTP, and ends what has no end of its own.
    func stop(on loop: EventLoop) async
    /// Starts what it does by itself. Its listeners serve already.
    func start(on loop: EventLoop) async throws
    /// Ends what goes on beside requests, and what they wait for: they have had their time. Also what
    /// begins later.
    func endRuns()
    /// Writes what is not written yet. After `stop`, when requests in flight have ended.
    func finish(on loop: EventLoop) async
    /// Called before `start` if `join` will be called.
    func willJoin()
    /// Called in place of `join` if there is no discovery after all.
    func didNotJoin()
    /// Advertises itself in the local network and looks for others. On the loop of the discovery.
    func join(_ discovery: LocalDiscovery)
}

extension OpenService {
    var status: Document.Member? { nil }
    var limits: [LimitUse] { [] }
    var operatorSurfaces: [any Surface] { [] }
    func serve(
        _ bound: DaemonListeners.Bound, on loops: [EventLoop]
    ) async throws -> Bool { false }
    func join(_ discovery: LocalDiscovery) {}
    func endRuns() {}
    func finish(on loop: EventLoop) async {}
    func follow(_ settings: DaemonSettings) {}
    func willJoin() {}
    func didNotJoin() {}
    func prepare(_ settings: DaemonSettings) throws(Refusal) -> PreparedReload { PreparedReload() }
    func serve(on loops: [EventLoop], _ loop: EventLoop) async throws {}
    func stop(on loop: EventLoop) async {}
}

/// What a reload changes of a host, checked and not made yet.
struct PreparedReload: Sendable {
    /// The settings whose files have changed.
    var paths: [String] = []
    var make: @Sendable () -> Void = {}
}

/// The hosts beside the executor that settings ask for.
///
/// A new one adds its section to `DaemonSettings`, its personality, and a line here.
struct DaemonServices: Sendable {
    private let all: [any DaemonService]
    private let discovery: DiscoveryService?

    /// - Parameter tls: for `https` and `mqtts`; nil if nothing may use them.
    /// - Throws: `Refusal`
    init(
        _ settings: DaemonSettings, _ listeners: DaemonListeners, _ tls: TLSHelper?
    ) throws {
        // The broker first: others may publish as soon as they start.
        var all: [any DaemonService] = [try BrokerService(settings, tls)]
        if let service = try OrchestratorService(settings, listeners) { all.append(service) }
        if let service = try SupervisorService(settings, listeners) { all.append(service) }
        if let service = try TransportsService(settings) { all.append(service) }
        if let service = try OthismoService(settings, listeners) { all.append(service) }
        if let service = try ModuleServices(settings, tls) { all.append(service) }
        self.all = all
        discovery = DiscoveryService(settings)
    }

    /// Whether one of them makes connections, to any port.
    static func connect(_ settings: DaemonSettings) -> Bool {
        !settings.orchestrator.listen.isEmpty || !settings.supervisor.listen.isEmpty
            || settings.broker.connects || !settings.transports.isEmpty
            || settings.services.contains { !$0.allowedHosts.isEmpty }
    }

    func open(
        _ store: RecordStore, _ house: DaemonHouse
    ) throws -> OpenServices {
        OpenServices(all: try all.map { try $0.open(store, house) }, discovery: discovery)
    }
}

/// The hosts beside the executor that serve.
struct OpenServices: Sendable {
    fileprivate let all: [any OpenService]
    fileprivate let discovery: DiscoveryService?

    var apis: [APITable] { all.map(\.api) }
    var status: [Document.Member] { all.compactMap(\.status) }
    var limits: [LimitUse] { all.flatMap(\.limits) }

    func watch(_ metrics: MetricRegistry) { for service in all { service.watch(metrics) } }

    var operatorSurfaces: [any Surface] { all.flatMap(\.operatorSurfaces) }

    /// Serves a listener that does not speak HTTP; false for others.
    func serve(
        _ bound: DaemonListeners.Bound, on loops: [EventLoop]
    ) async throws -> Bool {
        for service in all where service.personality == bound.personality {
            if try await service.serve(bound, on: loops) { return true }
        }
        return false
    }

    func surfaces(_ personality: DaemonSettings.Personality) -> [any Surface] {
        all.filter { $0.personality == personality }.flatMap(\.surfaces)
    }

    func follow(_ settings: DaemonSettings) { for service in all { service.follow(settings) } }

    func prepare(_ settings: DaemonSettings) throws(Refusal) -> PreparedReload {
        var whole = PreparedReload()
        for service in all {
            let (part, before) = (try service.prepare(settings), whole)
            whole = PreparedReload(paths: before.paths + part.paths) {
                before.make()
                part.make()
            }
        }
        return whole
    }

    func serve(on loops: [EventLoop], _ loop: EventLoop) async throws {
        for service in all { try await service.serve(on: loops, loop) }
    }

    func stop(on loop: EventLoop) async { for service in all { await service.stop(on: loop) } }

    func start(on loop: EventLoop) async throws {
        if discovery != nil { for service in all { service.willJoin() } }
        for service in all { try await service.start(on: loop) }
        discovery?.start(all, on: loop)
    }

    func endRuns() { for service in all { service.endRuns() } }

    /// Tells others that the server ends.
    func sayGoodbye() { discovery?.stop() }

    func finish(on loop: EventLoop) async {
        for service in all.reversed() { await service.finish(on: loop) }
    }
}
