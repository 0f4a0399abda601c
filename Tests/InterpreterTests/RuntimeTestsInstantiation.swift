import Testing
import WasmInterpreter

@Suite struct InstantiationTests {
    @Test func emptyModule() throws {
        let house = House()
        let instance = try house.instantiate(TestModule())
        #expect(instance.exports.isEmpty)
        #expect(instance.export("memory") == nil)
    }

    @Test func globalsAndConstantExpressions() throws {
        let house = House()
        let base = try Global(
            store: house.store, type: GlobalType(.i32, mutable: false), value: .i32(40))
        house.linker.define("env", "base", .global(base))
        var module = TestModule()
        module.importGlobal("env", "base", TestModule.i32, mutable: false)
        // base + 2, -1, 6 * 7 - 1, 1.5
        module.global(
            TestModule.i32, mutable: false, [0x23, 0] + TestModule.i32(2) + [0x6a])
        module.global(TestModule.i64, mutable: true, TestModule.i64(-1))
        module.global(
            TestModule.i64, mutable: false,
            TestModule.i64(6) + TestModule.i64(7) + [0x7e] + TestModule.i64(1) + [0x7d])
        module.global(TestModule.f64, mutable: false, [0x44, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f])
        for index: UInt8 in 0..<5 { module.export("g\(index)", .global, index) }
        let instance = try house.instantiate(module)
        #expect(instance.global("g0")?.value == .i32(40))
        #expect(instance.global("g1")?.value == .i32(42))
        #expect(instance.global("g2")?.value == .i64(-1))
        #expect(instance.global("g3")?.value == .i64(41))
        #expect(instance.global("g4")?.value == .f64(1.5))

        try instance.global("g2")?.set(.i64(7))
        #expect(instance.global("g2")?.value == .i64(7))
        #expect(throws: AccessError.immutable) { try instance.global("g1")?.set(.i32(0)) }
        #expect(throws: AccessError.value(.typeMismatch(expected: .i64))) {
            try instance.global("g2")?.set(.i32(0))
        }
        #expect(instance.global("g0") == base)
    }

    @Test func memoryAndDataSegments() throws {
        let house = House()
        var module = TestModule()
        module.memory(1, 3)
        module.data(at: TestModule.i32(65_533), [1, 2, 3])
        module.passiveData([9])
        module.export("memory", .memory, 0)
        let memory = try #require(try house.instantiate(module).memory("memory"))
        #expect(memory.size == 1)
        #expect(try memory.loadArray(of: UInt8.self, at: 65_532, count: 4) == [0, 1, 2, 3])
        #expect(memory.grow(by: 2) == 1)
        #expect(memory.grow(by: 1) == nil)
        #expect(memory.grow(by: UInt64.max) == nil)
        #expect(memory.byteCount == 3 * 65_536)
        #expect(try memory.load(at: 65_533 as UInt32, as: UInt32.self) == 0x0003_0201)
        #expect(throws: AccessError.self) {
            try memory.load(at: 3 * 65_536 - 3 as UInt64, as: UInt32.self)
        }
        #expect(throws: AccessError.self) {
            try memory.store(1 as UInt64, at: UInt64.max - 3)
        }
    }

    @Test func failingSegmentKeepsEarlierWrites() throws {
        let house = House()
        let memory = try Memory(
            store: house.store, type: MemoryType(limits: Limits(minimum: 1)))
        house.linker.define("env", "memory", .memory(memory))
        var module = TestModule()
        module.importMemory("env", "memory", 1)
        module.data(at: TestModule.i32(0), [1, 2])
        module.data(at: TestModule.i32(65_535), [3, 4])
        module.data(at: TestModule.i32(8), [5])
        let trap = #expect(throws: Trap.self) { try house.instantiate(module) }
        #expect(trap?.code == .outOfBoundsMemoryAccess)
        #expect(try memory.loadArray(of: UInt8.self, at: 0, count: 2) == [1, 2])
        #expect(try memory.loadArray(of: UInt8.self, at: 65_535, count: 1) == [0])
        #expect(try memory.loadArray(of: UInt8.self, at: 8, count: 1) == [0])
    }

    @Test func tablesAndElementSegments() throws {
        let house = House()
        let table = try Table(
            store: house.store, type: TableType(element: .funcref, limits: Limits(minimum: 4)))
        house.linker.define("env", "table", .table(table))
        var module = TestModule()
        let type = module.type()
        module.importTable("env", "table", 2)
        let first = module.function(type: type, [])
        let second = module.function(type: type, [])
        module.elements(at: TestModule.i32(1), [second, first, second])
        module.export("first", .function, first)
        module.export("second", .function, second)
        let instance = try house.instantiate(module)
        #expect(try table.get(at: 0) == .function(nil))
        #expect(try table.get(at: 1) == .function(instance.function("second")))
        #expect(try table.get(at: 2) == .function(instance.function("first")))
        #expect(instance.function("first") != instance.function("second"))
        #expect(throws: AccessError.outOfBounds(index: 4)) { try table.get(at: 4) }
        #expect(try table.grow(by: 3, filledWith: .function(instance.function("first"))) == 4)
        #expect(try table.get(at: 6) == .function(instance.function("first")))
        #expect(throws: AccessError.value(.typeMismatch(expected: .funcref))) {
            try table.set(.extern(ExternReference(handle: 1)), at: 0)
        }

        module.elements(at: TestModule.i32(5), [first, first, first])
        let trap = #expect(throws: Trap.self) { try house.instantiate(module) }
        #expect(trap?.code == .outOfBoundsTableAccess)
        // The functions of the instance that failed are reachable through the table.
        #expect(try table.get(at: 1) != .function(instance.function("second")))
    }

    @Test func externalReferences() throws {
        let house = House()
        let table = try Table(
            store: house.store, type: TableType(element: .externref, limits: Limits(minimum: 4)))
        let values: [Value] = [
            .extern(ExternReference(handle: 0)), .extern(ExternReference("text")), .extern(nil),
            .extern(ExternReference(handle: UInt64.max)),
        ]
        for (index, value) in values.enumerated() { try table.set(value, at: UInt64(index)) }
        for (index, value) in values.enumerated() {
            #expect(try table.get(at: UInt64(index)) == value)
        }
        try table.set(.extern(ExternReference("text")), at: 0)
        #expect(try table.get(at: 0) == table.get(at: 1))
    }

    @Test func limits() throws {
        let limits = StoreLimits(
            memoryBytes: 2 << 16, tableElements: 10, instances: 2, memories: 2, tables: 2)
        let house = House(limits: limits)
        var large = TestModule()
        large.memory(3)
        #expect(throws: ResourceError.memoryTooLarge(pages: 3, limitPages: 2)) {
            try house.instantiate(large)
        }
        var wide = TestModule()
        wide.table(11)
        #expect(throws: ResourceError.tableTooLarge(elements: 11, limit: 10)) {
            try house.instantiate(wide)
        }
        var module = TestModule()
        module.memory(1)
        module.export("memory", .memory, 0)
        let instance = try house.instantiate(module)
        #expect(instance.memory("memory")?.grow(by: 1) == 1)
        #expect(instance.memory("memory")?.grow(by: 1) == nil)
        _ = try house.instantiate(module)
        #expect(throws: ResourceError.tooManyInstances(limit: 2)) {
            try house.instantiate(module)
        }
        #expect(throws: ResourceError.tooManyMemories(limit: 2)) {
            try Memory(store: house.store, type: MemoryType(limits: Limits(minimum: 0)))
        }
    }

    @Test func foreignEngineAndStore() throws {
        let house = House()
        let other = House()
        let module = try TestModule().module(other.engine)
        #expect(throws: EngineMismatch.self) {
            try house.linker.instantiate(module, in: house.store)
        }
        let second = Store(engine: house.engine)
        house.linker.define("env", "f", HostFunction(FunctionType()) { _, _ in })
        let global = try Global(
            store: second, type: GlobalType(.i32, mutable: false), value: .i32(1))
        house.linker.define("env", "g", .global(global))
        var wanting = TestModule()
        wanting.importGlobal("env", "g", TestModule.i32, mutable: false)
        let error = #expect(throws: LinkError.self) { try house.instantiate(wanting) }
        #expect(error?.failures.map(\.reason) == [.foreignStore])
    }

    @Test func storesAreFreed() throws {
        weak var last: Store?
        for _ in 0..<200 {
            let house = House()
            last = house.store
            house.linker.define("env", "f") { (_: borrowing Caller, a: Int32) -> Int32 in a }
            var module = TestModule()
            let type = module.type([TestModule.i32], [TestModule.i32])
            _ = module.importFunction("env", "f", type: type)
            module.memory(16)
            module.table(100)
            module.data(at: TestModule.i32(0), [1])
            let instance = try house.instantiate(module)
            #expect(instance.exports.isEmpty)
        }
        #expect(last == nil)
    }
}
