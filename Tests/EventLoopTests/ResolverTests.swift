import Synchronization
import Testing
import WasmSystem

@testable import WasmdEventLoop

private final class Tally: Sendable {
    private let count = Mutex(0)
    func next() -> Int {
        count.withLock { count in
            count += 1
            return count
        }
    }
}

/// A name server on loopback, whose answers the test makes.
private final class NameServer: Sendable {
    typealias Answer = @Sendable (UInt16, NameMessage.Question, _ isStream: Bool) -> [[UInt8]]

    let address: SystemAddress
    /// How many questions came over UDP and over TCP.
    private let counts = Mutex((datagrams: 0, streams: 0))
    /// Ports and identifiers of the questions.
    private let seen = Mutex((ports: Set<UInt16>(), identifiers: Set<UInt16>()))

    var datagrams: Int { counts.withLock { $0.datagrams } }
    var streams: Int { counts.withLock { $0.streams } }
    var ports: Int { seen.withLock { $0.ports.count } }
    var identifiers: Int { seen.withLock { $0.identifiers.count } }

    init(on loop: EventLoop, _ answer: @escaping Answer) throws {
        let (own, socket, listener) = try Self.bind(on: loop)
        address = own
        loop.spawn { [self] in
            while let message = try? await socket.receive() {
                guard let query = NameMessage(message.bytes), let sender = message.sender else {
                    continue
                }
                counts.withLock { $0.datagrams += 1 }
                seen.withLock { seen in
                    seen.ports.insert(sender.port ?? 0)
                    seen.identifiers.insert(query.identifier)
                }
                for bytes in answer(query.identifier, query.question, false) {
                    try? await socket.send(bytes, to: sender)
                }
            }
        }
        loop.spawn { [self] in
            while let stream = try? await listener.accept() {
                var buffer = InputBuffer(capacity: 1024)
                while buffer.count < 2 || buffer.count < 2 + Int(buffer.bytes[buffer.start + 1]) {
                    guard let count = try? await stream.read(into: &buffer), count > 0 else {
                        break
                    }
                }
                guard let query = NameMessage(Array(buffer.take().dropFirst(2))) else { continue }
                counts.withLock { $0.streams += 1 }
                for bytes in answer(query.identifier, query.question, true) {
                    let length = [UInt8(bytes.count >> 8), UInt8(bytes.count & 255)]
                    // In pieces, as a network may cut them.
                    for piece in [Array(length[..<1]), Array(length[1...]) + bytes] {
                        try? await stream.write(piece)
                        await loop.yield()
                    }
                }
            }
        }
    }

    /// A port that is free for both protocols.
    private static func bind(
        on loop: EventLoop
    ) throws -> (SystemAddress, DatagramSocket, Listener) {
        for _ in 0..<50 {
            let socket = try DatagramSocket(boundTo: .ipv4([127, 0, 0, 1], port: 0), on: loop)
            let own = try #require(socket.localAddress)
            if let listener = try? Listener(own, on: loop) { return (own, socket, listener) }
        }
        throw SystemError.addrinuse
    }

    var configuration: ResolverConfiguration {
        var configuration = ResolverConfiguration(servers: [address])
        configuration.timeout = 1
        return configuration
    }
}

private func addresses(
    _ identifier: UInt16, _ question: NameMessage.Question, _ count: Int, time: UInt32 = 60
) -> [UInt8] {
    var writer = AnswerWriter(identifier, question, answers: count)
    for index in 0..<count {
        writer.record(
            question.type.rawValue,
            question.type == .a
                ? [10, 0, UInt8(index >> 8), UInt8(index & 255)]
                : Array(repeating: 0xfd, count: 14) + [UInt8(index >> 8), UInt8(index & 255)],
            time: time)
    }
    return writer.bytes
}

private func failure(
    _ resolver: Resolver, _ host: String, _ loop: EventLoop
) async -> NameError? {
    do throws(NameError) {
        _ = try await resolver.addresses(of: host, on: loop)
        return nil
    } catch {
        return error
    }
}

extension HostAddress {
    fileprivate var last: UInt8? {
        switch self {
        case .ipv4(let bytes), .ipv6(let bytes): bytes.last
        }
    }
}

@Suite struct ResolverTests {
    @Test func bothFamiliesAreFoundAndKept() throws {
        try onLoop { loop in
            let server = try NameServer(on: loop) { identifier, question, _ in
                [addresses(identifier, question, question.type == .a ? 2 : 1)]
            }
            let resolver = Resolver(configuration: server.configuration)
            let found = try await resolver.addresses(of: "www.example.org", on: loop)
            #expect(found.count == 3)
            // Which family is first depends on what this machine can reach.
            #expect(found.filter(\.isIPv6).count == 1)
            #expect(found.filter { !$0.isIPv6 }.map(\.last) == [0, 1])
            #expect(server.datagrams == 2)
            #expect(await look(resolver, "WWW.Example.org.", loop) == found)
            #expect(server.datagrams == 2)
            #expect(resolver.cachedCount == 2)
            resolver.forgetAll()
            #expect(await look(resolver, "www.example.org", loop) == found)
            #expect(server.datagrams == 4)
        }
    }

    @Test func addressesAndHostsNeedNoServer() throws {
        try onLoop { loop in
            let resolver = Resolver(
                configuration: ResolverConfiguration(servers: [.ipv4([127, 0, 0, 1], port: 1)]),
                hosts: HostsFile(Array("10.1.1.1 box".utf8)))
            #expect(
                await look(resolver, "192.0.2.1", loop) == [.ipv4([192, 0, 2, 1])])
            #expect(await look(resolver, "[::1]", loop) == [.loopback6])
            #expect(await look(resolver, "box", loop) == [.ipv4([10, 1, 1, 1])])
            #expect(await look(resolver, "localhost", loop).contains(.loopback4))
            #expect(await failure(resolver, "not a name", loop) == .malformedName)
            #expect(await failure(resolver, "elsewhere", loop) == .loop(.system(.connrefused)))
        }
    }

    @Test func longAnswersComeOverTCP() throws {
        try onLoop { loop in
            let server = try NameServer(on: loop) { identifier, question, isStream in
                if isStream { return [addresses(identifier, question, 300)] }
                return [AnswerWriter(identifier, question, flags: 0x8380, answers: 0).bytes]
            }
            let resolver = Resolver(configuration: server.configuration)
            let found = try await resolver.addresses(of: "many.example", on: loop)
            // The first of each family.
            #expect(found.count == 64)
            #expect(server.streams == 2)
        }
    }

    /// A server that does not know the extension for longer datagrams is asked without it.
    @Test func oldServersAreAskedAgain() throws {
        try onLoop { loop in
            let count = Tally()
            let server = try NameServer(on: loop) { identifier, question, _ in
                if count.next() <= 2 {
                    // FORMERR, without the question.
                    return [
                        [UInt8(identifier >> 8), UInt8(identifier & 255), 0x80, 1]
                            + [UInt8](repeating: 0, count: 8)
                    ]
                }
                return [addresses(identifier, question, 1)]
            }
            let resolver = Resolver(configuration: server.configuration)
            #expect(await look(resolver, "www.example", loop).count == 2)
            #expect(server.datagrams == 4)
        }
    }

    /// Answers to other questions, of other identifiers, queries sent back, and nonsense.
    @Test func onlyTheAnswerCounts() throws {
        try onLoop { loop in
            let server = try NameServer(on: loop) { identifier, question, _ in
                let other = NameMessage.Question(DomainName("evil.example")!, question.type)
                let type = NameMessage.Question(question.name, question.type == .a ? .aaaa : .a)
                return [
                    [], [1, 2, 3], addresses(identifier &+ 1, question, 9),
                    addresses(identifier, other, 9), addresses(identifier, type, 9),
                    NameMessage.query(identifier, question), addresses(identifier, question, 1),
                    addresses(identifier, question, 9),
                ]
            }
            let resolver = Resolver(configuration: server.configuration)
            #expect(await look(resolver, "www.example", loop).count == 2)
            var configuration = server.configuration
            configuration.attempts = 1
            let flood = try NameServer(on: loop) { identifier, question, _ in
                Array(repeating: addresses(identifier &+ 1, question, 1), count: 150)
            }
            configuration.servers = [flood.address]
            #expect(
                await failure(Resolver(configuration: configuration), "a.b", loop)
                    == .malformedAnswer)
        }
    }

    @Test func absencesAreRemembered() throws {
        try onLoop { loop in
            let server = try NameServer(on: loop) { identifier, question, _ in
                let exists = question.name == DomainName("there.example")
                var writer = AnswerWriter(
                    identifier, question, flags: exists ? 0x8180 : 0x8183, answers: 0,
                    authorities: 1)
                writer.record(
                    6, [0, 0] + Array(repeating: 0, count: 16) + [0, 0, 0, 30], name: [0])
                return [writer.bytes]
            }
            let resolver = Resolver(configuration: server.configuration)
            for _ in 0..<3 {
                #expect(await failure(resolver, "nowhere.example", loop) == .noName)
                #expect(await failure(resolver, "there.example", loop) == .noAddress)
            }
            #expect(server.datagrams == 4)
        }
    }

    @Test func theSearchListIsTriedInOrder() throws {
        try onLoop { loop in
            let server = try NameServer(on: loop) { identifier, question, _ in
                if question.name == DomainName("host.b.example") {
                    return [addresses(identifier, question, 1)]
                }
                return [AnswerWriter(identifier, question, flags: 0x8183, answers: 0).bytes]
            }
            var configuration = server.configuration
            configuration.search = [DomainName("a.example"), DomainName("b.example")].compactMap(
                \.self)
            let resolver = Resolver(configuration: configuration)
            #expect(await look(resolver, "host", loop).count == 2)
            #expect(await failure(resolver, "host.", loop) == .noName)
            #expect(await failure(resolver, "other.host", loop) == .noName)
        }
    }

    @Test func theNextServerIsAskedWhenOneFails() throws {
        try onLoop { loop in
            let broken = try NameServer(on: loop) { identifier, question, _ in
                [AnswerWriter(identifier, question, flags: 0x8182, answers: 0).bytes]
            }
            let good = try NameServer(on: loop) { identifier, question, _ in
                [addresses(identifier, question, 1)]
            }
            var configuration = broken.configuration
            configuration.servers = [.ipv4([127, 0, 0, 1], port: 1), broken.address, good.address]
            let resolver = Resolver(configuration: configuration)
            #expect(await look(resolver, "www.example", loop).count == 2)
            #expect(broken.datagrams == 2)
            configuration.servers = [broken.address]
            #expect(
                await failure(Resolver(configuration: configuration), "a.b", loop)
                    == .serverFailure(code: 2))
            #expect(broken.datagrams == 6)
        }
    }

    @Test func aServerThatIsSilentTimesOut() throws {
        try onLoop { loop in
            let server = try NameServer(on: loop) { identifier, question, _ in
                // One family answers: that is enough, and is not asked for again.
                question.name == DomainName("half.example") && question.type == .a
                    ? [addresses(identifier, question, 1)] : []
            }
            var configuration = server.configuration
            configuration.attempts = 1
            let resolver = Resolver(configuration: configuration)
            #expect(await failure(resolver, "silent.example", loop) == .timedOut)
            #expect(
                await look(resolver, "half.example", loop) == [
                    .ipv4([10, 0, 0, 0])
                ])
        }
    }

    @Test func cancellingEndsALookUp() throws {
        try onLoop { loop in
            let server = try NameServer(on: loop) { _, _, _ in [] }
            var configuration = server.configuration
            configuration.timeout = 30
            let resolver = Resolver(configuration: configuration)
            let task = loop.spawn { await failure(resolver, "silent.example", loop) }
            try await loop.sleep(for: .milliseconds(20))
            task.cancel()
            #expect(await task.value == .loop(.cancelled))
        }
    }

    @Test func identifiersAndPortsDiffer() throws {
        try onLoop { loop in
            let server = try NameServer(on: loop) { identifier, question, _ in
                [addresses(identifier, question, 1, time: 0)]
            }
            let resolver = Resolver(configuration: server.configuration)
            for _ in 0..<40 { _ = try await resolver.addresses(of: "www.example", on: loop) }
            #expect(server.datagrams == 80)
            #expect(server.identifiers > 70)
            #expect(server.ports > 30)
        }
    }

    @Test func aHostIsConnectedToAtTheAddressThatAccepts() throws {
        try onLoop { loop in
            let listener = try Listener(.ipv4([127, 0, 0, 1], port: 0), on: loop)
            let port = try #require(listener.address?.port)
            loop.spawn { while (try? await listener.accept()) != nil {} }
            // Nobody listens on the first addresses.
            let hosts = HostsFile(
                Array("127.0.0.9 box\n127.0.0.8 box\n::1 box\n127.0.0.1 box".utf8))
            let resolver = Resolver(configuration: ResolverConfiguration(), hosts: hosts)
            let stream = try await ByteStream.connect(
                to: "box", port: port, resolver: resolver, on: loop)
            #expect(stream.peerAddress == .ipv4([127, 0, 0, 1], port: port))
            #expect(
                await refusal("box", port, resolver, loop) { $0 != .loopback4 }
                    == .connection(.system(.connrefused)))
            #expect(await refusal("box", port, resolver, loop) { _ in false } == .name(.noAddress))
            #expect(
                await refusal("a b", port, resolver, loop) { _ in true } == .name(.malformedName))
        }
    }
}

private func refusal(
    _ host: String, _ port: UInt16, _ resolver: Resolver, _ loop: EventLoop,
    _ isAllowed: (HostAddress) -> Bool
) async -> HostError? {
    do throws(HostError) {
        _ = try await ByteStream.connect(
            to: host, port: port, resolver: resolver, on: loop, isAllowed: isAllowed)
        return nil
    } catch {
        return error
    }
}

private func look(_ resolver: Resolver, _ host: String, _ loop: EventLoop) async -> [HostAddress] {
    (try? await resolver.addresses(of: host, on: loop)) ?? []
}
