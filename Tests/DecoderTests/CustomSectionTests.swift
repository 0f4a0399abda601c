import Testing
import WasmDecoder

@Suite struct CustomSectionTests {
    private func map(_ names: [(UInt64, String)]) -> [UInt8] {
        Wasm.vector(names.map { Wasm.unsigned($0.0) + Wasm.name($0.1) })
    }

    private func named(_ content: [UInt8]) throws -> NameSection? {
        try decode(Wasm.module(Wasm.custom("name", content))).names()
    }

    @Test func allSubsections() throws {
        let section = { (id: UInt8, content: [UInt8]) in Wasm.section(id, content) }
        let indirect = Wasm.vector([Wasm.unsigned(3) + map([(0, "x"), (2, "y")])])
        let content: [[UInt8]] = [
            section(0, Wasm.name("mödule")), section(1, map([(0, "f"), (300, "g")])),
            section(2, indirect), section(3, indirect), section(4, map([(1, "t")])),
            section(5, map([(2, "table")])), section(6, map([(3, "memory")])),
            section(7, map([(4, "global")])), section(8, map([(5, "elem")])),
            section(9, map([(6, "data")])), section(10, indirect), section(11, map([(7, "tag")])),
            section(99, [1, 2, 3]),
        ]
        let names = try #require(try named(content.flatMap { $0 }))
        #expect(names.module?.description == "mödule")
        #expect(names.functions[0] == "f" && names.functions[300] == "g")
        #expect(names.functions[1] == nil && names.functions[301] == nil)
        #expect(names.functions.all.map(\.index) == [0, 300])
        #expect(names.locals[3]?[2] == "y" && names.locals[3]?[1] == nil && names.locals[0] == nil)
        #expect(names.labels.indices == [3])
        #expect(names.types[1] == "t" && names.tables[2] == "table")
        #expect(names.memories[3] == "memory" && names.globals[4] == "global")
        #expect(names.elementSegments[5] == "elem" && names.dataSegments[6] == "data")
        #expect(names.fields[3]?[0] == "x" && names.tags[7] == "tag")
    }

    /// Not what the format says, but harmless.
    @Test func unsortedNames() throws {
        let names = try named(Wasm.section(1, map([(5, "e"), (1, "a"), (3, "c"), (1, "z")])))
        #expect(names?.functions[1] == "a")
        #expect(names?.functions[3] == "c" && names?.functions[5] == "e")
        #expect(names?.functions.count == 4)
    }

    @Test func malformedNamesAreNoNames() throws {
        #expect(try decode(Wasm.header).names() == nil)
        for content: [UInt8] in [
            [0x01], [0x01, 0x05, 0x00], Wasm.section(1, [0x02, 0x00, 0x01, 0x61]),
            Wasm.section(1, [0x01, 0x00, 0x01, 0xff]), Wasm.section(0, [0x05, 0x61]),
            Wasm.section(2, [0xff, 0xff, 0xff, 0xff, 0x0f]),
        ] {
            #expect(try named(content) == nil)
        }
    }

    @Test func branchHints() throws {
        let content = Wasm.vector([
            [0x02] + Wasm.vector([[0x05, 0x01, 0x00], [0x09, 0x01, 0x01]]),
            [0x80, 0x01] + Wasm.vector([[0x80, 0x02, 0x01, 0x01]]),
        ])
        let name = "metadata.code.branch_hint"
        let hints = try decode(Wasm.module(Wasm.custom(name, content))).branchHints()
        #expect(
            hints[2] == [
                BranchHint(offset: 5, isLikely: false), BranchHint(offset: 9, isLikely: true),
            ])
        #expect(hints[128] == [BranchHint(offset: 256, isLikely: true)])
        for bad: [UInt8] in [
            [], [0x01], content + [0x00], [0x01, 0x02, 0x01, 0x05, 0x02, 0x00, 0x00],
            [0x01, 0x02, 0x01, 0x05, 0x01, 0x02],
        ] {
            #expect(try decode(Wasm.module(Wasm.custom(name, bad))).branchHints().isEmpty)
        }
        #expect(try decode(Wasm.header).branchHints().isEmpty)
    }

    @Test func producers() throws {
        let content = Wasm.vector([
            Wasm.name("language") + Wasm.vector([Wasm.name("C11") + Wasm.name("")]),
            Wasm.name("processed-by")
                + Wasm.vector([Wasm.name("clang") + Wasm.name("19.1"), Wasm.name("x") + [0x00]]),
        ])
        let fields = try decode(Wasm.module(Wasm.custom("producers", content))).producers()
        #expect(fields.map(\.name) == ["language", "processed-by"])
        #expect(fields.last?.values.first?.version == "19.1")
        #expect(try decode(Wasm.module(Wasm.custom("producers", [5]))).producers().isEmpty)
    }
}
