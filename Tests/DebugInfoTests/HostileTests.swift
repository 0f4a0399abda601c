import Testing
import WasmDebugInfo
import WasmDecoder

/// Sections that lie: nothing may stop the process, or take long.
@Suite struct HostileTests {
    /// xorshift: the same damage in every run.
    private struct Random: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return state
        }
    }

    private func ask(_ info: DebugInfo, _ module: ParsedModule) -> Int {
        var known = 0
        for body in module.bodies {
            known += info.lines(in: body).count
            for offset in stride(from: body.start, to: body.end, by: 5) {
                if info.location(at: offset) != nil { known += 1 }
                known += info.frames(at: offset).count
            }
        }
        return known
    }

    @Test(arguments: 2...5)
    func damagedSections(version: Int) throws {
        let module = try Guest.module(dwarf: version)
        let sections = module.customSections.filter { $0.name.description.hasPrefix(".debug") }
        let places = sections.flatMap { Array($0.content.start..<$0.content.end) }
        let original = module.bytes[module.bytes.range]
        var random = Random(state: 0x5eed + UInt64(version))
        let whole = ask(try #require(DebugInfo(module)), module)
        var different = 0
        for _ in 0..<400 {
            var bytes = original
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let place = places.randomElement(using: &random) ?? 0
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes[place] = [0, 1, 0x7f, 0x80, 0xff].randomElement(using: &random) ?? 0
                default: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                }
            }
            let damaged = try decode(ModuleBytes(bytes))
            if let info = DebugInfo(damaged), ask(info, damaged) != whole { different += 1 }
        }
        // The damage was in places that matter.
        #expect(different > 50)
    }

    @Test func randomSections() throws {
        let names = [
            ".debug_abbrev", ".debug_addr", ".debug_info", ".debug_line", ".debug_line_str",
            ".debug_rnglists", ".debug_ranges", ".debug_str_offsets", ".debug_str",
        ]
        var random = Random(state: 77)
        for _ in 0..<400 {
            var module = SmallModule()
            for name in names {
                let count = Int.random(in: 0...200, using: &random)
                var content = (0..<count).map { _ in
                    // Small numbers lead further.
                    UInt8.random(in: 0...(Bool.random(using: &random) ? 31 : 255), using: &random)
                }
                if count > 8, name == ".debug_info" || name == ".debug_line" {
                    content[0...5] = [
                        UInt8(count - 4), 0, 0, 0, .random(in: 2...5, using: &random), 0,
                    ]
                }
                module.sections.append((name, content))
            }
            let parsed = try decode(ModuleBytes(module.bytes))
            let info = try #require(DebugInfo(parsed))
            _ = ask(info, parsed)
        }
    }

    @Test(.timeLimit(.minutes(1)))
    func unitsThatShareOneLargeTable() throws {
        // 40,000 units, each of whose abbreviations are almost all of a megabyte.
        var units: [UInt8] = []
        for index in 0..<40_000 {
            let content = little(4, 2) + little(UInt64(index * 5 % 1000), 4) + [4, 1, 0]
            units += little(UInt64(content.count), 4) + content
        }
        // No children, no attributes; five bytes each.
        let table = Array(repeating: [0x81, 1, 0x11, 0, 0, 0] as [UInt8], count: 200_000)
        let module = SmallModule(sections: [
            (".debug_line", lineUnit(Line.address(3) + Line.copy + Line.advance(5) + Line.end)),
            (".debug_info", units), (".debug_abbrev", Array(table.joined())),
        ])
        let info = try #require(try module.debugInfo())
        #expect(info.location(at: SmallModule.codeStart + 3)?.line == 1)
        #expect(info.frames(at: SmallModule.codeStart + 3).isEmpty)
    }

    /// A file of a byte would cost the host a hundred: those of a table that is far too large for the
    /// code are left out.
    @Test(
        .timeLimit(.minutes(1)),
        arguments: [(1, [], true), (60_000, [], true), (4_000_000, [], false)]
            + [(1, [UInt8](repeating: 0x19, count: 40), false)] as [(Int, [UInt8], Bool)])
    func filesWithoutNumber(count: Int, formats: [UInt8], isRead: Bool) throws {
        let program = Line.address(3) + [4, 0] + Line.copy + Line.advance(5) + Line.end
        let unit = lineUnit5(program, fileCount: count, formats: formats)
        // What follows is read all the same.
        let next = Line.address(20) + Line.copy + Line.advance(5) + Line.end
        let module = SmallModule(sections: [(".debug_line", unit + lineUnit(next))])
        let info = try #require(try module.debugInfo())
        #expect((info.location(at: SmallModule.codeStart + 3)?.description == "a.c:1") == isRead)
        #expect(info.location(at: SmallModule.codeStart + 20)?.description == "a.c:1")
    }

    @Test func functionsThatReferToThemselves() throws {
        // A unit and a function, both for all the code; the function's origin is itself.
        let abbreviations: [UInt8] =
            [1, 0x11, 1, 0x11, 0x01, 0x12, 0x06, 0, 0]
            + [2, 0x2e, 0, 0x11, 0x01, 0x12, 0x06, 0x31, 0x13, 0, 0, 0]
        let code = little(1, 4) + little(50, 4)
        let unit = little(4, 2) + little(0, 4) + [4] + [1] + code + [2] + code + little(20, 4) + [0]
        let module = SmallModule(sections: [
            (".debug_line", lineUnit(Line.address(3) + Line.copy + Line.advance(5) + Line.end)),
            (".debug_info", little(UInt64(unit.count), 4) + unit),
            (".debug_abbrev", abbreviations),
        ])
        let frames = try #require(try module.debugInfo()).frames(at: SmallModule.codeStart + 3)
        #expect(frames.map(\.function) == [nil])
        #expect(frames.map { $0.location?.description } == ["a.c:1"])
    }
}
