import Testing
import WasmText

@testable import WasmInterpreter

/// Instructions that do the work of two or three: that they are used, and that they do the same.
@Suite struct FusionTests {
    /// A module with a page of memory, which holds i32 (index times 3) from address 0 on.
    private struct Program {
        let house = TextHouse()
        let module: Module
        let instance: Instance

        /// - Parameter function: parameters, results and body of the function `f`.
        init(_ function: String, fields: String = "") throws {
            let bytes = (0..<64).flatMap { index in
                (0..<4).map { UInt8(truncatingIfNeeded: (index * 3) >> ($0 * 8)) }
            }
            let data = bytes.map { "\\" + Value.hex(UInt64($0)).suffix(2) }.joined()
            module = try house.module(
                "(func (export \"f\") \(function)) (memory 1) (data (i32.const 0) \"\(data)\") "
                    + "(func (export \"load\") (param i32) (result i32) (i32.load (local.get 0))) "
                    + fields)
            instance = try house.linker.instantiate(module, in: house.store)
        }

        /// Register code of `f`, one line an instruction.
        func code() throws -> [String] { try #require(module.registerCode(of: 0)).map(\.text) }
    }

    // MARK: Addresses

    @Test func staticArraysAreAddresses() throws {
        let slot = try Program(
            "(param i32) (result i32)"
                + "(i32.load (i32.add (i32.shl (local.get 0) (i32.const 2)) (i32.const 40)))")
        #expect(try slot.code() == ["i32.load r, s0<<2, #40", "return r, #1"])
        #expect(try slot.instance.number("f", 5) == 45)
        // The sum wraps.
        #expect(try slot.instance.number("f", -10) == 0)
        #expect(throws: Trap.self) { try slot.instance.number("f", -11) }

        let register = try Program(
            "(param i32) (result i32)"
                + "(i32.load16_u offset=2 (i32.add (i32.shl (i32.xor (local.get 0) (i32.const 1))"
                + "(i32.const 1)) (i32.const 40)))")
        #expect(
            try register.code() == [
                "i32.xor r, s0, #1", "i32.load16_u r, r<<1, #2, #40", "return r, #1",
            ])
        #expect(try register.instance.number("f", 2) == 36)
        #expect(try register.instance.number("f", 4) == 39)
    }

    @Test func elementsAreAddresses() throws {
        let slots = try Program(
            "(param i32 i32) (result i32)"
                + "(i32.load offset=8 (i32.add (local.get 0)"
                + "(i32.shl (local.get 1) (i32.const 2))))")
        #expect(try slots.code() == ["i32.load r, s0, s1<<2, #8", "return r, #2"])
        #expect(try slots.instance.number("f", 4, 3) == 18)
        #expect(throws: Trap.self) { try slots.instance.number("f", 0, 16_384) }

        let register = try Program(
            "(param i32 i32) (result i32)"
                + "(i32.load (i32.add (i32.xor (local.get 0) (i32.const 4))"
                + "(i32.shl (local.get 1) (i32.const 2))))")
        #expect(try register.instance.number("f", 0, 3) == 12)
        #expect(try register.instance.number("f", 4, 3) == 9)

        let store = try Program(
            "(param i32 i32) (result i32)"
                + "(i32.store (i32.add (local.get 0) (i32.shl (local.get 1) (i32.const 2)))"
                + "(local.get 1)) (i32.load (i32.const 20))")
        #expect(try store.code().first == "i32.store s0, s1<<2, #0, s1")
        #expect(try store.instance.number("f", 8, 3) == 3)
    }

    @Test func largeImmediatesArePartOfAddresses() throws {
        let slot = try Program(
            "(param i32) (result i32) (i32.load (i32.add (local.get 0) (i32.const 65480)))")
        #expect(try slot.code() == ["i32.load r, s0, #65480", "return r, #1"])
        #expect(try slot.instance.number("f", -65480 + 8) == 6)

        let register = try Program(
            "(param i32) (result i32)"
                + "(i32.load offset=4 (i32.add (i32.mul (local.get 0) (i32.const 12))"
                + "(i32.const -65524)))")
        #expect(
            try register.code() == [
                "i32.mul r, s0, #12", "i32.load r, r, #4, #-65524", "return r, #1",
            ])
        #expect(try register.instance.number("f", 5461) == 9)
        #expect(throws: Trap.self) { try register.instance.number("f", 0) }
    }

    // MARK: Memory to memory

    @Test(arguments: ["i32.load8_u i32.store8", "i32.load i32.store"])
    func loadedValuesAreStored(_ instructions: String) throws {
        let names = instructions.split(separator: " ")
        let program = try Program(
            "(param i32 i32) (result i32)"
                + "(\(names[1]) offset=4 (local.get 0) (\(names[0]) offset=8 (local.get 1)))"
                + "(i32.load (i32.const 0))")
        #expect(try program.code().count == 3)
        #expect(try program.code()[0].hasPrefix("move"))
        // To 8 from 60, which is 45 and fits a byte.
        _ = try program.instance.number("f", 4, 52)
        #expect(try program.instance.number("load", 8) == 45)
        // Neither address wraps; what cannot be stored changes nothing.
        #expect(throws: Trap.self) { try program.instance.number("f", -4, 12) }
        #expect(throws: Trap.self) { try program.instance.number("f", 4, -8) }
        #expect(try program.instance.number("load", 8) == 45)
    }

    // MARK: Branches

    @Test func negatedComparisonsOfFloatsFuse() throws {
        let program = try Program(
            "(param f32 f32) (result i32)"
                + "(block (br_if 0 (i32.eqz (f32.le (local.get 0) (local.get 1))))"
                + "(return (i32.const 1))) (i32.const 0)")
        #expect(try program.code()[0].hasPrefix("f32.not_le s0, s1"))
        let nan = Float.nan
        for (a, b) in [(1, 2), (2, 1), (2, 2), (nan, 1), (1, nan)] as [(Float, Float)] {
            #expect(try program.instance.call("f", .f32(a), .f32(b)) == [.i32(a <= b ? 1 : 0)])
        }
    }

    @Test func negatedTestsFuse() throws {
        let bits = try Program(
            "(param i64) (result i32)"
                + "(block (br_if 0 (i64.eqz (i64.and (local.get 0) (i64.const 0x80000001))))"
                + "(return (i32.const 1))) (i32.const 0)")
        #expect(try bits.code()[0].hasPrefix("i32.test_not s0, #2147483649"))
        for value in [0, 1, 2, 0x8000_0000, 0x1_0000_0000, -1] as [Int64] {
            let expected: Int32 = value & 0x8000_0001 == 0 ? 0 : 1
            #expect(try bits.instance.call("f", .i64(value)) == [.i32(expected)])
        }

        let load = try Program(
            "(param i32) (result i32)"
                + "(block (br_if 0 (i32.eqz (i32.load8_u offset=4 (local.get 0))))"
                + "(return (i32.const 1))) (i32.const 0)")
        #expect(try load.code()[0].hasPrefix("i32.load8_u.br_unless"))
        #expect(try load.instance.number("f", 0) == 1)
        #expect(try load.instance.number("f", 1) == 0)
    }

    @Test func loadsFuseWithComparisonsAndBranches() throws {
        let immediate = try Program(
            "(param i32) (result i32)"
                + "(block (br_if 0 (i32.gt_u (i32.load (local.get 0)) (i32.const 15)))"
                + "(return (i32.const 1))) (i32.const 0)")
        #expect(try immediate.code().count == 3)
        #expect(try immediate.instance.number("f", 20) == 1)
        #expect(try immediate.instance.number("f", 24) == 0)
        #expect(throws: Trap.self) { try immediate.instance.number("f", -1) }

        // The loaded value stays in its local.
        let local = try Program(
            "(param i32 i32) (result i32) (local i32)"
                + "(block (br_if 0 (i32.ne (local.tee 2 (i32.load8_u (local.get 0)))"
                + "(local.get 1))) (return (i32.const -1))) (local.get 2)")
        #expect(try local.code().count == 3)
        #expect(try local.instance.number("f", 8, 6) == -1)
        #expect(try local.instance.number("f", 8, 5) == 6)

        let bits = try Program(
            "(param i32) (result i32)"
                + "(block (br_if 0 (i32.and (i32.load16_u (local.get 0)) (i32.const 8)))"
                + "(return (i32.const 1))) (i32.const 0)")
        #expect(try bits.code().count == 3)
        #expect(try bits.instance.number("f", 4) == 1)
        #expect(try bits.instance.number("f", 12) == 0)
    }

    @Test func loopsOfLoadsEndInOneInstruction() throws {
        let program = try Program(
            "(param i32) (result i32)"
                + "(loop (local.set 0 (i32.add (local.get 0) (i32.const 4)))"
                + "(br_if 0 (i32.ne (i32.load (local.get 0)) (i32.const 45)))) (local.get 0)")
        #expect(try program.instance.number("f", 0) == 60)
        program.house.store.fuel = 5
        #expect(throws: Trap.self) { try program.instance.number("f", 0) }
    }

    @Test func selectorsOfTablesAreSums() throws {
        let program = try Program(
            "(param i32) (result i32)"
                + "(block (block (block (br_table 0 1 2 (i32.add (local.get 0) (i32.const -7))))"
                + "(return (i32.const 10))) (return (i32.const 11))) (i32.const 12)")
        #expect(try program.code()[0].hasPrefix("br_table s0, #-7"))
        for (selector, result) in [(7, 10), (8, 11), (9, 12), (6, 12), (-1, 12)] as [(Int32, Int32)]
        {
            #expect(try program.instance.number("f", selector) == result)
        }
    }

    /// A sum of floats whose bits select is no sum of integers, though its constant is a small number.
    @Test func selectorsAreNoSumsOfFloats() throws {
        let program = try Program(
            "(param i32) (result i32)"
                + "(block (block (block (br_table 0 1 2 (i32.reinterpret_f32 (f32.add (f32.mul"
                + "(f32.reinterpret_i32 (local.get 0)) (f32.const 1)) (f32.const 0)))))"
                + "(return (i32.const 10))) (return (i32.const 11))) (i32.const 12)")
        // 0, -0 (the sum is 0), the least number above, 1
        for (bits, result) in [(0, 10), (.min, 10), (1, 11), (0x3f80_0000, 12)] as [(Int32, Int32)]
        {
            #expect(try program.instance.number("f", bits) == result)
        }
    }

    // MARK: The stack pointer

    @Test func stackPointersMoveInOneInstruction() throws {
        let program = try Program(
            "(param i32) (result i32) (local i32)"
                + "(global.set 0 (local.tee 1 (i32.sub (global.get 0) (i32.const 16))))"
                + "(i32.store (local.get 1) (local.get 0))"
                + "(global.set 0 (i32.add (local.get 1) (i32.const 16)))"
                + "(i32.sub (global.get 0) (local.get 1))",
            fields: "(global (mut i32) (i32.const 1024))")
        let code = try program.code()
        #expect(code.count == 6)
        #expect(code[0].hasPrefix("global.add s3, "))
        #expect(code[2].hasPrefix("global.set.add "))
        #expect(try program.instance.number("f", 77) == 16)
        #expect(try program.instance.number("load", 1008) == 77)
        // Another global stays what it is.
        let two = try Program(
            "(result i32) (local i32)"
                + "(global.set 1 (local.tee 0 (i32.add (global.get 0) (i32.const -16))))"
                + "(i32.add (global.get 0) (global.get 1))",
            fields: "(global (mut i32) (i32.const 1024)) (global (mut i32) (i32.const 1))")
        #expect(try two.instance.number("f") == 2032)
    }

    // MARK: Wide constants

    @Test func wideImmediatesAreOperands() throws {
        let program = try Program(
            "(param i64) (result i64)"
                + "(i64.mul (i64.xor (local.get 0) (i64.const 0x123456789abcdef))"
                + "(i64.const 1099511628211))")
        #expect(try program.code().count == 3)
        let expected = (7 ^ 0x0123_4567_89ab_cdef) &* Int64(1_099_511_628_211)
        #expect(try program.instance.call("f", .i64(7)) == [.i64(expected)])
    }

    @Test func narrowResultsNeedNoWrapping() throws {
        let program = try Program(
            "(param i64) (result i64)"
                + "(i64.extend_i32_u (i32.wrap_i64 (i64.shr_u (local.get 0) (i64.const 46))))")
        #expect(try program.code() == ["i64.shr_u r, s0, #46", "return r, #1"])
        #expect(try program.instance.call("f", .i64(-1)) == [.i64(0x3ffff)])
        let wide = try Program(
            "(param i64) (result i64)"
                + "(i64.extend_i32_u (i32.wrap_i64 (i64.shr_u (local.get 0) (i64.const 31))))")
        #expect(try wide.instance.call("f", .i64(-1)) == [.i64(0xffff_ffff)])
    }

    // MARK: Two of a kind

    @Test func loadsComeInPairs() throws {
        let program = try Program(
            "(param i32 i32) (result i32)"
                + "(i32.sub (i32.load offset=4 (local.get 0)) (i32.load offset=8 (local.get 1)))")
        #expect(
            try program.code() == [
                "i32.load2 r, s1, #8, s4, s0, #4", "i32.sub r, s4, r", "return r, #2",
            ])
        #expect(try program.instance.number("f", 40, 8) == 33 - 12)
        #expect(throws: Trap.self) { try program.instance.number("f", -1, 8) }
        #expect(throws: Trap.self) { try program.instance.number("f", 40, -1) }

        // What is on the stack keeps the value that the local had between the two.
        let local = try Program(
            "(param i32 i32) (result i32)"
                + "(local.tee 0 (i32.load8_u offset=4 (local.get 1)))"
                + "(local.set 0 (i32.load8_u offset=8 (local.get 1)))"
                + "(i32.shl (i32.const 4)) (i32.add (local.get 0))")
        #expect(try local.instance.number("f", 0, 8) == 9 << 4 + 12)
    }

    @Test func chainsOfLoadsFollowTheirPointers() throws {
        let program = try Program(
            "(param i32) (result i32)"
                + "(local.set 0 (i32.load (local.get 0)))"
                + "(i32.load offset=4 (local.get 0))")
        // From 16 to 12, from there to what is at 16.
        #expect(try program.instance.number("f", 16) == 12)
    }

    @Test func sumsComeInPairs() throws {
        let program = try Program(
            "(param i32) (result i32) (local i32 i32)"
                + "(local.set 1 (i32.add (local.get 0) (i32.const 100000)))"
                + "(local.set 2 (i32.add (local.get 0) (i32.const -7)))"
                + "(i32.xor (local.get 1) (local.get 2))")
        #expect(try program.code()[0] == "i32.sum2 s3, s0, #100000, s4, s0, #-7")
        #expect(try program.instance.number("f", 5) == 100_005 ^ -2)

        // The second reads what the first wrote; then an increment before.
        let chain = try Program(
            "(param i32) (result i32) (local i32)"
                + "(local.set 0 (i32.add (local.get 0) (i32.const 1)))"
                + "(local.set 1 (i32.add (local.get 0) (i32.const 2)))"
                + "(i32.mul (local.get 0) (local.get 1))")
        #expect(try chain.instance.number("f", 4) == 35)
    }

    @Test func copiesAndConstantsComeInPairs() throws {
        let program = try Program(
            "(param i32 i32) (result i32) (local i32 i32)"
                + "(block (local.set 2 (local.get 0)) (local.set 3 (i32.const 9))"
                + "(br_if 0 (local.get 1))"
                + "(local.set 2 (i32.const 4)) (local.set 3 (local.get 0))"
                + "(br_if 0 (i32.eq (local.get 0) (i32.const 1)))"
                + "(local.set 2 (i32.const 7)) (local.set 3 (i32.const 65535)))"
                + "(i32.sub (local.get 2) (local.get 3))")
        let code = try program.code().joined(separator: "\n")
        #expect(code.contains("copy+const s4, s0, s5, #9"))
        #expect(code.contains("copy+const s5, s0, s4, #4"))
        #expect(code.contains("const2 s4, #7, s5, #65535"))
        #expect(try program.instance.number("f", 3, 1) == 3 - 9)
        #expect(try program.instance.number("f", 1, 0) == 4 - 1)
        #expect(try program.instance.number("f", 3, 0) == 7 - 65535)

        // A copy that reads what the constant wrote stays behind it.
        let order = try Program(
            "(param i32) (result i32) (local i32)"
                + "(local.set 0 (i32.const 3)) (local.set 1 (local.get 0)) (local.get 1)")
        #expect(try order.instance.number("f", 8) == 3)
    }
}
