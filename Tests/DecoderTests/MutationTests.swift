import Testing
import WasmDecoder

/// Damaged modules end in a module or an error, always.
@Suite struct MutationTests {
    /// A module with something of everything.
    static let sample: [UInt8] = {
        let zero: [UInt8] = [0x41, 0x00, 0x0b]
        let body = Wasm.body([
            0x02, 0x40, 0x41, 0x00, 0x0d, 0x00, 0x41, 0x01, 0x0e, 0x01, 0x00, 0x00, 0x0b,
            0x1f, 0x40, 0x01, 0x02, 0x00, 0x0b, 0x41, 0x00, 0x28, 0x02, 0x80, 0x01, 0x1a,
            0xfd, 0x0c, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 0x1a,
            0xd0, 0x6e, 0xfb, 0x14, 0x6c, 0x1a, 0xfc, 0x09, 0x00, 0x44, 0, 0, 0, 0, 0, 0, 0, 0,
            0x1a, 0x0b,
        ])
        let names = Wasm.vector([[0x00, 0x01, 0x66]])
        return Wasm.module(
            Wasm.section(
                1,
                items: [
                    Wasm.emptyFunctionType, [0x60, 0x02, 0x7f, 0x63, 0x00, 0x01, 0x7b],
                    [
                        0x4e, 0x02, 0x50, 0x00, 0x5f, 0x01, 0x78, 0x01, 0x4f, 0x01, 0x02, 0x5e,
                        0x7f, 0,
                    ],
                ]),
            Wasm.section(
                2,
                items: [
                    Wasm.name("env") + Wasm.name("f") + [0x00, 0x00],
                    Wasm.name("env") + Wasm.name("m") + [0x02, 0x01, 0x01, 0x02],
                ]),
            Wasm.section(3, items: [[0x00], [0x00]]),
            Wasm.section(
                4,
                items: [
                    [0x70, 0x00, 0x01], [0x40, 0x00, 0x64, 0x70, 0x00, 0x01, 0xd2, 0x00, 0x0b],
                ]),
            Wasm.section(5, items: [[0x05, 0x01, 0x80, 0x02]]),
            Wasm.section(13, items: [[0x00, 0x00]]),
            Wasm.section(6, items: [[0x7f, 0x01] + zero, [0x7e, 0, 0x42, 0x80, 0x7f, 0x0b]]),
            Wasm.section(7, items: [Wasm.name("run") + [0x00, 0x01]]),
            Wasm.section(8, [0x01]),
            Wasm.section(
                9, items: [[0x00] + zero + [0x01, 0x00], [0x05, 0x70, 0x01, 0xd2, 0x00, 0x0b]]),
            Wasm.section(12, [0x01]),
            Wasm.section(10, items: [body, Wasm.body([0x0b])]),
            Wasm.section(11, items: [[0x00] + zero + Wasm.name("data")]),
            Wasm.custom(
                "name", Wasm.section(0, Wasm.name("m")) + Wasm.section(1, names)),
            Wasm.custom("metadata.code.branch_hint", Wasm.vector([[0, 1, 5, 1, 1]])))
    }()

    /// Decodes everything that there is to decode; what comes out does not matter.
    static func exercise(_ bytes: [UInt8], features: Features = .all) throws(DecodingError) {
        let module = try decode(bytes, features: features)
        _ = module.names()?.functions.all
        _ = module.branchHints()
        _ = module.producers()
        for range in module.bodies {
            var reader = module.reader(of: range)
            try reader.forEachLocalGroup { (_, _) throws(DecodingError) in }
            while !reader.isAtEnd { try reader.skipImmediates(of: try reader.opcode()) }
        }
    }

    @Test func sampleIsWhole() throws {
        try Self.exercise(Self.sample)
        let module = try decode(Self.sample)
        #expect(module.sections.count == 15)
        #expect(module.names()?.functions[0] == "f")
        #expect(module.branchHints().count == 1)
    }

    /// No prefix of the module is a module, but for those that end with a section.
    @Test func truncations() throws {
        let ends = Set(try decode(Self.sample).sections.map(\.range.end)).union([8])
        for count in 0..<Self.sample.count {
            let error = failure(Array(Self.sample.prefix(count)))
            if let error {
                #expect(error.offset <= count)
            } else {
                #expect(ends.contains(count))
            }
        }
    }

    @Test func everyByteReplaced() {
        for index in Self.sample.indices {
            for byte: UInt8 in [0x00, 0x01, 0x40, 0x7f, 0x80, 0xff, 0x0b, 0xfd] {
                var bytes = Self.sample
                bytes[index] = byte
                check(bytes)
            }
        }
    }

    @Test(arguments: 1...8)
    func randomMutations(seed: UInt64) {
        var random = SeededGenerator(seed: seed &* 0x9e37_79b9_7f4a_7c15)
        for _ in 0..<2_500 {
            var bytes = Self.sample
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                mutate(&bytes, using: &random)
            }
            let features =
                random.next() % 4 == 0
                ? Features(rawValue: .random(in: 0...0x7ffff, using: &random)) : .all
            check(bytes, features: features)
        }
    }

    private func mutate(_ bytes: inout [UInt8], using random: inout SeededGenerator) {
        guard !bytes.isEmpty else { return }
        let index = Int.random(in: 0..<bytes.count, using: &random)
        switch random.next() % 6 {
        case 0: bytes[index] = UInt8.random(in: 0...255, using: &random)
        case 1: bytes[index] ^= 1 << UInt8.random(in: 0...7, using: &random)
        case 2: bytes.remove(at: index)
        case 3: bytes.insert(UInt8.random(in: 0...255, using: &random), at: index)
        case 4: bytes.insert(contentsOf: [0xff, 0xff, 0xff, 0xff, 0x0f], at: index)
        default:
            let other = Int.random(in: index..<bytes.count, using: &random)
            bytes.replaceSubrange(index..<other, with: bytes[index..<other].reversed())
        }
    }

    /// Errors stand inside the file.
    private func check(_ bytes: [UInt8], features: Features = .all) {
        do throws(DecodingError) {
            try Self.exercise(bytes, features: features)
        } catch {
            if !(0...bytes.count).contains(error.offset) { Issue.record("\(error)") }
        }
    }
}
