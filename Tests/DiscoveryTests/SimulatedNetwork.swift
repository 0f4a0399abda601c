import Testing
import WasmSystem
import WasmdEventLoop

@testable import WasmdDiscovery

/// Engines on one network whose time is a number: packets arrive after a millisecond at all hosts,
/// the sender included.
final class SimulatedNetwork {
    final class Host {
        let engine: DiscoveryEngine
        var addresses: [NetworkInterface.Address]
        /// Packets from it are lost.
        var isMute = false
        /// Packets to it are lost.
        var isDeaf = false
        let port: UInt16

        init(_ engine: DiscoveryEngine, _ address: [UInt8], port: UInt16 = 5353) {
            self.engine = engine
            self.port = port
            addresses = [NetworkInterface.Address(bytes: address, prefixLength: 24)]
        }

        var interface: NetworkInterface {
            NetworkInterface(index: 1, name: Array("eth0".utf8), addresses: addresses)
        }

        var address: SystemAddress { .ipv4(addresses.first?.bytes ?? [0, 0, 0, 0], port: port) }
    }

    private(set) var hosts: [Host] = []
    private(set) var now = LoopInstant(nanoseconds: 1_000_000_000)
    private var flying: [(time: LoopInstant, from: SystemAddress, packet: OutgoingPacket)] = []
    /// All packets to the group so far.
    private(set) var sent: [(time: LoopInstant, from: SystemAddress, message: DiscoveryMessage)] =
        []

    func addHost(
        _ name: String, _ address: [UInt8], isOneShot: Bool = false
    ) -> Host {
        let engine = DiscoveryEngine(
            hostName: Array(name.utf8), seed: UInt64(hosts.count + 1), isOneShot: isOneShot)
        let host = Host(engine, address, port: isOneShot ? 40_000 : 5353)
        hosts.append(host)
        engine.setInterfaces([host.interface], at: now)
        return host
    }

    func remove(_ host: Host) { hosts.removeAll { $0 === host } }

    func clearSent() { sent = [] }

    /// Puts a packet of somebody else on the network.
    func inject(
        _ bytes: [UInt8], from: SystemAddress, destination: OutgoingPacket.Destination? = nil
    ) {
        flying.append(
            (
                now + .milliseconds(1), from,
                OutgoingPacket(
                    bytes: bytes, interface: 1,
                    destination: destination ?? .group(isIPv6: false))
            ))
    }

    func run(for duration: Duration) { run(until: now + duration) }

    private func run(until end: LoopInstant) {
        var steps = 0
        while steps < 100_000 {
            steps += 1
            collect()
            var next = flying.map(\.time).min() ?? .never
            for host in hosts { next = min(next, host.engine.nextTime) }
            guard next <= end else { break }
            now = max(now, next)
            let arriving = flying.filter { $0.time <= now }
            flying.removeAll { $0.time <= now }
            for (_, from, packet) in arriving { deliver(packet, from) }
            for host in hosts where host.engine.nextTime <= now { host.engine.advance(to: now) }
        }
        now = end
    }

    private func collect() {
        for host in hosts {
            for packet in host.engine.outgoing where !host.isMute {
                flying.append((now + .milliseconds(1), host.address, packet))
                if case .group = packet.destination, let message = DiscoveryMessage(packet.bytes) {
                    sent.append((now, host.address, message))
                }
            }
            host.engine.outgoing = []
        }
    }

    private func deliver(_ packet: OutgoingPacket, _ from: SystemAddress) {
        for host in hosts where !host.isDeaf {
            switch packet.destination {
            case .group: if host.port != 5353 { continue }
            case .host(let address): if address != host.address { continue }
            }
            var isToGroup = false
            if case .group = packet.destination { isToGroup = true }
            host.engine.receive(
                IncomingPacket(
                    bytes: packet.bytes, sender: from, isToGroup: isToGroup, interface: 1), at: now)
        }
    }
}

/// What a browse has reported.
final class EventLog {
    var events: [DiscoveryEvent] = []
    var current: [String: DiscoveredService] = [:]

    func take(_ event: DiscoveryEvent) {
        events.append(event)
        switch event {
        case .added(let service), .changed(let service): current[service.title] = service
        case .removed(let service): current[service.title] = nil
        }
    }

    var names: [String] { current.keys.sorted() }
}

extension DiscoveredService {
    var title: String { String(decoding: instance, as: UTF8.self) }
}

func webthing() throws -> ServiceType {
    guard let type = ServiceType("_webthing._tcp") else { throw TestFailure() }
    return type
}

struct TestFailure: Error {}

func service(_ name: String, port: UInt16 = 5000, text: TextRecord? = nil) throws
    -> AdvertisedService
{
    AdvertisedService(
        instance: Array(name.utf8), type: try webthing(), port: port,
        text: try text ?? #require(TextRecord(["path": "/", "tls": "0"])), addressKey: "address")
}

/// For calls that change what they are called on, which the macro does not take.
func expect(_ isTrue: Bool, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(isTrue, sourceLocation: sourceLocation)
}
