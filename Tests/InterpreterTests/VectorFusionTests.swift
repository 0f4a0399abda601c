import Testing
import WasmDecoder

@testable import WasmInterpreter

/// Chains of vector instructions that are one instruction: what they become and what they do.
@Suite struct VectorFusionTests {
    private func code(_ function: String) throws -> [String] {
        let module = try TextHouse().module("(memory 1) \(function)")
        return try #require(module.registerCode(of: FunctionIndex(0))).map(\.text)
    }

    /// y += a * x at the addresses of the first two parameters.
    private static func update(_ multiply: String, _ add: String, _ load: String) -> String {
        """
        (func (export "f") (param $x i32) (param $y i32) (param $a v128)
          (v128.store offset=4 (local.get $y)
            (\(add) (\(multiply) (local.get $a) (\(load) (local.get $x)))
              (v128.load offset=4 (local.get $y)))))
        """
    }

    @Test func productsAreAddedToMemory() throws {
        #expect(
            try code(Self.update("f32x4.mul", "f32x4.add", "v128.load"))
                == ["f32x4.mul+add s0, #0, s2, s1, #4", "return #4"])
        #expect(
            try code(Self.update("i32x4.mul", "i32x4.add", "v128.load16x4_s"))
                == ["i32x4.mul.load16x4_s+add s0, #0, s2, s1, #4", "return #4"])
        // The sum is not that of the product's lanes.
        let mixed = try code(Self.update("i32x4.mul", "i16x8.add", "v128.load"))
        #expect(mixed.count == 3)
    }

    private static let memory = """
        (memory (export "m") 1)
        (data (i32.const 0) "\\01\\00\\fe\\ff\\03\\00\\00\\80\\05\\00\\00\\00\\07\\00\\00\\00")
        (data (i32.const 36) "\\64\\00\\00\\00\\c8\\00\\00\\00\\00\\00\\00\\00\\ff\\ff\\ff\\ff")
        (func (export "get") (param i32) (result v128) (v128.load (local.get 0)))
        """
    private func vector(_ lanes: [Int32]) -> Value {
        func word(_ index: Int) -> UInt64 {
            UInt64(UInt32(bitPattern: lanes[index]))
                | UInt64(UInt32(bitPattern: lanes[index + 1])) << 32
        }
        return .v128(low: word(0), high: word(2))
    }

    @Test func productsInMemoryAreRight() throws {
        let instance = try TextHouse().instantiate(
            Self.memory + Self.update("i32x4.mul", "i32x4.add", "v128.load16x4_s"))
        try instance.call("f", .i32(0), .i32(32), vector([10, 20, 30, 1]))
        // 1 -2 3 -32768 times the parameter, plus 100 200 0 -1
        #expect(try instance.call("get", .i32(36)) == [vector([110, 160, 90, -32769])])
        let unsigned = try TextHouse().instantiate(
            Self.memory + Self.update("i32x4.mul", "i32x4.add", "v128.load16x4_u"))
        try unsigned.call("f", .i32(0), .i32(32), vector([10, 20, 30, 1]))
        #expect(
            try unsigned.call("get", .i32(36)) == [vector([110, 65534 * 20 + 200, 90, 32767])])
    }

    @Test(arguments: [(65_529, 0), (0, 65_517), (-1, 0), (0, -8)] as [(Int32, Int32)])
    func productsInMemoryTrapOutOfBounds(x: Int32, y: Int32) throws {
        let instance = try TextHouse().instantiate(
            Self.memory + Self.update("i32x4.mul", "i32x4.add", "v128.load16x4_s"))
        let before = try instance.call("get", .i32(0))
        let error = #expect(throws: Trap.self) {
            try instance.call("f", .i32(x), .i32(y), vector([1, 1, 1, 1]))
        }
        #expect(error?.code == .outOfBoundsMemoryAccess)
        #expect(try instance.call("get", .i32(0)) == before)
        // The last place that is in bounds.
        try instance.call("f", .i32(65_528), .i32(65_516), vector([1, 1, 1, 1]))
    }

    private static let extending = """
        (func (export "f") (param $x i32) (param $a v128) (result v128)
          (i32x4.add
            (i32x4.sub (local.get $a) (v128.load16x4_s offset=2 (local.get $x)))
            (i32x4.mul (v128.load16x4_u (local.get $x)) (local.get $a))))
        """

    @Test func operandsAreExtendedByTheOperation() throws {
        #expect(
            try code(Self.extending) == [
                "i32x4.sub.load16x4_s s5, s0, #2, s1",
                "i32x4.mul.load16x4_u+add s5, s0, #0, s1, s5", "v128.copy s0, s5", "return #3",
            ])
        let instance = try TextHouse().instantiate(Self.memory + Self.extending)
        // a - (-2 3 -32768 5) + (1 65534 3 32768) * a
        #expect(
            try instance.call("f", .i32(0), vector([1, 2, 3, 4]))
                == [vector([4, 131_067, 32_780, 131_071])])
    }

    @Test func bytesAreExtendedByTheOperation() throws {
        let function = """
            (func (export "f") (param $x i32) (param $a v128) (result v128)
              (i16x8.sub (local.get $a) (v128.load8x8_s (local.get $x))))
            """
        #expect(try code(function).first == "i16x8.sub.load8x8_s s5, s0, #0, s1")
        let instance = try TextHouse().instantiate(Self.memory + function)
        // 1 0 -2 -1 3 0 0 -128 in lanes of 16 bits
        #expect(
            try instance.call("f", .i32(0), vector([0, 0, 0, 0]))
                == [vector([0x0000_ffff, 0x0001_0002, 0x0000_fffd, 0x0080_0000])])
    }

    private static let products = """
        (func (export "f") (param $x i32) (param $y i32) (param $a v128) (result v128)
          (i32x4.add
            (i32x4.mul (v128.load16x4_s offset=2 (local.get $x))
              (v128.load16x4_s (i32.add (local.get $y) (i32.const 4))))
            (local.get $a)))
        """

    @Test func bothFactorsAreLoaded() throws {
        let code = try code(Self.products)
        #expect(code[0] == "i32x4.mul.load16x4_s.loads s6, s0, #2, s1, #4, #0, s10")
        #expect(code[1] == "i32x4.add s6, s6, s2")
        let instance = try TextHouse().instantiate(Self.memory + Self.products)
        // (-2 3 -32768 5) * (3 -32768 5 0) + 1
        #expect(
            try instance.call("f", .i32(0), .i32(0), vector([1, 1, 1, 1]))
                == [vector([-5, -98_303, -163_839, 1])])
        try instance.call("f", .i32(65_526), .i32(65_524), vector([1, 1, 1, 1]))
        for (x, y) in [(65_527, 0), (0, 65_525), (-1, 0)] as [(Int32, Int32)] {
            let error = #expect(throws: Trap.self) {
                try instance.call("f", .i32(x), .i32(y), vector([1, 1, 1, 1]))
            }
            #expect(error?.code == .outOfBoundsMemoryAccess)
        }
    }

    private static let branching = """
        (func (export "f") (param $a v128) (param $b v128) (result i32) (local $mask v128)
          (block
            (br_if 0 (i32.eqz (v128.any_true
              (local.tee $mask (f32x4.lt (local.get $a) (local.get $b))))))
            (return (i32x4.bitmask (local.get $mask))))
          (loop
            (br_if 0 (v128.any_true (f64x2.gt (local.get $a) (local.get $b)))))
          (i32.sub (i32x4.bitmask (local.get $mask)) (i32.const 1)))
        """

    @Test func comparisonsBranchAndKeepTheMask() throws {
        let code = try code(Self.branching)
        #expect(code.contains { $0.hasPrefix("f32x4.lt.br_unless s6, s0, s2, -> ") })
        #expect(
            code.contains {
                $0.hasPrefix("f64x2.gt.br_if.loop s8, s0, s2, -> ")
                    || $0.hasPrefix("f64x2.gt.loop.br_if")
            })
        #expect(!code.contains { $0.hasPrefix("v128.any_true") })
        let instance = try TextHouse().instantiate(Self.branching)
        func floats(_ lanes: [Float]) -> Value {
            vector(lanes.map { Int32(bitPattern: $0.bitPattern) })
        }
        let some = try instance.call("f", floats([1, 2, 3, .nan]), floats([0, 3, 3, 1]))
        #expect(some == [.i32(2)])
        let none = try instance.call("f", floats([1, 1, 1, 1]), floats([1, 1, 1, .nan]))
        #expect(none == [.i32(-1)])
    }

    @Test func comparisonsWithConstantsBranch() throws {
        let function = """
            (func (export "f") (param $a v128) (result i32)
              (if (result i32)
                (v128.any_true (i8x16.eq (local.get $a) (v128.const i32x4 7 -1 -1 -1)))
                (then (i32.const 1)) (else (i32.const 0))))
            """
        let text = try code(function)[0]
        #expect(
            text.hasPrefix("i8x16.eq.br_unless s4, s0, #0xffffffffffffffffffffffff00000007, ->"))
        let instance = try TextHouse().instantiate(function)
        #expect(try instance.call("f", vector([7, 1, 1, 1])) == [.i32(1)])
        #expect(try instance.call("f", vector([0x0101_0108, 1, 1, 1])) == [.i32(0)])
    }

    private static let two = """
        (func (export "f") (param $a v128) (param $b v128) (result v128) (local $c v128)
          (local.set $c (i32x4.sub (local.get $a) (local.get $b)))
          (local.set $a (i32x4.mul (local.get $c) (local.get $a)))
          (i32x4.add (local.get $a) (local.get $c)))
        """

    @Test func twoResultsOfOneInstruction() throws {
        let code = try code(Self.two)
        #expect(code[0] == "i32x4.sub;mul s6, s0, s2, s0, s6, s0")
        let instance = try TextHouse().instantiate(Self.two)
        // c = a - b, c * a + c
        #expect(
            try instance.call("f", vector([5, 6, 7, 8]), vector([1, 2, 9, 8]))
                == [vector([24, 28, -16, 0])])
    }
}
