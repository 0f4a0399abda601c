import Testing
import WasmDecoder

@testable import WasmInterpreter

/// With `canonicalizesNaNs` every operation that may choose among NaNs gives the canonical one, and
/// operations that pass bits on still do.
@Suite struct CanonicalNaNTests {
    private static let v128: UInt8 = 0x7b
    private static let f32: (bits: UInt64, canonical: UInt64) = (0xffc1_2345, 0x7fc0_0000)
    private static let f64: (bits: UInt64, canonical: UInt64) = (
        0xfff8_1234_5678_9abc, 0x7ff8_0000_0000_0000
    )

    /// The code of an opcode of any page.
    private static func bytes(_ opcode: Opcode) -> [UInt8] {
        let raw = UInt64(opcode.rawValue)
        return raw < 0x100 ? [UInt8(raw)] : [0xfd] + TestModule.unsigned(raw - 0x400)
    }

    /// Calls a function whose body is all parameters in turn, then `code`.
    private func run(
        _ parameters: [UInt8], _ result: UInt8, _ code: [UInt8], _ arguments: [Value],
        canonical: Bool
    ) throws -> Value {
        var module = TestModule()
        let type = module.type(parameters, [result])
        let body = parameters.indices.flatMap { [0x20, UInt8($0)] } + code
        module.export("f", .function, module.function(type: type, body))
        var configuration = Engine.Configuration()
        configuration.canonicalizesNaNs = canonical
        let engine = Engine(configuration)
        let instance = try Linker().instantiate(
            try module.module(engine), in: Store(engine: engine))
        let function = try #require(instance.function("f"))
        return try #require(try function.call(arguments).first)
    }

    private func scalar(
        _ opcode: Opcode, _ operands: Int, is64: Bool, to result64: Bool? = nil, canonical: Bool
    ) throws -> UInt64 {
        let type = is64 ? TestModule.f64 : TestModule.f32
        let value: Value =
            is64
            ? .f64(Double(bitPattern: Self.f64.bits))
            : .f32(Float(bitPattern: UInt32(Self.f32.bits)))
        let result = try run(
            [UInt8](repeating: type, count: operands),
            result64 ?? is64 ? TestModule.f64 : TestModule.f32, Self.bytes(opcode),
            [Value](repeating: value, count: operands), canonical: canonical)
        switch result {
        case .f32(let value): return UInt64(value.bitPattern)
        case .f64(let value): return value.bitPattern
        default: return 0
        }
    }

    @Test func scalarOperations() throws {
        let first: [(Int, Int)] = [
            (0x8d, 1), (0x8e, 1), (0x8f, 1), (0x90, 1), (0x91, 1), (0x92, 2), (0x93, 2), (0x94, 2),
            (0x95, 2), (0x96, 2), (0x97, 2),
        ]
        for (raw, operands) in first {
            let single = try #require(Opcode(rawValue: UInt16(raw)))
            let double = try #require(Opcode(rawValue: UInt16(raw + 14)))
            #expect(
                try scalar(single, operands, is64: false, canonical: true) == Self.f32.canonical,
                "\(single)")
            #expect(
                try scalar(double, operands, is64: true, canonical: true) == Self.f64.canonical,
                "\(double)")
        }
        #expect(
            try scalar(.f32DemoteF64, 1, is64: true, to: false, canonical: true)
                == Self.f32.canonical)
        #expect(
            try scalar(.f64PromoteF32, 1, is64: false, to: true, canonical: true)
                == Self.f64.canonical)
    }

    @Test func bitsThatAreOnlyPassedOnStay() throws {
        let sign: UInt64 = 1 << 63
        #expect(
            try scalar(.f64Neg, 1, is64: true, canonical: true) == Self.f64.bits ^ sign)
        #expect(
            try scalar(.f64Abs, 1, is64: true, canonical: true) == Self.f64.bits & ~sign)
        #expect(
            try scalar(.f32Copysign, 2, is64: false, canonical: true) == Self.f32.bits)
        // Without the option the sum of two NaNs keeps a payload on the processors there are.
        #expect(try scalar(.f32Add, 2, is64: false, canonical: false) == Self.f32.bits)
    }

    @Test func numbersStayAsTheyAre() throws {
        let sum = try run(
            [TestModule.f32, TestModule.f32], TestModule.f32,
            Self.bytes(.f32Mul) + [0x20, 0] + Self.bytes(.f32Sub), [.f32(3), .f32(-0.5)],
            canonical: true)
        #expect(sum == .f32(-4.5))
    }

    @Test func lanesAreCanonicalOneByOne() throws {
        let single = Self.f32.bits | 0x3f80_0000 << 32  // NaN, 1
        let vector = Value.v128(low: single, high: Self.f32.bits | Self.f32.bits << 32)
        func result(_ opcode: Opcode, _ operands: Int, canonical: Bool = true) throws -> Value {
            try run(
                [UInt8](repeating: Self.v128, count: operands), Self.v128, Self.bytes(opcode),
                [Value](repeating: vector, count: operands), canonical: canonical)
        }
        let canonical = Self.f32.canonical
        let high = canonical | canonical << 32
        let unary: [Opcode] = [.f32x4Ceil, .f32x4Floor, .f32x4Trunc, .f32x4Nearest, .f32x4Sqrt]
        for opcode in unary {
            #expect(
                try result(opcode, 1) == .v128(low: canonical | 0x3f80_0000 << 32, high: high),
                "\(opcode)")
        }
        let binary: [Opcode] = [.f32x4Mul, .f32x4Div, .f32x4Min, .f32x4Max, .f32x4RelaxedMin]
        for opcode in binary {
            #expect(
                try result(opcode, 2) == .v128(low: canonical | 0x3f80_0000 << 32, high: high),
                "\(opcode)")
        }
        #expect(
            try result(.f32x4Add, 2) == .v128(low: canonical | 0x4000_0000 << 32, high: high))
        #expect(
            try result(.f32x4RelaxedMadd, 3)
                == .v128(low: canonical | 0x4000_0000 << 32, high: high))
        #expect(
            try result(.f64x2PromoteLowF32x4, 1)
                == .v128(low: Self.f64.canonical, high: 0x3ff0_0000_0000_0000))
        #expect(try result(.f32x4Pmin, 2) == vector)
        #expect(try result(.f32x4Abs, 1) != result(.f32x4Ceil, 1))
    }

    @Test func vectorsOfDoubles() throws {
        let vector = Value.v128(low: Self.f64.bits, high: 0x3ff0_0000_0000_0000)
        let opcodes: [Opcode] = [.f64x2Mul, .f64x2Div, .f64x2Min, .f64x2Max, .f64x2RelaxedMax]
        for opcode in opcodes {
            let result = try run(
                [Self.v128, Self.v128], Self.v128, Self.bytes(opcode), [vector, vector],
                canonical: true)
            #expect(
                result == .v128(low: Self.f64.canonical, high: 0x3ff0_0000_0000_0000), "\(opcode)")
        }
        let demoted = try run(
            [Self.v128], Self.v128, Self.bytes(.f32x4DemoteF64x2Zero), [vector], canonical: true)
        #expect(demoted == .v128(low: Self.f32.canonical | 0x3f80_0000 << 32, high: 0))
    }
}
