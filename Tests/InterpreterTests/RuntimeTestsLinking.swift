import Testing
import WasmInterpreter

@Suite struct LinkingTests {
    @Test func allFailuresAreReported() throws {
        let house = House()
        house.linker.define("env", "wrong") { (_: borrowing Caller) -> Int32 in 0 }
        house.linker.define("env", "right") { (_: borrowing Caller, _: Int32) -> Void in }
        var module = TestModule()
        let type = module.type([TestModule.i32])
        _ = module.importFunction("env", "missing", type: type)
        _ = module.importFunction("env", "right", type: type)
        _ = module.importFunction("env", "wrong", type: type)
        module.importMemory("env", "right", 1)
        let error = try #require(throws: LinkError.self) { try house.instantiate(module) }
        #expect(error.failures.count == 3)
        #expect(error.failures.map { $0.name } == ["missing", "wrong", "right"])
        #expect(error.failures[0].reason == .unknown)
        #expect(error.failures[0].message == "unknown import")
        #expect(error.failures[1].message == "incompatible import type")
        #expect(
            error.failures[0].description == "unknown import \"env\" \"missing\" "
                + "(function (i32) -> ())")
    }

    /// What a memory of 2 pages with at most 4 can be imported as.
    @Test(
        arguments: [
            (0, nil, true), (2, nil, true), (3, nil, false), (2, 4, true), (2, 5, true),
            (2, 3, false),
        ] as [(UInt64, UInt64?, Bool)])
    func memoryLimits(minimum: UInt64, maximum: UInt64?, fits: Bool) throws {
        let house = House()
        let memory = try Memory(
            store: house.store, type: MemoryType(limits: Limits(minimum: 2, maximum: 4)))
        house.linker.define("env", "memory", .memory(memory))
        var module = TestModule()
        module.importMemory("env", "memory", minimum, maximum)
        #expect(links(house, module) == fits)
    }

    @Test func currentSizeCounts() throws {
        let house = House()
        let memory = try Memory(
            store: house.store, type: MemoryType(limits: Limits(minimum: 0, maximum: 4)))
        house.linker.define("env", "memory", .memory(memory))
        let table = try Table(
            store: house.store, type: TableType(element: .funcref, limits: Limits(minimum: 0)))
        house.linker.define("env", "table", .table(table))
        var module = TestModule()
        module.importMemory("env", "memory", 2)
        module.importTable("env", "table", 1)
        #expect(!links(house, module))
        #expect(memory.grow(by: 2) == 0)
        #expect(try table.grow(by: 1, filledWith: .function(nil)) == 0)
        #expect(links(house, module))
    }

    @Test func globalsByMutability() throws {
        let house = House()
        for mutable in [true, false] {
            let global = try Global(
                store: house.store, type: GlobalType(.i32, mutable: mutable), value: .i32(0))
            house.linker.define("env", "g", .global(global))
            for wanted in [true, false] {
                var module = TestModule()
                module.importGlobal("env", "g", TestModule.i32, mutable: wanted)
                #expect(links(house, module) == (wanted == mutable))
                var other = TestModule()
                other.importGlobal("env", "g", TestModule.i64, mutable: wanted)
                #expect(!links(house, other))
            }
        }
    }

    @Test func exportsOfAnInstanceAreImports() throws {
        let house = House()
        var module = TestModule()
        let type = module.type()
        module.memory(1)
        module.export("memory", .memory, 0)
        module.export("f", .function, module.function(type: type, []))
        let first = try house.instantiate(module)
        house.linker.define(instance: first, as: "first")

        var second = TestModule()
        let same = second.type()
        let imported = second.importFunction("first", "f", type: same)
        second.importMemory("first", "memory", 1)
        second.export("again", .function, imported)
        second.export("memory", .memory, 0)
        let instance = try house.instantiate(second)
        #expect(instance.function("again") == first.function("f"))
        #expect(instance.memory("memory") == first.memory("memory"))
    }

    @Test func hostFunctionsAreOneReferencePerStore() throws {
        let house = House()
        house.linker.define("env", "f") { (_: borrowing Caller) -> Void in }
        var module = TestModule()
        let type = module.type()
        let imported = module.importFunction("env", "f", type: type)
        module.export("f", .function, imported)
        let one = try house.instantiate(module)
        let two = try house.instantiate(module)
        #expect(one.function("f") == two.function("f"))
        let other = try house.linker.instantiate(
            module.module(house.engine), in: Store(engine: house.engine))
        #expect(one.function("f") != other.function("f"))
    }

    @Test func manyExportsAreFoundByBytes() throws {
        let house = House()
        var module = TestModule()
        module.memory(0)
        // The same text composed and decomposed: two names.
        let names = ["\u{e9}", "e\u{301}"] + (0..<30).map { "name\($0)" }
        for name in names { module.export(name, .memory, 0) }
        module.global(TestModule.i32, mutable: false, TestModule.i32(1))
        module.export("last", .global, 0)
        let instance = try house.instantiate(module)
        for name in names { #expect(instance.memory(Name(name)) != nil) }
        #expect(instance.global("last") != nil)
        #expect(instance.export("nothing") == nil)
        #expect(instance.exports.map { $0.0 } == names.map { Name($0) } + ["last"])
    }

    private func links(_ house: House, _ module: TestModule) -> Bool {
        (try? house.instantiate(module)) != nil
    }
}
