import Testing
import WasmDecoder

@testable import WasmText

@Suite struct InstructionTests {
    @Test func everyInstructionHasItsOpcode() throws {
        for opcode in Opcode.allCases {
            let info = opcode.info
            guard info.immediates == .none, opcode != .else, opcode != .end, opcode != .catchAll
            else { continue }
            #expect(try body(opcode.name) == encoding(opcode), "\(opcode)")
        }
    }

    @Test func accessesAreAlignedUnlessTheySayOtherwise() throws {
        for opcode in Opcode.allCases {
            let info = opcode.info
            switch info.immediates {
            case .memoryArgument:
                #expect(try body(opcode.name) == encoding(opcode) + [info.accessLog2, 0])
            case .memoryArgumentLane:
                #expect(try body("\(opcode.name) 1") == encoding(opcode) + [info.accessLog2, 0, 1])
            case .lane: #expect(try body("\(opcode.name) 1") == encoding(opcode) + [1])
            default: break
            }
        }
    }

    private func encoding(_ opcode: Opcode) -> [UInt8] {
        var writer = ByteWriter()
        writer.opcode(opcode)
        return writer.bytes
    }

    @Test func foldedInstructionsAreFlatOnes() throws {
        let pairs = [
            ("(i32.add (i32.const 1) (i32.const 2)) drop", "i32.const 1 i32.const 2 i32.add drop"),
            (
                "(drop (if (result i32) (i32.const 0) (then (i32.const 1)) (else (i32.const 2))))",
                "i32.const 0 if (result i32) i32.const 1 else i32.const 2 end drop"
            ),
            ("(if (i32.const 0) (i32.eqz) (then nop))", "i32.const 0 i32.eqz if nop end"),
            (
                "(block $a (loop $b (br $a) (br_if $b (i32.const 0)) br 0))",
                "block loop br 1 i32.const 0 br_if 0 br 0 end end"
            ),
            (
                "(block $a (br_if $a (block $b (result i32) (br $b (i32.const 0)))))",
                "block block (result i32) i32.const 0 br 0 end br_if 0 end"
            ),
            (
                "(try $t (do nop) (catch 0 drop) (catch_all (rethrow $t)))",
                "try $t nop catch 0 drop catch_all rethrow $t end"
            ),
            ("(try $o (do (try $i (do) (delegate $o))))", "try $o try $i delegate 0 end"),
            (
                "(select (result i32) (i32.const 1) (i32.const 2) (i32.const 3)) drop",
                "i32.const 1 i32.const 2 i32.const 3 select (result i32) drop"
            ),
        ]
        for (folded, flat) in pairs {
            #expect(
                try body(folded, fields: "(tag (param i32))")
                    == body(flat, fields: "(tag (param i32))"), "\(folded)")
        }
    }

    @Test func labels() throws {
        #expect(
            try body("block $a block $a br $a end $a br $a end $a")
                == [0x02, 0x40, 0x02, 0x40, 0x0c, 0, 0x0b, 0x0c, 0, 0x0b])
        #expect(try body("i32.const 0 if $a else $a end $a").last == 0x0b)
        #expect(reason("(func block $a end $b)") == .labelMismatch)
        #expect(reason("(func block end $b)") == .labelMismatch)
        #expect(reason("(func i32.const 0 if $a else $b end)") == .labelMismatch)
        #expect(reason("(func block $a end br $a)") == .unknownIdentifier(.label))
        // The condition of a folded `if` is outside of its label.
        #expect(reason("(func (if $a (br $a) (then)))") == .unknownIdentifier(.label))
        #expect(reason("(func (try_table $a (catch_all $a)))") == .unknownIdentifier(.label))
    }

    @Test func memoryArguments() throws {
        let fields = "(memory $m 1) (memory $n 1)"
        #expect(try body("i32.load", fields: fields) == [0x28, 2, 0])
        #expect(try body("i32.load offset=0x10 align=1", fields: fields) == [0x28, 0, 16])
        #expect(try body("i32.load $n offset=1", fields: fields) == [0x28, 0x42, 1, 1])
        #expect(
            try body("i32.load offset=0xffff_ffff_ffff_ffff", fields: fields)
                == [0x28, 2] + [UInt8](repeating: 0xff, count: 9) + [1])
        #expect(try body("v128.load8_lane 3", fields: fields) == [0xfd, 84, 0, 0, 3])
        #expect(try body("v128.load8_lane 1 3", fields: fields) == [0xfd, 84, 0x40, 1, 0, 3])
        #expect(
            try body("v128.load8_lane $n offset=2 3", fields: fields)
                == [0xfd, 84, 0x40, 1, 2, 3])
        #expect(
            try body("v128.load8_lane 1 offset=2 3", fields: fields)
                == [0xfd, 84, 0x40, 1, 2, 3])
        #expect(try body("memory.copy $n $m", fields: fields) == [0xfc, 10, 1, 0])
        #expect(
            try body("memory.init $n 0", fields: fields + #"(data "")"#) == [0xfc, 8, 0, 1])
        #expect(reason("(func i32.load align=3)") == .alignmentNotPowerOfTwo)
        #expect(reason("(func i32.load align=0)") == .alignmentNotPowerOfTwo)
        #expect(reason("(func v128.load8_lane 256)") == .malformedLaneIndex)
    }

    @Test func casts() throws {
        #expect(try body("ref.test (ref any)") == [0xfb, 20, 0x6e])
        #expect(try body("ref.test anyref") == [0xfb, 21, 0x6e])
        #expect(try body("ref.cast (ref 0)", fields: "(type (struct))") == [0xfb, 22, 0])
        #expect(try body("ref.cast (ref null 0)", fields: "(type (struct))") == [0xfb, 23, 0])
        #expect(
            try body("block br_on_cast 0 anyref (ref i31) end").prefix(7)
                == [0x02, 0x40, 0xfb, 24, 1, 0, 0x6e])
    }

    @Test func vectorsInAllShapes() throws {
        let bytes = (0..<16).map { UInt8($0) }
        let texts = [
            "i8x16 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15",
            "i16x8 0x0100 0x0302 0x0504 0x0706 0x0908 0x0b0a 0x0d0c 0x0f0e",
            "i32x4 0x03020100 0x07060504 0x0b0a0908 0x0f0e0d0c",
            "i64x2 0x0706050403020100 0x0f0e0d0c0b0a0908",
        ]
        for text in texts { #expect(try body("v128.const \(text)") == [0xfd, 12] + bytes) }
        #expect(
            try body("v128.const f32x4 1 -inf nan nan:0x1")
                == [
                    0xfd, 12, 0, 0, 0x80, 0x3f, 0, 0, 0x80, 0xff, 0, 0, 0xc0, 0x7f, 1, 0, 0x80,
                    0x7f,
                ])
        #expect(
            try body("v128.const f64x2 0 -0x1p-1074").suffix(8) == [1, 0, 0, 0, 0, 0, 0, 0x80])
        #expect(
            try body("i8x16.shuffle 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 31")
                == [0xfd, 13] + bytes.dropLast() + [31])
    }

    @Test func exceptionsAndThreads() throws {
        #expect(
            try body(
                "(block $l (try_table $t (catch 0 $l) (catch_ref 0 0) (catch_all 0)"
                    + "(catch_all_ref $l) nop))", fields: "(tag)")
                == [
                    0x02, 0x40, 0x1f, 0x40, 4, 0, 0, 0, 1, 0, 0, 2, 0, 3, 0, 0x01, 0x0b, 0x0b,
                ])
        #expect(try body("atomic.fence") == [0xfe, 3, 0])
        #expect(
            try body("i32.atomic.rmw8.add_u offset=4", fields: "(memory 1 1 shared)")
                == [0xfe, 0x20, 0, 4])
        #expect(try body("i64.add128 i64.mul_wide_s") == [0xfc, 19, 0xfc, 21])
    }

    @Test func structuresAndArrays() throws {
        let fields =
            "(type $s (struct (field $a i32) (field $b i32))) (type $v (array i8)) (data $d)"
        #expect(try body("struct.get $s $b", fields: fields) == [0xfb, 2, 0, 1])
        #expect(try body("struct.get 0 1", fields: fields) == [0xfb, 2, 0, 1])
        #expect(try body("array.new_fixed $v 3", fields: fields) == [0xfb, 8, 1, 3])
        #expect(try body("array.new_data $v $d", fields: fields) == [0xfb, 9, 1, 0])
        #expect(
            refusal("(type $s (struct (field $a i32))) (func struct.get $s $b)")
                == "unknown field: $b")
    }

    @Test func dataCountSectionWhereNeeded() throws {
        #expect(try decoded(#"(memory 1) (data "a")"#).dataCount == nil)
        #expect(try decoded(#"(memory 1) (data "a") (func data.drop 0)"#).dataCount == 1)
        let arrays = #"(type $v (array i8)) (data "") "#
        #expect(try decoded(arrays + "(func array.new_data $v 0)").dataCount == 1)
        let global = "(global (ref $v) (array.new_data $v 0 (i32.const 0) (i32.const 0)))"
        #expect(try decoded(arrays + global).dataCount == nil)
    }
}
