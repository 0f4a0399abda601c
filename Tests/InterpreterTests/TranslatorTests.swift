import Testing

@testable import WasmInterpreter

/// What the translator makes of small bodies: operands that cost nothing, fused instructions.
@Suite struct TranslatorTests {
    /// Register code of the function `(parameters) -> results { locals; code }`, one line each.
    private func translate(
        _ parameters: [UInt8], _ results: [UInt8], locals: [UInt8] = [], memory: Bool = false,
        _ code: [UInt8]
    ) throws -> [String] {
        var module = TestModule()
        let type = module.type(parameters, results)
        if memory { module.memory(1) }
        let function = module.function(type: type, locals: locals, code)
        let made = try module.module(Engine())
        return try #require(made.registerCode(of: FunctionIndex(function))).map(\.text)
    }

    private let i32 = TestModule.i32
    private let i64 = TestModule.i64
    private let f64 = TestModule.f64

    @Test func localsAreOperands() throws {
        let code = try translate([i32, i32], [i32], [0x20, 0, 0x20, 1, 0x6a])
        #expect(code == ["i32.add r, s0, s1", "return r, #2"])
    }

    @Test func constantsAreImmediates() throws {
        let code = try translate([i32], [i32], [0x20, 0] + TestModule.i32(-7) + [0x6c])
        #expect(code == ["i32.mul r, s0, #-7", "return r, #1"])
    }

    @Test func valuesStayInTheAccumulator() throws {
        // (a * b - b) ^ a
        let code = try translate(
            [i64, i64], [i64], [0x20, 0, 0x20, 1, 0x7e, 0x20, 1, 0x7d, 0x20, 0, 0x85])
        #expect(
            code == [
                "i64.mul r, s0, s1", "i64.sub r, r, s1", "i64.xor r, r, s0", "return r, #2",
            ])
    }

    @Test func setLocalsAreDestinations() throws {
        let code = try translate(
            [i32, i32], [], [0x20, 0, 0x20, 1, 0x71, 0x21, 1])
        #expect(code == ["i32.and s1, s0, s1", "return #2"])
    }

    @Test func olderUsesOfALocalKeepItsValue() throws {
        // local.get 0; (local.set 0 (local.get 0 - 1)); the first value is added to the new one
        let code = try translate(
            [i32], [i32],
            [0x20, 0, 0x20, 0] + TestModule.i32(5) + [0x6b, 0x21, 0, 0x20, 0, 0x6a])
        #expect(
            code == [
                "copy s3, s0", "i32.sub s0, s0, #5", "i32.add r, r, s3", "return r, #1",
            ])
    }

    @Test func comparisonsFuseWithBranches() throws {
        // block; br_if 0 (a < b); unreachable; end
        let code = try translate(
            [i32, i32], [], [0x02, 0x40, 0x20, 0, 0x20, 1, 0x48, 0x0d, 0, 0x00, 0x0b])
        #expect(code == ["i32.lt_s s0, s1, -> 8", "unreachable", "return #2"])
    }

    @Test func loopsEndInOneInstruction() throws {
        // loop; i += 1; br_if 0 (i < n); end
        let code = try translate(
            [i32, i32], [],
            [0x03, 0x40, 0x20, 0] + TestModule.i32(1) + [
                0x6a, 0x22, 0, 0x20, 1, 0x48, 0x0d, 0, 0x0b,
            ])
        #expect(code == ["i32.lt_s s0, #1, s1, -> 4", "return #2"])
    }

    @Test func addressesAbsorbAdditions() throws {
        // i32.load offset=8 (a + (b << 2)), after b was made by an operator
        let code = try translate(
            [i32, i32], [i32], memory: true,
            [0x20, 0, 0x20, 1] + TestModule.i32(1) + [0x73] + TestModule.i32(2)
                + [0x74, 0x6a, 0x28, 2, 8])
        #expect(code == ["i32.xor r, s1, #1", "i32.load r, s0, r<<2, #8", "return r, #2"])
    }

    @Test func productsAreAdded() throws {
        // a + b * c
        let code = try translate(
            [f64, f64, f64], [f64], [0x20, 0, 0x20, 1, 0x20, 2, 0xa2, 0xa0])
        #expect(code == ["f64.mul+add r, s1, s2, s0", "return.f64 r, #3"])
    }

    @Test func onlyLocalsReadBeforeTheyAreWrittenAreZeroed() throws {
        let code = try translate(
            [], [i32], locals: [i32, i32], TestModule.i32(3) + [0x21, 0, 0x20, 0, 0x20, 1, 0x6a])
        #expect(code == ["zero s4, #1", "const s3, #3", "i32.add r, s3, s4", "return r, #1"])
    }

    @Test func framesOfMoreThan65500SlotsAreRefused() throws {
        var module = TestModule()
        let type = module.type()
        // 40,000 locals fit; operands above them do not.
        let deep =
            [UInt8](repeating: 0, count: 0)
            + (0..<30_000).flatMap { _ in TestModule.i32(1) }
            + [UInt8](repeating: 0x1a, count: 30_000)
        let locals = [1] + TestModule.unsigned(40_000) + [i32]
        let body: [UInt8] = locals + deep + [0x0b]
        _ = module.function(type: type, [])
        var bytes = module.bytes
        // Replaces the code section by one with this body.
        let section = TestModule.unsigned(1) + TestModule.unsigned(UInt64(body.count)) + body
        bytes.removeLast(4 + 2)
        bytes += [10] + TestModule.unsigned(UInt64(section.count)) + section
        let made = try Module(bytes, engine: Engine())
        #expect(made.registerCode(of: 0) == nil)
    }
}
