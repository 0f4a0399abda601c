import Testing
import WasmSystem
import WasmdEventLoop
import WasmdHTTPServer

@testable import WasmdBroker

/// The wire protocol: what docs say of one read being one command, at a real socket.
@Suite struct WireTests {
    /// A client that waits a moment between messages, so that they arrive one by one.
    final class Client: Sendable {
        let stream: ByteStream

        init(_ port: UInt16, _ loop: EventLoop) async throws {
            stream = try await ByteStream.connect(to: .ipv4([127, 0, 0, 1], port: port), on: loop)
        }

        func send(_ text: String) async throws {
            try await stream.write(Array(text.utf8))
            try await stream.loop.sleep(for: .milliseconds(10))
        }

        /// The next answer; nil if there is none for a while, or the connection has ended.
        func answer(_ time: Duration = .milliseconds(100)) async throws -> String? {
            stream.deadline = .after(time)
            defer { stream.deadline = .never }
            var buffer = InputBuffer(capacity: 1 << 17)
            do {
                let count = try await stream.read(into: &buffer)
                return count == 0 ? nil : String(decoding: buffer.take(), as: UTF8.self)
            } catch LoopError.timedOut {
                return nil
            }
        }

        func ask(_ text: String) async throws -> String? {
            try await stream.write(Array(text.utf8))
            return try await answer(.seconds(5))
        }

        /// Whether the server has closed the connection.
        func isClosed() async -> Bool {
            stream.deadline = .after(.seconds(5))
            var buffer = InputBuffer(capacity: 1 << 16)
            while true {
                do {
                    if try await stream.read(into: &buffer) == 0 { return true }
                    _ = buffer.take()
                } catch LoopError.system {
                    return true
                } catch {
                    return false
                }
            }
        }
    }

    private func serve(
        _ options: Broker.Options = Broker.Options(),
        _ wire: WireServer.Options = WireServer.Options(),
        _ body: @escaping @Sendable (UInt16, Broker, WireServer, EventLoop) async throws -> Void
    ) throws {
        let broker = Broker(options)
        try EventLoop().run { loop in
            broker.start(on: loop)
            let server = WireServer(broker, wire)
            let sockets = try ListeningSockets(.ipv4([127, 0, 0, 1], port: 0), loopCount: 1)
            try await server.serve(sockets, on: [loop])
            try await body(sockets.address?.port ?? 0, broker, server, loop)
            server.stop()
        }
    }

    private var fixed: Broker.Options {
        var options = Broker.Options()
        options.dynamic = nil
        options.topics = [.alert: TopicOptions(), .telemetry: TopicOptions()]
        return options
    }

    @Test func asRecorded() throws {
        try serve(fixed) { port, _, server, loop in
            let client = try await Client(port, loop)
            #expect(try await client.ask("read alert") == "alert empty")
            for text in ["alert hi", "alert two words"] { try await client.send(text) }
            #expect(try await client.answer(.milliseconds(20)) == nil)
            #expect(try await client.ask("read alert") == "alert hi")
            #expect(try await client.ask("read alert") == "alert two words")
            #expect(try await client.ask("read alert") == "alert empty")
            // No answer, and the connection stays.
            for text in ["read nope", "nope x", "nospace", "\u{1} x", "read ", " x", "read"] {
                try await client.send(text)
            }
            #expect(try await client.answer(.milliseconds(20)) == nil)
            #expect(try await client.ask("read alert") == "alert empty")
            #expect(server.statistics.ignored == 7)
        }
    }

    @Test func byHand() throws {
        try serve(fixed) { port, _, _, loop in
            let client = try await Client(port, loop)
            try await client.send("alert hi\n")
            #expect(try await client.ask("read alert\n") == "alert hi\n")
            #expect(try await client.ask("read alert\r\n") == "alert empty")
            try await client.send("alert ")
            #expect(try await client.ask("read alert") == "alert ")
        }
    }

    @Test func dataThatComesWithTheEndIsRead() throws {
        try serve(fixed) { port, broker, _, loop in
            for number in 0..<20 {
                let client = try await Client(port, loop)
                try await client.stream.write(Array("alert \(number)".utf8))
                client.stream.close()
            }
            for _ in 0..<500 {
                if broker.topic(.alert)?.queued == 20 { break }
                try await loop.sleep(for: .milliseconds(10))
            }
            #expect(broker.topic(.alert)?.queued == 20)
        }
    }

    @Test func eachReaderGetsItsOwnAnswer() throws {
        try serve(fixed) { port, broker, _, loop in
            let (one, two) = (try await Client(port, loop), try await Client(port, loop))
            try broker.publishNow("a", to: .alert)
            try broker.publishNow("t", to: .telemetry)
            try await one.stream.write(Array("read alert".utf8))
            try await two.stream.write(Array("read telemetry".utf8))
            #expect(try await one.answer(.seconds(5)) == "alert a")
            #expect(try await two.answer(.seconds(5)) == "telemetry t")
            #expect(try await one.answer(.milliseconds(20)) == nil)
        }
    }

    @Test func bytesOfAnyKindAndSize() throws {
        try serve(fixed) { port, broker, _, loop in
            let client = try await Client(port, loop)
            let value = (0..<60_000).map { UInt8(truncatingIfNeeded: $0) }
            try await client.stream.write(Array("alert ".utf8) + value)
            for _ in 0..<500 {
                if broker.topic(.alert)?.queued == 1 { break }
                try await loop.sleep(for: .milliseconds(10))
            }
            #expect(try broker.read(.alert)?.payload == value)
        }
    }

    @Test func permissionsOfThePort() throws {
        var wire = WireServer.Options()
        wire.permissions = TopicPermissions(
            publishing: [TopicPattern(.alert)], subscribing: [TopicPattern(.telemetry)])
        try serve(fixed, wire) { port, broker, _, loop in
            try broker.publishNow("t", to: .telemetry)
            let client = try await Client(port, loop)
            try await client.send("telemetry x")
            try await client.send("read alert")
            try await client.send("alert a")
            #expect(try await client.ask("read telemetry") == "telemetry t")
            #expect(try await client.ask("read telemetry") == "telemetry empty")
            #expect(try broker.readText(.alert) == "a")
        }
    }

    // MARK: Hostile clients

    @Test func connectionsAreLimited() throws {
        var wire = WireServer.Options()
        wire.connections = 3
        try serve(fixed, wire) { port, _, server, loop in
            var clients: [Client] = []
            for _ in 0..<3 {
                let client = try await Client(port, loop)
                #expect(try await client.ask("read alert") == "alert empty")
                clients.append(client)
            }
            let fourth = try await Client(port, loop)
            #expect(await fourth.isClosed())
            #expect(try await clients[0].ask("read alert") == "alert empty")
            clients[1].stream.close()
            for _ in 0..<500 {
                if server.statistics.connections == 2 { break }
                try await loop.sleep(for: .milliseconds(10))
            }
            let fifth = try await Client(port, loop)
            #expect(try await fifth.ask("read alert") == "alert empty")
            #expect(server.statistics.refused == 1)
        }
    }

    /// Clients cannot take all topics: neither one of them, nor all together.
    @Test func topicsOfThePortAreLimited() throws {
        var wire = WireServer.Options()
        wire.topics = 5
        wire.connectionTopics = 3
        var options = Broker.Options()
        options.limits.topics = 8
        try serve(options, wire) { port, broker, server, loop in
            func seen() -> UInt64 { server.statistics.commands + server.statistics.ignored }
            func flood(_ name: String) async throws -> Client {
                let client = try await Client(port, loop)
                for number in 0..<10 {
                    let before = seen()
                    try await client.stream.write(Array("\(name)\(number) x".utf8))
                    // What is sent before the last one was read would belong to it.
                    while seen() == before { try await loop.sleep(for: .milliseconds(1)) }
                }
                return client
            }
            let one = try await flood("a")
            #expect(broker.topics.map(\.name.text) == ["a0", "a1", "a2"])
            let two = try await flood("b")
            #expect(broker.topics.map(\.name.text) == ["a0", "a1", "a2", "b0", "b1"])
            #expect(server.statistics.ignored == 15)
            // Topics of clients that are gone count, until they are empty.
            one.stream.close()
            #expect(try await two.ask("read a2") == "a2 x")
            let three = try await flood("c")
            #expect(broker.topics.map(\.name.text) == ["a0", "a1", "b0", "b1", "c0"])
            // Others have room: those of this process, and services beyond the limit.
            for name in ["d", "e", "f"] { try broker.publishNow("x", to: .known(name)) }
            let service = TopicShare("service", limit: 2, isReserved: true)
            for name in ["g", "h"] {
                try broker.publishNow("x", to: .known(name), Broker.Publication(share: service))
            }
            #expect(broker.totals.topics == 10)
            #expect(try await three.ask("read h") == "h x")
        }
    }

    @Test func nonsenseWithoutEndIsCutOff() throws {
        var wire = WireServer.Options()
        wire.nonsense = 1 << 18
        try serve(fixed, wire) { port, broker, server, loop in
            let client = try await Client(port, loop)
            let piece = [UInt8](repeating: UInt8(ascii: "x"), count: 1 << 16)
            for _ in 0..<100 {
                guard (try? await client.stream.write(piece)) != nil else { break }
            }
            #expect(await client.isClosed())
            for _ in 0..<500 {
                if server.statistics.cutOff == 1 { break }
                try await loop.sleep(for: .milliseconds(10))
            }
            #expect(server.statistics.cutOff == 1)
            #expect(broker.totals.published == 0)
            let other = try await Client(port, loop)
            #expect(try await other.ask("read alert") == "alert empty")
        }
    }

    @Test func aReaderThatDoesNotTakeItsAnswersIsCutOff() throws {
        var wire = WireServer.Options()
        wire.writeTime = .milliseconds(100)
        var options = fixed
        options.topics[.alert]?.queue = 100_000
        options.topics[.alert]?.queueBytes = 1 << 30
        try serve(options, wire) { port, broker, server, loop in
            let value = String(repeating: "v", count: 60_000)
            for _ in 0..<1000 { try broker.publishNow(value, to: .alert) }
            let hanging = try await Client(port, loop)
            let asking = loop.spawn {
                while (try? await hanging.stream.write(Array("read alert".utf8))) != nil {
                    guard (try? await loop.sleep(for: .milliseconds(1))) != nil else { return }
                }
            }
            let other = try await Client(port, loop)
            for _ in 0..<1000 {
                if server.statistics.cutOff == 1 { break }
                #expect(try await other.ask("read telemetry") == "telemetry empty")
                try await loop.sleep(for: .milliseconds(5))
            }
            #expect(server.statistics.cutOff == 1)
            asking.cancel()
            await asking.value
            #expect((broker.topic(.alert)?.queued ?? 0) > 100)
        }
    }

    @Test func randomBytesDoNoHarm() throws {
        var generator = SeededGenerator(seed: 19)
        let words = ["read ", "alert ", "telemetry ", " ", "\n", "read", "x", "\u{0}"]
        for _ in 0..<10_000 {
            var bytes: [UInt8] = []
            for _ in 0..<Int.random(in: 0..<6, using: &generator) {
                if Bool.random(using: &generator), let word = words.randomElement(using: &generator)
                {
                    bytes += Array(word.utf8)
                } else {
                    bytes.append(UInt8.random(in: 0...255, using: &generator))
                }
            }
            // A command is one that can be said in words again.
            switch WireCommand(bytes[...]) {
            case .publish(let topic, let value)?:
                #expect(topic.bytes + [0x20] + value == bytes)
                #expect(topic.bytes != Array("read".utf8))
            case .read(let topic)?:
                #expect(bytes.starts(with: Array("read ".utf8) + topic.bytes))
            case nil:
                break
            }
        }
    }

    @Test func randomConnections() throws {
        try serve { port, broker, server, loop in
            var generator = SeededGenerator(seed: 5)
            for _ in 0..<200 {
                let client = try await Client(port, loop)
                for _ in 0..<Int.random(in: 0..<4, using: &generator) {
                    let count = Int.random(in: 1..<3000, using: &generator)
                    let bytes = (0..<count).map { _ in
                        UInt8.random(in: 0x1c...0x7f, using: &generator)
                    }
                    try? await client.stream.write(bytes)
                }
                if Bool.random(using: &generator) { client.stream.close() }
            }
            let client = try await Client(port, loop)
            try await client.send("alert fine")
            #expect(try await client.ask("read alert") == "alert fine")
        }
    }
}

/// SplitMix64.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }
}
