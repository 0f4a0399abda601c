import Synchronization
import WasmdDiscovery
import WasmdDocuments
import WasmdEventLoop
import WasmdOperation

/// `[discovery]`: being found, and finding others, in the local network.
struct DiscoverySection: Sendable, Equatable {
    /// Whether servers of *wasmiot* use multicast DNS.
    var usesMulticast = true

    init() {}

    init(_ table: SettingsTable) { usesMulticast = table.boolean("mdns") ?? true }

    var facts: [SettingFact] {
        [SettingFact("discovery.mdns", "\(usesMulticast)", isReloadable: false)]
    }
}

/// The multicast DNS of a daemon, one for all its hosts.
///
/// Made before the process restricts itself, since it makes sockets.
final class DiscoveryService: @unchecked Sendable {
    // Soundness: `discovery` is used by tasks of the loop that `start` is called on.
    private let sockets = DiscoverySockets()
    private var discovery: LocalDiscovery?

    /// Nil if no host needs it, or it is switched off.
    init?(_ settings: DaemonSettings) {
        guard settings.discovery.usesMulticast,
            !settings.orchestrator.listen.isEmpty || !settings.supervisor.listen.isEmpty
        else { return nil }
    }

    /// Lets the services join. Without multicast there is a warning, and the server serves.
    func start(_ services: [any OpenService], on loop: EventLoop) {
        do throws(LoopError) {
            let discovery = try LocalDiscovery(sockets, on: loop)
            self.discovery = discovery
            if let failure = discovery.failure {
                ServeMessages.write(
                    "\(failure); others do not find this server, which needs a registration, and "
                        + "--no-mdns turns this off", .warning)
            }
            for service in services { service.join(discovery) }
        } catch {
            ServeMessages.write("no multicast DNS: \(error)", .warning)
            for service in services { service.didNotJoin() }
        }
    }

    /// Says goodbye.
    func stop() {
        discovery?.close()
        discovery = nil
    }
}

extension DiscoveryService {
    /// What is said when another host has the name.
    static func renamed(_ wanted: String) -> ([UInt8]) -> Void {
        { name in
            let text = String(decoding: name, as: UTF8.self)
            ServeMessages.write(
                "another host of the network is named \(printable(wanted)): this one is "
                    + "\(printable(text)) there", .warning)
        }
    }
}
