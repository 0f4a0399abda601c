import Testing
import WasmDecoder
import WasmValidator

private func operand(_ expected: ValueType, _ found: ValueType?) -> ValidationError.Reason {
    .typeMismatch(.operand(expected: expected, found: found))
}

/// A module with memories 0 (i32) and 1 (i64).
private func reason(
    _ code: [UInt8]..., memories: [[UInt8]] = [[0, 1], [4, 1]], dataCount: UInt32? = 1
) throws -> ValidationError.Reason? {
    var builder = ModuleBuilder(types: [functionType()], memories: memories)
    builder.dataCount = dataCount
    if dataCount != nil { builder.datas = [[1, 0]] }
    builder.function(0, code.flatMap { $0 })
    return try builder.reason()
}

@Suite struct MemoryInstructionTests {
    private let load: [UInt8] = [0x28]
    private let store64: [UInt8] = [0x37]

    @Test func addresses() throws {
        #expect(try reason(i32Const(0), load, [2, 0], drop) == nil)
        #expect(try reason(i64Const(0), load, [2, 0], drop) == operand(.i32, .i64))
        #expect(try reason(i64Const(0), load, [0x42, 1, 0], drop) == nil)
        #expect(try reason(i32Const(0), load, [0x42, 1, 0], drop) == operand(.i64, .i32))
        #expect(try reason(i32Const(0), load, [0x42, 2, 0], drop) == .unknown(.memory, 2))
        #expect(try reason(i32Const(0), load, [2, 0], memories: []) == .unknown(.memory, 0))
        #expect(try reason(i32Const(0), i64Const(0), store64, [3, 0]) == nil)
        #expect(try reason(i64Const(0), i64Const(0), store64, [0x43, 1, 0]) == nil)
        #expect(try reason(i64Const(0), i32Const(0), store64, [0x43, 1, 0]) == operand(.i64, .i32))
        #expect(try reason(unreachable, load, [0x42, 1, 0], drop) == nil)
    }

    @Test func alignment() throws {
        #expect(try reason(i32Const(0), load, [0, 0], drop) == nil)
        #expect(try reason(i32Const(0), load, [3, 0], drop) == .alignmentTooLarge)
        #expect(try reason(i32Const(0), [0x2d, 1, 0], drop) == .alignmentTooLarge)
        #expect(try reason(i32Const(0), [0xfd, 0, 4, 0], drop) == nil)
        #expect(try reason(i32Const(0), [0xfd, 0, 5, 0], drop) == .alignmentTooLarge)
        // Atomic accesses have no choice.
        #expect(try reason(i32Const(0), [0xfe, 0x10, 2, 0], drop) == nil)
        #expect(try reason(i32Const(0), [0xfe, 0x10, 1, 0], drop) == .atomicAlignmentNotNatural)
        #expect(try reason(i32Const(0), [0xfe, 0x10, 3, 0], drop) == .atomicAlignmentNotNatural)
    }

    @Test func offsets() throws {
        #expect(try reason(i32Const(0), load, [2], leb(UInt32.max), drop) == nil)
        #expect(try reason(i32Const(0), load, [2], leb(1 << 32), drop) == .offsetOutOfRange)
        #expect(try reason(i64Const(0), load, [0x42, 1], leb(UInt64.max), drop) == nil)
    }

    @Test func atomics() throws {
        let zero = i32Const(0)
        // Compare and exchange, wait, notify, fence
        #expect(try reason(zero, zero, zero, [0xfe, 0x48, 2, 0], drop) == nil)
        #expect(
            try reason(zero, zero, i64Const(0), [0xfe, 0x48, 2, 0], drop)
                == operand(.i32, .i64))
        #expect(try reason(zero, zero, i64Const(0), [0xfe, 0x01, 2, 0], drop) == nil)
        #expect(try reason(i64Const(0), zero, [0xfe, 0x00, 0x42, 1, 0], drop) == nil)
        #expect(try reason([0xfe, 0x03, 0]) == nil)
    }

    @Test func sizes() throws {
        #expect(try reason([0x3f, 0], i32Eqz, drop) == nil)
        #expect(try reason([0x3f, 1], i32Eqz, drop) == operand(.i32, .i64))
        #expect(try reason(i64Const(1), [0x40, 1], drop) == nil)
        #expect(try reason(i64Const(1), [0x40, 0], drop) == operand(.i32, .i64))
        #expect(try reason([0x3f, 2], drop) == .unknown(.memory, 2))
    }

    @Test func bulk() throws {
        let (zero, zero64) = (i32Const(0), i64Const(0))
        #expect(try reason(zero, zero, zero, misc(11, 0)) == nil)
        #expect(try reason(zero64, zero, zero64, misc(11, 1)) == nil)
        #expect(try reason(zero, zero, zero, misc(10, 0, 0)) == nil)
        #expect(try reason(zero64, zero64, zero64, misc(10, 1, 1)) == nil)
        // Between address types the length is the smaller one.
        #expect(try reason(zero64, zero, zero, misc(10, 1, 0)) == nil)
        #expect(try reason(zero, zero64, zero, misc(10, 0, 1)) == nil)
        #expect(try reason(zero64, zero, zero64, misc(10, 1, 0)) == operand(.i32, .i64))
        #expect(try reason(zero64, zero, zero, misc(8, 0, 1)) == nil)
        #expect(try reason(zero, zero, zero, misc(8, 1, 0)) == .unknown(.dataSegment, 1))
        #expect(try reason(misc(9, 0)) == nil)
        #expect(try reason(misc(9, 1)) == .unknown(.dataSegment, 1))
    }

    @Test func dataCountIsRequired() throws {
        for code in [misc(9, 0), i32Const(0) + i32Const(0) + i32Const(0) + misc(8, 0, 0)] {
            guard case .malformed(let error) = try reason(code, dataCount: nil) else {
                Issue.record("not malformed")
                continue
            }
            #expect(error.reason == .dataCountRequired)
        }
    }

    @Test func lanes() throws {
        #expect(try reason(v128Const, [0xfd, 21, 15], drop) == nil)
        #expect(try reason(v128Const, [0xfd, 21, 16], drop) == .invalidLaneIndex)
        #expect(try reason(v128Const, [0xfd, 29, 2], drop) == .invalidLaneIndex)
        let shuffle = { (lane: UInt8) in
            [0xfd, 13] + [UInt8](repeating: 31, count: 15) + [lane]
        }
        #expect(try reason(v128Const, v128Const, shuffle(0), drop) == nil)
        #expect(try reason(v128Const, v128Const, shuffle(32), drop) == .invalidLaneIndex)
        #expect(try reason(i32Const(0), v128Const, [0xfd, 84, 0, 0, 15], drop) == nil)
        #expect(
            try reason(i32Const(0), v128Const, [0xfd, 84, 0, 0, 16], drop)
                == .invalidLaneIndex)
        #expect(try reason(i64Const(0), v128Const, [0xfd, 88, 0x40, 1, 0, 0]) == nil)
        // Three operands
        #expect(try reason(v128Const, v128Const, v128Const, [0xfd, 82], drop) == nil)
        #expect(
            try reason(f32Const, v128Const, v128Const, [0xfd, 82], drop)
                == operand(.v128, .f32))
    }

    @Test func wideArithmetic() throws {
        let zero = i64Const(0)
        #expect(try reason(zero, zero, zero, zero, misc(19), drop, drop) == nil)
        #expect(try reason(zero, zero, misc(21), drop, drop) == nil)
        #expect(try reason(zero, zero, zero, misc(20), drop, drop) == operand(.i64, nil))
    }
}

@Suite struct TableInstructionTests {
    /// Tables: 0 funcref, 1 externref, 2 funcref with i64 indices, 3 (ref null 0).
    private func reason(_ code: [UInt8]...) throws -> ValidationError.Reason? {
        var builder = ModuleBuilder(
            types: [functionType()],
            tables: [
                funcref + [0, 1], externref + [0, 1], funcref + [4, 1], refNull(0) + [0, 1],
            ])
        builder.elements = [[1, 0, 0], [5] + externref + [0], [5] + refNull(0) + [0]]
        builder.function(0, code.flatMap { $0 })
        return try builder.reason()
    }

    @Test func access() throws {
        let (zero, zero64) = (i32Const(0), i64Const(0))
        let (null, extern) = (refNullCode(funcref), refNullCode(externref))
        #expect(try reason(zero, [0x25, 0], drop) == nil)
        #expect(try reason(zero64, [0x25, 2], drop) == nil)
        #expect(try reason(zero64, [0x25, 0], drop) == operand(.i32, .i64))
        #expect(try reason(zero, [0x25, 9], drop) == .unknown(.table, 9))
        #expect(try reason(zero, null, [0x26, 0]) == nil)
        #expect(try reason(zero, extern, [0x26, 0]) == operand(.funcref, .externref))
        #expect(try reason(zero, [0x25, 3], [0x14, 0]) == nil)
        #expect(try reason(misc(16, 2), [0x50], drop) == nil)
        #expect(try reason(null, zero64, misc(15, 2), [0x50], drop) == nil)
        #expect(try reason(null, zero, misc(15, 2), drop) == operand(.i64, .i32))
        #expect(try reason(zero, null, zero, misc(17, 0)) == nil)
    }

    @Test func copies() throws {
        let (zero, zero64) = (i32Const(0), i64Const(0))
        #expect(try reason(zero, zero, zero, misc(14, 0, 0)) == nil)
        #expect(try reason(zero64, zero, zero, misc(14, 2, 0)) == nil)
        #expect(try reason(zero, zero, zero, misc(14, 1, 0)) == .typeMismatch(.elements))
        #expect(try reason(zero, zero, zero, misc(14, 0, 3)) == nil)
        #expect(try reason(zero, zero, zero, misc(14, 3, 0)) == .typeMismatch(.elements))
        #expect(try reason(zero, zero, zero, misc(12, 0, 0)) == nil)
        #expect(try reason(zero64, zero, zero, misc(12, 0, 2)) == nil)
        #expect(try reason(zero, zero, zero, misc(12, 2, 0)) == nil)
        #expect(try reason(zero, zero, zero, misc(12, 1, 0)) == .typeMismatch(.elements))
        #expect(try reason(zero, zero, zero, misc(12, 7, 0)) == .unknown(.elementSegment, 7))
        #expect(try reason(misc(13, 2)) == nil)
        #expect(try reason(misc(13, 3)) == .unknown(.elementSegment, 3))
    }
}
