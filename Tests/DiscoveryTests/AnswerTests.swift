import Testing
import WasmSystem
import WasmdEventLoop

@testable import WasmdDiscovery

@Suite struct AnswerTests {
    private let asker = SystemAddress.ipv4([10, 0, 0, 50], port: 5353)

    /// A host whose service was announced a while ago.
    private func house(
        _ names: [String] = ["oven"]
    ) throws -> (SimulatedNetwork, SimulatedNetwork.Host) {
        let network = SimulatedNetwork()
        let server = network.addHost("kitchen", [10, 0, 0, 1])
        for name in names { _ = server.engine.publish(try service(name), at: network.now) { _ in } }
        network.run(for: .seconds(20))
        network.clearSent()
        return (network, server)
    }

    private func query(
        _ type: NameMessage.RecordType, _ name: String? = nil, known: [ServiceRecord] = [],
        isTruncated: Bool = false, wantsUnicast: Bool = false
    ) throws -> [UInt8] {
        var writer = DiscoveryMessageWriter(isResponse: false)
        let domain = try name.map { try #require(DomainName($0)) } ?? webthing().name
        var question = DiscoveryMessage.Question(domain, type)
        question.wantsUnicast = wantsUnicast
        _ = writer.append(question)
        for record in known { expect(writer.append(record)) }
        return try #require(writer.message(isTruncated: isTruncated))
    }

    private func pointer(_ name: String, timeToLive: UInt32 = 4500) throws -> ServiceRecord {
        let type = try webthing()
        return ServiceRecord(
            type.name, .pointer(try #require(type.name(of: Array(name.utf8)))),
            timeToLive: timeToLive, isUnique: false)
    }

    @Test func answersWithWhatIsAskedNext() throws {
        let (network, _) = try house()
        let start = network.now
        network.inject(try query(.pointer), from: asker)
        network.run(for: .seconds(1))
        let answer = try #require(network.sent.first)
        #expect(network.sent.count == 1)
        #expect(answer.message.answers.map(\.type) == [.pointer])
        #expect(
            Set(answer.message.additionals.map(\.type)).isSuperset(of: [.service, .text, .a]))
        // Shared records wait for 20 to 120 ms.
        #expect(answer.time.since(start) >= .milliseconds(20))
        #expect(answer.time.since(start) <= .milliseconds(125))
    }

    @Test func leavesOutWhatIsKnown() throws {
        let (network, _) = try house(["oven", "lamp"])
        network.inject(try query(.pointer, known: [try pointer("oven")]), from: asker)
        network.run(for: .seconds(1))
        #expect(network.sent.first?.message.answers.map(\.value) == [try pointer("lamp").value])
        network.clearSent()
        network.run(for: .seconds(5))
        // Less than half of its time is left.
        network.inject(
            try query(.pointer, known: [try pointer("oven", timeToLive: 2000), pointer("lamp")]),
            from: asker)
        network.run(for: .seconds(1))
        #expect(network.sent.first?.message.answers.map(\.value) == [try pointer("oven").value])
    }

    @Test func waitsForKnownAnswersThatFollow() throws {
        let (network, _) = try house(["oven", "lamp"])
        let start = network.now
        network.inject(try query(.pointer, isTruncated: true), from: asker)
        network.run(for: .milliseconds(100))
        var writer = DiscoveryMessageWriter(isResponse: false)
        expect(writer.append(try pointer("lamp")))
        network.inject(try #require(writer.message()), from: asker)
        network.run(for: .seconds(2))
        let answer = try #require(network.sent.first)
        #expect(network.sent.count == 1)
        #expect(answer.message.answers.map(\.value) == [try pointer("oven").value])
        #expect(answer.time.since(start) >= .milliseconds(400))
    }

    @Test func sendsARecordOnceASecond() throws {
        let (network, _) = try house()
        for _ in 0..<20 {
            network.inject(try query(.pointer), from: asker)
            network.run(for: .milliseconds(100))
        }
        network.run(for: .seconds(2))
        #expect((2...4).contains(network.sent.count))
        for (one, other) in zip(network.sent, network.sent.dropFirst()) {
            #expect(other.time.since(one.time) >= .seconds(1))
        }
    }

    @Test func saysThatThereIsNone() throws {
        let (network, _) = try house()
        network.inject(try query(.aaaa, "kitchen.local"), from: asker)
        network.run(for: .seconds(1))
        let answer = try #require(network.sent.first?.message.answers.first)
        #expect(answer.type == .types)
        #expect(answer.name == DomainName("kitchen.local"))
        network.clearSent()
        network.inject(try query(.aaaa, "cellar.local"), from: asker)
        network.run(for: .seconds(1))
        #expect(network.sent.isEmpty)
    }

    @Test func listsItsTypes() throws {
        let (network, _) = try house()
        network.inject(try query(.pointer, "_services._dns-sd._udp.local"), from: asker)
        network.run(for: .seconds(1))
        #expect(
            network.sent.first?.message.answers.map(\.value) == [.pointer(try webthing().name)])
    }

    @Test func answersAHostThatWantsItAlone() throws {
        let (network, server) = try house()
        let friend = network.addHost("friend", [10, 0, 0, 50])
        friend.isDeaf = true
        network.inject(try query(.pointer, wantsUnicast: true), from: asker)
        network.run(for: .milliseconds(1))
        server.engine.advance(to: network.now)
        // It was multicast lately.
        #expect(network.sent.isEmpty)
        network.run(for: .seconds(4000))
        network.clearSent()
        // Now all shall hear it.
        network.inject(try query(.pointer, wantsUnicast: true), from: asker)
        network.run(for: .seconds(1))
        #expect(network.sent.count == 1)
    }

    @Test func answersResolversWithoutMulticast() throws {
        let network = SimulatedNetwork()
        let server = network.addHost("kitchen", [10, 0, 0, 1])
        _ = server.engine.publish(try service("oven"), at: network.now) { _ in }
        network.run(for: .seconds(20))
        let bytes = [0x12, 0x34] + (try query(.pointer)).dropFirst(2)
        server.engine.receive(
            IncomingPacket(
                bytes: bytes, sender: .ipv4([10, 0, 0, 7], port: 4711), isToGroup: true,
                interface: 1), at: network.now)
        let packet = try #require(server.engine.outgoing.first)
        #expect(packet.destination == .host(.ipv4([10, 0, 0, 7], port: 4711)))
        let message = try #require(DiscoveryMessage(packet.bytes))
        #expect(message.identifier == 0x1234)
        #expect(message.questions.count == 1)
        #expect(message.answers.map(\.type) == [.pointer])
        let all = message.answers + message.additionals
        #expect(all.allSatisfy { $0.timeToLive <= 10 && !$0.isUnique })
        // Nobody from elsewhere gets an answer.
        server.engine.outgoing = []
        for sender in [[10, 0, 1, 7], [8, 8, 8, 8]] as [[UInt8]] {
            server.engine.receive(
                IncomingPacket(
                    bytes: bytes, sender: .ipv4(sender, port: 4711), isToGroup: true, interface: 1),
                at: network.now)
        }
        #expect(server.engine.outgoing.isEmpty)
    }

    @Test func answersToSingleHostsAreLimited() throws {
        let (network, server) = try house()
        for _ in 0..<1000 {
            server.engine.receive(
                IncomingPacket(
                    bytes: try query(.pointer), sender: .ipv4([10, 0, 0, 7], port: 4711),
                    isToGroup: true, interface: 1), at: network.now)
        }
        #expect(server.engine.outgoing.count <= 100)
    }

    @Test func defendsItsNameAtOnce() throws {
        let (network, _) = try house()
        let type = try webthing()
        let name = try #require(type.name(of: Array("oven".utf8)))
        var writer = DiscoveryMessageWriter(isResponse: false)
        expect(writer.append(DiscoveryMessage.Question(name, .any)))
        let wanted = ServiceRecord(
            name, .service(port: 1, host: type.name), timeToLive: 120, isUnique: true)
        expect(writer.append(wanted, as: .authority))
        let start = network.now
        network.inject(try #require(writer.message()), from: asker)
        network.run(for: .seconds(1))
        let answer = try #require(network.sent.first)
        #expect(answer.time.since(start) <= .milliseconds(10))
        #expect(Set(answer.message.answers.map(\.type)).isSuperset(of: [.service, .text]))
    }
}
