import Synchronization
import WasmInterpreter
import WasmSystem
import WasmWASI
import WasmdBroker
import WasmdDocuments
import WasmdEventLoop
import WasmdGuests
import WasmdHTTPClient
import WasmdOperation
import WasmdServices
import WasmdStorage

/// The services of a daemon: the sections `[service.NAME]`.
struct ModuleServices: DaemonService {
    private let definitions: [ServiceDefinition]
    private let tls: TLSHelper?
    /// Reads files of the system, which are out of reach later.
    private let resolver = Resolver.ofSystem()

    /// Nil if there are no sections. Binds sockets and reads secrets.
    ///
    /// - Throws: `Refusal`
    init?(_ settings: DaemonSettings, _ tls: TLSHelper?) throws(Refusal) {
        guard !settings.services.isEmpty else { return nil }
        var definitions: [ServiceDefinition] = []
        for section in settings.services { definitions.append(try Self.definition(section)) }
        self.definitions = definitions
        self.tls = tls
    }

    private static func definition(
        _ section: ServiceSection
    ) throws(Refusal) -> ServiceDefinition {
        let place = "service.\(section.name)"
        let path = section.module ?? Word("")
        let entry: ServiceDefinition.Entry
        if let configuration = section.configuration {
            entry = .initialise(
                configuration: configuration, passesSocket: !section.listen.isEmpty)
        } else {
            entry = section.call.map { ServiceDefinition.Entry.function(Name($0)) } ?? .command
        }
        // What cannot be read now would fail again and again.
        do throws(Refusal) {
            _ = try ModuleFile(path)
        } catch {
            throw Refusal(file: "\(place).module", reason: error.text)
        }
        var definition = ServiceDefinition(section.name, entry) { try ModuleFile(path).bytes }
        var secrets: [(name: String, value: [UInt8])] = []
        for secret in section.secrets {
            secrets.append((secret.name, try value(of: secret, place)))
        }
        let name = section.name
        let log = ServiceLog(secrets: secrets.map(\.value)) { line in
            ServeMessages.write(HarmlessText.text(line), about: .output(service: name))
        }
        definition.log = log
        var world = WASI(
            arguments: [path.lastComponent?.text ?? path.text] + section.arguments,
            environment: section.environment.map { ($0.name, $0.value) })
        for secret in secrets {
            world.environmentBytes.append((Array(secret.name.utf8), secret.value))
        }
        world.folders = section.folders
        world.standardInput = .null
        world.standardOutput = .closure { log.write(unsafe [UInt8]($0)) }
        world.standardError = .closure { log.write(unsafe [UInt8]($0)) }
        definition.world = world
        for address in section.listen {
            do throws(SystemError) {
                definition.sockets.append(try ServiceSocket(address.system))
            } catch {
                throw Refusal(
                    file: "\(place).listen", reason: "'\(address)': cannot listen: \(error.text)")
            }
        }
        definition.outbound = OutboundPolicy(allowing: section.allowedHosts) ?? .nothing
        definition.sessions = section.sessions
        definition.stores = section.stores
        for pair in section.values { definition.values[pair.name] = Array(pair.value.utf8) }
        for secret in secrets { definition.values[secret.name] = secret.value }
        definition.topics = TopicPermissions(
            publishing: section.publish, subscribing: section.subscribe)
        if let topics = section.topics { definition.topicLimit = topics }
        if let size = section.storeSize { definition.storeLimits.bytes = Int(clamping: size) }
        definition.after = section.after
        definition.schedule = section.schedule
        definition.restart = section.restart
        if let memory = section.memory { definition.limits.memory = memory }
        if let stack = section.stack { definition.limits.stack = stack }
        definition.limits.fuel = section.fuel
        definition.limits.descriptors = section.descriptors
        definition.limits.time = section.runTime
        return definition
    }

    /// The bytes of a secret, without a line feed at the end.
    private static func value(
        of secret: ServiceSection.NamedSecret, _ place: String
    ) throws(Refusal) -> [UInt8] {
        var bytes: [UInt8]
        switch secret.place {
        case .variable(let name):
            guard let value = CurrentProcess.value(of: name) else {
                throw Refusal(
                    file: "\(place).secrets",
                    reason: "'\(secret.name)': there is no variable '\(name)'")
            }
            bytes = Array(value)
        case .file(let path):
            let content = try openModule(path)
            bytes = content[content.range]
        }
        if bytes.last == 0x0a { bytes.removeLast() }
        guard bytes.count <= 65_536, !bytes.contains(0) else {
            throw Refusal(
                file: "\(place).secrets",
                reason: "'\(secret.name)': is longer than 64 KiB, or has a NUL byte")
        }
        return bytes
    }

    func open(_ store: RecordStore, _ house: DaemonHouse) throws -> any OpenService {
        var options = ServiceHost.Options(messaging: BrokerMessaging(house.broker)) { _ in }
        options.logsErrors = false
        options.store = store
        options.http.resolver = resolver
        options.http.tls = tls?.program()
        options.report = { ServiceMessages.report($0, $1) }
        return OpenModuleServices(
            host: ServiceHost(house.runs, options), definitions: definitions, runs: house.runs)
    }
}

private final class OpenModuleServices: OpenService {
    private let host: ServiceHost
    private let definitions: [ServiceDefinition]
    private let runs: GuestRuns
    /// Over which services are spread; known before `start`.
    private let loops = Mutex<[EventLoop]>([])

    init(host: ServiceHost, definitions: [ServiceDefinition], runs: GuestRuns) {
        self.host = host
        self.definitions = definitions
        self.runs = runs
    }

    /// It has no listeners of its own.
    var personality: DaemonSettings.Personality { .console }
    var surfaces: [any Surface] { [] }
    var operatorSurfaces: [any Surface] { [ServiceSurface.make(host)] }
    var api: APITable { ServiceSurface.api }

    /// How many of the services run, and the limits of each.
    var limits: [LimitUse] {
        let services = host.services
        let running = services.count { service in
            switch service.status.state {
            case .running, .ready: true
            default: false
            }
        }
        var limits = [
            LimitUse("service", UInt64(definitions.count), used: UInt64(clamping: running))
        ]
        let active = Dictionary(
            runs.active.all.map { ($0.caller, $0) }, uniquingKeysWith: { first, _ in first })
        for definition in definitions {
            let place = "service.\(definition.name)"
            let run = active[Service.caller(definition.name)]
            limits.append(
                LimitUse(
                    place + ".memory", definition.limits.memory, used: run?.memory ?? 0,
                    unit: .bytes))
            guard let time = definition.limits.time else { continue }
            limits.append(
                LimitUse(
                    place + ".run_time", UInt64(clamping: time.components.seconds),
                    used: (run?.age ?? 0) / 1_000_000_000, unit: .seconds))
        }
        return limits
    }

    func watch(_ metrics: MetricRegistry) { host.watch(metrics) }

    /// It has no listeners here: sockets belong to services.
    func serve(on loops: [EventLoop], _ loop: EventLoop) async throws {
        self.loops.withLock { $0 = loops }
    }

    func start(on loop: EventLoop) async throws {
        let loops = loops.withLock { $0 }
        let guests = try await GuestLoop.each(of: loops.isEmpty ? [loop] : loops)
        let (host, definitions) = (host, definitions)
        loop.spawn { await host.start(definitions, on: guests) }
    }
}

/// What happens to services, on standard error.
enum ServiceMessages {
    static func report(_ name: String, _ event: ServiceEvent) {
        switch event {
        case .started, .ready: break
        case .requestFailed(let text): write(printable(text))
        case .ended: write("ended")
        case .failed(let reason, let pause?):
            write("\(lines(reason))\n  It is started again in \(text(pause)).", .error)
        case .failed(let reason, nil):
            write("\(lines(reason))\n  It is not started again by itself.", .error)
        }
        func write(_ message: String, _ level: Log.Level = .information) {
            ServeMessages.write(message, level, about: .service(name))
        }
    }

    private static func lines(_ text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false).map { printable(String($0)) }
            .joined(separator: "\n")
    }

    private static func text(_ time: Duration) -> String {
        let milliseconds =
            time.components.seconds * 1000
            + time.components.attoseconds / 1_000_000_000_000_000
        return milliseconds % 1000 == 0
            ? "\(milliseconds / 1000) s" : "\(Double(milliseconds) / 1000) s"
    }
}
