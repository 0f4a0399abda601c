import Testing
import WasmDecoder
import WasmValidator

/// Why a function of type 0 with this code is not valid. Types: 0 [] -> [], 1 [] -> [i32],
/// 2 [i32] -> [i32], 3 [] -> [i32 i64], 4 [i32 i64] -> [].
private func reason(
    _ code: [UInt8]..., type: UInt32 = 0
) throws -> ValidationError.Reason? {
    var builder = ModuleBuilder(types: [
        functionType(), functionType([], [i32]), functionType([i32], [i32]),
        functionType([], [i32, i64]), functionType([i32, i64]),
    ])
    builder.function(type, code.flatMap { $0 })
    return try builder.reason()
}

private func operand(_ expected: ValueType, _ found: ValueType?) -> ValidationError.Reason {
    .typeMismatch(.operand(expected: expected, found: found))
}

@Suite struct ControlTests {
    @Test func operands() throws {
        #expect(try reason(i32Const(1), i32Const(2), i32Add, drop) == nil)
        #expect(try reason(i32Const(1), i32Add, drop) == operand(.i32, nil))
        #expect(try reason(i32Const(1), i64Const(2), i32Add, drop) == operand(.i32, .i64))
        #expect(try reason(i64Const(1), i32Const(2), i32Add, drop) == operand(.i32, .i64))
        #expect(try reason(drop) == operand(.bottom, nil))
        #expect(try reason(i32Const(1)) == .typeMismatch(.operandsRemain(1)))
        #expect(try reason(type: 1) == operand(.i32, nil))
        #expect(try reason(i32Const(1), i64Const(2), type: 3) == nil)
        #expect(try reason(i64Const(1), i32Const(2), type: 3) == operand(.i64, .i32))
    }

    @Test func errorsSayWhere() throws {
        var builder = ModuleBuilder(types: [functionType()])
        builder.function(0, nop)
        builder.function(0, nop, i32Const(0), i64Const(0), i32Add, drop)
        do {
            _ = try builder.validate()
            Issue.record("valid")
        } catch let error as ValidationError {
            #expect(error.function == 1)
            #expect(error.opcode == .i32Add)
            #expect(error.offset == builder.bytes.count - 3)
            #expect(error.message.hasPrefix("type mismatch"))
            #expect(!error.isMalformed)
        }
    }

    @Test func blocks() throws {
        #expect(try reason(block(i32, i32Const(1)), drop) == nil)
        #expect(try reason(block(i32, i64Const(1)), drop) == operand(.i32, .i64))
        #expect(try reason(i32Const(1), block(i32), drop) == operand(.i32, nil))
        #expect(try reason(block(empty, i32Const(1))) == .typeMismatch(.operandsRemain(1)))
        // Block types by index: parameters and several results.
        #expect(try reason(i32Const(1), block([2], i32Eqz), drop) == nil)
        #expect(try reason(block([2], i32Eqz), drop) == operand(.i32, nil))
        #expect(try reason(block([3], i32Const(1), i64Const(1)), drop, drop) == nil)
        #expect(try reason(block([9])) == .unknown(.type, 9))
        // The operand outside is out of reach inside.
        #expect(try reason(i32Const(1), block(empty, drop), drop) == operand(.bottom, nil))
    }

    @Test func conditions() throws {
        #expect(try reason(i32Const(1), ifBlock(empty)) == nil)
        #expect(
            try reason(i32Const(1), ifBlock(i32, i32Const(1)), drop)
                == .typeMismatch(.missingElse))
        #expect(
            try reason(i32Const(1), ifBlock(i32, i32Const(1), elseBranch, i32Const(2)), drop)
                == nil)
        #expect(
            try reason(i32Const(1), ifBlock(i32, i32Const(1), elseBranch), drop)
                == operand(.i32, nil))
        // With equal parameters and results, else may be left out.
        #expect(try reason(i32Const(0), i32Const(1), ifBlock([2]), drop) == nil)
        #expect(
            try reason(i32Const(0), i32Const(1), ifBlock([2], i32Eqz, elseBranch, i32Eqz), drop)
                == nil)
    }

    @Test func branches() throws {
        #expect(try reason(br(0)) == nil)
        #expect(try reason(br(1)) == .unknown(.label, 1))
        #expect(try reason(block(empty, br(1))) == nil)
        #expect(try reason(block(i32, i32Const(1), br(0)), drop) == nil)
        #expect(try reason(block(i32, br(0)), drop) == operand(.i32, nil))
        #expect(try reason(block(i32, i32Const(1), i32Const(1), brIf(0)), drop) == nil)
        #expect(
            try reason(block(i32, i64Const(1), i32Const(1), brIf(0)), drop)
                == operand(.i32, .i64))
        // A branch to a loop takes its parameters.
        #expect(try reason(loop(i32, br(0)), drop) == nil)
        #expect(try reason(i32Const(1), loop([2], br(0)), drop) == nil)
        #expect(try reason(loop(empty, i32Const(1), brIf(0))) == nil)
        #expect(try reason(brIf(0)) == operand(.i32, nil))
        #expect(try reason(returnCode) == nil)
        #expect(try reason(returnCode, type: 1) == operand(.i32, nil))
        #expect(try reason(i64Const(1), i32Const(1), returnCode, type: 1) == nil)
    }

    @Test func branchTables() throws {
        #expect(try reason(i32Const(0), brTable([], 0)) == nil)
        #expect(try reason(block(empty, i32Const(0), brTable([0, 1, 0], 1))) == nil)
        #expect(try reason(i32Const(0), brTable([0, 7], 0)) == .unknown(.label, 7))
        #expect(
            try reason(block(i32, i32Const(1), i32Const(0), brTable([0], 1)), drop)
                == .typeMismatch(.labelArity))
        #expect(
            try reason(
                block(
                    i32, block(f32, i32Const(1), i32Const(0), brTable([1], 0)), drop, i32Const(1)),
                drop) == operand(.f32, .i32))
        // Unreachable code has operands for labels of different types.
        #expect(
            try reason(
                block(i32, block(f32, unreachable, brTable([1], 0)), drop, i32Const(1)), drop)
                == nil)
        #expect(try reason(brTable([], 0)) == operand(.i32, nil))
    }

    @Test func unreachableCode() throws {
        #expect(try reason(unreachable, i32Add, drop) == nil)
        #expect(try reason(unreachable, i64Const(1), i32Add, drop) == operand(.i32, .i64))
        #expect(try reason(unreachable, i32Const(1), i32Add, i64Add, drop) == operand(.i64, .i32))
        #expect(try reason(unreachable, type: 3) == nil)
        #expect(try reason(unreachable, i32Const(1), type: 3) == operand(.i64, .i32))
        #expect(try reason(unreachable, i32Const(1)) == .typeMismatch(.operandsRemain(1)))
        // It ends with its block.
        #expect(try reason(block(empty, unreachable), i32Add, drop) == operand(.i32, nil))
        #expect(
            try reason(
                i32Const(1), ifBlock(empty, unreachable, elseBranch, drop)) == operand(.bottom, nil)
        )
        // What br_if leaves has the types of the label.
        #expect(try reason(block(i32, unreachable, brIf(0), i64Add)) == operand(.i64, .i32))
    }

    @Test func selection() throws {
        #expect(try reason(i64Const(1), i64Const(2), i32Const(0), select, drop) == nil)
        #expect(try reason(v128Const, v128Const, i32Const(0), select, drop) == nil)
        #expect(
            try reason(i64Const(1), i32Const(2), i32Const(0), select, drop)
                == .typeMismatch(.select(.i64, .i32)))
        let null = refNullCode(funcref)
        #expect(
            try reason(null, null, i32Const(0), select, drop)
                == .typeMismatch(.select(.funcref, .funcref)))
        #expect(try reason(null, null, i32Const(0), [0x1c, 1] + funcref, drop) == nil)
        #expect(
            try reason(null, null, i32Const(0), [0x1c, 1] + externref, drop)
                == operand(.externref, .funcref))
        #expect(try reason(i32Const(0), [0x1c, 0], drop) == .invalidResultArity)
        #expect(try reason(i32Const(0), [0x1c, 2] + i32 + i32, drop) == .invalidResultArity)
        #expect(try reason(unreachable, select, i32Eqz, drop) == nil)
        #expect(
            try reason(unreachable, f32Const, i32Const(0), select, i32Eqz, drop)
                == operand(.i32, .f32))
    }

    @Test func deepNesting() throws {
        let depth = 200_000
        let open = Array(repeating: [0x02, 0x40] as [UInt8], count: depth).flatMap { $0 }
        let close = [UInt8](repeating: 0x0b, count: depth)
        #expect(try reason(open, br(UInt32(depth)), close) == nil)
        #expect(
            try reason(open, br(UInt32(depth + 1)), close) == .unknown(.label, UInt32(depth + 1)))
    }

    @Test func operandsAreLimited() throws {
        // Two bytes that push a thousand operands, many times.
        var builder = ModuleBuilder(types: [
            functionType(), functionType([], Array(repeating: i64, count: 1000)),
        ])
        builder.function(1, unreachable)
        let calls = Array(repeating: call(0), count: 900).flatMap { $0 }
        builder.function(0, calls, unreachable)
        #expect(try builder.reason() == nil)
        builder.function(0, calls, calls, unreachable)
        #expect(try builder.reason() == .limitExceeded(.operands(1_000_000)))
    }
}

@Suite struct CallTests {
    private var builder = ModuleBuilder(
        types: [functionType(), functionType([i32], [i64]), structure()],
        tables: [funcref + [0, 1], externref + [0, 1], funcref + [4, 1]])

    private func reason(_ code: [UInt8]..., type: UInt32 = 0) throws -> ValidationError.Reason? {
        var builder = builder
        builder.function(type, code.flatMap { $0 })
        return try builder.reason()
    }

    @Test func direct() throws {
        #expect(try reason(call(0)) == nil)
        #expect(try reason(call(1)) == .unknown(.function, 1))
        #expect(try reason(i64Const(0), call(0), type: 1) == operand(.i32, .i64))
        #expect(try reason(localGet(0), call(0), type: 1) == nil)
    }

    @Test func indirect() throws {
        #expect(try reason(i32Const(0), i32Const(0), [0x11, 1, 0], drop) == nil)
        #expect(try reason(i32Const(0), [0x11, 9, 0]) == .unknown(.type, 9))
        #expect(try reason(i32Const(0), [0x11, 0, 9]) == .unknown(.table, 9))
        #expect(try reason(i32Const(0), [0x11, 2, 0]) == .typeMismatch(.kindOfType(2)))
        #expect(try reason(i32Const(0), [0x11, 0, 1]) == .typeMismatch(.tableOfFunctionsExpected))
        #expect(try reason(i64Const(0), [0x11, 0, 2]) == nil)
        #expect(try reason(i32Const(0), [0x11, 0, 2]) == operand(.i64, .i32))
    }

    @Test func references() throws {
        #expect(try reason(refNullCode([0]), [0x14, 0]) == nil)
        #expect(
            try reason(refNullCode([1]), [0x14, 0])
                == operand(
                    .ref(.index(0), nullable: true), .ref(.index(1), nullable: true)))
        #expect(try reason(refNullCode([2]), [0x14, 2]) == .typeMismatch(.kindOfType(2)))
    }

    @Test func tails() throws {
        #expect(try reason([0x12, 0]) == nil)
        #expect(try reason(localGet(0), [0x12, 0], type: 1) == nil)
        #expect(
            try reason(i32Const(0), i32Const(0), [0x13, 1, 0])
                == .typeMismatch(.calleeResults))
        #expect(try reason(refNullCode([0]), [0x15, 0]) == nil)
        #expect(
            try reason(refNullCode([0]), [0x15, 0], type: 1)
                == .typeMismatch(.calleeResults))
    }
}

@Suite struct ExceptionTests {
    private var builder = ModuleBuilder(
        types: [functionType(), functionType([i32]), functionType([], [i32, exnref])],
        tags: [0, 1])

    private func reason(_ code: [UInt8]...) throws -> ValidationError.Reason? {
        var builder = builder
        builder.function(0, code.flatMap { $0 })
        return try builder.reason()
    }

    private func tryTable(_ clauses: [UInt8]..., code: [UInt8] = []) -> [UInt8] {
        [0x1f] + empty + vector(clauses) + code + end
    }

    @Test func throwing() throws {
        #expect(try reason([0x08, 0]) == nil)
        #expect(try reason(i32Const(1), [0x08, 1]) == nil)
        #expect(try reason([0x08, 1]) == operand(.i32, nil))
        #expect(try reason([0x08, 2]) == .unknown(.tag, 2))
        #expect(try reason(refNullCode(exnref), [0x0a]) == nil)
        #expect(try reason(i32Const(1), [0x0a]) == operand(.ref(.exn, nullable: true), .i32))
    }

    @Test func catching() throws {
        let wrong = ValidationError.Reason.typeMismatch(.labelTypes)
        #expect(try reason(tryTable([0, 0, 0])) == nil)
        #expect(try reason(tryTable([2, 0])) == nil)
        #expect(try reason(tryTable([0, 1, 0])) == wrong)
        #expect(try reason(block(i32, tryTable([0, 1, 0]), i32Const(1)), drop) == nil)
        #expect(try reason(block(exnref, tryTable([3, 0]), unreachable), drop) == nil)
        #expect(try reason(block(exnref, tryTable([1, 0, 0]), unreachable), drop) == nil)
        #expect(try reason(block([2], tryTable([1, 1, 0]), unreachable), drop, drop) == nil)
        #expect(try reason(block([2], tryTable([0, 1, 0]), unreachable), drop, drop) == wrong)
        #expect(try reason(tryTable([3, 0])) == wrong)
        #expect(try reason(tryTable([0, 7, 0])) == .unknown(.tag, 7))
        // The labels are those outside.
        #expect(try reason(tryTable([2, 1])) == .unknown(.label, 1))
    }

    @Test func legacy() throws {
        let tryBlock = { (code: [UInt8]) in [0x06] + empty + code }
        #expect(try reason(tryBlock([0x07, 1] + drop + [0x19] + end)) == nil)
        #expect(try reason(tryBlock([0x07, 0] + drop + end)) == operand(.bottom, nil))
        #expect(try reason(tryBlock([0x19, 0x09, 0] + end)) == nil)
        #expect(try reason(tryBlock([0x09, 0] + end)) == .invalidRethrowLabel)
        #expect(try reason(tryBlock([0x18, 0])) == nil)
        #expect(try reason(tryBlock([0x18, 1])) == .unknown(.label, 1))
    }
}
