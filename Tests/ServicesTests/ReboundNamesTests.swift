import Synchronization
import Testing
import WasmSystem
import WasmdEventLoop
import WasmdHTTP
import WasmdOperation

@testable import WasmdServices

/// A name server on loopback, which gives an answer to each look-up of a table in turn.
private final class ChangingServer: Sendable {
    let address: SystemAddress
    private let socket: DatagramSocket
    private let state: Mutex<State>

    private struct State {
        var answers: [[String]]
        /// Types of the questions that were asked, by the number of the look-up.
        var asked: [Set<UInt16>] = []
    }

    /// - Parameter answers: for each look-up its addresses. One that begins with `alias ` has the
    ///   address under another name, to which the name is an alias. The last one is repeated.
    init(_ answers: [[String]], on loop: EventLoop) throws {
        socket = try DatagramSocket(boundTo: .ipv4([127, 0, 0, 1], port: 0), on: loop)
        address = try #require(socket.localAddress)
        state = Mutex(State(answers: answers))
        loop.spawn { [self] in
            while let message = try? await socket.receive() {
                guard let bytes = answer(message.bytes) else { continue }
                try? await socket.send(bytes, to: message.sender)
            }
        }
    }

    /// How often a name was looked up.
    var lookUps: Int { state.withLock { $0.asked.count } }

    func close() { socket.close() }

    private func answer(_ query: [UInt8]) -> [UInt8]? {
        guard query.count > 12, let zero = query[12...].firstIndex(of: 0), zero + 4 < query.count
        else { return nil }
        let type = UInt16(query[zero + 1]) << 8 | UInt16(query[zero + 2])
        // A and AAAA are asked for together; the same type again is another look-up.
        let texts = state.withLock { state -> [String] in
            if state.asked.last.map({ $0.contains(type) }) ?? true { state.asked.append([]) }
            state.asked[state.asked.count - 1].insert(type)
            return state.answers[min(state.asked.count, state.answers.count) - 1]
        }
        var records: [UInt8] = []
        var count: UInt8 = 0
        let other: [UInt8] = [5] + Array("other".utf8) + [4] + Array("test".utf8) + [0]
        for text in texts {
            let words = text.split(separator: " ")
            guard let place = HostAddress(String(words[words.count - 1])) else { continue }
            let (bytes, own): ([UInt8], UInt16) =
                switch place {
                case .ipv4(let bytes): (bytes, 1)
                case .ipv6(let bytes): (bytes, 28)
                }
            guard own == type else { continue }
            var name: [UInt8] = [0xc0, 12]
            if words.count > 1 {
                records += name + [0, 5, 0, 1, 0, 0, 0, 0, 0, UInt8(other.count)] + other
                count += 1
                name = other
            }
            // Not to be kept: each request looks the name up.
            records += name + [0, UInt8(own), 0, 1, 0, 0, 0, 0, 0, UInt8(bytes.count)] + bytes
            count += 1
        }
        return Array(query[..<2]) + [0x81, 0x80, 0, 1, 0, count, 0, 0, 0, 0]
            + query[12..<(zero + 5)] + records
    }
}

/// Names of allowed hosts whose server points them elsewhere: requests go to addresses that were
/// checked, or nowhere.
@Suite struct ReboundNamesTests {
    /// A server of HTTP at several addresses of loopback with one port.
    private final class Target: Sendable {
        let port: UInt16
        private let listeners: [Listener]
        private let seen = Mutex<[String]>([])

        /// Where connections arrived, in their order.
        var connections: [String] { seen.withLock { $0 } }

        init(on loop: EventLoop) throws {
            var made: [(String, Listener)] = []
            var port: UInt16 = 0
            // IPv6 may be missing; then nothing can arrive there.
            for _ in 0..<50 {
                made = []
                for text in ["127.0.0.1", "127.0.0.8", "127.0.0.9", "::1"] {
                    guard let address = HostAddress(text)?.with(port: port),
                        let listener = try? Listener(address, on: loop)
                    else { continue }
                    if port == 0 { port = listener.address?.port ?? 0 }
                    made.append((text, listener))
                }
                if made.count >= 3 { break }
                for (_, listener) in made { listener.close() }
                port = 0
            }
            self.port = port
            listeners = made.map(\.1)
            try #require(made.count >= 3)
            for (text, listener) in made {
                loop.spawn { [self] in
                    while let stream = try? await listener.accept() {
                        seen.withLock { $0.append(text) }
                        loop.spawn {
                            var buffer = InputBuffer(capacity: 4096)
                            _ = try? await stream.read(into: &buffer)
                            let answer =
                                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
                            try? await stream.write(Array(answer.utf8))
                            stream.close()
                        }
                    }
                }
            }
        }

        func close() { for listener in listeners { listener.close() } }
    }

    /// Sends a request for each answer in turn.
    ///
    /// - Returns: 0 or the number that a guest gets, for each; where connections arrived; and how
    ///   often the name was looked up.
    private func request(
        _ entries: [String], _ answers: [[String]], host: String = "good.test"
    ) throws -> (results: [UInt32], connections: [String], lookUps: Int) {
        let policy = try #require(OutboundPolicy(allowing: entries, machine: []))
        return try EventLoop().run { loop in
            let server = try ChangingServer(answers, on: loop)
            let target = try Target(on: loop)
            var options = OutboundClient.Options()
            options.time = .seconds(20)
            options.resolver = Resolver(
                configuration: ResolverConfiguration(servers: [server.address]))
            let client = OutboundClient(policy, options, on: loop)
            // Whether public addresses can be reached from here does not matter.
            options.time = .seconds(1)
            let impatient = OutboundClient(policy, options, on: loop)
            var results: [UInt32] = []
            for answer in answers {
                let client = answer.contains("192.52.193.9") ? impatient : client
                guard
                    case .allowed(let url) = policy.decide(
                        Array("http://\(host):\(target.port)/".utf8))
                else {
                    results.append(GuestHTTPError.notAllowed.rawValue)
                    continue
                }
                do {
                    _ = try await client.send(.get, url, Fields(), [])
                    results.append(0)
                } catch {
                    results.append(GuestHTTPError(error).rawValue)
                }
            }
            server.close()
            target.close()
            return (results, target.connections, server.lookUps)
        }
    }

    /// Where a name may not lead, as a server's answer.
    static let closed: [[String]] = [
        ["127.0.0.1"], ["127.0.0.8"], ["127.255.255.254"], ["0.0.0.0"], ["10.0.0.1"],
        ["100.64.0.1"], ["169.254.169.254"], ["172.16.0.1"], ["172.31.255.255"], ["192.168.1.1"],
        ["192.0.0.1"], ["198.18.0.1"], ["224.0.0.1"], ["255.255.255.255"], ["::1"], ["::"],
        ["::127.0.0.1"], ["::ffff:127.0.0.1"], ["::ffff:10.0.0.1"], ["::ffff:169.254.169.254"],
        ["fe80::1"], ["febf::1"], ["fec0::1"], ["fc00::1"], ["fd00:ec2::254"], ["ff02::1"],
        ["64:ff9b::7f00:1"], ["64:ff9b::a9fe:a9fe"], ["64:ff9b:1::7f00:1"], ["2002:7f00:1::"],
        ["2001::1"], ["127.0.0.1", "::1"], ["10.0.0.1", "fe80::1", "127.0.0.1"],
        ["alias 127.0.0.1"], ["alias ::1"], ["alias ::ffff:127.0.0.1"], ["alias 169.254.169.254"],
    ]

    @Test(arguments: closed) func answersThatLeadInside(answer: [String]) throws {
        for entries in [["http://good.test"], ["*"], ["http://good.test", "http://127.0.0.1"]] {
            let found = try request(entries, [answer])
            #expect(found.results == [7], "\(entries)")
            #expect(found.connections.isEmpty)
            #expect(found.lookUps == 1)
        }
    }

    /// The server of the table is really asked, and its answers are followed.
    @Test func answersThatAreAllowed() throws {
        let open = ["good.test", "127.0.0.8/32"]
        for answer in [["127.0.0.8"], ["alias 127.0.0.8"]] {
            let found = try request(open, [answer])
            #expect(found.results == [0])
            #expect(found.connections == ["127.0.0.8"])
        }
        #expect(try request(["good.test!private"], [["127.0.0.1"]]).results == [0])
        #expect(try request(["insecure:allow-all"], [["127.0.0.9"]]).connections == ["127.0.0.9"])
    }

    /// An answer that changes between the check and the connection would go unnoticed if the name
    /// were looked up twice.
    @Test func theCheckedAddressIsTheOneOfTheConnection() throws {
        let open = ["good.test", "127.0.0.8/32"]
        let found = try request(
            open, [["127.0.0.8"], ["127.0.0.9"], ["127.0.0.8"], ["::1"], ["127.0.0.1"]])
        #expect(found.results == [0, 7, 0, 7, 7])
        #expect(found.connections == ["127.0.0.8", "127.0.0.8"])
        #expect(found.lookUps == 5)
    }

    /// Of several addresses only those that are allowed are tried, also if they fail.
    @Test(arguments: [
        ["127.0.0.1", "127.0.0.8"], ["127.0.0.8", "127.0.0.9", "127.0.0.1"], ["127.0.0.8", "::1"],
        ["alias 127.0.0.1", "alias 127.0.0.8"], ["::ffff:127.0.0.1", "127.0.0.8"],
    ])
    func answersThatAreMixed(answer: [String]) throws {
        let found = try request(["good.test", "127.0.0.8/32"], [answer])
        #expect(found.results == [0])
        #expect(found.connections == ["127.0.0.8"])
        // Nothing listens there: the request fails, and goes nowhere else.
        let others = answer.map { $0.replacing("127.0.0.8", with: "127.0.0.77") }
        let failed = try request(["good.test", "127.0.0.77/32"], [others])
        #expect(failed.results == [11])
        #expect(failed.connections.isEmpty)
    }

    /// A public address first, and loopback with the next answer.
    @Test func aPublicAddressFirst() throws {
        let found = try request(
            ["good.test"], [["192.52.193.9"], ["192.52.193.9", "127.0.0.1"], ["127.0.0.1"]])
        #expect(found.results.last == 7)
        #expect(found.connections.isEmpty)
        #expect(found.lookUps == 3)
    }

    /// Names of loopback are not asked for, and an address is not looked up.
    @Test func namesThatAreNotAsked() throws {
        let local = try request(["http://localhost"], [["127.0.0.9"]], host: "localhost")
        #expect(local.results == [0])
        #expect(local.lookUps == 0)
        #expect(local.connections.allSatisfy { $0 != "127.0.0.9" })
        let other = try request(["http://good.test"], [["127.0.0.1"]], host: "127.0.0.1")
        #expect(other.results == [7])
    }
}
