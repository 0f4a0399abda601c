import Synchronization
import WasmInterpreter
import WasmSystem
import WasmdBroker
import WasmdEventLoop
import WasmdGuests
import WasmdHTTPClient
import WasmdOperation
import WasmdStorage

/// The services of a process: what they share, and who they are.
public final class ServiceHost: Sendable {
    public struct Options: Sendable {
        /// Where modules exchange messages.
        public var messaging: any Messaging
        /// Receives lines of `loginfo`, with their ends; must not wait.
        public var write: @Sendable ([UInt8]) -> Void
        /// Is told what happens to services; must not wait.
        public var report: @Sendable (_ service: String, ServiceEvent) -> Void = { _, _ in }
        /// Whether standard error of modules goes to the log of runs.
        public var logsErrors = true
        public var http = OutboundClient.Options()
        /// Where stores of modules are; nil for none.
        public var store: RecordStore?
        /// How long a service is waited for that others come after.
        public var patience = Duration.seconds(5)

        public init(
            messaging: any Messaging, write: @escaping @Sendable ([UInt8]) -> Void
        ) {
            self.messaging = messaging
            self.write = write
        }
    }

    public let runs: GuestRuns
    let engine: Engine
    let imports: GuestImports
    private let options: Options
    private let usages = StoreUsages()
    private let state = Mutex(State())

    private struct State: Sendable {
        var services: [Service] = []
        /// Services that have not ended for good.
        var living = 0
        var everyoneEnded: LoopTask<Void>?
    }

    public init(_ runs: GuestRuns, _ options: Options, engine: Engine = Engine()) {
        self.runs = runs
        self.options = options
        self.engine = engine
        imports = GuestImports { linker in
            GuestHTTPImports.define(on: linker)
            HostObservability.define(on: linker)
            GuestStoreImports.define(on: linker)
        }
    }

    /// All services, in the order in which they were started.
    public var services: [Service] { state.withLock { $0.services } }

    public func service(_ name: String) -> Service? {
        services.first { $0.definition.name == name }
    }

    var messaging: any Messaging { options.messaging }
    var logsErrors: Bool { options.logsErrors }

    func report(_ name: String, _ event: ServiceEvent) { options.report(name, event) }

    // MARK: Their lives

    /// Starts services in their order, each when those are ready that it comes after. Returns when
    /// the last one was started. From a task of the first loop.
    ///
    /// - Parameter loops: services are distributed to them.
    /// - Throws: `SystemError` if a loop cannot wait for guests.
    public func start(_ definitions: [ServiceDefinition], on loops: [GuestLoop]) async {
        guard let home = loops.first else { return }
        for (index, definition) in definitions.enumerated() {
            let guests = loops[index % loops.count]
            let service = Service(definition, self, on: guests)
            let before = state.withLock { state in
                let before = state.services.filter {
                    definition.after.contains($0.definition.name)
                }
                state.services.append(service)
                state.living += 1
                return before
            }
            for other in before {
                await other.settled(within: options.patience, on: home.loop)
            }
            if Task.isCancelled { return }
            guests.loop.spawn { await service.live() }
        }
    }

    /// Waits until all services have ended for good; from a task of `loop`.
    ///
    /// - Returns: whether none has failed.
    public func ended(on loop: EventLoop) async -> Bool {
        let sleep = loop.spawn { _ = try? await loop.sleep(until: .never) }
        let isOver = state.withLock { state in
            state.everyoneEnded = sleep
            return state.living == 0
        }
        if isOver { sleep.cancel() }
        await withTaskCancellationHandler {
            await sleep.value
        } onCancel: {
            sleep.cancel()
        }
        return services.allSatisfy { $0.status.state != .failed }
    }

    func noteEnd() {
        let sleep = state.withLock { state in
            state.living -= 1
            return state.living == 0 ? state.everyoneEnded : nil
        }
        sleep?.cancel()
    }

    func noteStart() { state.withLock { $0.living += 1 } }

    // MARK: What a run gets

    func http(for definition: ServiceDefinition, on loop: EventLoop) -> GuestHTTP {
        let (policy, http) = (definition.outbound, options.http)
        let (name, log, report) = (definition.name, definition.log, options.report)
        return GuestHTTP(
            policy, sessions: definition.sessions,
            report: { text in
                log?.write(Array("\(text)\n".utf8))
                report(name, .requestFailed(text))
            },
            client: { OutboundClient(policy, http, on: loop) })
    }

    func observability(
        for definition: ServiceDefinition, _ share: TopicShare, on loop: EventLoop
    ) -> HostObservability {
        var write = options.write
        if let log = definition.log { write = { log.write($0) } }
        return HostObservability(
            options.messaging, definition.topics, share, on: loop, write: write)
    }

    func stores(for definition: ServiceDefinition, on loop: EventLoop) -> GuestStores {
        GuestStores(
            definition.stores, values: definition.values, definition.storeLimits, usages,
            in: options.store, on: loop)
    }
}
