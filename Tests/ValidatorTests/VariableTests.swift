import Testing
import WasmDecoder
import WasmValidator

@Suite struct LocalTests {
    private func reason(
        locals: [(count: UInt32, type: [UInt8])], _ code: [UInt8]...
    ) throws -> ValidationError.Reason? {
        var builder = ModuleBuilder(types: [functionType([i32])])
        builder.function(0, locals: locals, code.flatMap { $0 })
        return try builder.reason()
    }

    @Test func types() throws {
        let locals: [(UInt32, [UInt8])] = [(2, i64), (0, f32), (1, f64)]
        #expect(try reason(locals: locals, localGet(0), i32Eqz, drop) == nil)
        #expect(try reason(locals: locals, localGet(2), localSet(1)) == nil)
        #expect(
            try reason(locals: locals, localGet(2), localSet(3))
                == .typeMismatch(.operand(expected: .f64, found: .i64)))
        #expect(try reason(locals: locals, localGet(4), drop) == .unknown(.local, 4))
        #expect(try reason(locals: locals, i64Const(1), [0x22, 2], localSet(1)) == nil)
        #expect(try reason(locals: [(1, ref(9))]) == .unknown(.type, 9))
    }

    /// Groups that are longer than the body are not written out.
    @Test func manyLocals() throws {
        let locals: [(UInt32, [UInt8])] = [(3, i64), (20_000, f32), (20_000, f64), (1, i32)]
        #expect(try reason(locals: locals, localGet(4), localSet(5)) == nil)
        #expect(try reason(locals: locals, localGet(20_003), localSet(4)) == nil)
        #expect(
            try reason(locals: locals, localGet(20_004), localSet(4))
                == .typeMismatch(.operand(expected: .f32, found: .f64)))
        #expect(try reason(locals: locals, localGet(40_003), localSet(20_004)) == nil)
        #expect(try reason(locals: locals, localGet(40_004), i32Eqz, drop) == nil)
        #expect(try reason(locals: locals, localGet(40_005), drop) == .unknown(.local, 40_005))
    }

    @Test func initialization() throws {
        let locals: [(UInt32, [UInt8])] = [(1, ref(funcref)), (1, funcref)]
        let value = refNullCode(funcref) + [0xd4]
        let use = localGet(1) + drop
        let wrong = ValidationError.Reason.uninitializedLocal(1)
        #expect(try reason(locals: locals, use) == wrong)
        #expect(try reason(locals: locals, localGet(2), drop) == nil)
        #expect(try reason(locals: locals, value, localSet(1), use) == nil)
        #expect(try reason(locals: locals, value, [0x22, 1], drop, use) == nil)
        // What was initialized in a block is not after it.
        #expect(
            try reason(locals: locals, block(empty, value, localSet(1), use), use) == wrong)
        #expect(
            try reason(locals: locals, value, localSet(1), block(empty, use), use) == nil)
        #expect(
            try reason(
                locals: locals, i32Const(0), ifBlock(empty, value, localSet(1), elseBranch, use))
                == wrong)
        #expect(try reason(locals: locals, unreachable, use) == wrong)
        // Beyond the part that is written out.
        let many: [(UInt32, [UInt8])] = [(10_000, i32), (1, ref(funcref))]
        #expect(try reason(locals: many, localGet(10_001), drop) == .uninitializedLocal(10_001))
        #expect(
            try reason(locals: many, value, localSet(10_001), localGet(10_001), drop) == nil)
    }

    /// Parameters have values; the next function starts anew.
    @Test func initializationEndsWithTheFunction() throws {
        var builder = ModuleBuilder(types: [functionType([ref(funcref)]), functionType()])
        builder.function(0, localGet(0), drop)
        builder.function(
            1, locals: [(1, ref(funcref))], refNullCode(funcref), [0xd4], localSet(0))
        #expect(try builder.reason() == nil)
        builder.function(1, locals: [(1, ref(funcref))], localGet(0), drop)
        #expect(try builder.reason() == .uninitializedLocal(0))
    }
}

@Suite struct GlobalTests {
    @Test func access() throws {
        var builder = ModuleBuilder(types: [functionType()])
        builder.globals = [
            mutable(i32) + i32Const(1) + end, immutable(i64) + i64Const(1) + end,
        ]
        let reason = { (code: [UInt8]) throws -> ValidationError.Reason? in
            var copy = builder
            copy.function(0, code)
            return try copy.reason()
        }
        #expect(try reason(globalGet(0) + globalSet(0)) == nil)
        #expect(try reason(globalGet(1) + drop) == nil)
        #expect(try reason(globalGet(2) + drop) == .unknown(.global, 2))
        #expect(try reason(globalSet(2)) == .unknown(.global, 2))
        #expect(try reason(globalGet(1) + globalSet(1)) == .immutableGlobal(1))
        #expect(
            try reason(globalGet(1) + globalSet(0))
                == .typeMismatch(.operand(expected: .i32, found: .i64)))
    }
}
