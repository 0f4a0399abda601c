import Testing
import WasmDecoder

/// The other sections (5.5.5 to 5.5.17).
@Suite struct SectionTests {
    @Test func emptyModule() throws {
        let module = try decode(Wasm.header)
        #expect(module.types.isEmpty && module.sections.isEmpty && module.start == nil)
    }

    @Test func imports() throws {
        let module = try decode(
            Wasm.module(
                Wasm.section(1, items: [Wasm.emptyFunctionType]),
                Wasm.section(
                    2,
                    items: [
                        Wasm.name("env") + Wasm.name("f") + [0x00, 0x00],
                        Wasm.name("env") + Wasm.name("t") + [0x01, 0x6f, 0x01, 0x01, 0x05],
                        Wasm.name("env") + Wasm.name("m") + [0x02, 0x03, 0x01, 0x02],
                        Wasm.name("env") + Wasm.name("g") + [0x03, 0x7e, 0x01],
                        Wasm.name("env") + Wasm.name("") + [0x04, 0x00, 0x00],
                    ])))
        let table = TableType(element: .externref, limits: Limits(minimum: 1, maximum: 5))
        let memory = MemoryType(limits: Limits(minimum: 1, maximum: 2), shared: true)
        let global = GlobalType(.i64, mutable: true)
        #expect(
            module.imports.map(\.type) == [
                .function(0), .table(table), .memory(memory), .global(global), .tag(0),
            ])
        #expect(module.imports.map(\.name) == ["f", "t", "m", "g", ""])
        #expect(module.functions == [0] && module.importedFunctionCount == 1)
        #expect(module.tables == [table] && module.importedTableCount == 1)
        #expect(module.memories == [memory] && module.importedMemoryCount == 1)
        #expect(module.globals == [global] && module.importedGlobalCount == 1)
        #expect(module.tags == [0] && module.importedTagCount == 1)
    }

    @Test func malformedImports() {
        let reason = { (bytes: [UInt8]) in
            failure(Wasm.module(Wasm.section(2, items: [[0x00, 0x00] + bytes])))?.reason
        }
        #expect(reason([0x05, 0x00]) == .malformedImportKind)
        #expect(reason([0x80, 0x00]) == .malformedImportKind)
        #expect(reason([0x04, 0x01, 0x00]) == .zeroByteExpected)
        #expect(reason([0x03, 0x7f, 0x02]) == .malformedMutability)
        #expect(reason([0x01, 0x7f, 0x00, 0x00]) == .malformedReferenceType)
    }

    @Test func limits() throws {
        let memories: [([UInt8], MemoryType)] = [
            ([0x00, 0x03], MemoryType(limits: Limits(minimum: 3))),
            ([0x01, 0x01, 0x02], MemoryType(limits: Limits(minimum: 1, maximum: 2))),
            ([0x04, 0x80, 0x01], MemoryType(limits: Limits(minimum: 128), addressType: .i64)),
            (
                [0x07, 0x00, 0x01],
                MemoryType(
                    limits: Limits(minimum: 0, maximum: 1), addressType: .i64, shared: true)
            ),
            ([0x08, 0x02, 0x00], MemoryType(limits: Limits(minimum: 2), pageSizeLog2: 0)),
            (
                [0x0f, 0x02, 0x03, 0x10],
                MemoryType(
                    limits: Limits(minimum: 2, maximum: 3), addressType: .i64, shared: true,
                    pageSizeLog2: 16)
            ),
            ([0x00] + Wasm.unsigned(.max), MemoryType(limits: Limits(minimum: .max))),
        ]
        let module = try decode(Wasm.module(Wasm.section(5, items: memories.map(\.0))))
        #expect(module.memories == memories.map(\.1))

        let reason = { (bytes: [UInt8], section: UInt8) in
            failure(Wasm.module(Wasm.section(section, items: [bytes])))?.reason
        }
        #expect(reason([0x10, 0x00], 5) == .malformedLimitsFlags)
        #expect(reason([0x81, 0x00, 0x00], 5) == .malformedLimitsFlags)
        #expect(reason([0x08, 0x00, 0x41], 5) == .invalidCustomPageSize)
        #expect(reason([0x70, 0x02, 0x00], 4) == .malformedLimitsFlags)
        #expect(reason([0x70, 0x08, 0x00], 4) == .malformedLimitsFlags)
    }

    @Test func tables() throws {
        let module = try decode(
            Wasm.module(
                Wasm.section(
                    4,
                    items: [
                        [0x70, 0x00, 0x01], [0x6f, 0x05, 0x01, 0x02],
                        [0x40, 0x00, 0x64, 0x70, 0x00, 0x01, 0xd2, 0x00, 0x0b],
                    ])))
        #expect(module.tableDefinitions.count == 3 && module.importedTableCount == 0)
        #expect(module.tables[1].addressType == .i64)
        #expect(module.tables[2].element == ReferenceType(.func, nullable: false))
        #expect(module.tableDefinitions[2].initializer?.range == ByteRange(start: 24, end: 27))
        #expect(module.tableDefinitions[1].initializer == nil)
        #expect(
            failure(Wasm.module(Wasm.section(4, items: [[0x40, 0x01, 0x70, 0x00, 0x00]])))?.reason
                == .zeroByteExpected)
    }

    @Test func globalsAndConstantExpressions() throws {
        let global = { (instructions: [UInt8]) in
            Wasm.module(Wasm.section(6, items: [[0x7f, 0x00] + instructions]))
        }
        let range = { (instructions: [UInt8]) in
            try decode(global(instructions)).globalDefinitions.first?.initializer.range.count
        }
        #expect(try range([0x41, 0x2a, 0x0b]) == 3)
        #expect(try range([0x41, 0x0b, 0x0b]) == 3)
        #expect(try range([0x41, 0x01, 0x41, 0x02, 0x6a, 0x0b]) == 6)
        #expect(try range([0xfd, 0x0c] + Array(repeating: 0x0b, count: 17)) == 19)
        #expect(try range([0x0b]) == 1)
        // Blocks are not constant, but validation must meet the whole expression.
        #expect(try range([0x02, 0x7f, 0x41, 0x00, 0x0b, 0x0b]) == 6)
        #expect(failure(global([0x41, 0x00]))?.reason == .unexpectedEnd)
        #expect(failure(global([0xff, 0x0b]))?.reason == .illegalOpcode)
        #expect(failure(global([0x41, 0x00, 0x0b, 0x0b]))?.reason == .sectionSizeMismatch)
    }

    @Test func exportsStartAndTags() throws {
        let module = try decode(
            Wasm.module(
                Wasm.section(1, items: [Wasm.emptyFunctionType]),
                Wasm.section(13, items: [[0x00, 0x00]]),
                Wasm.section(
                    7, items: [Wasm.name("a") + [0x00, 0x07], Wasm.name("b") + [0x04, 0x00]]),
                Wasm.section(8, [0x07])))
        #expect(module.exports.map(\.name) == ["a", "b"])
        #expect(module.exports.map(\.kind) == [.function, .tag])
        #expect(module.exports.map(\.index) == [7, 0])
        #expect(module.start == 7)
        #expect(module.tags == [0])
        #expect(
            failure(Wasm.module(Wasm.section(7, items: [Wasm.name("a") + [0x05, 0x00]])))?.reason
                == .malformedExportKind)
        #expect(
            failure(Wasm.module(Wasm.section(13, items: [[0x01, 0x00]])))?.reason
                == .zeroByteExpected)
    }

    @Test func elementSegments() throws {
        let zero: [UInt8] = [0x41, 0x00, 0x0b]
        let items: [[UInt8]] = [
            [0x00] + zero + [0x02, 0x05, 0x80, 0x01],
            [0x01, 0x00, 0x01, 0x05],
            [0x02, 0x03] + zero + [0x00, 0x00],
            [0x03, 0x00, 0x01, 0x05],
            [0x04] + zero + [0x01, 0xd2, 0x00, 0x0b],
            [0x05, 0x6f, 0x01, 0xd0, 0x6f, 0x0b],
            [0x06, 0x03] + zero + [0x6e, 0x00],
            [0x07, 0x64, 0x70, 0x02, 0xd2, 0x00, 0x0b, 0xd2, 0x01, 0x0b],
        ]
        let segments = try decode(Wasm.module(Wasm.section(9, items: items))).elementSegments
        let function = ReferenceType(.func, nullable: false)
        #expect(
            segments.map(\.type) == [
                function, function, function, function, .funcref, .externref,
                ReferenceType(.any, nullable: true), function,
            ])
        #expect(segments.map(\.count) == [2, 1, 0, 1, 1, 1, 0, 2])
        let modes = segments.map { segment in
            switch segment.mode {
            case .passive: "passive"
            case .declarative: "declarative"
            case .active(let table, let offset): "table \(table), \(offset.range.count) bytes"
            }
        }
        let first = "table 0, 3 bytes"
        let fourth = "table 3, 3 bytes"
        #expect(
            modes == [
                first, "passive", fourth, "declarative", first, "passive", fourth, "declarative",
            ])
        if case .functions(let range, _) = segments[0].items {
            #expect(range.count == 3)
        } else {
            Issue.record("functions expected")
        }
        if case .expressions(let range, _) = segments[7].items {
            #expect(range.count == 6)
        } else {
            Issue.record("expressions expected")
        }
        let reason = { (bytes: [UInt8]) in
            failure(Wasm.module(Wasm.section(9, items: [bytes])))?.reason
        }
        #expect(reason([0x08]) == .malformedElementSegmentKind)
        #expect(reason([0x01, 0x01, 0x00]) == .malformedElementKind)
        #expect(reason([0x05, 0x7f, 0x00]) == .malformedReferenceType)
    }

    @Test func dataSegments() throws {
        let zero: [UInt8] = [0x41, 0x00, 0x0b]
        let bytes = Wasm.module(
            Wasm.section(12, [0x03]),
            Wasm.section(
                11,
                items: [
                    [0x00] + zero + Wasm.name("abc"), [0x01] + Wasm.name("de"),
                    [0x02, 0x04] + zero + Wasm.name(""),
                ]))
        let module = try decode(bytes)
        #expect(module.dataCount == 3)
        #expect(module.dataSegments.map { module.bytes[$0.content].count } == [3, 2, 0])
        #expect(module.bytes[module.dataSegments[1].content] == Array("de".utf8))
        #expect(module.dataSegments[1].mode == .passive)
        if case .active(let memory, _) = module.dataSegments[2].mode {
            #expect(memory == 4)
        } else {
            Issue.record("active expected")
        }
        let reason = { (bytes: [UInt8]) in
            failure(Wasm.module(Wasm.section(11, items: [bytes])))?.reason
        }
        #expect(reason([0x03, 0x00]) == .malformedDataSegmentKind)
        #expect(reason([0x01, 0x02, 0x00]) == .unexpectedEnd)
        #expect(reason([0x01, 0x00, 0x00]) == .sectionSizeMismatch)
    }

    @Test func codeBodies() throws {
        let module = try decode(
            Wasm.module(
                Wasm.section(1, items: [Wasm.emptyFunctionType]),
                Wasm.section(3, items: [[0x00], [0x00]]),
                Wasm.section(10, items: [Wasm.body([0x0b]), Wasm.body([0x01, 0x0b])])))
        #expect(module.bodies.map { module.bytes[$0] } == [[0x00, 0x0b], [0x00, 0x01, 0x0b]])
        #expect(module.functionType(at: 1) == FunctionType())
        #expect(module.functionType(at: 2) == nil)
    }

    @Test func customSectionsAnywhere() throws {
        let bytes = Wasm.module(
            Wasm.custom("a", [1, 2]), Wasm.section(1, items: []), Wasm.custom("b", []),
            Wasm.section(7, items: []), Wasm.custom("c", [3]), Wasm.custom("c", [4]))
        let module = try decode(bytes)
        #expect(module.customSections.map(\.name) == ["a", "b", "c", "c"])
        #expect(module.customSections.map(\.position) == [0, 1, 2, 2])
        #expect(
            module.customSections.map { module.bytes[$0.content] } == [[1, 2], [], [3], [4]])
        #expect(module.sections.map(\.id) == [0, 1, 0, 7, 0, 0])
        #expect(module.sections.first?.range.start == 8)
        #expect(module.sections.last?.range.end == bytes.count)
        #expect(failure(Wasm.module(Wasm.section(0, [])))?.reason == .unexpectedEnd)
        #expect(failure(Wasm.module(Wasm.section(0, [0x02, 0x61])))?.reason == .lengthOutOfBounds)
        #expect(failure(Wasm.module(Wasm.section(0, [0x01, 0x80])))?.reason == .malformedUTF8)
    }
}
