import Synchronization
import WasmSystem
import WasmdBroker
import WasmdDocuments
import WasmdEventLoop
import WasmdHTTPServer
import WasmdOperation
import WasmdStorage

/// The topics of a daemon: there in any case, for its hosts; at a port if one is named; and bridges
/// to other brokers.
///
/// Made before the process restricts itself: it reads what is out of reach then.
struct BrokerService: DaemonService {
    private let section: BrokerSection
    private let bridges: [MQTTBridgeOptions]

    /// - Parameter tls: for bridges with `mqtts`.
    /// - Throws: `Refusal` if a file with a password cannot be read.
    init(_ settings: DaemonSettings, _ tls: TLSHelper?) throws(Refusal) {
        section = settings.broker
        var bridges: [MQTTBridgeOptions] = []
        if !section.bridges.isEmpty {
            let resolver = Resolver.ofSystem()
            for bridge in section.bridges {
                bridges.append(try bridge.options(resolver, tls?.program()))
            }
        }
        self.bridges = bridges
    }

    func open(_ store: RecordStore, _ house: DaemonHouse) throws -> any OpenService {
        let broker = house.broker
        MQTTBridge.removeOthers(than: bridges.map(\.name), from: broker)
        return OpenBroker(
            broker: broker, wire: WireServer(broker, section.wire),
            bridges: bridges.map { options in
                MQTTBridge(broker, options) { ServeMessages.write(printable($0)) }
            }, readiness: house.readiness)
    }
}

/// Tasks that are cancelled when the server ends.
private final class EndlessTasks: Sendable {
    private let tasks = Mutex<[LoopTask<Void>]>([])

    func add(_ task: LoopTask<Void>) { tasks.withLock { $0.append(task) } }

    func cancel() { for task in tasks.withLock({ $0 }) { task.cancel() } }

    /// Waits until all have ended, or a time is over.
    func ended(until deadline: LoopInstant, on loop: EventLoop) async {
        let all = tasks.withLock { $0 }
        let timer = loop.spawn { try? await loop.sleep(until: deadline) }
        loop.spawn {
            for task in all { await task.value }
            timer.cancel()
        }
        await timer.value
    }
}

private struct OpenBroker: OpenService {
    let broker: Broker
    let wire: WireServer
    let bridges: [MQTTBridge]
    let readiness: Readiness
    private let tasks = EndlessTasks()

    init(broker: Broker, wire: WireServer, bridges: [MQTTBridge], readiness: Readiness) {
        self.broker = broker
        self.wire = wire
        self.bridges = bridges
        self.readiness = readiness
    }

    var personality: DaemonSettings.Personality { .broker }

    var surfaces: [any Surface] { [] }

    var operatorSurfaces: [any Surface] {
        [
            BrokerSurface.make(
                broker, bridges: bridges, isStopping: { [readiness] in readiness.has(.stopping) })
        ]
    }

    var api: APITable { BrokerSurface.api }

    var status: Document.Member? { .init("broker", broker.status(bridges)) }

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
        MQTTBridge.watch(bridges, metrics)
    }

    func follow(_ settings: DaemonSettings) {
        broker.setOptions(settings.broker.options)
        wire.options = settings.broker.wire
    }

    func start(on loop: EventLoop) {
        broker.start(on: loop)
        for bridge in bridges { tasks.add(loop.spawn { await bridge.run(on: loop) }) }
    }

    func stop(on loop: EventLoop) async {
        wire.stop()
        tasks.cancel()
    }

    func finish(on loop: EventLoop) async {
        // Bridges take leave of their servers, which would otherwise publish their wills.
        await tasks.ended(until: .after(.seconds(3)), on: loop)
        // A failure was reported to those whose messages are lost.
        try? await broker.flush()
    }
}
