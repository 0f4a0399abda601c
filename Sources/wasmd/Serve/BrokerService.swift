import WasmdBroker
import WasmdDocuments
import WasmdEventLoop
import WasmdHTTPServer
import WasmdOperation
import WasmdStorage

/// The topics of a daemon: there in any case, for its hosts; at a port if one is named.
struct BrokerService: DaemonService {
    private let section: BrokerSection

    init(_ settings: DaemonSettings) { section = settings.broker }

    func open(_ store: WasmdStorage.Store, _ house: DaemonHouse) throws -> any OpenService {
        OpenBroker(
            broker: house.broker, wire: WireServer(house.broker, section.wire),
            readiness: house.readiness)
    }
}

private struct OpenBroker: OpenService {
    let broker: Broker
    let wire: WireServer
    let readiness: Readiness

    var personality: DaemonSettings.Personality { .broker }

    var surfaces: [any Surface] { [] }

    var operatorSurfaces: [any Surface] {
        [BrokerSurface.make(broker, isStopping: { [readiness] in readiness.has(.stopping) })]
    }

    var api: APITable { BrokerSurface.api }

    var status: Document.Member? { .init("broker", broker.status) }

    func serve(
        _ bound: DaemonListeners.Bound, on loops: [EventLoop]
    ) async throws -> Bool {
        try await wire.serve(bound.sockets, on: loops)
        ServeMessages.write("broker at \(ServeMessages.address(bound.sockets.address))")
        return true
    }

    func watch(_ metrics: MetricRegistry) {
        broker.watch(metrics)
        wire.watch(metrics)
    }

    func follow(_ settings: DaemonSettings) {
        broker.setOptions(settings.broker.options)
        wire.options = settings.broker.wire
    }

    func start(on loop: EventLoop) { broker.start(on: loop) }

    func stop(on loop: EventLoop) async { wire.stop() }

    func finish(on loop: EventLoop) async {
        // A failure was reported to those whose messages are lost.
        try? await broker.flush()
    }
}
