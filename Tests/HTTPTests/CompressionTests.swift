import Testing

@testable import WasmdHTTP

struct CompressionTests {
    func inflate(_ pieces: [[UInt8]], maximum: Int = 1 << 20, limit: UInt64 = 1 << 26) throws
        -> [UInt8]
    {
        var decoder = Inflate(limit: limit)
        var all: [UInt8] = []
        var isFinished = false
        for piece in pieces {
            var position = 0
            while true {
                var output: [UInt8] = []
                let progress = try decoder.next(
                    piece.span, at: &position, into: &output, upTo: maximum)
                #expect(output.count <= maximum)
                all += output
                if progress == .finished { isFinished = true }
                if progress != .outputFull { break }
            }
        }
        if !isFinished { throw Inflate.Fault.truncated }
        return all
    }

    func gunzip(_ pieces: [[UInt8]], maximum: Int = 1 << 20, limit: UInt64 = 1 << 26) throws
        -> [UInt8]
    {
        var decoder = GzipDecoder(limit: limit)
        var all: [UInt8] = []
        for piece in pieces {
            var position = 0
            while true {
                var output: [UInt8] = []
                let progress = try decoder.next(
                    piece.span, at: &position, into: &output, upTo: maximum)
                all += output
                if progress != .outputFull { break }
            }
        }
        try decoder.finish()
        return all
    }

    func gzip(_ pieces: [[UInt8]], flush: Deflate.Flush = .none) -> [UInt8] {
        var encoder = GzipEncoder()
        var output: [UInt8] = []
        for piece in pieces { encoder.compress(piece.span, flush: flush, to: &output) }
        encoder.compress([UInt8]().span, flush: .finish, to: &output)
        return output
    }

    /// Texts of different kinds: empty, short, repeated, random, with runs.
    static func samples() -> [[UInt8]] {
        var generator = Generator(state: 6)
        var words: [[UInt8]] = []
        for _ in 0..<200 {
            let count = Int.random(in: 1...9, using: &generator)
            words.append((0..<count).map { _ in UInt8.random(in: 97...122, using: &generator) })
        }
        var text: [UInt8] = []
        for _ in 0..<20_000 {
            text += words.randomElement(using: &generator) ?? []
            text.append(32)
        }
        let random: [UInt8] = (0..<70_000).map { _ in UInt8.random(in: 0...255, using: &generator) }
        return [
            [], [1], bytes("hello"), bytes("abcabcabcabcabcabc"),
            [UInt8](repeating: 0, count: 200_000),
            Array(text.prefix(3000)), text, random,
            Array(random.prefix(3000)) + Array(random.prefix(3000)),
            (0..<100_000).map { UInt8(truncatingIfNeeded: $0 / 300) },
        ]
    }

    @Test func thereAndBack() throws {
        for sample in Self.samples() {
            let packed = gzip([sample])
            #expect(try gunzip([packed]) == sample)
            #expect(packed.count <= sample.count + sample.count / 1000 + 40)
            #expect(try gunzip([packed], maximum: 1000) == sample)
        }
        #expect(gzip([[UInt8](repeating: 0, count: 200_000)]).count < 400)
    }

    @Test func piecesAndFlushes() throws {
        var generator = Generator(state: 7)
        let sample = Self.samples()[6].prefix(20_000)
        let pieces = generator.pieces(Array(sample))
        for flush in [Deflate.Flush.none, .sync] {
            let packed = gzip(pieces, flush: flush)
            #expect(try gunzip(generator.pieces(packed)) == Array(sample))
        }
        // After a flush everything so far can be read.
        var encoder = GzipEncoder()
        var decoder = GzipDecoder(limit: 1 << 20)
        for piece in pieces.prefix(50) {
            var packed: [UInt8] = []
            encoder.compress(piece.span, flush: .sync, to: &packed)
            var (position, output) = (0, [UInt8]())
            _ = try decoder.next(packed.span, at: &position, into: &output, upTo: 1 << 20)
            #expect(output == piece)
        }
    }

    /// Streams that zlib made: stored, fixed and dynamic blocks.
    @Test func streamsOfZlib() throws {
        let fixed: [UInt8] = [0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0x57, 0xc8, 0x40, 0x27, 0x1]
        #expect(try text(inflate([fixed])) == "hello hello hello hello")
        let dynamic: [UInt8] = [
            0xcd, 0xca, 0x39, 0xd, 0x0, 0x30, 0x10, 0xc4, 0x40, 0xac, 0xbe, 0x7d, 0x8e, 0x3f,
            0x83, 0x48, 0xa9, 0x2, 0x21, 0x2e, 0x47, 0x86, 0xff, 0x9a, 0xd8, 0x95, 0xbc, 0x2d,
            0x4d, 0x5, 0x62, 0x89, 0x54, 0xcd, 0x83, 0x66, 0xef, 0x69, 0x85, 0x1e,
        ]
        #expect(dynamic[0] & 7 == 5)
        let plain: [UInt8] = (0..<200).map { (index: Int) -> UInt8 in
            UInt8(truncatingIfNeeded: index * index % 1021 * (index * 7 % 1021) % 7 + 97)
        }
        #expect(try inflate([dynamic]) == plain)
        let stored: [UInt8] = [1, 2, 0, 0xfd, 0xff, 0x61, 0x62]
        #expect(try text(inflate([stored])) == "ab")
        for pieces in splits(fixed) {
            #expect(try text(inflate(pieces, maximum: 3)) == "hello hello hello hello")
        }
    }

    @Test func splitsDoNotMatter() throws {
        let sample = Array(Self.samples()[6].prefix(2000))
        let packed = gzip([sample])
        for pieces in splits(packed).prefix(400) {
            #expect(try gunzip(pieces, maximum: 100) == sample)
        }
        #expect(try gunzip(packed.map { [$0] }, maximum: 7) == sample)
        #expect(try gunzip([packed + packed]) == sample + sample)
    }

    @Test(
        arguments: [
            ([7], Inflate.Fault.malformed), ([1, 1, 0, 0, 0], .malformed), ([3, 2], .malformed),
            // A distance before the start of the output.
            ([0x4b, 0x04, 0x82, 0x00], .malformed), ([], .truncated), ([0xcb, 0x48], .truncated),
            ([5, 0xc0, 0x81, 8, 0, 0, 0, 0, 0x20, 0x7f, 0xeb, 0xff], .truncated),
        ] as [([UInt8], Inflate.Fault)]) func damage(_ stream: [UInt8], _ fault: Inflate.Fault)
    {
        #expect(throws: (any Error).self) { _ = try inflate([stream]) }
        do { _ = try inflate([stream]) } catch let error as Inflate.Fault {
            #expect([fault, .malformed, .truncated].contains(error))
        } catch {}
    }

    @Test func limitsAndChecksums() throws {
        let packed = gzip([[UInt8](repeating: 65, count: 100_000)])
        #expect(throws: Inflate.Fault.tooLarge) { _ = try gunzip([packed], limit: 99_999) }
        #expect(try gunzip([packed], limit: 100_000).count == 100_000)
        for index in [packed.count - 1, packed.count - 5] {
            var damaged = packed
            damaged[index] ^= 1
            #expect(throws: Inflate.Fault.gzip) { _ = try gunzip([damaged]) }
        }
        #expect(throws: Inflate.Fault.truncated) { _ = try gunzip([Array(packed.dropLast())]) }
        #expect(throws: Inflate.Fault.gzip) { _ = try gunzip([bytes("plain text, no gzip")]) }
        // A header with a name, a comment and a checksum.
        var named = packed
        named[3] = 0x1a
        named.insert(contentsOf: bytes("name\0comment\0xy"), at: 10)
        #expect(try gunzip([named]).count == 100_000)
        named.insert(contentsOf: [UInt8](repeating: 65, count: 5000), at: 10)
        #expect(throws: Inflate.Fault.gzip) { _ = try gunzip([named]) }
    }

    @Test func checksum() {
        var crc = CRC32()
        crc.update(bytes("1234").span)
        crc.update(bytes("56789").span)
        #expect(crc.value == 0xcbf4_3926)
        crc.update([UInt8](repeating: 0, count: 17).span)
        var slow = CRC32()
        for byte in bytes("123456789") + [UInt8](repeating: 0, count: 17) {
            slow.update([byte].span)
        }
        #expect(crc.value == slow.value)
    }

    @Test func codesAreWithinTheirLimit() {
        // Fibonacci numbers make the deepest tree.
        var frequencies: [UInt32] = [1, 1]
        while frequencies.count < 40 {
            frequencies.append(
                frequencies[frequencies.count - 1] &+ frequencies[frequencies.count - 2])
        }
        for limit in [7, 15] {
            let lengths = HuffmanLengths.lengths(of: frequencies, limit: limit)
            #expect(lengths.allSatisfy { $0 > 0 && $0 <= limit })
            #expect(lengths.reduce(0) { $0 + (1 << (limit - Int($1))) } == 1 << limit)
        }
    }

    @Test func mutations() {
        var generator = Generator(state: 8)
        let seeds = [Array(Self.samples()[6].prefix(500)), bytes("hello hello hello")].map {
            gzip([$0])
        }
        for _ in 0..<2000 {
            var input = seeds.randomElement(using: &generator) ?? []
            generator.mutate(&input, with: [[0, 0, 0xff, 0xff], [0xff]])
            let whole = try? gunzip([input], limit: 100_000)
            #expect((try? gunzip(generator.pieces(input), maximum: 50, limit: 100_000)) == whole)
        }
    }
}
