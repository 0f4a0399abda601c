import Synchronization
import Testing
import WasmSystem
import WasmdEventLoop

@testable import WasmdBroker

/// The bridge against a server that tests play.
@Suite struct MQTTBridgeTests {
    /// One connection of the bridge, as the server sees it.
    final class Peer: Sendable {
        let stream: ByteStream
        private let decoder = Latest(MQTTDecoder(limit: 1 << 20))

        init(_ stream: ByteStream) {
            self.stream = stream
            stream.deadline = .after(.seconds(10))
        }

        func next() async throws -> MQTTPacket {
            while true {
                var current = decoder.value
                let packet = try current.next()
                decoder.value = current
                if let packet { return packet }
                var buffer = InputBuffer(capacity: 4096)
                guard try await stream.read(into: &buffer) > 0 else { throw LoopError.closed }
                current.append(buffer.take())
                decoder.value = current
            }
        }

        /// The next packet that is no sign of life.
        func nextOther() async throws -> MQTTPacket {
            while true {
                let packet = try await next()
                if packet != .pingreq { return packet }
                try await send(.pingresp)
            }
        }

        func send(_ packet: MQTTPacket) async throws { try await stream.write(packet.bytes) }

        /// Accepts the connection, and subscriptions if there are any.
        @discardableResult
        func accept(hasSession: Bool = true, subscribes: Bool = false) async throws -> MQTTConnect {
            guard case .connect(let connect) = try await next() else { throw LoopError.busy }
            try await send(.connack(hasSession: hasSession, code: 0))
            if subscribes {
                guard case .subscribe(let number, let filters) = try await next() else {
                    throw LoopError.busy
                }
                try await send(.suback(number, filters.map(\.quality)))
            }
            return connect
        }

        func publish() async throws -> MQTTPublish {
            guard case .publish(let publish) = try await nextOther() else { throw LoopError.busy }
            return publish
        }

        var isClosed: Bool {
            get async {
                while true {
                    do { _ = try await next() } catch let error as LoopError {
                        return error != .timedOut
                    } catch {
                        return true
                    }
                }
            }
        }
    }

    /// Runs a bridge whose connections go to `body`, one after the other.
    private func run(
        _ options: Broker.Options = Broker.Options(),
        _ change: (inout MQTTBridgeOptions) -> Void,
        _ body:
            @escaping @Sendable (
                _ accept: @Sendable () async throws -> Peer, Broker, MQTTBridge, EventLoop
            ) async throws -> Void
    ) throws {
        let port = Latest<UInt16>(0)
        var wanted = MQTTBridgeOptions(name: "site", client: Array("client".utf8)) {
            loop, deadline in
            try await ByteStream.connect(
                to: .ipv4([127, 0, 0, 1], port: port.value), on: loop, deadline: deadline)
        }
        wanted.pause = .milliseconds(5)
        wanted.longestPause = .milliseconds(20)
        wanted.out = [TopicPattern(.telemetry)]
        change(&wanted)
        let broker = Broker(options)
        let bridge = MQTTBridge(broker, wanted)
        try EventLoop().run { loop in
            broker.start(on: loop)
            let listener = try Listener(.ipv4([127, 0, 0, 1], port: 0), on: loop)
            port.value = listener.address?.port ?? 0
            let task = loop.spawn { await bridge.run(on: loop) }
            // Its subscription is made with the first attempt.
            while broker.subscriptions.isEmpty, !bridge.options.out.isEmpty {
                try await loop.sleep(for: .milliseconds(1))
            }
            try await body({ Peer(try await listener.accept()) }, broker, bridge, loop)
            task.cancel()
            await task.value
        }
    }

    /// With a time to leave, the connection stays after DISCONNECT until the server has closed it:
    /// what is closed at once may lose its last bytes on the way.
    @Test(arguments: [true, false]) func leavesItsServer(closes: Bool) throws {
        let port = Latest<UInt16>(0)
        var wanted = MQTTBridgeOptions(name: "site", client: Array("client".utf8)) {
            loop, deadline in
            try await ByteStream.connect(
                to: .ipv4([127, 0, 0, 1], port: port.value), on: loop, deadline: deadline)
        }
        wanted.out = [TopicPattern(.telemetry)]
        wanted.leaveTime = closes ? .seconds(60) : .milliseconds(20)
        let bridge = MQTTBridge(Broker(), wanted)
        try EventLoop().run { loop in
            let listener = try Listener(.ipv4([127, 0, 0, 1], port: 0), on: loop)
            port.value = listener.address?.port ?? 0
            let running = loop.spawn { await bridge.run(on: loop) }
            let peer = Peer(try await listener.accept())
            try await peer.accept()
            while !bridge.statistics.isConnected { try await loop.sleep(for: .milliseconds(1)) }
            let hasClosed = Latest(false)
            let ending = loop.spawn { () -> Bool in
                await running.value
                return hasClosed.value
            }
            running.cancel()
            #expect(try await peer.nextOther() == .disconnect)
            if closes {
                // Turns in which a bridge that does not wait would end.
                for _ in 0..<200 { await loop.yield() }
                hasClosed.value = true
                peer.stream.close()
            }
            // Without a sign of the server it ends when the time is over.
            #expect(await ending.value == closes)
        }
    }

    @Test func connectsAndSends() throws {
        try run { options in
            options.user = Array("u".utf8)
            options.password = [1, 2]
            options.will = .init(topic: .alert, message: [9], isRetained: true)
            options.remotePrefix = Array("far/".utf8)
        } _: { accept, broker, bridge, loop in
            let peer = try await accept()
            let connect = try await peer.accept()
            #expect(connect.client == Array("client".utf8) && !connect.isClean)
            #expect(connect.user == Array("u".utf8) && connect.password == [1, 2])
            #expect(connect.will?.topic == TopicName.alert.bytes)
            #expect(connect.will?.message == [9] && connect.will?.isRetained == true)
            #expect(connect.keepAlive == 30)
            try broker.publishNow("one", to: .telemetry, .init(isRetained: true))
            try broker.publishNow("other", to: .alert)
            try broker.publishNow("two", to: .telemetry)
            let first = try await peer.publish()
            #expect(first.topic == Array("far/telemetry".utf8))
            #expect(first.payload == Array("one".utf8) && first.quality == 1)
            #expect(first.isRetained && !first.isDuplicate)
            try await peer.send(.puback(first.number))
            let second = try await peer.publish()
            #expect(second.payload == Array("two".utf8) && second.number != first.number)
            try await peer.send(.puback(second.number))
            while bridge.statistics.sent < 2 { try await loop.sleep(for: .milliseconds(1)) }
            #expect(broker.subscriptions.first?.unacknowledged == 0)
        }
    }

    @Test func whatWasNotAcknowledgedIsSentAgainWithItsNumber() throws {
        try run { _ in
        } _: { accept, broker, bridge, loop in
            for text in ["a", "b", "c"] { try broker.publishNow(text, to: .telemetry) }
            let first = try await accept()
            try await first.accept()
            let (a, b) = (try await first.publish(), try await first.publish())
            try await first.send(.puback(a.number))
            while bridge.statistics.sent < 1 { try await loop.sleep(for: .milliseconds(1)) }
            first.stream.close()
            let second = try await accept()
            try await second.accept()
            let again = try await second.publish()
            #expect(again.payload == Array("b".utf8) && again.number == b.number)
            #expect(again.isDuplicate)
            #expect(try await second.publish().payload == Array("c".utf8))
        }
    }

    @Test func messagesOfBeforeTheFirstConnection() throws {
        try run { _ in
        } _: { accept, broker, _, _ in
            for number in 0..<200 { try broker.publishNow("\(number)", to: .telemetry) }
            let peer = try await accept()
            try await peer.accept()
            for number in 0..<200 {
                let publish = try await peer.publish()
                #expect(publish.payload == Array("\(number)".utf8))
                try await peer.send(.puback(publish.number))
            }
        }
    }

    @Test func theWindowIsKept() throws {
        try run {
            $0.window = 2
        } _: { accept, broker, _, _ in
            for text in ["a", "b", "c"] { try broker.publishNow(text, to: .telemetry) }
            let peer = try await accept()
            try await peer.accept()
            let a = try await peer.publish()
            _ = try await peer.publish()
            peer.stream.deadline = .after(.milliseconds(50))
            await #expect(throws: LoopError.timedOut) { try await peer.next() }
            peer.stream.deadline = .after(.seconds(10))
            try await peer.send(.puback(a.number))
            #expect(try await peer.publish().payload == Array("c".utf8))
        }
    }

    @Test func messagesCome() throws {
        try run { options in
            options.into = ["cmd/#"].compactMap { TopicPattern($0) }
            options.localPrefix = Array("here/".utf8)
            options.remotePrefix = Array("there/".utf8)
        } _: { accept, broker, bridge, loop in
            let peer = try await accept()
            guard case .connect = try await peer.next() else { return #expect(Bool(false)) }
            try await peer.send(.connack(hasSession: true, code: 0))
            guard case .subscribe(let number, let filters) = try await peer.next() else {
                return #expect(Bool(false))
            }
            #expect(filters == [.init(pattern: Array("there/cmd/#".utf8), quality: 1)])
            // A message of the session before the answer.
            func message(_ text: String, _ quality: UInt8, _ number: UInt16) -> MQTTPacket {
                .publish(
                    MQTTPublish(
                        topic: Array("there/cmd/x".utf8), payload: Array(text.utf8),
                        quality: quality, number: number))
            }
            try await peer.send(message("early", 1, 7))
            #expect(try await peer.next() == .puback(7))
            try await peer.send(.suback(number, [1]))
            try await peer.send(message("zero", 0, 0))
            try await peer.send(message("one", 1, 8))
            #expect(try await peer.nextOther() == .puback(8))
            // Quality 2: twice, taken once.
            for _ in 0..<2 {
                try await peer.send(message("two", 2, 9))
                #expect(try await peer.nextOther() == .pubrec(9))
            }
            try await peer.send(.pubrel(9))
            #expect(try await peer.nextOther() == .pubcomp(9))
            let topic = TopicName.known("here/cmd/x")
            for text in ["early", "zero", "one", "two"] {
                #expect(try broker.readText(topic) == text)
            }
            #expect(try broker.readText(topic) == nil)
            // A topic that is none here, and one without the prefix.
            for topic in ["there/cmd/a b", "elsewhere"] {
                try await peer.send(
                    .publish(
                        MQTTPublish(
                            topic: Array(topic.utf8), payload: [], quality: 1, number: 11)))
                #expect(try await peer.nextOther() == .puback(11))
            }
            #expect(bridge.statistics.refused == 2)
        }
    }

    @Test func nothingGoesInACircle() throws {
        var looping = MQTTBridgeOptions(name: "x", client: []) { _, _ in throw LoopError.closed }
        looping.out = ["a/#"].compactMap { TopicPattern($0) }
        looping.into = ["a/b"].compactMap { TopicPattern($0) }
        #expect(looping.loop != nil)
        try run { options in
            options.out = [.all]
        } _: { accept, broker, _, _ in
            let peer = try await accept()
            try await peer.accept()
            try broker.publishNow("own", to: .alert, .init(origin: "site"))
            try broker.publishNow("other", to: .alert, .init(origin: "elsewhere"))
            try broker.publishNow("here", to: .alert)
            #expect(try await peer.publish().payload == Array("here".utf8))
        }
    }

    /// The server is told nothing before the broker has a message; a full broker makes it wait.
    @Test func aFullBrokerMakesTheServerWait() throws {
        var limits = Broker.Options()
        limits.dynamic?.queue = 1
        limits.dynamic?.whenFull = .refuse
        try run(limits) { options in
            options.out = []
            options.into = [TopicPattern(.alert)]
        } _: { accept, broker, _, loop in
            let peer = try await accept()
            try await peer.accept(subscribes: true)
            for number: UInt16 in [1, 2] {
                try await peer.send(
                    .publish(
                        MQTTPublish(
                            topic: TopicName.alert.bytes, payload: [UInt8(number)], quality: 1,
                            number: number)))
            }
            #expect(try await peer.nextOther() == .puback(1))
            peer.stream.deadline = .after(.milliseconds(50))
            await #expect(throws: LoopError.timedOut) { try await peer.nextOther() }
            peer.stream.deadline = .after(.seconds(10))
            #expect(try broker.read(.alert)?.payload == [1])
            #expect(try await peer.nextOther() == .puback(2))
            #expect(try broker.read(.alert)?.payload == [2])
        }
    }

    /// The broker may be full of what the bridge sends: the server's acknowledgements are read also
    /// behind a message that has no room, before the subscription and after it.
    @Test(arguments: [true, false])
    func acknowledgementsBehindAMessageWithoutRoom(isEarly: Bool) throws {
        var limits = Broker.Options()
        limits.limits.messages = 3
        // What waits to be sent is all that the broker has.
        limits.dynamic?.queue = 0
        try run(limits) { options in
            options.into = [TopicPattern(.alert)]
        } _: { accept, broker, bridge, _ in
            for text in ["a", "b", "c"] { try broker.publishNow(text, to: .telemetry) }
            let numbers: [UInt16] = [9, 10]
            let incoming = numbers.map { number in
                MQTTPacket.publish(
                    MQTTPublish(
                        topic: TopicName.alert.bytes, payload: [1], quality: 1, number: number))
            }
            let peer = try await accept()
            guard case .connect = try await peer.next() else { return #expect(Bool(false)) }
            try await peer.send(.connack(hasSession: true, code: 0))
            guard case .subscribe(let number, _) = try await peer.next() else {
                return #expect(Bool(false))
            }
            if isEarly { for packet in incoming { try await peer.send(packet) } }
            try await peer.send(.suback(number, [1]))
            if !isEarly { for packet in incoming { try await peer.send(packet) } }
            var sent: [UInt16] = []
            for text in ["a", "b", "c"] {
                let publish = try await peer.publish()
                #expect(publish.payload == Array(text.utf8))
                sent.append(publish.number)
            }
            for number in sent { try await peer.send(.puback(number)) }
            #expect(try await peer.nextOther() == .puback(9))
            #expect(try await peer.nextOther() == .puback(10))
            #expect(bridge.statistics.received == 2 && bridge.statistics.refused == 0)
        }
    }

    @Test func signsOfLife() throws {
        try run {
            $0.keepAlive = .milliseconds(100)
        } _: { accept, _, bridge, _ in
            let first = try await accept()
            try await first.accept()
            // A server that is silent is given up.
            #expect(try await first.next() == .pingreq)
            #expect(await first.isClosed)
            let second = try await accept()
            try await second.accept()
            for _ in 0..<6 {
                #expect(try await second.next() == .pingreq)
                try await second.send(.pingresp)
            }
            #expect(bridge.statistics.connections == 2)
        }
    }

    @Test func aServerThatNeverAcknowledgesIsGivenUp() throws {
        try run { options in
            options.timeout = .milliseconds(100)
            options.keepAlive = .milliseconds(50)
        } _: { accept, broker, _, loop in
            let first = try await accept()
            try await first.accept()
            try broker.publishNow("x", to: .telemetry)
            _ = try await first.publish()
            let answering = loop.spawn { _ = try? await first.nextOther() }
            let second = try await accept()
            try await second.accept()
            #expect(try await second.publish().isDuplicate)
            await answering.value
        }
    }

    @Test(
        arguments: [
            [0x20, 2, 0, 4], [0x20, 2, 0, 1], [0x20, 1, 0], [0xf0, 0],
            [0x30, 0xff, 0xff, 0xff, 0xff],
            [0x30, 0xff, 0xff, 0xff, 0x7f], [0xd0, 0], [0x10, 0], [], [0x20],
        ] as [[UInt8]])
    func faultsOfTheServer(_ bytes: [UInt8]) throws {
        try run { _ in
        } _: { accept, broker, bridge, _ in
            try broker.publishNow("kept", to: .telemetry)
            let first = try await accept()
            guard case .connect = try await first.next() else { return #expect(Bool(false)) }
            try await first.stream.write(bytes)
            try first.stream.finishWriting()
            #expect(await first.isClosed)
            // It comes again, and has lost nothing.
            let second = try await accept()
            #expect(bridge.statistics.problem != nil)
            try await second.accept()
            #expect(try await second.publish().payload == Array("kept".utf8))
            #expect(bridge.statistics.problem == nil && bridge.statistics.isConnected)
        }
    }

    @Test func packetsOfAClientAndRandomBytesEndTheConnection() throws {
        try run { _ in
        } _: { accept, broker, _, _ in
            var generator = SeededGenerator(seed: 77)
            for round in 0..<60 {
                let peer = try await accept()
                try await peer.accept()
                let bytes: [UInt8] =
                    round == 0
                    ? MQTTPacket.pingreq.bytes
                    : [0xf1] + (0..<50).map { _ in UInt8.random(in: 0...255, using: &generator) }
                try? await peer.stream.write(bytes)
                #expect(await peer.isClosed)
            }
            let peer = try await accept()
            try await peer.accept()
            try broker.publishNow("fine", to: .telemetry)
            #expect(try await peer.publish().payload == Array("fine".utf8))
        }
    }

    @Test func aRefusedSubscriptionIsTold() throws {
        try run {
            $0.into = [TopicPattern(.alert)]
        } _: { accept, _, bridge, _ in
            let peer = try await accept()
            guard case .connect = try await peer.next() else { return #expect(Bool(false)) }
            try await peer.send(.connack(hasSession: true, code: 0))
            guard case .subscribe(let number, _) = try await peer.next() else {
                return #expect(Bool(false))
            }
            try await peer.send(.suback(number, [0x80]))
            #expect(await peer.isClosed)
            _ = try await accept()
            #expect(bridge.statistics.problem?.contains("'alert'") == true)
        }
    }

    @Test func qualityZero() throws {
        try run {
            $0.quality = 0
        } _: { accept, broker, bridge, loop in
            let peer = try await accept()
            try await peer.accept()
            try broker.publishNow("x", to: .telemetry)
            let publish = try await peer.publish()
            #expect(publish.quality == 0 && publish.number == 0)
            while bridge.statistics.sent < 1 { try await loop.sleep(for: .milliseconds(1)) }
            #expect(broker.subscriptions.first?.name == nil)
        }
    }

    /// The connection is lost again and again, in the middle of packets: each message arrives.
    @Test func nothingIsLostOverLostConnections() throws {
        let seen = Latest<Set<String>>([])
        try run {
            $0.window = 8
        } _: { accept, broker, _, loop in
            let publishing = loop.spawn {
                for number in 0..<300 {
                    try? await broker.publish(Array("\(number)".utf8), to: .telemetry)
                    if number % 10 == 0 { try? await loop.sleep(for: .milliseconds(1)) }
                }
            }
            var generator = SeededGenerator(seed: 3)
            while seen.value.count < 300 {
                let peer = try await accept()
                do {
                    try await peer.accept(hasSession: Bool.random(using: &generator))
                    // With a full window nothing more comes.
                    peer.stream.deadline = .after(.milliseconds(200))
                    for _ in 0..<Int.random(in: 1..<60, using: &generator) {
                        let publish = try await peer.publish()
                        seen.value.insert(String(decoding: publish.payload, as: UTF8.self))
                        // Some acknowledgements never come.
                        if Int.random(in: 0..<4, using: &generator) > 0 {
                            try await peer.send(.puback(publish.number))
                        }
                        if seen.value.count == 300 { break }
                    }
                } catch {}
                peer.stream.close()
            }
            await publishing.value
        }
        #expect(seen.value.count == 300)
    }
}
