// Soundness: the bytes of a piece are lent for the length of a call.

import WasmSystem
import WasmWASI
import WasmdDiscovery
import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP
import WasmdOperation
import WasmdStorage
import WasmdSupervisor
import WasmdWasmiot

/// The device of *wasmiot* that a daemon is: `--supervisor`.
///
/// Made before the process restricts itself: it reads what is out of reach then.
struct SupervisorService: DaemonService {
    private let section: SupervisorSection
    private var options: Supervisor.Options
    /// The socket of the first listener: the device is known by one address.
    private let address: SystemAddress

    /// Bytes of an image at most.
    private static let imageLimit = 64 << 20

    /// Nil if no listener is one of a supervisor.
    ///
    /// - Throws: `Refusal` if the image cannot be read.
    init?(_ settings: DaemonSettings, _ listeners: DaemonListeners) throws(Refusal) {
        let bound = listeners.bound.first { $0.personality == .supervisor }
        guard let address = bound?.sockets.address else { return nil }
        self.address = address
        section = settings.supervisor
        let limits = settings.common.limits
        options = Supervisor.Options()
        options.name =
            section.name ?? Self.variable("WASMIOT_SUPERVISOR_NAME")
            ?? Supervisor.defaultName(port: address.port ?? 0)
        options.state = section.state
        options.callTime = section.callTime
        options.fetchTime = section.callTime
        options.instanceMemory = section.instanceMemory
        options.instanceCount = section.instances
        options.historyLimit = section.history
        options.usesRightStatuses = section.usesRightStatuses
        options.moduleLimit = Int(clamping: limits.module)
        options.limits.memory = limits.memory
        options.limits.time =
            section.runTime ?? Self.seconds("WASMIOT_MODULE_TIMEOUT_SECONDS") ?? limits.runTime
        options.limits.fuel = limits.fuel
        options.limits.waitingTime = limits.waitingTime
        options.machine = Machine()
        options.resolver = Resolver.ofSystem()
        if let image = section.image { options.skills.image = try Self.read(image) }
        options.skills.temperature = section.temperature.map { Float($0) }
        options.skills.humidity = section.humidity.map { Float($0) }
        options.skills.remoteFunctions = section.remoteFunctions.map { ($0.name, $0.url) }
        if section.pings {
            guard Supervisor.canPing else {
                throw Refusal(
                    file: "supervisor.ping", reason: "the system does not allow echo requests",
                    hint: "Add the group of the process to net.ipv4.ping_group_range.")
            }
            options.skills.pings = true
        }
        if let description = section.description {
            options.description = try Self.document(description)
        }
    }

    /// A variable of the original, which the settings go before; nil if it is empty.
    private static func variable(_ name: StaticString) -> String? {
        let value = CurrentProcess.value(of: "\(name)").map { String(decoding: $0, as: UTF8.self) }
        return value?.isEmpty == false ? value : nil
    }

    private static func seconds(_ name: StaticString) -> Duration? {
        variable(name).flatMap { Double($0) }
            .flatMap { $0 > 0 && $0 < 1e9 ? Duration.seconds($0) : nil }
    }

    private static func document(_ path: Word) throws(Refusal) -> Document {
        guard let document = try? JSONReader.read(try read(path)), document.objectValue != nil
        else { throw Refusal(file: path.text, reason: "is no object of JSON") }
        return document
    }

    /// The orchestrator of the section, or of the original's variable.
    private var orchestrator: URL? {
        section.orchestrator
            ?? Self.variable("WASMIOT_ORCHESTRATOR_URL").flatMap { URL(http: Array($0.utf8)) }
    }

    private var renewal: Duration {
        section.renewal ?? Self.seconds("WASMIOT_REGISTER_RENEWAL_TIME") ?? .seconds(900)
    }

    /// The bytes of a file, at most those of an image.
    static func read(_ path: Word) throws(Refusal) -> [UInt8] {
        do {
            let file = FileDescriptor(owning: try unsafe Kernel.open(path.cString, [.readOnly]))
            let number = file.number
            var bytes: [UInt8] = []
            var piece = [UInt8](repeating: 0, count: 64 << 10)
            while bytes.count <= imageLimit {
                let count = try unsafe piece.withUnsafeMutableBytes {
                    try unsafe Kernel.read(number, $0)
                }
                if count == 0 { return bytes }
                bytes += piece[..<count]
            }
        } catch let error as SystemError {
            throw Refusal(file: path.text, reason: error.text)
        } catch {
            throw Refusal(file: path.text, reason: "\(error)")
        }
        throw Refusal(file: path.text, reason: "has more than \(imageLimit) bytes")
    }

    func open(_ store: RecordStore, _ house: DaemonHouse) throws -> any OpenService {
        var options = options
        let readiness = house.readiness
        options.sharedRuns = house.runs
        options.isStopping = { readiness.has(.stopping) }
        let supervisor = try Supervisor(store, options)
        for damage in supervisor.damage { ServeMessages.write(printable(damage), .error) }
        return OpenSupervisor(
            supervisor: supervisor, orchestrator: orchestrator, renewal: renewal, address: address)
    }
}

private struct OpenSupervisor: OpenService {
    let supervisor: Supervisor
    let orchestrator: URL?
    let renewal: Duration
    let address: SystemAddress

    var personality: DaemonSettings.Personality { .supervisor }

    var surfaces: [any Surface] { [SupervisorSurface(supervisor)] }

    var api: APITable { SupervisorSurface.api }

    /// Pages of the origins of the configuration may read it.
    func follow(_ settings: DaemonSettings) {
        supervisor.setOrigins(settings.common.access.sameOrigin(machine: []).cors)
    }

    var limits: [LimitUse] {
        let statistics = supervisor.statistics
        let options = supervisor.options
        return [
            LimitUse(
                "supervisor.instances", UInt64(clamping: options.instanceCount),
                used: UInt64(clamping: statistics.instances)),
            LimitUse(
                "supervisor.instance_memory", options.instanceMemory,
                used: statistics.instanceBytes, unit: .bytes),
            LimitUse(
                "supervisor.history", UInt64(clamping: options.historyLimit),
                used: UInt64(clamping: statistics.history)),
        ]
    }

    func watch(_ metrics: MetricRegistry) { SupervisorMetrics.watch(metrics, supervisor) }

    /// The device registers, and sends log lines.
    func start(on loop: EventLoop) {
        loop.spawn {
            while (try? await loop.sleep(for: .seconds(60))) != nil { supervisor.trim() }
        }
        loop.spawn {
            do {
                try await supervisor.attend(
                    to: orchestrator, from: DeviceAddress(listener: address),
                    renewal: renewal, on: loop
                ) { fault in
                    guard let fault else { return }
                    ServeMessages.write(printable(fault), .warning)
                }
            } catch LoopError.cancelled {
            } catch {
                ServeMessages.write(printable("\(error)"), .warning)
            }
        }
    }

    func endRuns() { supervisor.endRuns() }

    /// Runs that nobody waits for have the rest of the grace. Then instances whose last runs were
    /// answered less than a second ago are saved.
    func finish(on loop: EventLoop) async { await supervisor.finish(on: loop) }

    func willJoin() { supervisor.beginNaming() }

    func didNotJoin() { supervisor.endNaming() }

    /// A name that another host has is changed everywhere: an orchestrator would know the device
    /// twice.
    func join(_ discovery: LocalDiscovery) {
        let name = supervisor.options.name
        guard let service = AdvertisedService(supervisor: name, listener: address) else {
            return supervisor.endNaming()
        }
        do throws(DiscoveryError) {
            let note = DiscoveryService.renamed(name)
            _ = try discovery.advertise(
                service,
                onRename: { label in
                    note(label)
                    supervisor.rename(String(decoding: label, as: UTF8.self))
                }, onAnnounce: { _ in supervisor.endNaming() })
        } catch {
            // The failure of the discovery was reported.
            supervisor.endNaming()
        }
    }
}
