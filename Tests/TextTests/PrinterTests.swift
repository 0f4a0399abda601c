import Testing
import WasmDecoder

@testable import WasmText

@Suite struct PrinterTests {
    static let example = #"""
        (module $calc
          (type $bin (func (param i32 i32) (result i32)))
          (import "env" "log" (func $log (param i32)))
          (memory $m 1 2)
          (func $max (export "max") (type $bin) (param $a i32) (param $b i32) (result i32)
            (local $t i32) (local i64 i64)
            (call $log (i32.load offset=8 align=2 (i32.const -1)))
            (if $done (result i32) (i32.gt_s (local.get $a) (local.get $b))
              (then (br $done (local.get $a)))
              (else (local.get $b))))
          (data $greeting (i32.const 16) "hi\n\ff"))
        """#

    @Test func flat() throws {
        #expect(
            try TextPrinter().string(assemble(Self.example)) == #"""
                (module $calc
                  (type $bin (;0;) (func (param i32 i32) (result i32)))
                  (type (;1;) (func (param i32)))
                  (import "env" "log" (func $log (;0;) (type 1) (param i32)))
                  (memory $m (;0;) 1 2)
                  (export "max" (func $max))
                  (func $max (;1;) (type $bin) (param $a i32) (param $b i32) (result i32)
                    (local $t i32) (local i64 i64)
                    i32.const -1
                    i32.load offset=8 align=2
                    call $log
                    local.get $a
                    local.get $b
                    i32.gt_s
                    if $done (result i32)
                      local.get $a
                      br $done
                    else
                      local.get $b
                    end)
                  (data $greeting (;0;) (i32.const 16) "hi\0a\ff")
                )

                """#)
    }

    @Test func folded() throws {
        let lines = try printed(Self.example, TextPrinter(folded: true))
        #expect(
            lines[5...13] == [
                "(func $max (;1;) (type $bin) (param $a i32) (param $b i32) (result i32)",
                "  (local $t i32) (local i64 i64)",
                "  (call $log (i32.load offset=8 align=2 (i32.const -1)))",
                "  (if $done (result i32)",
                "    (i32.gt_s (local.get $a) (local.get $b))",
                "    (then",
                "      (br $done (local.get $a)))",
                "    (else",
                "      (local.get $b))))",
            ])
    }

    @Test func offsetsOfInstructions() throws {
        let text = "(func block nop end)"
        #expect(
            try printed(text, TextPrinter(offsets: true)) == [
                "(type (;0;) (func))", "(func (;0;) (type 0)", "  (;0x17;) block (;@1;)",
                "    (;0x19;) nop", "  (;0x1a;) end)",
            ])
        #expect(
            try printed(text, TextPrinter(folded: true, offsets: true)).suffix(2) == [
                "  (;0x17;) (block (;@1;)", "    (;0x19;) (nop)))",
            ])
    }

    @Test func withoutAndWithMadeUpNames() throws {
        let bare = try printed(Self.example, TextPrinter(names: .none)).joined()
        #expect(!bare.contains("$"))
        let text = "(func $f (param i32) (local $local0 i64) (block (br 0)))"
        let named = try printed(text, TextPrinter(names: .generated))
        #expect(
            named == [
                "(type $type0 (;0;) (func (param i32)))",
                "(func $f (;0;) (type $type0) (param $local00 i32)",
                "  (local $local0 i64)", "  block $label0", "    br $label0", "  end)",
            ])
        let again = assemble(
            try TextPrinter(names: .generated).string(assemble(Self.example)))
        #expect(try stripped(again) == stripped(assemble(Self.example)))
    }

    // MARK: Instructions

    /// Immediates that are not what a parser would put where there are none.
    private func immediates(_ info: InstructionInfo, _ out: inout ByteWriter) {
        switch info.immediates {
        case .none: break
        case .label, .function, .type, .local, .global, .table, .memory, .dataSegment,
            .elementSegment, .tag:
            out.append([3])
        case .callIndirect, .memoryInit, .memoryCopy, .tableInit, .tableCopy, .typeField,
            .typeCount, .typeData, .typeElement, .typeType:
            out.append([3, 4])
        case .labelTable: out.append([2, 1, 2, 0])
        case .memoryArgument: out.append([0x46, 2, 0x80, 0x01])
        case .memoryArgumentLane: out.append([0x46, 2, 0x80, 0x01, 1])
        case .lane: out.append([1])
        case .shuffle, .v128: out.append(1...16)
        case .i32, .i64: out.append([0xff, 0x7e])
        case .f32: out.append([0xdb, 0x0f, 0x49, 0x40])
        case .f64: out.append([0x18, 0x2d, 0x44, 0x54, 0xfb, 0x21, 0x09, 0x40])
        case .valueTypes: out.append([1, 0x63, 0])
        case .heapType: out.append([0x6e])
        case .castBranch: out.append([2, 1, 0x6e, 0x00])
        case .fence: out.append([0])
        case .blockType: out.append([0x7f])
        case .tryTable: out.append([0x40, 4, 0, 5, 0, 1, 6, 1, 2, 0, 3, 1])
        }
    }

    @Test func everyInstructionComesBack() throws {
        for opcode in Opcode.allCases {
            var body = ByteWriter()
            switch opcode {
            case .end: continue
            case .else: body.append([0x04, 0x40])
            case .catch, .catchAll, .delegate: body.append([0x06, 0x40])
            default: break
            }
            body.opcode(opcode)
            immediates(opcode.info, &body)
            switch opcode {
            case .block, .loop, .if, .else, .try, .catch, .catchAll, .tryTable: body.byte(0x0b)
            default: break
            }
            let usesData =
                switch opcode.info.immediates {
                case .dataSegment, .memoryInit, .typeData: true
                default: false
                }
            try expectSameBytes(module(body: body.bytes, usesData: usesData), opcode.name)
        }
    }

    @Test func indicesThatNeedNotBeSaid() throws {
        let text = """
            (memory 1) (memory $n 1) (table 1 funcref) (table $u 1 funcref) (data "") (elem func)
            (func (memory.fill $n) (memory.copy 0 $n) (memory.copy) (memory.init $n 0)
              (memory.init 0) (table.copy 0 1) (table.init $u 0) (table.init 0) (table.get $u)
              (table.get) (call_indirect $u) (call_indirect) (i32.load8_u $n align=1) (i32.load 1))
            """
        let binary = assemble(text)
        try expectSameBytes(binary)
        #expect(
            try printed(text).suffix(15).dropLast() == [
                "  memory.fill $n", "  memory.copy 0 $n", "  memory.copy", "  memory.init $n 0",
                "  memory.init 0", "  table.copy 0 $u", "  table.init $u 0", "  table.init 0",
                "  table.get $u", "  table.get", "  call_indirect $u (type 0)",
                "  call_indirect (type 0)", "  i32.load8_u $n", "  i32.load $n)",
            ])
    }

    @Test func numbers() throws {
        let floats = [
            "0.0", "-0.0", "1.0", "0.1", "1e-45", "3.4028235e+38", "inf", "-inf", "nan", "-nan",
            "nan:0x1", "-nan:0x7fffff", "nan:0x200000",
        ]
        for float in floats {
            let text = "(global f32 (f32.const \(float)))"
            #expect(try printed(text) == ["(global (;0;) f32 (f32.const \(float)))"])
            try expectSameBytes(assemble(text))
        }
        for float in ["5e-324", "1.7976931348623157e+308", "nan", "nan:0xfffffffffffff"] {
            let text = "(global f64 (f64.const \(float)))"
            #expect(try printed(text) == ["(global (;0;) f64 (f64.const \(float)))"])
        }
        for integer in [
            "0", "9", "10", "-1", "99999", "9223372036854775807", "-9223372036854775808",
        ] {
            let text = "(global i64 (i64.const \(integer)))"
            #expect(try printed(text) == ["(global (;0;) i64 (i64.const \(integer)))"])
        }
        #expect(
            try printed("(memory i64 0 18446744073709551615)") == [
                "(memory (;0;) i64 0 18446744073709551615)"
            ])
    }

    // MARK: Depth and damage

    @Test(arguments: [false, true]) func deepNestingNeedsNoStack(_ folded: Bool) throws {
        let depth = 100_000
        let blocks = [[UInt8]](repeating: [0x02, 0x40], count: depth).joined()
        let ends = [UInt8](repeating: 0x0b, count: depth)
        let chain = [UInt8](repeating: 0x45, count: depth)
        for body in [blocks + ends, [0x41, 0] + chain + [0x1a]] {
            let binary = module(body: Array(body))
            let text = try TextPrinter(folded: folded).string(binary)
            #expect(text.utf8.count < 300 * depth)
            #expect(assemble(text) == binary)
        }
    }

    @Test func malformedBodies() throws {
        // No end, an end too many, parts where they do not belong, an opcode that is none.
        let bodies: [[UInt8]] = [
            [0x02, 0x40], [0x0b, 0x01], [0x05], [0x02, 0x40, 0x05, 0x0b], [0x06, 0x40, 0x05, 0x0b],
            [0x04, 0x40, 0x05, 0x05, 0x0b], [0x06, 0x40, 0x19, 0x07, 0, 0x0b], [0x18, 0], [0x27],
        ]
        for body in bodies {
            let parsed = try decode(
                ModuleBytes(module(body: body)), features: [.all, .legacyExceptions])
            for printer in TextPrinter.faithful {
                #expect(throws: PrintingError.self) { try printer.print(parsed) }
            }
        }
    }

    @Test(arguments: 0..<4) func damagedModulesGiveTextOrAnError(_ seed: UInt64) throws {
        var random = TextMutationTests.Random(state: seed)
        let original = assemble(TextMutationTests.seeds[0])
        var printedCount = 0
        for _ in 0..<2000 {
            var binary = original
            for _ in 0...random.next(below: 3) {
                let at = 8 + random.next(below: binary.count - 8)
                binary[at] = UInt8(random.next(below: 256))
            }
            guard
                let module = try? decode(
                    ModuleBytes(binary), features: [.all, .legacyExceptions])
            else { continue }
            let names: TextPrinter.Names = random.next(below: 2) == 0 ? .section : .generated
            let printer = TextPrinter(folded: random.next(below: 2) == 0, names: names)
            guard let text = try? printer.print(module) else { continue }
            printedCount += 1
            // A type that is none cannot be written with parameters that have names; the rest can.
            if let again = try? parseModule(text),
                let module = try? decode(ModuleBytes(again), features: [.all, .legacyExceptions])
            {
                #expect(try printer.print(module) == text)
            }
        }
        #expect(printedCount > 100)
    }
}
