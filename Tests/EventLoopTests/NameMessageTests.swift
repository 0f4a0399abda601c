import Testing
import WasmSystem

@testable import WasmdEventLoop

/// Writes messages as a server does, with names that point back.
struct AnswerWriter {
    var bytes: [UInt8] = []

    init(
        _ identifier: UInt16, _ question: NameMessage.Question, flags: UInt16 = 0x8180,
        answers: Int, authorities: Int = 0
    ) {
        for value in [identifier, flags, 1, UInt16(answers), UInt16(authorities), 0] { word(value) }
        bytes += question.name.bytes
        word(question.type.rawValue)
        word(1)
    }

    mutating func word(_ value: UInt16) { bytes += [UInt8(value >> 8), UInt8(value & 255)] }

    /// A record; its name is that of the question unless another place is given.
    mutating func record(
        _ type: UInt16, _ value: [UInt8], name: [UInt8] = [0xc0, 12], time: UInt32 = 60,
        kind: UInt16 = 1
    ) {
        bytes += name
        word(type)
        word(kind)
        word(UInt16(time >> 16))
        word(UInt16(time & 0xffff))
        word(UInt16(value.count))
        bytes += value
    }
}

func name(_ text: String) throws -> DomainName { try #require(DomainName(text)) }

@Suite struct DomainNameTests {
    @Test(arguments: ["a", "a.b", "A-1.b_c.example", "xn--bcher-kva.de", "1.2.3"])
    func namesAreRead(_ text: String) throws {
        #expect(try name(text).description == text)
        #expect(DomainName(text + ".") == (try name(text)))
    }

    @Test(arguments: [
        "", ".", "..", "a..b", ".a", "a b", "a/b", "ü.de", "-a.b", "a.-b", "a\u{0}", "a%41", "a:80",
    ])
    func othersAreNone(_ text: String) { #expect(DomainName(text) == nil) }

    @Test func lengthsAreLimited() {
        let label = String(repeating: "a", count: 63)
        #expect(DomainName(label) != nil)
        #expect(DomainName(label + "a") == nil)
        #expect(
            DomainName(
                [label, label, label, String(repeating: "a", count: 61)].joined(separator: "."))
                != nil)
        #expect(
            DomainName(
                [label, label, label, String(repeating: "a", count: 62)].joined(separator: "."))
                == nil)
    }

    @Test func caseDoesNotCount() throws {
        #expect(try name("Example.ORG") == name("example.org"))
        #expect(try name("Example.ORG").hashValue == name("example.org").hashValue)
        // Only letters of ASCII have two cases.
        #expect(DomainName(labels: [[0xc1]]) != DomainName(labels: [[0xe1]]))
        #expect(DomainName(labels: [[0x40]]) != DomainName(labels: [[0x60]]))
        #expect(DomainName(labels: [[0x2e, 0x07]])?.description == "\\046\\007")
    }
}

@Suite struct NameMessageTests {
    private func question(_ type: NameMessage.RecordType = .a) throws -> NameMessage.Question {
        NameMessage.Question(try name("www.example.org"), type)
    }

    @Test func aQuestionIsWrittenAsTheSpecificationSays() throws {
        let bytes = NameMessage.query(0x1234, NameMessage.Question(try name("a.bc"), .aaaa))
        #expect(
            bytes == [
                0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0x61, 2, 0x62, 0x63, 0, 0, 28, 0, 1,
            ])
        let longer = NameMessage.query(
            0x1234, NameMessage.Question(try name("a.bc"), .aaaa), datagramLimit: 1232)
        #expect(
            longer == bytes[..<11] + [1] + bytes[12...] + [0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0])
        #expect(NameMessage(longer) != nil)
        let read = try #require(NameMessage(bytes))
        #expect(!read.isResponse)
        #expect(read.question.name == (try name("A.BC")))
    }

    @Test func addressesComeThroughAliases() throws {
        var writer = AnswerWriter(7, try question(), answers: 5)
        // www → alias at the place of its value → example.org
        writer.record(5, [5] + Array("alias".utf8) + [0xc0, 16], time: 50)
        let alias = UInt8(writer.bytes.count - 8)
        writer.record(16, [1, 65], name: [0xc0, alias])
        writer.record(5, [0xc0, 16], name: [0xc0, alias], time: 90)
        writer.record(1, [10, 0, 0, 1], name: [0xc0, 16], time: 70)
        writer.record(1, [10, 0, 0, 2], name: [0xc0, 16], time: 40)
        let message = try #require(NameMessage(writer.bytes))
        #expect(message.answers(7, try question()))
        #expect(!message.answers(8, try question()))
        #expect(!message.answers(7, try question(.aaaa)))
        #expect(!message.answers(7, NameMessage.Question(try name("www.example.com"), .a)))
        let resolved = try #require(message.resolved())
        #expect(resolved.addresses == [[10, 0, 0, 1], [10, 0, 0, 2]])
        #expect(resolved.timeToLive == 40)
    }

    @Test func addressesOfOtherNamesDoNotCount() throws {
        var writer = AnswerWriter(7, try question(), answers: 3)
        writer.record(1, [6, 6, 6, 6], name: [4] + Array("evil".utf8) + [0xc0, 16])
        writer.record(1, [6, 6, 6, 6], kind: 3)
        writer.record(28, Array(repeating: 6, count: 16))
        #expect(try #require(NameMessage(writer.bytes)).resolved()?.addresses == [])
    }

    @Test func circlesOfAliasesEnd() throws {
        var writer = AnswerWriter(7, try question(), answers: 1)
        writer.record(5, [0xc0, 12])
        #expect(try #require(NameMessage(writer.bytes)).resolved() == nil)
        var long = AnswerWriter(7, try question(), answers: 60)
        var from: [UInt8] = [0xc0, 12]
        for index in 0..<60 {
            let next = [UInt8(1), UInt8(0x41 + index % 26 + index / 26 * 32), 0xc0, 16]
            long.record(5, next, name: from)
            from = next
        }
        #expect(try #require(NameMessage(long.bytes)).resolved() == nil)
    }

    @Test func absencesHaveTheirTime() throws {
        var writer = AnswerWriter(7, try question(), flags: 0x8183, answers: 0, authorities: 1)
        writer.record(
            6, [0, 0] + Array(repeating: 0, count: 16) + [0, 0, 0, 30], name: [0xc0, 16], time: 20)
        let message = try #require(NameMessage(writer.bytes))
        #expect(message.responseCode == 3)
        #expect(message.absenceTime == 20)
    }

    @Test func timesWithTheHighestBitAreNone() throws {
        var writer = AnswerWriter(7, try question(), answers: 1)
        writer.record(1, [1, 2, 3, 4], time: 0x8000_0001)
        #expect(try #require(NameMessage(writer.bytes)).resolved()?.timeToLive == 0)
    }

    /// Pointers to themselves, forwards, in circles and out of the message; labels of forms that were
    /// never used; values of wrong sizes.
    @Test func malformedMessagesAreRefused() throws {
        func refuses(_ type: UInt16, _ value: [UInt8], name: [UInt8] = [0xc0, 12]) throws -> Bool {
            var writer = AnswerWriter(7, try question(), answers: 1)
            writer.record(type, value, name: name)
            return NameMessage(writer.bytes) == nil
        }
        let start = UInt8(AnswerWriter(7, try question(), answers: 1).bytes.count)
        for name: [UInt8] in [
            [0xc0, start], [0xc0, start + 1], [0xc0, start + 2], [0xff, 0xff],
            [1, 0x61, 0xc0, start],
            [0x40, 0], [0x80, 0], [63],
        ] {
            #expect(try refuses(1, [1, 2, 3, 4], name: name))
        }
        for (type, value) in [
            (1, [1, 2, 3]), (1, [1, 2, 3, 4, 5]), (1, []), (28, [1, 2, 3, 4]), (5, [0xc0, 12, 0]),
            (5, []), (5, [3, 0x61]), (6, [0, 0, 1]), (6, [0, 0] + Array(repeating: 0, count: 21)),
        ] as [(UInt16, [UInt8])] {
            #expect(try refuses(type, value))
        }
        // Pointers that go down through the names of many records stay short.
        var chain = AnswerWriter(7, try question(), answers: 40)
        var last = 12
        for _ in 0..<20 {
            let place = chain.bytes.count
            chain.record(99, [], name: [1, 0x61, 0xc0 | UInt8(last >> 8), UInt8(last & 255)])
            last = place
        }
        for _ in 0..<20 { chain.record(99, []) }
        #expect(NameMessage(chain.bytes) != nil)
        var writer = AnswerWriter(7, try question(), answers: 1)
        writer.record(1, [1, 2, 3, 4])
        for count in 0..<writer.bytes.count {
            #expect(NameMessage(Array(writer.bytes[..<count])) == nil)
        }
        // More questions, none, another class, another kind of request.
        for (place, value) in [(5, 0), (5, 2), (start - 1, 3), (2, 0x88)] as [(UInt8, UInt8)] {
            var bytes = writer.bytes
            bytes[Int(place)] = value
            #expect(NameMessage(bytes) == nil)
        }
        #expect(NameMessage([]) == nil)
        #expect(NameMessage(Array(repeating: 0, count: 70_000)) == nil)
    }

    @Test func damageIsNoTrap() throws {
        var writer = AnswerWriter(7, try question(), answers: 3, authorities: 1)
        writer.record(5, [5] + Array("alias".utf8) + [0xc0, 16])
        writer.record(1, [1, 2, 3, 4], name: [0xc0, 45])
        writer.record(28, Array(0..<16))
        writer.record(6, [0xc0, 12, 0] + Array(repeating: 1, count: 20))
        var random = SystemRandomNumberGenerator()
        for _ in 0..<5000 {
            var bytes = writer.bytes
            for _ in 0...Int.random(in: 0..<4, using: &random) {
                let index = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes[index] = 0xc0
                case 1: bytes[index] = UInt8.random(in: 0...255, using: &random)
                case 2: bytes.remove(at: index)
                default: bytes.insert(UInt8.random(in: 0...70, using: &random), at: index)
                }
            }
            _ = NameMessage(bytes)?.resolved()
        }
    }
}

@Suite struct NameFileTests {
    @Test func hostsFiles() throws {
        let hosts = HostsFile(
            Array(
                """
                127.0.0.1\tlocalhost box # comment name
                # 1.2.3.4 commented
                ::1 localhost ip6-localhost
                10.0.0.1 Server.Example server
                10.0.0.2 server
                10.0.0.1 server
                not-an-address x
                10.0.0.3
                fe80::1%eth0 scoped
                10.0.0.4 bad_but_used ..
                10.0.0.5 last
                """.utf8))
        #expect(
            hosts.addresses(of: try name("SERVER")) == [
                .ipv4([10, 0, 0, 1]), .ipv4([10, 0, 0, 2]),
            ])
        #expect(hosts.addresses(of: try name("server.example")) == [.ipv4([10, 0, 0, 1])])
        #expect(hosts.addresses(of: try name("localhost")) == [.loopback4, .loopback6])
        #expect(hosts.addresses(of: try name("last")) == [.ipv4([10, 0, 0, 5])])
        for missing in ["comment", "name", "commented", "x", "scoped", "nowhere"] {
            #expect(hosts.addresses(of: try name(missing)) == nil)
        }
        #expect(HostsFile().addresses(of: try name("localhost")) == [.loopback6, .loopback4])
        #expect(HostsFile().addresses(of: try name("a.LocalHost.")) == [.loopback6, .loopback4])
        #expect(HostsFile().addresses(of: try name("localhost.a")) == nil)
    }

    @Test func resolverFiles() throws {
        let configuration = ResolverConfiguration(
            Array(
                """
                # nameserver 1.1.1.1
                ; nameserver 1.1.1.1
                nameserver 10.0.0.1
                nameserver fd00::1 # second
                nameserver nonsense
                nameserver
                nameserver 10.0.0.3
                nameserver 10.0.0.4
                domain old.example
                search a.example b.example ü bad..name
                options ndots:2 timeout:99 attempts:0 rotate unknown:7 ndots:x timeout:
                """.utf8))
        #expect(
            configuration.servers == [
                .ipv4([10, 0, 0, 1], port: 53),
                .ipv6([0xfd] + Array(repeating: 0, count: 14) + [1], port: 53),
                .ipv4([10, 0, 0, 3], port: 53),
            ])
        #expect(configuration.search == [try name("a.example"), try name("b.example")])
        #expect(configuration.dots == 2)
        #expect(configuration.timeout == 30)
        #expect(configuration.attempts == 1)
        #expect(configuration.rotates)
        #expect(
            configuration.candidates(for: "x.y").map(\.description)
                == ["x.y.a.example", "x.y.b.example", "x.y"])
        #expect(
            configuration.candidates(for: "x.y.z").map(\.description)
                == ["x.y.z", "x.y.z.a.example", "x.y.z.b.example"])
        #expect(configuration.candidates(for: "x.").map(\.description) == ["x"])
        #expect(configuration.candidates(for: "x y").isEmpty)
        let empty = ResolverConfiguration([])
        #expect(empty.servers == [.ipv4([127, 0, 0, 1], port: 53)])
        #expect(empty.candidates(for: "x").map(\.description) == ["x"])
        #expect(ResolverConfiguration(Array("options ndots:0".utf8)).dots == 0)
    }

    @Test func addressesAreRead() {
        #expect(HostAddress("127.0.0.1") == .loopback4)
        #expect(HostAddress("::1") == .loopback6)
        #expect(HostAddress("[::1]") == .loopback6)
        for text in [
            "", "1", "127.1", "0x7f.0.0.1", "127.0.0.1.", "[127.0.0.1]", "[::1", "::1%lo", "a",
        ] {
            #expect(HostAddress(text) == nil)
        }
    }
}

@Suite struct NameCacheTests {
    private func time(_ seconds: UInt64) -> LoopInstant {
        LoopInstant(nanoseconds: seconds * 1_000_000_000)
    }

    @Test func answersHoldForTheirTime() throws {
        var cache = NameCache()
        let question = NameMessage.Question(try name("a.b"), .a)
        let answer = NameCache.Answer.addresses([.loopback4])
        cache.keep(answer, for: question, seconds: 10, at: time(100))
        #expect(cache.answer(to: question, at: time(109)) == answer)
        #expect(
            cache.answer(to: NameMessage.Question(try name("A.B"), .a), at: time(101)) == answer)
        #expect(
            cache.answer(to: NameMessage.Question(try name("a.b"), .aaaa), at: time(101)) == nil)
        #expect(cache.answer(to: question, at: time(110)) == nil)
        #expect(cache.count == 0)
        cache.keep(answer, for: question, seconds: 0, at: time(100))
        #expect(cache.count == 0)
        cache.keep(answer, for: question, seconds: .max, at: time(0))
        #expect(cache.answer(to: question, at: time(86_399)) == answer)
        #expect(cache.answer(to: question, at: time(86_400)) == nil)
        cache.keep(.noName, for: question, seconds: .max, at: time(0))
        #expect(cache.answer(to: question, at: time(299)) == .noName)
        #expect(cache.answer(to: question, at: time(300)) == nil)
    }

    @Test func itsSizeIsBounded() throws {
        var cache = NameCache(limit: 100)
        let first = NameMessage.Question(try name("kept"), .a)
        cache.keep(.noName, for: first, seconds: 100, at: time(0))
        for index in 0..<1000 {
            let question = NameMessage.Question(try name("n\(index)"), .a)
            cache.keep(.noName, for: question, seconds: 100, at: time(0))
            #expect(cache.count <= 100)
            #expect(cache.answer(to: first, at: time(1)) == .noName)
        }
        // What is over goes first.
        cache.keep(.noName, for: first, seconds: 1, at: time(200))
        #expect(cache.answer(to: first, at: time(200)) == .noName)
        cache.removeAll()
        #expect(cache.count == 0)
    }
}

@Suite struct ConnectionRaceTests {
    private static let six = (1...3).map { HostAddress.ipv6(Array(repeating: 0, count: 15) + [$0]) }
    private static let four = (1...3).map { HostAddress.ipv4([10, 0, 0, $0]) }

    private func time(_ milliseconds: UInt64) -> LoopInstant {
        LoopInstant(nanoseconds: milliseconds * 1_000_000)
    }

    @Test func familiesTakeTurns() {
        #expect(
            ConnectionRace.interleaved(Self.six + Self.four)
                == [
                    Self.six[0], Self.four[0], Self.six[1], Self.four[1], Self.six[2], Self.four[2],
                ])
        #expect(
            ConnectionRace.interleaved([Self.four[0]] + Self.six + [Self.four[0]])
                == [Self.four[0], Self.six[0], Self.six[1], Self.six[2]])
        #expect(ConnectionRace.interleaved([]).isEmpty)
    }

    @Test func attemptsBeginOneAfterAnother() {
        var race = ConnectionRace([Self.six[0], Self.six[1], Self.four[0]])
        #expect(race.next(at: time(0)) == .connect(index: 0, Self.six[0]))
        #expect(race.next(at: time(0)) == .wait(time(250)))
        #expect(race.next(at: time(249)) == .wait(time(250)))
        #expect(race.next(at: time(250)) == .connect(index: 1, Self.four[0]))
        #expect(race.next(at: time(260)) == .wait(time(500)))
        // An older attempt says nothing of the newest one; that one's end does.
        race.failed(0, at: time(270))
        #expect(race.next(at: time(270)) == .wait(time(500)))
        race.failed(1, at: time(280))
        #expect(race.next(at: time(280)) == .connect(index: 2, Self.six[1]))
        #expect(race.next(at: time(281)) == .wait(.never))
        race.failed(2, at: time(300))
        race.failed(2, at: time(300))
        #expect(race.next(at: time(300)) == .over)
    }

    @Test func whenAllHaveFailedTheNextBeginsAtOnce() {
        var race = ConnectionRace([Self.six[0], Self.four[0]])
        #expect(race.next(at: time(0)) == .connect(index: 0, Self.six[0]))
        race.failed(0, at: time(3))
        #expect(race.next(at: time(3)) == .connect(index: 1, Self.four[0]))
        race.failed(1, at: time(4))
        #expect(race.next(at: time(4)) == .over)
        var empty = ConnectionRace([])
        #expect(empty.next(at: time(0)) == .over)
    }

    @Test func addressesMayComeLater() {
        var race = ConnectionRace([Self.six[0], Self.six[1]])
        #expect(race.next(at: time(0)) == .connect(index: 0, Self.six[0]))
        race.add([Self.four[0], Self.six[1], Self.four[1]])
        #expect(race.addresses == [Self.six[0], Self.four[0], Self.six[1], Self.four[1]])
        #expect(race.next(at: time(250)) == .connect(index: 1, Self.four[0]))
        #expect(ConnectionRace([], delay: .zero).delay == .milliseconds(10))
        #expect(ConnectionRace([], delay: .seconds(60)).delay == .seconds(2))
    }
}
