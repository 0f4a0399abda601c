import Synchronization
import Testing
import WasmInterpreter

/// Modules whose imports are resolved once, and values of the host by key.
@Suite struct PreparedModuleTests {
    private static let name = HostKey<String>()
    private static let counter = HostKey<Counter>()

    private final class Counter: Sendable {
        let value = Atomic<Int32>(0)
        func add(_ number: Int32) -> Int32 {
            value.wrappingAdd(number, ordering: .relaxed).newValue
        }
    }

    private static let fields = """
        (import "env" "add" (func $add (param i32) (result i32)))
        (memory (export "memory") 1)
        (global $n (mut i32) (i32.const 0))
        (func $start (global.set $n (call $add (i32.const 1))))
        (start $start)
        (func (export "add") (param i32) (result i32) (call $add (local.get 0)))
        (func (export "first") (result i32) (global.get $n))
        (elem declare func $add)
        (func (export "function") (result funcref) (ref.func $add))
        (func (export "isNull") (param funcref) (result i32) (ref.is_null (local.get 0)))
        """

    private func linker() -> Linker {
        let linker = Linker()
        linker.defineShared("env", "add") { (caller: borrowing Caller, number: Int32) -> Int32 in
            caller[Self.counter]?.add(number) ?? -1
        }
        return linker
    }

    @Test func valuesByKey() throws {
        let engine = Engine()
        let store = Store(engine: engine), other = Store(engine: engine)
        #expect(store[Self.name] == nil)
        store[Self.name] = "one"
        other[Self.name] = "two"
        store[Self.counter] = Counter()
        #expect(store[Self.name] == "one" && other[Self.name] == "two")
        #expect(other[Self.counter] == nil)
        store[Self.name]? += "!"
        #expect(store[Self.name] == "one!")
        store[Self.name] = nil
        #expect(store[Self.name] == nil && store[Self.counter] != nil)
        let keys = (0..<50).map { _ in HostKey<Int>() }
        #expect(Set(keys).count == 50)
        for (index, key) in keys.enumerated().reversed() { store[key] = index }
        for (index, key) in keys.enumerated() { #expect(store[key] == index) }
    }

    /// The end of a value runs code of the embedder, which may use the store.
    @Test func endsOfValues() throws {
        final class Ending {
            let body: () -> Void
            init(_ body: @escaping () -> Void) { self.body = body }
            deinit { body() }
        }
        let key = HostKey<Ending>()
        var seen: [String?] = []
        do {
            let store = Store(engine: Engine())
            store[Self.name] = "name"
            store[key] = Ending { [unowned store] in
                #expect(store[key] != nil)
                seen.append(store[Self.name])
                store[Self.name] = "again"
            }
            store[key] = Ending { seen.append("last") }
            #expect(seen == ["name"])
            #expect(store[Self.name] == "again")
        }
        #expect(seen == ["name", "last"])
    }

    @Test func callersSetValues() throws {
        let house = TextHouse()
        house.linker.define("env", "add") { (caller: borrowing Caller, number: Int32) -> Int32 in
            let sum = (caller[Self.name] ?? "") + "\(number)"
            caller[Self.name] = sum
            return Int32(sum.utf8.count)
        }
        let instance = try house.instantiate(Self.fields)
        #expect(try instance.number("add", 23) == 3)
        #expect(house.store[Self.name] == "123")
    }

    @Test func instancesOfManyStores() throws {
        let house = TextHouse()
        let prepared = try linker().prepare(try house.module(Self.fields))
        for step: Int32 in 1...20 {
            let store = Store(engine: house.engine)
            store[Self.counter] = Counter()
            let instance = try prepared.instantiate(in: store)
            #expect(try instance.number("first") == 1)
            #expect(try instance.number("add", step) == 1 + step)
            let second = try prepared.instantiate(in: store)
            #expect(try second.number("first") == 2 + step)
            #expect(second != instance)
        }
    }

    @Test func instancesOnManyThreads() async throws {
        let house = TextHouse()
        let engine = house.engine
        let prepared = try linker().prepare(try house.module(Self.fields))
        try await withThrowingTaskGroup(of: Int32.self) { group in
            for thread: Int32 in 0..<8 {
                group.addTask {
                    var sum: Int32 = 0
                    for step: Int32 in 0..<50 {
                        let store = Store(engine: engine)
                        store[Self.counter] = Counter()
                        let instance = try prepared.instantiate(in: store)
                        sum += try instance.number("add", thread + step) ?? 0
                    }
                    return sum
                }
            }
            var total: Int32 = 0
            for try await sum in group { total += sum }
            #expect(total == 8 * 50 + 50 * (0..<8).reduce(0, +) + 8 * (0..<50).reduce(0, +))
        }
    }

    @Test func laterDefinitionsChangeNothing() throws {
        let house = TextHouse()
        let linker = linker()
        let prepared = try linker.prepare(try house.module(Self.fields))
        linker.defineShared("env", "add") { (number: Int32) -> Int32 in 77 }
        #expect(try prepared.instantiate(in: house.store).number("add", 1) == -1)
        let again = try linker.prepare(prepared.module).instantiate(in: house.store)
        #expect(try again.number("add", 1) == 77)
    }

    @Test func referencesToFunctions() throws {
        let house = TextHouse()
        let linker = linker()
        let instance = try linker.prepare(house.module(Self.fields)).instantiate(in: house.store)
        house.store[Self.counter] = Counter()
        let value = try #require(try instance.call("function").first)
        guard case .function(let function?) = value else {
            Issue.record("no function")
            return
        }
        #expect(try function.call([.i32(4)]) == [.i32(4)])
        #expect(try instance.call("isNull", value) == [.i32(0)])
        // The same function, however it comes into the store.
        let plain = try linker.instantiate(instance.module, in: house.store)
        #expect(try plain.call("function").first == value)
        // Host functions may return it.
        let other = house
        other.linker.define("env", "give") { () -> Function? in function }
        other.linker.defineFunction("env", "raw", results: [.funcref]) { _, slots in
            try slots.setResult(0, value, as: .funcref)
        }
        let taker = try other.instantiate(
            """
            (import "env" "give" (func $give (result funcref)))
            (import "env" "raw" (func $raw (result funcref)))
            (table 1 funcref)
            (type $f (func (param i32) (result i32)))
            (func (export "through") (param i32) (result i32)
              (table.set (i32.const 0) (call $give))
              (table.set (i32.const 0) (call $raw))
              (call_indirect (type $f) (local.get 0) (i32.const 0)))
            """)
        #expect(try taker.number("through", 6) == 11)
    }

    @Test func whatCannotBePrepared() throws {
        let house = TextHouse()
        let module = try house.module(
            """
            (import "env" "missing" (func))
            (import "env" "unshared" (func))
            (import "env" "wrong" (func (param i64)))
            (import "env" "memory" (memory 1))
            (import "env" "function" (func))
            (import "env" "global" (global i32))
            (import "env" "good" (func))
            """)
        let linker = Linker()
        linker.define("env", "unshared") { () in }
        linker.defineShared("env", "wrong") { (_: Int32) in }
        linker.defineShared("env", "good") { () in }
        linker.define(
            "env", "memory",
            .memory(
                try Memory(
                    store: house.store, type: MemoryType(limits: Limits(minimum: 1, maximum: 1)))))
        linker.define("env", "function", .function(Function(store: house.store) { _, _ in }))
        linker.define(
            "env", "global",
            .global(
                try Global(
                    store: house.store, type: GlobalType(.i64, mutable: false),
                    value: .i64(1))))
        let error = #expect(throws: LinkError.self) { try linker.prepare(module) }
        let failures = error?.failures ?? []
        #expect(
            failures.map(\.name) == [
                "missing", "unshared", "wrong", "memory", "function", "global",
            ])
        #expect(failures.first?.reason == .unknown)
        #expect(failures.dropFirst().first?.reason == .notShared)
        #expect(failures.dropFirst(3).prefix(2).map(\.reason) == [.ownedByStore, .ownedByStore])
        for index in [2, 5] {
            guard failures.indices.contains(index),
                case .incompatible = failures[index].reason
            else {
                Issue.record("failure \(index) is another")
                continue
            }
        }
    }

    @Test func otherEngines() throws {
        let house = TextHouse()
        let prepared = try linker().prepare(try house.module(Self.fields))
        #expect(throws: EngineMismatch.self) {
            try prepared.instantiate(in: Store(engine: Engine()))
        }
        // One linker and its functions serve modules of several engines.
        let linker = linker()
        for _ in 0..<20 {
            let other = TextHouse()
            let instance = try linker.prepare(other.module(Self.fields))
                .instantiate(in: other.store)
            #expect(try instance.number("add", 1) == -1)
        }
        _ = prepared
    }

    @Test func sharedMemories() throws {
        let house = TextHouse()
        let module = try house.module(
            """
            (import "env" "memory" (memory 1 4 shared))
            (import "env" "add" (func $add (param i32) (result i32)))
            (func (export "put") (param i32) (i32.store (i32.const 0) (local.get 0)))
            (func (export "get") (result i32) (i32.load (i32.const 0)))
            """)
        let linker = linker()
        let memory = try SharedMemory(MemoryType(limits: Limits(minimum: 1, maximum: 4)))
        linker.define("env", "memory", memory)
        let prepared = try linker.prepare(module)
        let one = try prepared.instantiate(in: house.store)
        let two = try prepared.instantiate(in: Store(engine: house.engine))
        try one.call("put", .i32(42))
        #expect(try two.number("get") == 42)
        // By a plain instance too, and one that is too small is refused.
        #expect(try linker.instantiate(module, in: house.store).number("get") == 42)
        let small = try SharedMemory(MemoryType(limits: Limits(minimum: 0, maximum: 4)))
        linker.define("env", "memory", small)
        #expect(throws: LinkError.self) { try linker.prepare(module) }
        #expect(small.grow(by: 1) == 0)
        _ = try linker.prepare(module)
        var limits = StoreLimits()
        limits.memories = 0
        #expect(throws: ResourceError.tooManyMemories(limit: 0)) {
            try prepared.instantiate(in: Store(engine: house.engine, limits: limits))
        }
    }

    @Test func snapshotsOfPreparedModules() throws {
        let house = TextHouse()
        let prepared = try linker().prepare(try house.module(Self.fields))
        house.store[Self.counter] = Counter()
        let instance = try prepared.instantiate(in: house.store)
        let snapshot = try instance.snapshot()
        let store = Store(engine: house.engine)
        store[Self.counter] = Counter()
        let fork = try prepared.instantiate(from: snapshot, in: store)
        #expect(try fork.number("first") == 1)
        #expect(try fork.number("add", 5) == 5, "the start function did not run again")
        let other = try linker().prepare(try house.module(Self.fields))
        #expect(throws: SnapshotError.otherModule) {
            try other.instantiate(from: snapshot, in: store)
        }
    }

    @Test func unknownImportsThatTrap() throws {
        let house = TextHouse()
        let linker = Linker()
        let module = try house.module(Self.fields)
        try linker.defineUnknownImports(of: module, in: house.store, as: .trap)
        let prepared = try linker.prepare(module)
        let trap = #expect(throws: Trap.self) {
            try prepared.instantiate(in: Store(engine: house.engine))
        }
        #expect((trap?.cause as? UnknownImport)?.name == "add")
    }
}
