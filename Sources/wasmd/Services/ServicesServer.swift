import Synchronization
import WasmInterpreter
import WasmSystem
import WasmWASI
import WasmdEventLoop
import WasmdGuests
import WasmdHTTPClient
import WasmdOperation
import WasmdServices

/// Runs the modules of `wasmd services`.
struct ServicesServer {
    private typealias Module = OriginalServices.Module

    private let settings: ServicesSettings
    private let places: [OriginalServices.Module: OriginalServices.Place]
    private let socket: ServiceSocket
    private let lines = ServiceLines()

    init(
        _ settings: ServicesSettings,
        _ places: [OriginalServices.Module: OriginalServices.Place], _ socket: ServiceSocket
    ) {
        self.settings = settings
        self.places = places
        self.socket = socket
    }

    func run() throws -> Int32 {
        lines.start()
        defer { lines.finish() }
        let host = host()
        let definitions = Module.allCases.map(definition)
        lines.print("Initialising host service...")
        let group = try LoopGroup(count: settings.loopCount)
        return try group.run { loop in
            let signals = try SignalStream(
                [Signals.termination, Signals.interrupt, Signals.hangup], on: loop)
            var guests: [GuestLoop] = []
            for other in group.loops {
                let made = other.spawn { () -> Result<GuestLoop, any Error> in
                    do { return .success(try GuestLoop(other)) } catch { return .failure(error) }
                }
                guests.append(try await made.value.get())
            }
            let all = guests
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

    private func host() -> ServiceHost {
        let lines = lines
        let address = socket.address ?? settings.address?.system ?? .unix([])
        let messaging = WireMessaging(address.reachable) { message in
            lines.write(HostObservability.line(module: "Wasm Host", message))
        }
        var options = ServiceHost.Options(messaging: messaging) { lines.write($0) }
        options.logsErrors = false
        options.http.tls = TLSProgram()
        let titles = places.mapValues { Word(bytes: $0.path).text }
        let announced = Mutex<Set<Module>>([])
        options.report = { name, event in
            if case .started = event, let module = Module(rawValue: name),
                let path = titles[module],
                announced.withLock({ $0.insert(module).inserted })
            {
                lines.print("\(module.title) Module Path: \(printable(path))")
            }
            lines.report(name, event)
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
        definition.world.standardOutput = .closure { lines.write(unsafe [UInt8]($0)) }
        definition.world.standardError = .closure {
            ServeMessages.output.write(unsafe [UInt8]($0))
        }
        definition.topics = .all
        definition.sessions = settings.sessions
        definition.restart.limit = settings.restartLimit
        if let memory = settings.memory { definition.limits.memory = memory }
        definition.limits.descriptors = settings.descriptors
        switch module {
        case .server: definition.sockets = [socket]
        case .gateway:
            definition.outbound = settings.outbound
            definition.after = [Module.server.rawValue]
        case .telemetry: definition.after = [Module.server.rawValue]
        }
        return definition
    }
}

/// What `wasmd services` prints: lines of modules and of the host on standard output, what happens to
/// modules on standard error.
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

    func report(_ name: String, _ event: ServiceEvent) {
        switch event {
        case .started, .ready: break
        case .ended: ServeMessages.write("\(name): ended")
        case .failed(let reason, let pause?):
            ServeMessages.write(
                "\(name): \(printableLines(reason))\n  It is started again in \(Self.text(pause)).")
        case .failed(let reason, nil):
            ServeMessages.write(
                "\(name): \(printableLines(reason))\n  It is not started again: it failed too often."
            )
        }
    }

    private func printableLines(_ text: String) -> String {
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
