import Testing
import WasmDecoder
import WasmValidator

@Suite struct ModuleTests {
    @Test func emptyModule() throws {
        let module = try ModuleBuilder().validate()
        #expect(module.typeIDs.isEmpty)
        #expect(module.requiredFeatures == [])
    }

    @Test func functionsNameFunctionTypes() throws {
        var builder = ModuleBuilder(types: [structure()])
        builder.function(0)
        #expect(try builder.reason() == .typeMismatch(.kindOfType(0)))
        builder.functions = [1]
        #expect(try builder.reason() == .unknown(.type, 1))
    }

    @Test func exports() throws {
        var builder = ModuleBuilder(types: [functionType()], memories: [[0, 1]])
        builder.function(0)
        builder.exports = [("a", 0, 0), ("b", 2, 0)]
        #expect(try builder.reason() == nil)
        builder.exports = [("a", 0, 0), ("a", 2, 0)]
        #expect(try builder.reason() == .duplicateExport("a"))
        // Few names are compared, many are hashed.
        for count in [8, 9, 200] {
            builder.exports = (1..<count).map { ("name \($0)", 0, 0) }
            #expect(try builder.reason() == nil)
            builder.exports.append(("name 1", 2, 0))
            #expect(try builder.reason() == .duplicateExport("name 1"))
        }
        let unknown: [(UInt8, ValidationError.Entity)] = [
            (0, .function), (1, .table), (2, .memory), (3, .global), (4, .tag),
        ]
        for (kind, entity) in unknown {
            builder.exports = [("a", kind, 1)]
            #expect(try builder.reason() == .unknown(entity, 1))
        }
        // Names that Unicode holds equal are different.
        builder.exports = [("\u{e9}", 0, 0), ("e\u{301}", 0, 0)]
        #expect(try builder.reason() == nil)
    }

    @Test func start() throws {
        var builder = ModuleBuilder(types: [functionType(), functionType([i32])])
        builder.function(0)
        builder.function(1)
        builder.start = 0
        #expect(try builder.reason() == nil)
        builder.start = 1
        #expect(try builder.reason() == .startFunction)
        builder.start = 2
        #expect(try builder.reason() == .unknown(.function, 2))
    }

    @Test func tags() throws {
        #expect(try ModuleBuilder(types: [functionType([i32])], tags: [0]).reason() == nil)
        #expect(
            try ModuleBuilder(types: [functionType([], [i32])], tags: [0]).reason()
                == .nonEmptyTagResultType)
        #expect(try ModuleBuilder(tags: [0]).reason() == .unknown(.type, 0))
    }

    private func memory(_ bytes: [UInt8]...) throws -> String? {
        try ModuleBuilder(memories: [bytes.flatMap { $0 }]).message()
    }

    @Test func memories() throws {
        #expect(try memory([1, 1, 1]) == nil)
        #expect(try memory([1, 2, 1]) == "size minimum must not be greater than maximum")
        #expect(try memory([0], leb(65_536)) == nil)
        #expect(try memory([0], leb(65_537)) == "memory size must be at most 65536 pages (4GiB)")
        #expect(
            try memory([1, 0], leb(65_537)) == "memory size must be at most 65536 pages (4GiB)")
        #expect(try memory([4], leb(1 << 48)) == nil)
        #expect(try memory([4], leb(1 << 48 + 1))?.hasPrefix("memory size") == true)
        #expect(try memory([2, 1]) == "shared memory must have maximum")
        #expect(try memory([3, 1, 2]) == nil)
        // Pages of one byte
        #expect(try memory([8], leb(UInt32.max), [0]) == nil)
        #expect(try memory([8], leb(1 << 32), [0])?.hasPrefix("memory size") == true)
        #expect(try memory([12], leb(UInt64.max), [0]) == nil)
        #expect(try memory([8, 1, 16]) == nil)
        #expect(try memory([8, 1, 1]) == "invalid custom page size")
    }

    @Test func tables() throws {
        let reason = { (table: [UInt8]) in try ModuleBuilder(tables: [table]).reason() }
        #expect(try reason(funcref + [0] + leb(UInt32.max)) == nil)
        #expect(try reason(funcref + [0] + leb(1 << 32)) == .tableSize(.i32))
        #expect(try reason(funcref + [4] + leb(UInt64.max)) == nil)
        #expect(try reason(funcref + [1, 2, 1]) == .minimumGreaterThanMaximum)
        #expect(try reason(refNull(0) + [0, 1]) == .unknown(.type, 0))
        // Elements without default need an initializer.
        let nonNull = ref(funcref) + [0, 0]
        #expect(try reason(nonNull) == .typeMismatch(.tableWithoutInitializer))
        let null = refNullCode(funcref) + end
        #expect(try reason([0x40, 0] + funcref + [0, 1] + null) == nil)
        #expect(
            try reason([0x40, 0] + nonNull + null)
                == .typeMismatch(
                    .operand(expected: .ref(.func, nullable: false), found: .funcref)))
        // As an import it has its elements already.
        #expect(
            try ModuleBuilder(imports: [name("m") + name("t") + [1] + nonNull]).reason() == nil)
    }

    @Test func segments() throws {
        var builder = ModuleBuilder(
            types: [functionType()], tables: [externref + [0, 1], funcref + [4, 1]],
            memories: [[4, 1]])
        builder.function(0)
        let reason = { (element: [UInt8]?, data: [UInt8]?) throws -> ValidationError.Reason? in
            var copy = builder
            copy.elements = [element].compactMap { $0 }
            copy.datas = [data].compactMap { $0 }
            return try copy.reason()
        }
        let (at32, at64) = (i32Const(0) + end, i64Const(0) + end)
        #expect(try reason([0] + at32 + [1, 0], nil) == .typeMismatch(.elements))
        #expect(try reason([2, 1] + at64 + [0, 1, 0], nil) == nil)
        #expect(
            try reason([2, 1] + at32 + [0, 1, 0], nil)
                == .typeMismatch(.operand(expected: .i64, found: .i32)))
        #expect(try reason([2, 7] + at32 + [0, 0], nil) == .unknown(.table, 7))
        #expect(try reason([1, 0, 1, 3], nil) == .unknown(.function, 3))
        let externs = [1] + refNullCode(externref) + end
        #expect(try reason([6, 0] + at32 + externref + externs, nil) == nil)
        #expect(
            try reason([5] + ref(externref) + externs, nil)
                == .typeMismatch(
                    .operand(expected: .ref(.extern, nullable: false), found: .externref)))
        #expect(try reason([5] + refNull(4) + [0], nil) == .unknown(.type, 4))
        #expect(try reason(nil, [0] + at64 + [0]) == nil)
        #expect(
            try reason(nil, [0] + at32 + [0])
                == .typeMismatch(.operand(expected: .i64, found: .i32)))
        #expect(try reason(nil, [2, 1] + at64 + [0]) == .unknown(.memory, 1))
        #expect(try reason(nil, [1, 0]) == nil)
    }
}

@Suite struct ConstantExpressionTests {
    /// Globals: 0 imported immutable i32, 1 imported mutable i32, then the one with `code`.
    private func reason(
        _ type: [UInt8], _ code: [UInt8]..., features: Features = .everything
    ) throws -> ValidationError.Reason? {
        var builder = ModuleBuilder(
            types: [functionType(), structure(mutable(i32)), array(mutable(i8))])
        builder.imports = [
            name("m") + name("a") + [3] + immutable(i32),
            name("m") + name("b") + [3] + mutable(i32),
        ]
        builder.globals = [immutable(type) + code.flatMap { $0 } + end]
        builder.function(0)
        return try builder.reason(features: features)
    }

    private let wrong = ValidationError.Reason.constantExpressionRequired

    @Test func instructions() throws {
        #expect(try reason(i32, i32Const(1)) == nil)
        #expect(try reason(v128, v128Const) == nil)
        #expect(
            try reason(i32, i64Const(1))
                == .typeMismatch(.operand(expected: .i32, found: .i64)))
        #expect(try reason(i32) == .typeMismatch(.operand(expected: .i32, found: nil)))
        #expect(try reason(i32, i32Const(1), i32Const(1)) == .typeMismatch(.operandsRemain(1)))
        #expect(try reason(i32, i32Const(1), i32Const(1), i32Add) == nil)
        #expect(try reason(i32, i32Const(1), i32Eqz) == wrong)
        #expect(try reason(i32, nop, i32Const(1)) == wrong)
        #expect(try reason(i32, unreachable) == wrong)
        #expect(try reason(i32, block(i32, i32Const(1))) == wrong)
        #expect(try reason(i32, call(0)) == wrong)
    }

    @Test func globals() throws {
        #expect(try reason(i32, globalGet(0)) == nil)
        #expect(try reason(i32, globalGet(1)) == wrong)
        #expect(try reason(i32, globalGet(2)) == .unknown(.global, 2), "itself")
        var builder = ModuleBuilder()
        builder.globals = [
            immutable(i32) + i32Const(1) + end, immutable(i32) + globalGet(0) + end,
        ]
        #expect(try builder.reason() == nil)
        #expect(try builder.reason(features: .wasm2) == .unknown(.global, 0))
        builder.globals.swapAt(0, 1)
        #expect(try builder.reason() == .unknown(.global, 0))
    }

    @Test func references() throws {
        #expect(try reason(funcref, refNullCode(funcref)) == nil)
        #expect(try reason(ref(0), refFunc(0)) == nil)
        #expect(try reason(funcref, refFunc(3)) == .unknown(.function, 3))
        #expect(try reason(ref(1), i32Const(1), gc(0, 1)) == nil)
        #expect(try reason(ref(1), gc(1, 1)) == nil)
        #expect(try reason(ref(2), i32Const(1), i32Const(1), gc(8, 2, 2)) == nil)
        #expect(try reason(externref, i32Const(1), [0xfb, 28], [0xfb, 27]) == nil)
        #expect(try reason(i32, gc(1, 1), gc(2, 1, 0)) == wrong)
    }

    @Test func functionsInThemAreDeclared() throws {
        for place in 0..<3 {
            var builder = ModuleBuilder(types: [functionType()])
            builder.function(0, refFunc(0), drop)
            #expect(try builder.reason() == .undeclaredFunctionReference(0))
            switch place {
            case 0: builder.globals = [immutable(funcref) + refFunc(0) + end]
            case 1: builder.elements = [[3, 0, 1, 0]]
            default: builder.exports = [("f", 0, 0)]
            }
            #expect(try builder.reason() == nil)
        }
        // Being the start function declares nothing.
        var builder = ModuleBuilder(types: [functionType()], start: 0)
        builder.function(0, refFunc(0), drop)
        #expect(try builder.reason() == .undeclaredFunctionReference(0))
    }
}

@Suite struct FeatureTests {
    private func required(_ builder: ModuleBuilder) throws -> Features {
        try builder.validate().requiredFeatures
    }

    private func required(_ code: [UInt8]..., memories: [[UInt8]] = [[0, 1]]) throws -> Features {
        var builder = ModuleBuilder(types: [functionType()], memories: memories)
        builder.function(0, code.flatMap { $0 })
        return try required(builder)
    }

    @Test func instructions() throws {
        #expect(try required(i32Const(0), [0x28, 2, 0], drop) == [])
        #expect(try required(i32Const(0), [0xc0], drop) == .signExtension)
        #expect(try required(f32Const, misc(0), drop) == .saturatingConversions)
        #expect(try required(v128Const, drop) == .simd)
        #expect(try required(unreachable, [0xfd] + leb(0x100), drop).contains(.relaxedSIMD))
        #expect(try required(i32Const(0), [0xfe, 0x10, 2, 0], drop) == .threads)
        #expect(try required([0x12, 0]) == .tailCalls)
        #expect(try required(refNullCode(externref), drop) == .referenceTypes)
        #expect(try required(refNullCode(externref), [0xd4], drop).contains(.functionReferences))
        #expect(try required(i32Const(0), [0xfb, 28], drop).contains(.garbageCollection))
        #expect(try required(unreachable, misc(11, 0)) == .bulkMemory)
        #expect(try required(unreachable, misc(19), drop, drop) == .wideArithmetic)
        #expect(try required(block([0])) == .multiValue)
        // Types of locals and blocks count, features that are only on do not.
        #expect(try required(block(v128, v128Const), drop) == .simd)
        var builder = ModuleBuilder(types: [functionType()])
        builder.function(0, locals: [(1, externref)])
        #expect(try required(builder) == .referenceTypes)
    }

    @Test func sections() throws {
        #expect(try required(ModuleBuilder(types: [functionType([], [i32, i32])])) == .multiValue)
        #expect(try required(ModuleBuilder(types: [structure()])) == .garbageCollection)
        #expect(
            try required(ModuleBuilder(types: [rec(functionType(), functionType())]))
                == .garbageCollection)
        #expect(try required(ModuleBuilder(tables: [funcref + [0, 1]])) == [])
        #expect(try required(ModuleBuilder(tables: [externref + [0, 1]])) == .referenceTypes)
        #expect(try required(ModuleBuilder(memories: [[0, 1], [0, 1]])) == .multiMemory)
        #expect(try required(ModuleBuilder(memories: [[4, 1]])) == .memory64)
        #expect(try required(ModuleBuilder(memories: [[3, 1, 1]])) == .threads)
        #expect(try required(ModuleBuilder(memories: [[8, 1, 0]])) == .customPageSizes)
        #expect(
            try required(ModuleBuilder(types: [functionType()], tags: [0])) == .exceptions)
        #expect(
            try required(
                ModuleBuilder(globals: [
                    immutable(i32) + i32Const(1) + i32Const(1) + i32Add + end
                ])) == .extendedConstants)
        let global = mutable(i32) + i32Const(1) + end
        #expect(try required(ModuleBuilder(globals: [global])) == [])
        #expect(
            try required(ModuleBuilder(globals: [global], exports: [("g", 3, 0)]))
                == .mutableGlobals)
        #expect(try required(ModuleBuilder(datas: [[1, 0]])) == .bulkMemory)
    }
}
