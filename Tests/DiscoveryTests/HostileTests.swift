import Testing
import WasmSystem
import WasmdEventLoop

@testable import WasmdDiscovery

@Suite struct HostileTests {
    private let stranger = SystemAddress.ipv4([10, 0, 0, 66], port: 5353)

    private func house() throws -> (SimulatedNetwork, SimulatedNetwork.Host, EventLog) {
        let network = SimulatedNetwork()
        let client = network.addHost("desk", [10, 0, 0, 2])
        let log = EventLog()
        _ = client.engine.browse(try webthing(), at: network.now, onEvent: log.take)
        network.run(for: .seconds(1))
        return (network, client, log)
    }

    /// All records of a service, as its host sends them.
    private func records(_ name: String, _ address: [UInt8]) throws -> [ServiceRecord] {
        let publication = Publication(try service(name)) { _ in }
        let host = try #require(DomainName("host.local"))
        let interface = NetworkInterface(
            index: 1, name: [], addresses: [.init(bytes: address, prefixLength: 24)])
        return publication.sharedRecords()
            + publication.uniqueRecords(on: interface, host: host) + [
                ServiceRecord(host, .address(address), timeToLive: 120, isUnique: true)
            ]
    }

    private func response(_ records: [ServiceRecord]) throws -> [UInt8] {
        var writer = DiscoveryMessageWriter(isResponse: true, limit: 8000)
        for record in records { expect(writer.append(record)) }
        return try #require(writer.message())
    }

    @Test func answersFromElsewhereAreIgnored() throws {
        let (network, client, log) = try house()
        let bytes = try response(try records("evil", [10, 0, 0, 66]))
        // To this host, from outside of the link; from another port.
        client.engine.receive(
            IncomingPacket(
                bytes: bytes, sender: .ipv4([10, 9, 0, 66], port: 5353), isToGroup: false,
                interface: 1), at: network.now)
        client.engine.receive(
            IncomingPacket(
                bytes: bytes, sender: .ipv4([10, 0, 0, 66], port: 5354), isToGroup: true,
                interface: 1), at: network.now)
        // On an interface that is not used.
        client.engine.receive(
            IncomingPacket(bytes: bytes, sender: stranger, isToGroup: true, interface: 7),
            at: network.now)
        #expect(log.events.isEmpty)
        client.engine.receive(
            IncomingPacket(bytes: bytes, sender: stranger, isToGroup: true, interface: 1),
            at: network.now)
        #expect(log.names == ["evil"])
    }

    @Test func floodsOfNamesAreBoundedAndMakeRoom() throws {
        let (network, client, log) = try house()
        let type = try webthing()
        for batch in 0..<60 {
            var names: [ServiceRecord] = []
            for index in 0..<50 {
                let name = try #require(type.name(of: Array("fake-\(batch)-\(index)".utf8)))
                names.append(
                    ServiceRecord(type.name, .pointer(name), timeToLive: 4500, isUnique: false))
            }
            network.inject(try response(names), from: stranger)
            network.run(for: .milliseconds(10))
        }
        let link = try #require(client.engine.links[1])
        #expect(link.cache.records(type.name, .pointer).count == RecordCache.manyLimit)
        #expect(link.cache.droppedCount > 0)
        #expect(link.asks.count < 3 * RecordCache.manyLimit)
        network.clearSent()
        network.run(for: .seconds(12))
        // What is missing is asked for, but not all at once.
        #expect(network.sent.reduce(0) { $0 + $1.message.questions.count } < 1000)
        // A real one takes the place of those that lead to nothing.
        let real = try response(try records("real", [10, 0, 0, 3]))
        network.inject(real, from: .ipv4([10, 0, 0, 3], port: 5353))
        network.run(for: .seconds(2))
        network.inject(real, from: .ipv4([10, 0, 0, 3], port: 5353))
        network.run(for: .seconds(2))
        #expect(log.names == ["real"])
    }

    /// Names that come after each other, as fast as room is made, leave nothing.
    @Test func namesThatMadeRoomAreForgotten() throws {
        let (network, client, _) = try house()
        let type = try webthing()
        let link = try #require(client.engine.links[1])
        for round in 0..<2 {
            for batch in 0..<21 {
                var names: [ServiceRecord] = []
                for index in 0..<50 {
                    let label = Array("fake-\(round)-\(batch)-\(index)".utf8)
                    let name = try #require(type.name(of: label))
                    names.append(
                        ServiceRecord(type.name, .pointer(name), timeToLive: 4500, isUnique: false))
                }
                network.inject(try response(names), from: stranger)
                network.run(for: .milliseconds(10))
            }
            #expect(link.cache.records(type.name, .pointer).count == RecordCache.manyLimit)
            if round == 0 { network.run(for: .seconds(11)) }
        }
        let last = try #require(type.name(of: Array("fake-1-19-49".utf8)))
        #expect(link.cache.has(type.name, .pointer(last)))
        #expect(link.instances.count == RecordCache.manyLimit)
        #expect(link.asks.count < 3 * RecordCache.manyLimit)
    }

    @Test func recordsOfNobodyAreNotKept() throws {
        let (network, client, _) = try house()
        let other = try #require(DomainName("other.local"))
        let service = try #require(DomainName("x._http._tcp.local"))
        let host = try #require(DomainName("host.local"))
        network.inject(
            try response([
                ServiceRecord(other, .address([10, 0, 0, 9]), timeToLive: 120, isUnique: true),
                ServiceRecord(
                    service, .service(port: 1, host: host), timeToLive: 120, isUnique: true),
                ServiceRecord(
                    (try webthing()).name, .pointer(service), timeToLive: 120, isUnique: false),
            ]), from: stranger)
        network.run(for: .seconds(1))
        #expect(client.engine.links[1]?.cache.count == 0)
    }

    @Test func manyAddressesAndTextsAreBounded() throws {
        let (network, client, log) = try house()
        network.inject(try response(try records("oven", [10, 0, 0, 3])), from: stranger)
        network.run(for: .seconds(1))
        let host = try #require(DomainName("host.local"))
        let name = try #require((try webthing()).name(of: Array("oven".utf8)))
        for index in 0..<200 as Range<UInt8> {
            network.inject(
                try response([
                    ServiceRecord(
                        host, .address([10, 0, 1, index]), timeToLive: 120, isUnique: false),
                    ServiceRecord(
                        name, .text([2, 0x61, index]), timeToLive: 120, isUnique: false),
                ]), from: stranger)
            network.run(for: .milliseconds(5))
        }
        #expect((log.current["oven"]?.addresses.count ?? 0) <= RecordCache.fewLimit)
        #expect((client.engine.links[1]?.cache.records(name, .text).count ?? 0) <= 4)
    }

    @Test func contentionDoesNotEndInAStorm() throws {
        let network = SimulatedNetwork()
        let server = network.addHost("kitchen", [10, 0, 0, 1])
        var renames = 0
        let id = server.engine.publish(try service("oven"), at: network.now) { _ in renames += 1 }
        let host = try #require(DomainName("evil.local"))
        // Somebody has every name.
        for _ in 0..<600 {
            if let name = server.engine.publications[id]?.fullName {
                network.inject(
                    try response([
                        ServiceRecord(
                            name, .service(port: 9, host: host), timeToLive: 120, isUnique: true)
                    ]), from: stranger)
            }
            network.run(for: .milliseconds(100))
        }
        // A minute: a few at once, then one for each conflict that a probe meets.
        #expect(renames > 5)
        #expect(renames <= 600)
        #expect(network.sent.count < 1200)
    }

    @Test func randomPacketsDoNothing() throws {
        let (network, client, log) = try house()
        _ = client.engine.publish(try service("desk"), at: network.now) { _ in }
        network.run(for: .seconds(5))
        let count = log.events.count
        var random = DelayGenerator(seed: 3)
        let good = try response(try records("oven", [10, 0, 0, 3]))
        for _ in 0..<2000 {
            var bytes = good
            for _ in 0..<4 {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(
                    in: 0...255, using: &random)
            }
            network.inject(bytes, from: stranger)
            network.run(for: .milliseconds(2))
        }
        network.run(for: .seconds(5))
        #expect(client.engine.publications.count == 1)
        #expect(log.events.count < count + 4000)
        #expect(client.engine.nextTime > network.now)
    }
}
