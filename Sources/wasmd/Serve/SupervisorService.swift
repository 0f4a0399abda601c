// Soundness: the bytes of a piece are lent for the length of a call.

import WasmSystem
import WasmWASI
import WasmdDiscovery
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
        options.name = section.name ?? Supervisor.defaultName(port: address.port ?? 0)
        options.state = section.state
        options.moduleLimit = Int(clamping: limits.module)
        options.limits.memory = limits.memory
        options.limits.time = limits.runTime
        options.limits.fuel = limits.fuel
        options.limits.waitingTime = limits.waitingTime
        options.runs.places.running = limits.runs
        options.runs.places.waiting = limits.waiting
        options.machine = Machine()
        options.resolver = Resolver.ofSystem()
        if let image = section.image { options.skills.image = try Self.read(image) }
    }

    private static func read(_ path: Word) throws(Refusal) -> [UInt8] {
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

    func open(_ store: WasmdStorage.Store) throws -> any OpenService {
        let supervisor = try Supervisor(store, options)
        for damage in supervisor.damage { ServeMessages.write(printable(damage)) }
        return OpenSupervisor(supervisor: supervisor, section: section, address: address)
    }
}

private struct OpenSupervisor: OpenService {
    let supervisor: Supervisor
    let section: SupervisorSection
    let address: SystemAddress

    var personality: DaemonSettings.Personality { .supervisor }

    var surfaces: [any Surface] { [SupervisorSurface(supervisor)] }

    /// The device registers, and sends log lines.
    func start(on loop: EventLoop) {
        loop.spawn {
            while (try? await loop.sleep(for: .seconds(60))) != nil { supervisor.trim() }
        }
        loop.spawn {
            do {
                try await supervisor.attend(
                    to: section.orchestrator, from: DeviceAddress(listener: address),
                    renewal: section.renewal, on: loop
                ) { fault in
                    guard let fault else { return }
                    ServeMessages.write("warning: \(printable(fault))")
                }
            } catch LoopError.cancelled {
            } catch {
                ServeMessages.write("warning: \(printable("\(error)"))")
            }
        }
    }
}

extension OpenSupervisor: DiscoverableService {
    func join(_ discovery: LocalDiscovery) {
        let name = supervisor.options.name
        guard let service = AdvertisedService(supervisor: name, listener: address) else { return }
        // The failure of the discovery was reported.
        _ = try? discovery.advertise(service, onRename: DiscoveryService.renamed(name))
    }
}
