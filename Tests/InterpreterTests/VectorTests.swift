import Testing
import WasmDecoder
import WasmInstructionSet

@testable import WasmInterpreter

/// Vectors in locals, globals, calls, branches and memories, and the instructions they become.
@Suite struct VectorTests {
    private static let v128: UInt8 = 0x7b
    private let i32 = TestModule.i32
    private let i64 = TestModule.i64
    private let v128 = VectorTests.v128
    private let one = Value.v128(low: 0x0807_0605_0403_0201, high: 0x100f_0e0d_0c0b_0a09)
    private let two = Value.v128(low: 0x2221_2019_1817_1615, high: 0x3029_2827_2625_2423)
    private let zero = Value.v128(low: 0, high: 0)

    /// An instruction of page 0xFD.
    private static func vector(_ opcode: Opcode, _ immediates: [UInt8] = []) -> [UInt8] {
        [0xfd] + TestModule.unsigned(UInt64(opcode.rawValue) - 0x400) + immediates
    }
    private func vector(_ opcode: Opcode, _ immediates: [UInt8] = []) -> [UInt8] {
        Self.vector(opcode, immediates)
    }
    /// `v128.const` with all bytes equal.
    private static func constant(_ byte: UInt8) -> [UInt8] {
        vector(.v128Const, [UInt8](repeating: byte, count: 16))
    }
    private func all(_ byte: UInt8) -> Value {
        let word = UInt64(byte) &* 0x0101_0101_0101_0101
        return .v128(low: word, high: word)
    }

    private func run(
        _ parameters: [UInt8], _ results: [UInt8], locals: [UInt8] = [], _ code: [UInt8],
        _ arguments: [Value], _ extend: (inout TestModule) -> Void = { _ in }
    ) throws -> [Value] {
        var module = TestModule()
        let type = module.type(parameters, results)
        extend(&module)
        module.export("f", .function, module.function(type: type, locals: locals, code))
        let function = try #require(try House().instantiate(module).function("f"))
        return try function.call(arguments)
    }

    private func trap(_ body: () throws -> [Value]) -> TrapCode? {
        do {
            _ = try body()
            return nil
        } catch {
            return (error as? Trap)?.code
        }
    }

    // MARK: The table

    @Test func everyInstructionIsTranslated() {
        for raw in 0x400...0x513 {
            guard let opcode = Opcode(rawValue: UInt16(raw)) else { continue }
            #expect(VectorOperation(opcode) != nil, "\(opcode)")
        }
    }

    // MARK: Locals and operands

    @Test func localsOfVectorsBeginAsZero() throws {
        let result = try run([], [v128], locals: [i32, v128], [0x20, 1], [])
        #expect(result == [zero])
    }

    @Test func olderUsesOfALocalKeepItsValue() throws {
        // local 0 is on the stack twice when it changes, once by an operator, once by a copy.
        let result = try run(
            [v128, v128], [v128, v128, v128, v128],
            [0x20, 0, 0x20, 0, 0x20, 1] + vector(.i8x16Add) + [0x21, 0, 0x20, 0]
                + [0x20, 1, 0x21, 0, 0x20, 0, 0x20, 1], [one, all(1)])
        guard case .v128(let low, let high) = one else { return }
        let word: UInt64 = 0x0101_0101_0101_0101
        #expect(result == [one, .v128(low: low + word, high: high + word), all(1), all(1)])
    }

    @Test(arguments: [0, 1] as [Int32])
    func selectTakesWholeVectors(condition: Int32) throws {
        let expected = [condition == 0 ? two : one]
        let arguments = [one, two, Value.i32(condition)]
        let code: [UInt8] = [0x20, 0, 0x20, 1, 0x20, 2]
        #expect(try run([v128, v128, i32], [v128], code + [0x1b], arguments) == expected)
        #expect(try run([v128, v128, i32], [v128], code + [0x1c, 1, v128], arguments) == expected)
        // The condition from the accumulator, the result to a local.
        let computed: [UInt8] = code + [0x45, 0x45, 0x1b, 0x21, 0, 0x20, 0]
        #expect(try run([v128, v128, i32], [v128], computed, arguments) == expected)
    }

    // MARK: Control

    @Test func blocksAndLoopsCarryVectors() throws {
        // loop (v128, i32) -> v128: adds 1 to every byte as often as the second parameter says
        var module = TestModule()
        let type = module.type([v128, i32], [v128])
        let code: [UInt8] =
            [0x20, 0, 0x20, 1, 0x03, type, 0x21, 1] + Self.constant(1) + vector(.i8x16Add)
            + [0x20, 1, 0x41, 1, 0x6b, 0x22, 1, 0x20, 1, 0x0d, 0, 0x1a, 0x0b]
        module.export("f", .function, module.function(type: type, code))
        let function = try #require(try House().instantiate(module).function("f"))
        #expect(try function.call([zero, .i32(100)]) == [all(100)])
    }

    @Test(arguments: [0, 1, 2, 9] as [Int32])
    func branchTablesCarryVectors(index: Int32) throws {
        // Targets whose homes differ; a local and an operand as the values.
        let code: [UInt8] =
            [0x02, v128, 0x02, v128, 0x41, 7, 0x02, v128, 0x20, 0, 0x20, 2, 0x0e, 2, 0, 1, 2, 0x0b]
            + Self.constant(1) + vector(.i8x16Add) + [0x21, 1, 0x1a, 0x20, 1, 0x0b]
            + Self.constant(16) + vector(.i8x16Add) + [0x0b]
        let expected: [Int32: UInt8] = [0: 17 + 3, 1: 16 + 3]
        let result = try run([v128, v128, i32], [v128], code, [all(3), zero, .i32(index)])
        #expect(result == [all(expected[index] ?? 3)])
    }

    @Test func returnsMoveVectorsThatOverlap() throws {
        // Results replace parameters slot by slot: each source is read before it is overwritten.
        let result = try run(
            [i32, v128, v128], [v128, v128, i32], [0x20, 2, 0x20, 1, 0x20, 0],
            [.i32(5), one, two])
        #expect(result == [two, one, .i32(5)])
        #expect(try run([i32, v128], [v128], [0x20, 1], [.i32(5), one]) == [one])
    }

    @Test func conditionsOfTestsBranch() throws {
        for (opcode, value, expected) in [
            (Opcode.v128AnyTrue, zero, 0), (.v128AnyTrue, one, 1), (.i8x16AllTrue, one, 1),
            (.i8x16AllTrue, .v128(low: .max, high: .max << 8), 0), (.i8x16Bitmask, one, 0),
            (.i8x16Bitmask, .v128(low: 0, high: 0x80), 1), (.i32x4Bitmask, all(0x7f), 0),
            (.i64x2Bitmask, .v128(low: 1 << 63, high: 0), 1), (.i16x8Bitmask, all(0x80), 1),
        ] as [(Opcode, Value, Int32)] {
            let test = [0x20, 0] + vector(opcode)
            for negation in [[], [0x45]] as [[UInt8]] {
                let code: [UInt8] =
                    test + negation + [0x04, i32] + TestModule.i32(1) + [0x05]
                    + TestModule.i32(0) + [0x0b]
                let wanted = negation.isEmpty ? expected : 1 - expected
                #expect(try run([v128], [i32], code, [value]) == [.i32(wanted)], "\(opcode)")
            }
        }
    }

    // MARK: Calls

    @Test func callsPassVectors() throws {
        var module = TestModule()
        let type = module.type([i32, v128, i64, v128], [v128, i32, v128])
        let host = module.importFunction("host", "swap", type: type)
        let own = module.function(type: type, [0x20, 3, 0x20, 0, 0x20, 1])
        let arguments: [UInt8] = [0x20, 0, 0x20, 1, 0x20, 2, 0x20, 3]
        module.table(2)
        module.elements(at: TestModule.i32(0), [host, own])
        for (name, call) in [
            ("host", [0x10, host]), ("own", [0x10, own]), ("tail", [0x12, own]),
            ("tailHost", [0x12, host]), ("indirectHost", [0x41, 0, 0x11, type, 0]),
            ("indirect", [0x41, 1, 0x11, type, 0]), ("tailIndirect", [0x41, 1, 0x13, type, 0]),
        ] as [(String, [UInt8])] {
            module.export(name, .function, module.function(type: type, arguments + call))
        }
        let house = House()
        house.linker.defineFunction(
            "host", "swap", parameters: [.i32, .v128, .i64, .v128], results: [.v128, .i32, .v128]
        ) { _, slots in
            let arguments = (0..<6).map { slots[$0] }
            for (index, source) in [4, 5, 0, 1, 2].enumerated() {
                slots[index] = arguments[source]
            }
        }
        let first = try house.instantiate(module)
        // A second instance, whose imported function is one of the first.
        house.linker.define("host", "swap", .function(try #require(first.function("own"))))
        let second = try house.instantiate(module)
        for instance in [first, second] {
            for name in [
                "host", "own", "tail", "tailHost", "indirectHost", "indirect", "tailIndirect",
            ] {
                let function = try #require(instance.function(Name(name)))
                let result = try function.call([.i32(-1), one, .i64(-2), two])
                #expect(result == [two, .i32(-1), one], "\(name)")
            }
        }
    }

    // MARK: Globals

    @Test func globalsHoldVectors() throws {
        var module = TestModule()
        let get = module.type([], [v128])
        let set = module.type([v128])
        module.importGlobal("host", "v", v128, mutable: true)
        module.global(v128, mutable: true, Self.constant(9))
        module.global(i32, mutable: false, TestModule.i32(7))
        for index in 0..<2 as Range<UInt8> {
            module.export("get\(index)", .function, module.function(type: get, [0x23, index]))
            module.export(
                "set\(index)", .function, module.function(type: set, [0x20, 0, 0x24, index]))
        }
        module.export("number", .global, 2)
        let house = House()
        let type = GlobalType(.v128, mutable: true)
        let imported = try Global(store: house.store, type: type, value: two)
        house.linker.define("host", "v", .global(imported))
        let instance = try house.instantiate(module)
        func call(_ name: Name, _ arguments: [Value] = []) throws -> [Value] {
            try #require(instance.function(name)).call(arguments)
        }
        #expect(try call("get0") == [two])
        #expect(try call("get1") == [all(9)])
        _ = try call("set0", [one])
        _ = try call("set1", [two])
        #expect(imported.value == one)
        #expect(try call("get1") == [two])
        #expect(instance.global("number")?.value == .i32(7))
    }

    // MARK: Memory

    /// Every access: opcode, immediates behind the memory argument, bytes, and whether it stores.
    private static let accesses: [(Opcode, [UInt8], Int32, Bool)] = [
        (.v128Load, [], 16, false), (.v128Load8x8S, [], 8, false), (.v128Load8x8U, [], 8, false),
        (.v128Load16x4S, [], 8, false), (.v128Load32x2U, [], 8, false),
        (.v128Load8Splat, [], 1, false), (.v128Load16Splat, [], 2, false),
        (.v128Load32Splat, [], 4, false), (.v128Load64Splat, [], 8, false),
        (.v128Load32Zero, [], 4, false), (.v128Load64Zero, [], 8, false),
        (.v128Load8Lane, [15], 1, false), (.v128Load16Lane, [7], 2, false),
        (.v128Load32Lane, [3], 4, false), (.v128Load64Lane, [1], 8, false),
        (.v128Store, [], 16, true), (.v128Store8Lane, [15], 1, true),
        (.v128Store16Lane, [7], 2, true), (.v128Store32Lane, [3], 4, true),
        (.v128Store64Lane, [1], 8, true),
    ]

    @Test func accessesEndAtTheSizeOfTheMemory() throws {
        for (opcode, lane, size, isStore) in Self.accesses {
            let needsVector = isStore || !lane.isEmpty
            for (is64, far) in [(false, false), (true, false), (false, true)] {
                let argument: [UInt8] = far ? [0x40, 1, 4] : [0, 4]
                let code: [UInt8] =
                    [0x20, 0] + (needsVector ? Self.constant(0x11) : [])
                    + vector(opcode, argument + lane) + (isStore ? Self.constant(0) : [])
                func access(_ address: Int32) throws -> [Value] {
                    let value = is64 ? Value.i64(Int64(address)) : .i32(address)
                    return try run([is64 ? i64 : i32], [v128], code, [value]) {
                        $0.memory(1, is64: is64)
                        if far { $0.memory(1) }
                    }
                }
                let last = 65_536 - 4 - size
                let expected: Value =
                    lane.isEmpty || isStore
                    ? zero
                    : .v128(
                        low: 0x1111_1111_1111_1111,
                        high: size == 8 ? 0 : 0x1111_1111_1111_1111 >> UInt64(8 * size))
                #expect(try access(last) == [expected], "\(opcode)")
                #expect(trap { try access(last + 1) } == .outOfBoundsMemoryAccess, "\(opcode)")
                #expect(trap { try access(-1) } == .outOfBoundsMemoryAccess, "\(opcode)")
            }
        }
    }

    @Test func lanesOfOtherMemories() throws {
        // Stores lane 2 of 32 bits to memory 1, loads it back to lane 0 of zero.
        let code: [UInt8] =
            TestModule.i32(8) + [0x20, 0] + vector(.v128Store32Lane, [0x42, 1, 0, 2])
            + TestModule.i32(8) + Self.constant(0) + vector(.v128Load32Lane, [0x42, 1, 0, 0])
        let result = try run([v128], [v128], code, [one]) {
            $0.memory(1)
            $0.memory(1)
        }
        #expect(result == [.v128(low: 0x0c0b_0a09, high: 0)])
    }

    @Test func operandsFromMemoryTrapToo() throws {
        let code: [UInt8] =
            [0x20, 1, 0x20, 0] + vector(.v128Load, [4, 0]) + vector(.i8x16Add)
        func add(_ address: Int32) throws -> [Value] {
            try run([i32, v128], [v128], code, [.i32(address), one]) {
                $0.memory(1)
                $0.data(at: TestModule.i32(16), [UInt8](repeating: 0x10, count: 16))
            }
        }
        #expect(
            try add(16)
                == [.v128(low: 0x1817_1615_1413_1211, high: 0x201f_1e1d_1c1b_1a19)])
        #expect(try add(65_520) == [one])
        // The same, and the sum goes back to where the operand was (then it is loaded again).
        let update: [UInt8] =
            [0x20, 0] + code + vector(.v128Store, [4, 0]) + [0x20, 0] + vector(.v128Load, [4, 0])
        func change(_ address: Int32) throws -> [Value] {
            try run([i32, v128], [v128], update, [.i32(address), one]) { $0.memory(1) }
        }
        #expect(try change(65_520) == [one])
        #expect(trap { try change(65_521) } == .outOfBoundsMemoryAccess)
        #expect(trap { try add(65_521) } == .outOfBoundsMemoryAccess)
    }
}
