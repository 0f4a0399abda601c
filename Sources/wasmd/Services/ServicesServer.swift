import Synchronization
import WasmInterpreter
import WasmSystem
import WasmWASI
import WasmdBroker
import WasmdDocuments
import WasmdEventLoop
import WasmdGuests
import WasmdHTTPClient
import WasmdHTTPServer
import WasmdOperation
import WasmdServices

/// Runs the modules of `wasmd services`.
struct ServicesServer {
    private typealias Module = OriginalServices.Module

    private let settings: ServicesSettings
    private let places: [OriginalServices.Module: OriginalServices.Place]
    /// Where messages arrive.
    private let place: Place
    private let tls: TLSHelper
    /// Topics of the host, if it serves them itself.
    private let broker: Broker?
    /// Reads files of the system, which are out of reach later.
    private let resolver = Resolver.ofSystem()
    private let lines = ServiceLines()

    /// Before the process restricts itself.
    ///
    /// - Throws: `Refusal` if the configuration of the server module is malformed.
    init(
        _ settings: ServicesSettings,
        _ places: [OriginalServices.Module: OriginalServices.Place], _ place: Place,
        _ tls: TLSHelper
    ) throws(Refusal) {
        self.settings = settings
        self.places = places
        self.place = place
        self.tls = tls
        guard case .host = place else {
            broker = nil
            return
        }
        var options = Broker.Options()
        if let topics = try Self.configuredTopics(settings, places) {
            options.dynamic = nil
            for topic in topics { options.topics[topic] = TopicOptions() }
        }
        broker = Broker(options)
    }

    /// A listening socket, and who serves it.
    enum Place: Sendable {
        case module(ServiceSocket)
        case host(ListeningSockets)

        var address: SystemAddress? {
            switch self {
            case .module(let socket): socket.address
            case .host(let sockets): sockets.address
            }
        }
    }

    func run() throws -> Int32 {
        lines.start()
        defer { lines.finish() }
        let (broker, host) = (broker, host(broker))
        let definitions = Module.allCases.filter { places[$0] != nil }.map(definition)
        let wire = broker.map { WireServer($0) }
        let place = place
        if let address = place.address {
            ServeMessages.write("messages at \(ServeMessages.address(address))")
        }
        lines.print("Initialising host service...")
        let group = try LoopGroup(count: settings.loopCount)
        return try group.run { loop in
            let signals = try SignalStream(
                [Signals.termination, Signals.interrupt, Signals.hangup], on: loop)
            let all = try await GuestLoop.each(of: group.loops)
            if case .host(let sockets) = place, let wire, let broker {
                broker.start(on: loop)
                try await wire.serve(sockets, on: group.loops)
            }
            let starting = loop.spawn { await host.start(definitions, on: all) }
            let ending = loop.spawn { () -> Bool in
                await starting.value
                let isClean = await host.ended(on: loop)
                // Stopped by a signal.
                return isClean || Task.isCancelled
            }
            let watching = loop.spawn {
                while let number = try? await signals.next() {
                    guard number == Signals.hangup else { break }
                    for service in host.services { service.restart() }
                }
                starting.cancel()
                ending.cancel()
            }
            let isClean = await ending.value
            watching.cancel()
            return isClean ? ExitCode.success : ExitCode.refused
        }
    }

    /// What the configuration of the server module names; nil without one.
    private static func configuredTopics(
        _ settings: ServicesSettings,
        _ places: [OriginalServices.Module: OriginalServices.Place]
    ) throws(Refusal) -> [TopicName]? {
        let folder = places[.gateway]?.folder ?? settings.root.bytes
        let path = Word(bytes: folder + Array("/server_module/config.toml".utf8))
        guard (try? Kernel.status(path.cString, followsLink: true)) != nil else { return nil }
        let content = try openModule(path)
        do throws(TOMLError) {
            let document = try TOML.Source(content[content.range]).document
            guard let words = document["topics"]?.stringValue else { return nil }
            return words.split(separator: " ").compactMap { TopicName(String($0)) }
        } catch {
            throw Refusal(file: path.text, reason: "\(error)")
        }
    }

    private func host(_ broker: Broker?) -> ServiceHost {
        let lines = lines
        let address = place.address ?? settings.address?.system ?? .unix([])
        let note: @Sendable (String) -> Void = { message in
            lines.write(HostObservability.line(module: "Wasm Host", message))
        }
        let messaging: any Messaging =
            broker.map { BrokerMessaging($0, note: note) }
            ?? WireMessaging(address.reachable, note: note)
        var options = ServiceHost.Options(messaging: messaging) { lines.write($0) }
        options.logsErrors = false
        options.http.tls = tls.program()
        options.http.resolver = resolver
        let titles = places.mapValues { Word(bytes: $0.path).text }
        let announced = Mutex<Set<Module>>([])
        options.report = { name, event in
            if case .started = event, let module = Module(rawValue: name),
                let path = titles[module],
                announced.withLock({ $0.insert(module).inserted })
            {
                lines.print("\(module.title) Module Path: \(printable(path))")
            }
            ServiceMessages.report(name, event)
        }
        return ServiceHost(GuestRuns(), options)
    }

    private func definition(_ module: Module) -> ServiceDefinition {
        let place = places[module]
        let path = Word(bytes: place?.path ?? [])
        var definition = ServiceDefinition(
            module.rawValue,
            .initialise(
                configuration: module.configuration, passesSocket: module == .server)
        ) {
            try ModuleFile(path).bytes
        }
        let lines = lines
        definition.world.folders = [
            .init(hostPath: place?.folder ?? settings.root.bytes, guestPath: Array(".".utf8))
        ]
        let output = SharedOutput { lines.write($0) }
        let errors = SharedOutput { ServeMessages.output.write($0) }
        definition.world.standardOutput = .closure { output.write(unsafe [UInt8]($0)) }
        definition.world.standardError = .closure { errors.write(unsafe [UInt8]($0)) }
        definition.topics = .all
        definition.sessions = settings.sessions
        definition.restart.limit = settings.restartLimit
        if let memory = settings.memory { definition.limits.memory = memory }
        definition.limits.descriptors = settings.descriptors
        switch module {
        case .server:
            if case .module(let socket) = self.place { definition.sockets = [socket] }
        case .gateway:
            definition.outbound = settings.outbound
            definition.after = [Module.server.rawValue]
        case .telemetry: definition.after = [Module.server.rawValue]
        }
        return definition
    }
}

/// What `wasmd services` prints on standard output: lines of modules and of the host.
struct ServiceLines: Sendable {
    private let output = LogOutput(Kernel.standardOutput, capacity: 8 << 20)

    func start() {
        ServeMessages.output.start()
        output.start()
    }

    func finish() {
        output.finish()
        ServeMessages.output.finish()
    }

    func write(_ bytes: [UInt8]) { output.write(bytes) }

    func print(_ line: String) { write(Array("\(line)\n".utf8)) }
}

extension SystemAddress {
    /// The address at which this machine reaches a listener: loopback for one on all addresses.
    var reachable: SystemAddress {
        switch self {
        case .ipv4([0, 0, 0, 0], let port): .ipv4([127, 0, 0, 1], port: port)
        case .ipv6(let bytes, let port) where bytes.allSatisfy { $0 == 0 }:
            .ipv6([UInt8](repeating: 0, count: 15) + [1], port: port)
        default: self
        }
    }
}
