import Testing
import WasmSystem
import WasmdEventLoop

@testable import WasmdDiscovery

@Suite struct EngineTests {
    @Test func findsAServiceWithAllThatIsNeeded() throws {
        let network = SimulatedNetwork()
        let server = network.addHost("kitchen", [10, 0, 0, 1])
        let client = network.addHost("desk", [10, 0, 0, 2])
        let log = EventLog()
        _ = client.engine.browse(try webthing(), at: network.now, onEvent: log.take)
        _ = server.engine.publish(try service("oven.1"), at: network.now) { _ in }
        network.run(for: .seconds(3))
        let found = try #require(log.current["oven.1"])
        #expect(log.events == [.added(found)])
        #expect(found.port == 5000)
        #expect(found.host == DomainName("kitchen.local"))
        #expect(found.addresses == [.init(.ipv4([10, 0, 0, 1]), interface: 1)])
        #expect(
            found.text.strings.map { String(decoding: $0, as: UTF8.self) }
                == ["path=/", "tls=0", "address=10.0.0.1"])
    }

    @Test func asksBeforeItAnnounces() throws {
        let network = SimulatedNetwork()
        let server = network.addHost("kitchen", [10, 0, 0, 1])
        _ = server.engine.publish(try service("oven"), at: network.now) { _ in }
        network.run(for: .seconds(10))
        let probes = network.sent.filter { !$0.message.isResponse }
        let announcements = network.sent.filter { $0.message.isResponse }
        #expect(probes.count == 3)
        #expect(probes.allSatisfy { $0.message.questions.allSatisfy { $0.type == .any } })
        #expect(probes.allSatisfy { $0.message.authorities.count == 3 })
        // Once a second has passed, and two more.
        #expect(announcements.count == 3)
        let first = try #require(announcements.first)
        #expect(first.time.since(try #require(probes.first).time) >= .milliseconds(750))
        #expect(announcements[1].time.since(first.time) >= .seconds(1))
        #expect(Set(first.message.answers.map(\.type)) == [.pointer, .service, .text, .a])
        for record in first.message.answers {
            #expect(record.isUnique == (record.type != .pointer))
            let isHost = record.type == .service || record.type == .a
            #expect(record.timeToLive == (isHost ? 120 : 4500))
        }
    }

    @Test func findsWhatWasThereBefore() throws {
        let network = SimulatedNetwork()
        let server = network.addHost("kitchen", [10, 0, 0, 1])
        _ = server.engine.publish(try service("oven"), at: network.now) { _ in }
        network.run(for: .seconds(60))
        let client = network.addHost("desk", [10, 0, 0, 2])
        let log = EventLog()
        _ = client.engine.browse(try webthing(), at: network.now, onEvent: log.take)
        network.run(for: .seconds(1))
        #expect(log.names == ["oven"])
    }

    @Test func aNameIsAnnouncedWhenNobodyHasIt() throws {
        let network = SimulatedNetwork()
        let first = network.addHost("kitchen", [10, 0, 0, 1])
        _ = first.engine.publish(try service("oven"), at: network.now) { _ in }
        network.run(for: .seconds(5))
        let second = network.addHost("garden", [10, 0, 0, 2])
        var (renamed, announced): ([String], [String]) = ([], [])
        _ = second.engine.publish(
            try service("oven"), at: network.now,
            onRename: { renamed.append(String(decoding: $0, as: UTF8.self)) },
            onAnnounce: { announced.append(String(decoding: $0, as: UTF8.self)) })
        network.run(for: .seconds(10))
        #expect(renamed == ["oven-2"])
        // Never the name that was taken, and once although it is announced three times.
        #expect(announced == ["oven-2"])
    }

    @Test func reportsGoodbyesAndChanges() throws {
        let network = SimulatedNetwork()
        let server = network.addHost("kitchen", [10, 0, 0, 1])
        let client = network.addHost("desk", [10, 0, 0, 2])
        let log = EventLog()
        _ = client.engine.browse(try webthing(), at: network.now, onEvent: log.take)
        let id = server.engine.publish(try service("oven"), at: network.now) { _ in }
        network.run(for: .seconds(10))
        server.engine.update(id, text: try #require(TextRecord(["path": "/x"])), at: network.now)
        network.run(for: .seconds(3))
        #expect(log.current["oven"]?.text["PATH"] == Array("/x".utf8))
        server.engine.withdraw(id, at: network.now)
        network.run(for: .seconds(2))
        #expect(log.names.isEmpty)
        guard case .removed? = log.events.last else {
            Issue.record("no removal")
            return
        }
    }

    @Test func asksAgainBeforeARecordEndsAndRemovesWhatIsSilent() throws {
        let network = SimulatedNetwork()
        let server = network.addHost("kitchen", [10, 0, 0, 1])
        let client = network.addHost("desk", [10, 0, 0, 2])
        let log = EventLog()
        _ = client.engine.browse(try webthing(), at: network.now, onEvent: log.take)
        _ = server.engine.publish(try service("oven"), at: network.now) { _ in }
        // Two hours: the records of the host live for two minutes.
        network.run(for: .seconds(7200))
        #expect(log.names == ["oven"])
        #expect(log.events.count == 1)
        server.isMute = true
        network.clearSent()
        network.run(for: .seconds(130))
        #expect(log.names.isEmpty)
        let asked = network.sent.filter { sent in
            sent.from == client.address
                && sent.message.questions.contains { $0.type == .service }
        }
        // At 80, 85, 90 and 95 % of the time, then a few more for what is missing.
        #expect(asked.count >= 4)
        #expect(asked.count <= 12)
    }

    @Test func asksLessAndLess() throws {
        let network = SimulatedNetwork()
        let client = network.addHost("desk", [10, 0, 0, 2])
        _ = client.engine.browse(try webthing(), at: network.now) { _ in }
        network.run(for: .seconds(100))
        let times = network.sent.map(\.time)
        #expect(times.count == 7)
        for (index, pair) in zip(times, times.dropFirst()).enumerated() {
            #expect(pair.1.since(pair.0) == .seconds(1 << index))
        }
        network.run(for: .seconds(24 * 3600))
        // Every hour at last.
        #expect(network.sent.count < 7 + 6 + 24)
    }

    @Test func renamesWhatAnotherHostHas() throws {
        let network = SimulatedNetwork()
        let first = network.addHost("kitchen", [10, 0, 0, 1])
        _ = first.engine.publish(try service("oven"), at: network.now) { _ in }
        network.run(for: .seconds(5))
        let second = network.addHost("cellar", [10, 0, 0, 2])
        var names: [String] = []
        _ = second.engine.publish(try service("Oven", port: 6000), at: network.now) {
            names.append(String(decoding: $0, as: UTF8.self))
        }
        let log = EventLog()
        let client = network.addHost("desk", [10, 0, 0, 3])
        _ = client.engine.browse(try webthing(), at: network.now, onEvent: log.take)
        network.run(for: .seconds(10))
        #expect(names == ["Oven-2"])
        #expect(log.names == ["Oven-2", "oven"])
        #expect(log.current["oven"]?.port == 5000)
        #expect(log.current["Oven-2"]?.port == 6000)
    }

    @Test func oneOfTwoThatStartTogetherIsRenamed() throws {
        let network = SimulatedNetwork()
        let hosts = [
            network.addHost("one", [10, 0, 0, 1]), network.addHost("two", [10, 0, 0, 2]),
        ]
        var renamed = 0
        for (index, host) in hosts.enumerated() {
            _ = host.engine.publish(
                try service("oven", port: UInt16(5000 + index)), at: network.now
            ) { _ in renamed += 1 }
        }
        let log = EventLog()
        let client = network.addHost("desk", [10, 0, 0, 3])
        _ = client.engine.browse(try webthing(), at: network.now, onEvent: log.take)
        network.run(for: .seconds(15))
        #expect(renamed == 1)
        #expect(log.names == ["oven", "oven-2"])
        #expect(Set(log.current.values.map(\.port)) == [5000, 5001])
    }

    @Test func hostsOfTheSameNameGetDifferentOnes() throws {
        let network = SimulatedNetwork()
        let one = network.addHost("pi", [10, 0, 0, 1])
        let two = network.addHost("pi", [10, 0, 0, 2])
        _ = one.engine.publish(try service("a"), at: network.now) { _ in }
        network.run(for: .seconds(5))
        _ = two.engine.publish(try service("b"), at: network.now) { _ in }
        let log = EventLog()
        let client = network.addHost("desk", [10, 0, 0, 3])
        _ = client.engine.browse(try webthing(), at: network.now, onEvent: log.take)
        network.run(for: .seconds(15))
        #expect(log.current["a"]?.host == DomainName("pi.local"))
        #expect(log.current["b"]?.host == DomainName("pi-2.local"))
        #expect(log.current["b"]?.addresses.map(\.address) == [.ipv4([10, 0, 0, 2])])
    }

    @Test func announcesNewAddresses() throws {
        let network = SimulatedNetwork()
        let server = network.addHost("kitchen", [10, 0, 0, 1])
        let client = network.addHost("desk", [10, 0, 0, 2])
        let log = EventLog()
        _ = client.engine.browse(try webthing(), at: network.now, onEvent: log.take)
        _ = server.engine.publish(try service("oven"), at: network.now) { _ in }
        network.run(for: .seconds(10))
        server.addresses.append(.init(bytes: [10, 0, 0, 9], prefixLength: 24))
        server.engine.setInterfaces([server.interface], at: network.now)
        network.run(for: .seconds(3))
        #expect(log.current["oven"]?.addresses.count == 2)
        server.addresses.removeFirst()
        server.engine.setInterfaces([server.interface], at: network.now)
        network.run(for: .seconds(5))
        #expect(log.current["oven"]?.addresses.map(\.address) == [.ipv4([10, 0, 0, 9])])
        #expect(log.current["oven"]?.text["address"] == Array("10.0.0.9".utf8))
        #expect(server.engine.hostDomain == DomainName("kitchen.local"))
        // Another network altogether.
        server.addresses = [.init(bytes: [10, 0, 0, 77], prefixLength: 24)]
        server.engine.setInterfaces([server.interface], at: network.now)
        network.run(for: .seconds(5))
        #expect(log.current["oven"]?.addresses.map(\.address) == [.ipv4([10, 0, 0, 77])])
    }

    @Test func removesServicesOfAnInterfaceThatIsGone() throws {
        let network = SimulatedNetwork()
        let server = network.addHost("kitchen", [10, 0, 0, 1])
        let client = network.addHost("desk", [10, 0, 0, 2])
        let log = EventLog()
        _ = client.engine.browse(try webthing(), at: network.now, onEvent: log.take)
        _ = server.engine.publish(try service("oven"), at: network.now) { _ in }
        network.run(for: .seconds(10))
        client.engine.setInterfaces([], at: network.now)
        #expect(log.names.isEmpty)
        client.engine.setInterfaces([client.interface], at: network.now)
        network.run(for: .seconds(3))
        #expect(log.names == ["oven"])
    }

    @Test func asksFromAnotherPortWhenTheOwnIsTaken() throws {
        let network = SimulatedNetwork()
        let server = network.addHost("kitchen", [10, 0, 0, 1])
        _ = server.engine.publish(try service("oven"), at: network.now) { _ in }
        network.run(for: .seconds(5))
        let client = network.addHost("desk", [10, 0, 0, 2], isOneShot: true)
        let log = EventLog()
        _ = client.engine.browse(try webthing(), at: network.now, onEvent: log.take)
        network.run(for: .seconds(600))
        #expect(log.names == ["oven"])
        #expect(log.events.count == 1)
        network.remove(server)
        network.run(for: .seconds(200))
        #expect(log.names.isEmpty)
    }
}
