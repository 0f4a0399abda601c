import Testing

@testable import WasmInterpreter

/// Exceptions between guests and hosts, and between instances.
@Suite struct ExceptionHostTests {
    private let i32 = [TestModule.i32]

    private struct HostError: Error {}

    /// Imports `env.f` from i32 to i32; exports `call` (calls it), `catch` (calls it and catches tag
    /// 0, which is `env.tag`), `catch_all` (answers -2 then) and `throw`.
    private func guest() -> ThrowingModule {
        var throwing = ThrowingModule()
        let host = throwing.module.importFunction("env", "f", type: throwing.intToInt)
        throwing.module.importTag("env", "tag", type: throwing.fromInt)
        let call = Code.get(0) + Code.call(host)
        throwing.export("call", call)
        throwing.export(
            "catch",
            Code.block(
                i32, Code.tryTable(Code.empty, [.catch(0, 0)], call, Code.return),
                Code.unreachable), Code.i32(1000), Code.add)
        throwing.export(
            "catch_all",
            Code.block(
                Code.empty, Code.tryTable(Code.empty, [.catchAll(0)], call, Code.return)),
            Code.i32(-2))
        throwing.export("throw", Code.get(0), Code.throw(0))
        throwing.export(
            "again",
            Code.block(
                [Code.exnref],
                Code.tryTable(Code.empty, [.catchAllRef(0)], call, Code.return),
                Code.unreachable), Code.throwRef)
        return throwing
    }

    @Test func hostsThrow() throws {
        let house = House()
        let tag = Tag(store: house.store, parameters: [.i32])
        let other = Tag(store: house.store, parameters: [])
        house.linker.define("env", "tag", .tag(tag))
        house.linker.define("env", "f") { (_: borrowing Caller, value: Int32) -> Int32 in
            switch value {
            case 0: throw try Exception(tag: other)
            case 1: throw HostError()
            case 2: throw Trap(.interrupted)
            case 3: throw GuestExit(code: 7)
            default: throw try Exception(tag: tag, values: [.i32(value)])
            }
        }
        let instance = try house.instantiate(guest().module)
        #expect(try instance.int("catch", 5) == 1005)
        #expect(try instance.int("catch_all", 5) == -2)
        #expect(try instance.int("catch_all", 0) == -2)
        // Not caught: another tag, and what is no exception.
        let error = try #require(throws: Exception.self) { try instance.int("catch", 0) }
        #expect(error.tag == other)
        #expect(throws: HostError.self) { try instance.int("catch_all", 1) }
        #expect(throws: Trap.self) { try instance.int("catch_all", 2) }
        #expect(throws: GuestExit(code: 7)) { try instance.int("catch_all", 3) }
        // The store works on after each of them.
        #expect(try instance.int("catch", 6) == 1006)
    }

    @Test func exceptionsOfOtherStoresAreErrors() throws {
        let house = House()
        let foreign = Tag(store: Store(engine: house.engine), parameters: [])
        house.linker.define("env", "tag", .tag(Tag(store: house.store, parameters: [.i32])))
        house.linker.define("env", "f") { (_: borrowing Caller, _: Int32) -> Int32 in
            throw try Exception(tag: foreign)
        }
        let instance = try house.instantiate(guest().module)
        let error = try #require(throws: Exception.self) { try instance.int("catch_all", 1) }
        #expect(error.tag == foreign)
    }

    /// The host catches what a guest threw, and throws it on into the guest that called it.
    @Test func nestedRuns() throws {
        let house = House()
        let tag = Tag(store: house.store, parameters: [.i32])
        house.linker.define("env", "tag", .tag(tag))
        var seen: [Exception] = []
        house.linker.defineFunction("env", "f", parameters: [.i32], results: [.i32]) {
            caller, slots in
            guard let function = caller.instance?.function("throw") else { throw HostError() }
            do {
                _ = try function.call([.i32(slots.i32(0))])
            } catch let exception as Exception {
                seen.append(exception)
                if exception.values == [.i32(1)] {
                    slots.setResult(i32: 11)
                } else {
                    throw exception
                }
            }
        }
        let instance = try house.instantiate(guest().module)
        #expect(try instance.int("catch", 1) == 11)
        #expect(try instance.int("catch", 2) == 1002)
        #expect(try instance.int("catch_all", 3) == -2)
        let error = try #require(throws: Exception.self) { try instance.int("call", 4) }
        #expect(error.values == [.i32(4)])
        #expect(seen.map(\.values) == [[.i32(1)], [.i32(2)], [.i32(3)], [.i32(4)]])
        #expect(error == seen.last)
        // Where it was thrown first: in the inner run, which the outer one waits for.
        #expect(error.backtrace.frames.map { $0.functionName } == ["throw", "call"])
        // The guest's `throw_ref` throws the same exception on.
        let again = try #require(throws: Exception.self) { try instance.int("again", 5) }
        #expect(again == seen.last)
    }

    @Test func throughDeeplyNestedRuns() throws {
        let house = House()
        let tag = Tag(store: house.store, parameters: [.i32])
        house.linker.define("env", "tag", .tag(tag))
        house.linker.defineFunction("env", "f", parameters: [.i32], results: [.i32]) {
            caller, slots in
            let depth = slots.i32(0)
            if depth == 0 { throw try Exception(tag: tag, values: [.i32(1)]) }
            let next = depth % 2 == 0 ? "call" : "again"
            let results = try caller.instance?.function(Name(next))?.call([.i32(depth - 1)])
            if case .i32(let value)? = results?.first { slots.setResult(i32: value) }
        }
        let instance = try house.instantiate(guest().module)
        #expect(try instance.int("catch", 50) == 1001)
    }

    @Test func acrossInstances() throws {
        let house = House()
        var provider = ThrowingModule()
        provider.addTags()
        provider.module.export("tag", .tag, 0)
        provider.module.export("f", .function, provider.addThrower())
        let there = try house.instantiate(provider.module)
        house.linker.define(instance: there, as: "env")
        let guest = guest().module
        let first = try house.instantiate(guest)
        #expect(try first.int("catch", 5) == 1005)
        #expect(try first.int("catch", 0) == -1)
        // A third one, which calls the first, which calls the provider and does not catch.
        let through = try #require(first.function("call"))
        house.linker.define("env", "f", .function(through))
        let second = try house.instantiate(guest)
        #expect(try second.int("catch", 6) == 1006)
        #expect(try second.int("catch_all", 6) == -2)
        let error = try #require(throws: Exception.self) { try second.int("call", 7) }
        #expect(error.tag == there.tag("tag"))
        #expect(error.backtrace.frames.count == 3)
        #expect(error.description == "exception tag(7)")
        // Handlers of the callee's instance, budget and memory of the caller's go on as before.
        house.store.fuel = 1000
        for _ in 0..<50 { #expect(try second.int("catch", 6) == 1006) }
        #expect((house.store.fuel ?? 0) < 900)
    }

    /// What a caller in another instance finds after it caught: its own memory.
    @Test func memoryOfTheHandlersInstance() throws {
        let house = House()
        var provider = ThrowingModule()
        provider.addTags()
        provider.module.memory(1)
        provider.module.export("tag", .tag, 0)
        provider.module.export("f", .function, provider.addThrower())
        house.linker.define(instance: try house.instantiate(provider.module), as: "env")
        var throwing = ThrowingModule()
        let host = throwing.module.importFunction("env", "f", type: throwing.intToInt)
        throwing.module.importTag("env", "tag", type: throwing.fromInt)
        throwing.module.memory(2)
        throwing.module.data(at: Code.i32(70_000), [42])
        throwing.export(
            "load",
            Code.block(
                i32,
                Code.tryTable(Code.empty, [.catch(0, 0)], Code.get(0), Code.call(host), Code.drop),
                Code.i32(0)), [0x2d, 0, 0])
        let instance = try house.instantiate(throwing.module)
        #expect(try instance.int("load", 70_000) == 42)
    }

    @Test func valuesMustFitTheTag() throws {
        let store = Store(engine: Engine())
        let tag = Tag(store: store, parameters: [.i32, .externref])
        #expect(throws: CreationError.valueCount(expected: 2, given: 1)) {
            try Exception(tag: tag, values: [.i32(1)])
        }
        #expect(throws: CreationError.value(index: 1, .typeMismatch(expected: .externref))) {
            try Exception(tag: tag, values: [.i32(1), .i32(1)])
        }
        let one = try Exception(tag: tag, values: [.i32(1), .extern(nil)])
        let two = try Exception(tag: tag, values: [.i32(1), .extern(nil)])
        #expect(one != two)
        #expect(one.values == two.values)
        #expect(one.description == "exception (1, null external reference)")
    }

    /// References to exceptions as arguments and results of functions of both sides.
    @Test func referencesAsArguments() throws {
        let house = House()
        let exnref = ValueType.ref(.exn, nullable: true)
        let tag = Tag(store: house.store, parameters: [.i32])
        let exception = try Exception(tag: tag, values: [.i32(3)])
        house.linker.define("env", "tag", .tag(tag))
        house.linker.defineFunction("env", "f", parameters: [exnref], results: [exnref]) {
            caller, slots in
            let value = slots.value(0, as: exnref)
            #expect(value == .exception(exception))
            try slots.setResult(0, value, as: exnref)
        }
        var module = TestModule()
        let through = module.type([Code.exnref], [Code.exnref])
        let raise = module.type([Code.exnref])
        let host = module.importFunction("env", "f", type: through)
        module.export(
            "f", .function, module.function(type: through, Code.get(0) + Code.call(host)))
        module.export(
            "throw", .function, module.function(type: raise, Code.get(0) + Code.throwRef))
        let instance = try house.instantiate(module)
        #expect(
            try instance.function("f")?.call([.exception(exception)]) == [.exception(exception)])
        let error = try #require(throws: Exception.self) {
            try instance.function("throw")?.call([.exception(exception)])
        }
        #expect(error == exception)
        let trap = try #require(throws: Trap.self) {
            try instance.function("throw")?.call([.exception(nil)])
        }
        #expect(trap.code == .nullExceptionReference)
        #expect(throws: CallError.self) { try instance.function("f")?.call([.extern(nil)]) }
    }

    @Test func uncaughtInStartFunction() throws {
        var throwing = ThrowingModule()
        throwing.addTags()
        let start = throwing.module.function(type: throwing.plain, Code.i32(9) + Code.throw(0))
        throwing.module.start = start
        let house = House()
        let error = try #require(throws: Exception.self) { try house.instantiate(throwing.module) }
        #expect(error.values == [.i32(9)])
        #expect(error.backtrace.frames.count == 1)
        #expect(error.tag.name == nil)
    }
}
