import Testing
import WasmDecoder

@testable import WasmInterpreter

/// What the translator makes of vector instructions, and that all kinds of shuffles are right.
@Suite struct VectorTranslatorTests {
    private let i32 = TestModule.i32
    private let v128: UInt8 = 0x7b

    private func vector(_ opcode: Opcode, _ immediates: [UInt8] = []) -> [UInt8] {
        [0xfd] + TestModule.unsigned(UInt64(opcode.rawValue) - 0x400) + immediates
    }

    private func translate(
        _ parameters: [UInt8], _ results: [UInt8], locals: [UInt8] = [], _ code: [UInt8]
    ) throws -> [String] {
        var module = TestModule()
        let type = module.type(parameters, results)
        module.memory(1)
        let function = module.function(type: type, locals: locals, code)
        let made = try module.module(Engine())
        return try #require(made.registerCode(of: FunctionIndex(function))).map(\.text)
    }

    @Test func resultsGoToLocals() throws {
        let code = try translate(
            [v128, v128], [], [0x20, 0, 0x20, 1] + vector(.i32x4Sub) + [0x21, 1])
        #expect(code == ["i32x4.sub s2, s0, s2", "return #4"])
    }

    @Test func constantsAreOperands() throws {
        let constant = vector(.v128Const, [UInt8](repeating: 2, count: 16))
        let code = try translate(
            [v128], [], [0x20, 0] + constant + vector(.i8x16LtU) + [0x21, 0])
        #expect(code == ["i8x16.lt_u s0, s0, #0x02020202020202020202020202020202", "return #2"])
    }

    @Test func loadsAreOperands() throws {
        // local 1 += memory[local 0] * local 1, one instruction
        let load = [0x20, 0] + vector(.v128Load, [4, 8])
        let code = try translate(
            [i32, v128], [],
            [0x20, 1] + load + [0x20, 1] + vector(.f32x4Mul) + vector(.f32x4Add) + [0x21, 1])
        #expect(code == ["f32x4.mul+add s1, s0, #8, s1, s1", "return #3"])
        let difference = try translate(
            [i32, v128], [], [0x20, 1] + load + vector(.f32x4Sub) + [0x21, 1])
        #expect(difference == ["f32x4.sub s1, s0, #8, s1", "return #3"])
        // The loaded vector is the first operand of an operation whose order matters.
        let swapped = try translate(
            [i32, v128], [], load + [0x20, 1] + vector(.f32x4Sub) + [0x21, 1])
        #expect(swapped == ["v128.load s5, s0, #8", "f32x4.sub s1, s5, s1", "return #3"])
    }

    @Test func pairsOfOperationsAreOneInstruction() throws {
        let operands: [UInt8] = [0x20, 0, 0x20, 0, 0x20, 1]
        let reversed = try translate(
            [v128, v128], [], operands + vector(.i32x4Mul) + vector(.i32x4Sub) + [0x21, 0])
        #expect(reversed == ["i32x4.mul+rsub s0, s0, s2, s0", "return #4"])
        let straight = try translate(
            [v128, v128], [],
            [0x20, 0, 0x20, 1] + vector(.i32x4Mul) + [0x20, 0] + vector(.i32x4Sub) + [0x21, 0])
        #expect(straight == ["i32x4.mul+sub s0, s0, s2, s0", "return #4"])
        // A rotation: (a << 7) | (a >> 25).
        let rotation = try translate(
            [v128], [],
            [0x20, 0, 0x41, 7] + vector(.i32x4Shl) + [0x20, 0, 0x41, 25] + vector(.i32x4ShrU)
                + vector(.v128Or) + [0x21, 0])
        #expect(
            rotation == ["i32x4.shl s4, s0, #7", "i32x4.shr_u+or s0, s0, #25, s4", "return #2"])
        let rounded = try translate(
            [v128, v128], [],
            [0x20, 0, 0x20, 1] + vector(.i16x8Add) + [0x41, 6] + vector(.i16x8ShrU) + [0x21, 0])
        #expect(rounded == ["i16x8.add+shr_u s0, s0, s2, #6", "return #4"])
    }

    @Test func resultsGoToMemory() throws {
        let sum = [0x20, 1, 0x20, 1] + vector(.i64x2Add)
        let code = try translate([i32, v128], [], [0x20, 0] + sum + vector(.v128Store, [4, 16]))
        #expect(code == ["i64x2.add s0, #16, s1, s1", "return #3"])
        // memory[local 0] += local 1; not if the addresses differ.
        func update(_ offset: UInt8) throws -> [String] {
            try translate(
                [i32, v128], [],
                [0x20, 0, 0x20, 0] + vector(.v128Load, [4, 16]) + [0x20, 1]
                    + vector(.f32x4Add) + vector(.v128Store, [4, offset]))
        }
        #expect(try update(16) == ["f32x4.add s0, #16, s1", "return #3"])
        #expect(
            try update(32)
                == ["f32x4.add s6, s0, #16, s1", "v128.store s0, #32, s6", "return #3"])
        // No form of the fused instruction has the address as a constant.
        let constant = try translate(
            [i32, v128], [], [0x41, 8] + sum + vector(.v128Store, [4, 16]))
        #expect(constant == ["i64x2.add s6, s1, s1", "v128.store #24, s6", "return #3"])
    }

    @Test func testsBranch() throws {
        let code = try translate(
            [v128], [],
            [0x02, 0x40, 0x20, 0] + vector(.i8x16AllTrue) + [0x45, 0x0d, 0, 0x00, 0x0b])
        #expect(code == ["i8x16.all_true.br_unless s0, -> 8", "unreachable", "return #2"])
    }

    @Test func lanesStayInTheAccumulator() throws {
        let code = try translate(
            [v128], [i32], [0x20, 0] + vector(.i32x4ExtractLane, [3]) + [0x45])
        #expect(code == ["i32x4.extract_lane r, #12", "i32.eqz r, r", "return r, #2"])
    }

    /// Byte numbers of every kind of shuffle that has an instruction of its own, and of none.
    private static let shuffles: [[UInt8]] = {
        let zips: [(Int) -> Int] = [
            { $0 / 2 + ($0 & 1) * 16 }, { 8 + $0 / 2 + ($0 & 1) * 16 }, { 2 * $0 },
            { 2 * $0 + 1 }, { $0 / 4 * 2 + $0 % 2 + ($0 / 2 & 1) * 16 },
            { 8 + $0 / 4 * 2 + $0 % 2 + ($0 / 2 & 1) * 16 }, { $0 / 2 * 4 + $0 % 2 },
            { $0 / 2 * 4 + $0 % 2 + 2 }, { $0 / 8 * 4 + $0 % 4 + ($0 / 4 & 1) * 16 },
            { $0 / 4 * 8 + $0 % 4 }, { $0 / 4 * 8 + $0 % 4 + 4 },
        ]
        let windows = (0..<32).map { start in { (start + $0) % 32 } }
        let rotations = (1..<16).map { start in { (start + $0) % 16 } }
        let halves: [(Int) -> Int] = [
            { ($0 + 8) % 16 }, { $0 < 8 ? $0 + 16 : $0 }, { $0 < 8 ? 8 + $0 : $0 },
            { $0 < 8 ? 7 + $0 : 0 }, { $0 < 8 ? 16 + 3 + $0 : 9 }, { $0 < 8 ? 9 + $0 : 0 },
        ]
        let others: [(Int) -> Int] = [
            { 15 - $0 }, { 31 - $0 }, { _ in 5 }, { _ in 21 }, { $0 ^ 1 }, { $0 ^ 2 }, { $0 ^ 4 },
            { ($0 * 7) % 32 }, { $0 / 4 * 4 + 3 - $0 % 4 }, { ($0 ^ 2) + 16 }, { $0 ^ 20 },
        ]
        return (zips + windows + rotations + halves + others).map { lane in
            (0..<16).map { UInt8(lane($0)) }
        }
    }()

    @Test(arguments: [(0, 1), (1, 0), (0, 0)] as [(UInt8, UInt8)])
    func shufflesPickTheirBytes(first: UInt8, second: UInt8) throws {
        // The operands as locals, and as results that the shuffle overwrites.
        let locals: [UInt8] = [0x20, first, 0x20, second]
        let twice = vector(.v128Not) + vector(.v128Not)
        for operands in [locals, [0x20, first] + twice + [0x20, second] + twice] {
            var module = TestModule()
            let type = module.type([v128, v128], [v128])
            for (index, lanes) in Self.shuffles.enumerated() {
                let code = operands + vector(.i8x16Shuffle, lanes)
                module.export("\(index)", .function, module.function(type: type, code))
            }
            let instance = try House().instantiate(module)
            let bytes = [[UInt8](0..<16), [UInt8](16..<32)]
            let both = bytes[Int(first)] + bytes[Int(second)]
            for (index, lanes) in Self.shuffles.enumerated() {
                let function = try #require(instance.function(Name("\(index)")))
                let result = try function.call([value(bytes[0]), value(bytes[1])])
                #expect(result == [value(lanes.map { both[Int($0)] })], "\(lanes)")
            }
        }
    }

    private func value(_ bytes: [UInt8]) -> Value {
        func word(_ bytes: ArraySlice<UInt8>) -> UInt64 {
            bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }
        return .v128(low: word(bytes[..<8]), high: word(bytes[8...]))
    }
}
