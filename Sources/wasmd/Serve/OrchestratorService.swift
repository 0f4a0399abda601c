import WasmSystem
import WasmdDiscovery
import WasmdEventLoop
import WasmdHTTP
import WasmdModules
import WasmdOperation
import WasmdStorage
import WasmdWasmiot

/// The orchestrator of *wasmiot* that a daemon is: `--orchestrator`.
struct OrchestratorService: DaemonService {
    private let options: Orchestrator.Options
    /// The socket of the first listener: devices know one address.
    private let address: SystemAddress

    /// Nil if no listener is one of an orchestrator.
    init?(_ settings: DaemonSettings, _ listeners: DaemonListeners) {
        let bound = listeners.bound.first { $0.personality == .orchestrator }
        guard let address = bound?.sockets.address else { return nil }
        self.address = address
        let section = settings.orchestrator
        var options = Orchestrator.Options()
        options.moduleLimit = Int(clamping: settings.common.limits.module)
        options.usesRightStatuses = section.usesRightStatuses
        options.publicURL = section.publicURL.map { String(decoding: $0.bytes, as: UTF8.self) }
        options.healthInterval = section.healthInterval
        self.options = options
    }

    func open(_ store: WasmdStorage.Store) throws -> any OpenService {
        OpenOrchestrator(orchestrator: try Orchestrator(store, options), address: address)
    }
}

private struct OpenOrchestrator: OpenService {
    let orchestrator: Orchestrator
    let address: SystemAddress

    var personality: DaemonSettings.Personality { .orchestrator }

    var surfaces: [any Surface] { [OrchestratorSurface(orchestrator)] }

    func start(on loop: EventLoop) async throws {
        try await orchestrator.start(
            port: address.port ?? 0, address: DeviceAddress(listener: address).text ?? "0.0.0.0",
            on: loop)
    }
}

extension OpenOrchestrator: DiscoverableService {
    func join(_ discovery: LocalDiscovery) {
        DiscoveredDevices(orchestrator).begin(
            discovery, service: AdvertisedService(orchestrator: address))
    }
}
