import Testing
import WasmDecoder
import WasmValidator

private func operand(_ expected: ValueType, _ found: ValueType?) -> ValidationError.Reason {
    .typeMismatch(.operand(expected: expected, found: found))
}

private let wrongLabel = ValidationError.Reason.typeMismatch(.labelTypes)

@Suite struct ReferenceTests {
    /// Types: 0 [] -> [], 1 [i32] -> [], 2 structure, 3 structure below 2.
    private func reason(_ code: [UInt8]...) throws -> ValidationError.Reason? {
        var builder = ModuleBuilder(types: [
            functionType(), functionType([i32]), sub(structure()),
            sub(2, structure(mutable(i32))),
        ])
        builder.function(0, code.flatMap { $0 })
        builder.function(1, nop)
        builder.exports = [("second", 0, 1)]
        return try builder.reason()
    }

    @Test func functions() throws {
        #expect(try reason(refFunc(1), drop) == nil)
        #expect(try reason(refFunc(0), drop) == .undeclaredFunctionReference(0))
        #expect(try reason(refFunc(9), drop) == .unknown(.function, 9))
        #expect(try reason(i32Const(0), refFunc(1), [0x14, 1]) == nil)
    }

    @Test func null() throws {
        #expect(try reason(refNullCode(funcref), [0xd1], i32Eqz, drop) == nil)
        #expect(try reason(refNullCode([9]), drop) == .unknown(.type, 9))
        #expect(try reason(i32Const(0), [0xd1], drop) == .typeMismatch(.reference(found: .i32)))
        #expect(try reason([0xd1], drop) == .typeMismatch(.reference(found: nil)))
        #expect(try reason(refNullCode([0x73]), [0x14, 0]) == nil)
        // What unreachable code makes up is a reference, not just anything.
        #expect(
            try reason(unreachable, [0xd4], i32Eqz, drop)
                == operand(.i32, .ref(.index((1 << 29) - 1), nullable: false)))
        #expect(try reason(unreachable, [0xd4], [0x14, 0]) == nil)
    }

    @Test func branchesOnNull() throws {
        #expect(try reason(block(empty, refNullCode([0]), [0xd5, 0], [0x14, 0])) == nil)
        #expect(
            try reason(block(ref(0), refNullCode([0]), [0xd6, 0], unreachable), [0x14, 0]) == nil)
        #expect(try reason(block(empty, refNullCode([0]), [0xd6, 0])) == wrongLabel)
        #expect(
            try reason(block(i32, refNullCode([0]), [0xd6, 0], i32Const(0)), drop) == wrongLabel)
        #expect(
            try reason(block(ref(0), refNullCode([1]), [0xd6, 0], unreachable), drop)
                == operand(.ref(.index(0), nullable: true), .ref(.index(1), nullable: true)))
    }

    @Test func casts() throws {
        let any = refNullCode(anyref)
        #expect(try reason(any, [0xfb, 20, 2], i32Eqz, drop) == nil)
        #expect(try reason(any, [0xfb, 21, 0x6b], drop) == nil)
        #expect(try reason(any, [0xfb, 22, 3], [0xfb, 2, 3, 0], drop) == nil)
        #expect(try reason(any, [0xfb, 23, 9], drop) == .unknown(.type, 9))
        // Hierarchies are not mixed.
        let function = refNullCode(funcref)
        #expect(
            try reason(function, [0xfb, 20, 2], drop)
                == operand(.ref(.any, nullable: true), .funcref))
        #expect(try reason(function, [0xfb, 22, 1], drop) == nil)
        #expect(try reason(refNullCode(externref), [0xfb, 20, 0x72], drop) == nil)
    }

    private func castBranch(
        _ number: UInt8, _ flags: UInt8, _ source: [UInt8], _ target: [UInt8], label: [UInt8]
    ) throws -> ValidationError.Reason? {
        try reason(
            block(
                label, refNullCode(source), [0xfb, number, flags, 0], source, target, unreachable),
            drop)
    }

    @Test func castBranches() throws {
        let any: [UInt8] = [0x6e]
        #expect(try castBranch(24, 1, any, [2], label: ref(2)) == nil)
        #expect(try castBranch(24, 1, any, [3], label: ref(2)) == nil)
        #expect(try castBranch(24, 3, any, [2], label: refNull(2)) == nil)
        #expect(try castBranch(24, 3, any, [2], label: ref(2)) == wrongLabel)
        #expect(try castBranch(24, 1, any, [2], label: ref(3)) == wrongLabel)
        #expect(
            try castBranch(24, 1, any, [2], label: empty)
                == .typeMismatch(
                    .operand(
                        expected: .bottom, found: nil))
                || castBranch(24, 1, any, [2], label: i32) == wrongLabel)
        #expect(try castBranch(24, 1, [3], [2], label: ref(2)) == .typeMismatch(.cast))
        // Failing, null goes the other way if the target is nullable.
        #expect(try castBranch(25, 1, any, [2], label: anyref) == nil)
        #expect(try castBranch(25, 1, any, [2], label: ref(anyref)) == wrongLabel)
        #expect(try castBranch(25, 3, any, [2], label: ref(anyref)) == nil)
    }

    @Test func conversions() throws {
        #expect(try reason(refNullCode(externref), [0xfb, 26], [0xfb, 27], [0xd1], drop) == nil)
        #expect(try reason(refNullCode([2]), [0xfb, 27], drop) == nil)
        #expect(
            try reason(refNullCode(funcref), [0xfb, 27], drop)
                == operand(.ref(.any, nullable: true), .funcref))
        #expect(try reason(i32Const(0), [0xfb, 28], [0xfb, 29], i32Eqz, drop) == nil)
        #expect(try reason(refNullCode(i31ref), refNullCode([2]), [0xd3], drop) == nil)
    }
}

@Suite struct AggregateTests {
    /// Types: 0 [] -> [], 1 structure (mutable i8, immutable i64, mutable (ref null 0)),
    /// 2 structure without defaults, 3 array of mutable i8, 4 array of immutable i64,
    /// 5 array of mutable funcref, 6 array of mutable (ref func), 7 array of immutable i8.
    private func reason(_ code: [UInt8]...) throws -> ValidationError.Reason? {
        var builder = ModuleBuilder(types: [
            functionType(),
            structure(mutable(i8), immutable(i64), mutable(refNull(0))),
            structure(mutable(ref(funcref))),
            array(mutable(i8)), array(immutable(i64)), array(mutable(funcref)),
            array(mutable(ref(funcref))), array(immutable(i8)),
        ])
        builder.elements = [[1, 0, 0], [5] + externref + [0]]
        builder.datas = [[1, 0]]
        builder.dataCount = 1
        builder.function(0, code.flatMap { $0 })
        return try builder.reason()
    }

    private let packing = ValidationError.Reason.typeMismatch(.packing)
    private let noDefault = ValidationError.Reason.typeMismatch(.noDefault)
    private let zero = i32Const(0)

    @Test func structures() throws {
        #expect(try reason(zero, i64Const(0), refNullCode([0]), gc(0, 1), drop) == nil)
        #expect(try reason(zero, zero, refNullCode([0]), gc(0, 1), drop) == operand(.i64, .i32))
        #expect(try reason(gc(1, 1), drop) == nil)
        #expect(try reason(gc(1, 2), drop) == noDefault)
        #expect(try reason(gc(0, 3), drop) == .typeMismatch(.kindOfType(3)))
        #expect(try reason(gc(0, 9), drop) == .unknown(.type, 9))
        #expect(try reason(gc(1, 1), gc(3, 1, 0), i32Eqz, drop) == nil)
        #expect(try reason(gc(1, 1), gc(2, 1, 0), drop) == packing)
        #expect(try reason(gc(1, 1), gc(4, 1, 1), drop) == packing)
        #expect(try reason(gc(1, 1), gc(2, 1, 1), i64Const(1), i64Add, drop) == nil)
        #expect(try reason(gc(1, 1), gc(2, 1, 3), drop) == .unknown(.field, 3))
        #expect(try reason(gc(1, 1), zero, gc(5, 1, 0)) == nil)
        #expect(try reason(gc(1, 1), i64Const(0), gc(5, 1, 1)) == .immutableField(1))
        #expect(try reason(refNullCode([0x71]), gc(2, 1, 1), drop) == nil)
    }

    @Test func newArrays() throws {
        #expect(try reason(zero, zero, gc(6, 3), drop) == nil)
        #expect(try reason(zero, gc(7, 3), drop) == nil)
        #expect(try reason(zero, gc(7, 6), drop) == noDefault)
        #expect(try reason(zero, zero, gc(8, 3, 2), drop) == nil)
        #expect(try reason(zero, gc(8, 3, 2), drop) == operand(.i32, nil))
        #expect(try reason(unreachable, gc(8, 3, .max), drop) == nil)
        #expect(try reason(zero, zero, gc(9, 4, 0), drop) == nil)
        #expect(try reason(zero, zero, gc(9, 4, 1), drop) == .unknown(.dataSegment, 1))
        #expect(try reason(zero, zero, gc(9, 5, 0), drop) == .arrayTypeIsNotNumericOrVector)
        #expect(try reason(zero, zero, gc(10, 5, 0), drop) == nil)
        #expect(try reason(zero, zero, gc(10, 5, 1), drop) == .typeMismatch(.elements))
        #expect(try reason(zero, zero, gc(10, 5, 2), drop) == .unknown(.elementSegment, 2))
    }

    @Test func elements() throws {
        let bytes = zero + gc(7, 3)
        let longs = zero + gc(7, 4)
        #expect(try reason(bytes, zero, gc(12, 3), drop) == nil)
        #expect(try reason(bytes, zero, gc(11, 3), drop) == packing)
        #expect(try reason(longs, zero, gc(11, 4), drop) == nil)
        #expect(try reason(longs, zero, gc(13, 4), drop) == packing)
        #expect(try reason(bytes, zero, zero, gc(14, 3)) == nil)
        #expect(try reason(longs, zero, i64Const(0), gc(14, 4)) == .immutableArray)
        #expect(try reason(longs, gc(15), drop) == nil)
        #expect(
            try reason(gc(1, 1), gc(15), drop)
                == operand(.ref(.array, nullable: true), .ref(.index(1), nullable: false)))
    }

    @Test func bulk() throws {
        let bytes = zero + gc(7, 3)
        let functions = zero + gc(7, 5)
        #expect(try reason(bytes, zero, zero, zero, gc(16, 3)) == nil)
        #expect(try reason(bytes, zero, bytes, zero, zero, gc(17, 3, 3)) == nil)
        #expect(try reason(bytes, zero, zero, gc(7, 7), zero, zero, gc(17, 3, 7)) == nil)
        #expect(try reason(gc(17, 4, 4)) == .immutableArray)
        #expect(try reason(gc(17, 3, 4)) == .arrayTypesDoNotMatch)
        #expect(try reason(gc(17, 6, 5)) == .arrayTypesDoNotMatch)
        #expect(try reason(unreachable, gc(17, 5, 6)) == nil)
        #expect(try reason(bytes, zero, zero, zero, gc(18, 3, 0)) == nil)
        #expect(
            try reason(functions, zero, zero, zero, gc(18, 5, 0))
                == .arrayTypeIsNotNumericOrVector)
        #expect(try reason(functions, zero, zero, zero, gc(19, 5, 0)) == nil)
        #expect(try reason(functions, zero, zero, zero, gc(19, 5, 1)) == .typeMismatch(.elements))
    }
}
