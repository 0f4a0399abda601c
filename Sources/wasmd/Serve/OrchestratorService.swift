import WasmSystem
import WasmWASI
import WasmdDiscovery
import WasmdDocuments
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
    private let initFolder: Word?

    /// Nil if no listener is one of an orchestrator.
    ///
    /// - Throws: `Refusal` if the page cannot be read.
    init?(_ settings: DaemonSettings, _ listeners: DaemonListeners) throws(Refusal) {
        let bound = listeners.bound.first { $0.personality == .orchestrator }
        guard let address = bound?.sockets.address else { return nil }
        self.address = address
        let section = settings.orchestrator
        var options = Orchestrator.Options()
        options.moduleLimit = Int(clamping: settings.common.limits.module)
        options.usesRightStatuses = section.usesRightStatuses
        options.publicURL = section.publicURL.map { String(decoding: $0.bytes, as: UTF8.self) }
        options.healthInterval = section.healthInterval
        options.version = Version.number
        options.report = { ServeMessages.write(printable($0), .warning) }
        if let folder = section.webFolder {
            do throws(WebFolder.Fault) {
                options.web = try WebFolder(folder.bytes)
            } catch {
                throw Refusal(file: folder.text, reason: "\(error)")
            }
        }
        self.options = options
        initFolder = section.initFolder
    }

    func open(_ store: RecordStore, _ house: DaemonHouse) throws -> any OpenService {
        OpenOrchestrator(
            orchestrator: try Orchestrator(store, options), address: address,
            initFolder: initFolder)
    }
}

private struct OpenOrchestrator: OpenService {
    let orchestrator: Orchestrator
    let address: SystemAddress
    let initFolder: Word?

    var personality: DaemonSettings.Personality { .orchestrator }

    var surfaces: [any Surface] { [OrchestratorSurface(orchestrator)] }

    var operatorSurfaces: [any Surface] { [OrchestratorOperatorSurface(orchestrator)] }

    var api: APITable { OrchestratorSurface.api }

    func watch(_ metrics: MetricRegistry) { orchestrator.watch(metrics) }

    var status: Document.Member? { .init("orchestrator", orchestrator.status) }

    /// Pages of the origins of the configuration may use it.
    func follow(_ settings: DaemonSettings) {
        orchestrator.setOrigins(settings.common.access.sameOrigin(machine: []).cors)
    }

    func start(on loop: EventLoop) async throws {
        try await orchestrator.start(
            port: address.port ?? 0, address: DeviceAddress(listener: address).text ?? "0.0.0.0",
            on: loop)
        guard let initFolder else { return }
        do {
            let added = try await orchestrator.addInitFolder(initFolder.bytes, on: loop)
            ServeMessages.write("\(printable(initFolder.text)): added \(printable(added))")
        } catch let error as SystemError {
            ServeMessages.write("\(printable(initFolder.text)): \(error.text)", .warning)
        } catch {
            ServeMessages.write(
                "\(printable(initFolder.text)): \(printable("\(error)"))", .warning)
        }
    }

    func join(_ discovery: LocalDiscovery) {
        DiscoveredDevices(orchestrator).begin(
            discovery, service: AdvertisedService(orchestrator: address))
    }
}
