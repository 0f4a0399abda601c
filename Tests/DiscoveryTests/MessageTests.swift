import Testing
import WasmdEventLoop

@testable import WasmdDiscovery

@Suite struct MessageTests {
    private func sample() throws -> [ServiceRecord] {
        let type = try webthing()
        let name = try #require(type.name(of: Array("a.b \u{e9}".utf8) + [0xff]))
        let host = try #require(DomainName("kitchen.local"))
        return [
            ServiceRecord(type.name, .pointer(name), timeToLive: 4500, isUnique: false),
            ServiceRecord(name, .service(port: 5000, host: host), timeToLive: 120, isUnique: true),
            ServiceRecord(
                name, .text(try #require(TextRecord(["path": "/"])).bytes), timeToLive: 4500,
                isUnique: true),
            ServiceRecord(host, .address([10, 0, 0, 1]), timeToLive: 120, isUnique: true),
            ServiceRecord(
                host, .address([UInt8](repeating: 7, count: 16)), timeToLive: 120, isUnique: true),
        ]
    }

    @Test func readsWhatItWrites() throws {
        let records = try sample()
        var writer = DiscoveryMessageWriter(isResponse: true)
        for record in records { expect(writer.append(record)) }
        let bytes = try #require(writer.message())
        // Names that were written before are pointers.
        #expect(bytes.count < 200)
        let message = try #require(DiscoveryMessage(bytes))
        #expect(message.isResponse)
        #expect(message.answers == records)
    }

    @Test func writesTypesOfNames() throws {
        let host = try #require(DomainName("k.local"))
        var writer = DiscoveryMessageWriter(isResponse: true)
        let record = ServiceRecord(host, .types([1, 28]), timeToLive: 120, isUnique: true)
        expect(writer.append(record))
        let bytes = try #require(writer.message())
        #expect(bytes.suffix(6) == [0, 4, 0x40, 0, 0, 8])
    }

    /// Bytes of a message of python-zeroconf: a question with a known answer.
    @Test func readsAMessageOfAnotherProgram() throws {
        let bytes: [UInt8] =
            [0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0]
            + [9] + Array("_webthing".utf8) + [4] + Array("_tcp".utf8) + [5]
            + Array("local".utf8) + [0, 0, 12, 0x80, 1]
            + [0xc0, 12, 0, 12, 0, 1, 0, 0, 0x11, 0x94, 0, 7, 4] + Array("oven".utf8) + [0xc0, 12]
        let message = try #require(DiscoveryMessage(bytes))
        #expect(message.questions.first?.wantsUnicast == true)
        #expect(message.questions.first?.name == (try webthing()).name)
        #expect(
            message.answers.first?.value
                == .pointer(try #require((try webthing()).name(of: Array("oven".utf8)))))
        #expect(message.answers.first?.timeToLive == 4500)
    }

    @Test func refusesLoopsAndWhatIsTooLong() throws {
        let head: [UInt8] = [0, 0, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0]
        // A name that leads to itself, and one that leads forward.
        #expect(DiscoveryMessage(head + [0xc0, 12, 0, 12, 0, 1, 0, 0, 0, 1, 0, 0]) == nil)
        #expect(DiscoveryMessage(head + [0xc0, 20, 0, 12, 0, 1, 0, 0, 0, 1, 0, 1, 0]) == nil)
        // A content that leads to itself.
        #expect(DiscoveryMessage(head + [0, 0, 12, 0, 1, 0, 0, 0, 1, 0, 2, 0xc0, 23]) == nil)
        #expect(DiscoveryMessage([UInt8](repeating: 0, count: 9001)) == nil)
        #expect(DiscoveryMessage([UInt8](repeating: 0, count: 9000)) != nil)
        // More records than bytes.
        #expect(DiscoveryMessage([0, 0, 0x84, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0]) == nil)
        // Chains of pointers without labels.
        var chain = head + [0]
        for _ in 0..<400 {
            let place = chain.count - 2
            let target = chain.count == 13 ? 12 : place
            chain += [0xc0 | UInt8(target >> 8), UInt8(target & 0xff)]
        }
        var reader = NameReader(bytes: chain)
        reader.skip(chain.count - 2)
        #expect(reader.name() == nil)
    }

    /// A pointer of two bytes may be a name of 127 labels.
    @Test func partsAndLabelsAreBounded() throws {
        func message(_ name: [UInt8], _ count: Int) -> [UInt8] {
            var bytes: [UInt8] = [0, 0, 0, 0, UInt8(count >> 8), UInt8(count & 0xff)]
            bytes += [0, 0, 0, 0, 0, 0] + name + [0, 12, 0, 1]
            for _ in 1..<count { bytes += [0xc0, 12, 0, 12, 0, 1] }
            return bytes
        }
        let short = try #require(DiscoveryMessage(message([1, 0x61, 0], 1400)))
        #expect(short.questions.count == DiscoveryMessage.partLimit)
        let long = Array([[UInt8]](repeating: [1, 0x61], count: 127).joined()) + [0]
        #expect(DiscoveryMessage(message(long, 60))?.questions.count == 60)
        #expect(DiscoveryMessage(message(long, 1400)) == nil)
    }

    @Test func survivesAllCutsAndManyFlips() throws {
        var writer = DiscoveryMessageWriter(isResponse: true)
        for record in try sample() { expect(writer.append(record)) }
        let bytes = try #require(writer.message())
        for count in 0..<bytes.count { #expect(DiscoveryMessage(Array(bytes[..<count])) == nil) }
        var random = DelayGenerator(seed: 7)
        for _ in 0..<3000 {
            var other = bytes
            for _ in 0..<3 {
                let place = Int.random(in: 0..<other.count, using: &random)
                other[place] = UInt8.random(in: 0...255, using: &random)
            }
            if let message = DiscoveryMessage(other) {
                #expect(message.answers.count <= bytes.count)
            }
        }
    }

    @Test func textsAreBytes() throws {
        let text = TextRecord(bytes: [3, 0x61, 0x3d, 0xff, 0, 1, 0x62, 4, 0x41, 0x3d])
        #expect(text.strings == [[0x61, 0x3d, 0xff], [0x62]])
        #expect(text["A"] == [0xff])
        #expect(text["b"] == [])
        #expect(text["c"] == nil)
        #expect(TextRecord().bytes == [0])
        #expect(TextRecord(strings: [[UInt8](repeating: 1, count: 256)]) == nil)
        #expect(text.setting("a", to: [1]).strings == [[0x61, 0x3d, 1], [0x62]])
        #expect(TextRecord(["a=b": "c"]) == nil)
    }

    @Test func typesHaveTwoLabels() throws {
        #expect(ServiceType("_webthing._tcp.local.") == (try webthing()))
        #expect(ServiceType("_webthing._tcp") == (try webthing()))
        #expect(ServiceType("webthing._tcp") == nil)
        #expect(ServiceType("_webthing._sctp") == nil)
        #expect(ServiceType("_webthing._tcp.example") == nil)
        #expect((try webthing()).name(of: []) == nil)
        #expect((try webthing()).name(of: [UInt8](repeating: 65, count: 64)) == nil)
    }

    @Test func namesAreCutBetweenCharacters() {
        var name = ContestedName(Array(String(repeating: "\u{e9}", count: 31).utf8) + [0x61])
        #expect(name.label.count == 63)
        name.takeNext()
        #expect(String(decoding: name.label, as: UTF8.self).hasSuffix("\u{e9}-2"))
        #expect(name.label.count <= 63)
    }
}

extension NameReader {
    mutating func skip(_ count: Int) { _ = take(count) }
}
