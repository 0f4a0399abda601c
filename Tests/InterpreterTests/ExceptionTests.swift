import Testing

@testable import WasmInterpreter

/// `try_table`, `throw` and `throw_ref` in one instance.
@Suite struct ExceptionTests {
    private let i32 = [TestModule.i32]

    /// Every form of clause, on exceptions from this function and from a callee.
    @Test(arguments: [false, true])
    func clauses(fromCallee: Bool) throws {
        var throwing = ThrowingModule()
        let pair = throwing.module.type([], [TestModule.i32, Code.exnref])
        throwing.addTags()
        let thrower = throwing.addThrower()
        let raise =
            fromCallee
            ? Code.get(0) + Code.call(thrower) + Code.drop
            : Code.get(0) + Code.throw(0)
        throwing.export(
            "catch",
            Code.block(i32, Code.tryTable(Code.empty, [.catch(0, 0)], raise), Code.i32(-2)),
            Code.i32(1), Code.add)
        throwing.export(
            "catch_ref",
            Code.block(
                [pair], Code.tryTable(Code.empty, [.catchRef(0, 0)], raise), Code.unreachable),
            Code.drop, Code.i32(2), Code.add)
        throwing.export(
            "catch_all",
            Code.block(
                Code.empty, Code.tryTable(Code.empty, [.catchAll(0)], raise), Code.i32(-2),
                Code.return), Code.i32(3))
        throwing.export(
            "catch_all_ref",
            Code.block(
                [Code.exnref], Code.tryTable(Code.empty, [.catchAllRef(0)], raise),
                Code.unreachable), Code.drop, Code.i32(4))
        // The label of the function itself: the payload is its result.
        throwing.export(
            "function", Code.tryTable(Code.empty, [.catch(0, 0)], raise), Code.i32(-2))
        let instance = try House().instantiate(throwing.module)
        #expect(try instance.int("catch", 10) == 11)
        #expect(try instance.int("catch_ref", 10) == 12)
        #expect(try instance.int("catch_all", 10) == 3)
        #expect(try instance.int("catch_all_ref", 10) == 4)
        #expect(try instance.int("function", 10) == 10)
        if fromCallee {
            #expect(try instance.int("catch", 0) == -1)
            #expect(try instance.int("catch_all", 0) == -2)
            #expect(try instance.int("function", 0) == -2)
        }
    }

    @Test func firstClauseThatFitsInInnermostRegion() throws {
        var throwing = ThrowingModule()
        throwing.addTags()
        let thrower = throwing.addThrower()
        let raise = Code.get(0) + Code.call(thrower) + Code.drop
        // catch 1, catch 0, catch_all, catch 0 again: the second counts.
        throwing.export(
            "order",
            Code.block(
                i32,
                Code.block(
                    Code.empty,
                    Code.block(
                        i32,
                        Code.tryTable(
                            Code.empty,
                            [.catch(1, 1), .catch(0, 0), .catchAll(1), .catch(0, 2)], raise),
                        Code.unreachable), Code.i32(100), Code.add, Code.return),
                Code.unreachable), Code.i32(200), Code.add)
        // The inner one has no clause that fits.
        throwing.export(
            "outer",
            Code.block(
                i32,
                Code.block(
                    Code.empty,
                    Code.tryTable(
                        Code.empty, [.catch(0, 1)],
                        Code.tryTable(Code.empty, [.catch(1, 1)], raise), Code.unreachable),
                    Code.unreachable), Code.i32(-3)), Code.i32(300), Code.add)
        // A handler's own code is not in its region.
        throwing.export(
            "handler",
            Code.block(
                i32,
                Code.tryTable(
                    Code.empty, [.catch(0, 0)],
                    Code.block(
                        i32, Code.tryTable(Code.empty, [.catch(0, 0)], raise), Code.unreachable),
                    Code.i32(2), Code.multiply, Code.throw(0)), Code.unreachable),
            Code.i32(1), Code.add)
        let instance = try House().instantiate(throwing.module)
        #expect(try instance.int("order", 7) == 107)
        #expect(try instance.int("outer", 7) == 307)
        #expect(try instance.int("handler", 7) == 15)
    }

    @Test func handlersAreNotArmedOutsideOfTheirBlock() throws {
        var throwing = ThrowingModule()
        throwing.addTags()
        let thrower = throwing.addThrower()
        let raise = Code.get(0) + Code.call(thrower) + Code.drop
        let nothing = Code.i32(0) + Code.call(thrower) + Code.drop
        throwing.export(
            "after",
            Code.block(
                Code.empty, Code.tryTable(Code.empty, [.catchAll(0)], nothing), raise), Code.i32(1))
        throwing.export(
            "before",
            Code.block(
                Code.empty, raise, Code.tryTable(Code.empty, [.catchAll(0)], nothing)), Code.i32(1))
        throwing.export(
            "branched",
            Code.block(
                Code.empty,
                Code.tryTable(Code.empty, [.catchAll(0)], nothing, Code.br(0)), raise),
            Code.i32(1))
        throwing.export(
            "empty",
            Code.block(Code.empty, Code.tryTable(Code.empty, [.catchAll(0)]), raise), Code.i32(1))
        throwing.export(
            "between",
            Code.block(
                Code.empty, Code.tryTable(Code.empty, [.catchAll(0)], nothing), raise,
                Code.tryTable(Code.empty, [.catchAll(0)], nothing)), Code.i32(1))
        let instance = try House().instantiate(throwing.module)
        for name in ["after", "before", "branched", "empty", "between"] {
            #expect(try instance.int(name, 0) == 1)
            let error = try #require(throws: Exception.self) { try instance.int(name, 5) }
            #expect(error.values == [.i32(5)])
        }
    }

    /// A tail call has left the handlers of its function, also when the callee is elsewhere.
    @Test func tailCallsLeaveHandlers() throws {
        let house = House()
        var provider = ThrowingModule()
        provider.addTags()
        let thrower = provider.addThrower()
        provider.module.export("throw", .function, thrower)
        provider.module.export("tag", .tag, 0)
        house.linker.define(instance: try house.instantiate(provider.module), as: "there")
        let tag = try #require(
            try house.instantiate(provider.module).tag("tag"))
        house.linker.defineFunction(
            "host", "throw", parameters: [.i32], results: [.i32]
        ) { _, slots in throw try Exception(tag: tag, values: [.i32(slots.i32(0))]) }

        var throwing = ThrowingModule()
        let there = throwing.module.importFunction("there", "throw", type: throwing.intToInt)
        let host = throwing.module.importFunction("host", "throw", type: throwing.intToInt)
        throwing.addTags()
        let here = throwing.addThrower()
        throwing.module.table(3)
        throwing.module.elements(at: Code.i32(0), [there, host, here])
        func wrapped(_ tail: [UInt8]) -> [UInt8] {
            Code.block(
                Code.empty, Code.tryTable(Code.empty, [.catchAll(0)], Code.get(0), tail),
                Code.unreachable) + Code.i32(-9)
        }
        for (index, function) in [there, host, here].enumerated() {
            throwing.export("direct\(index)", wrapped([0x12, function]))
            throwing.export(
                "indirect\(index)",
                wrapped(Code.i32(Int64(index)) + [0x13, throwing.intToInt, 0]))
            throwing.export(
                "reference\(index)", wrapped([0xd2, function, 0x15, throwing.intToInt]))
            // The same calls, but no tail calls, are in the region.
            throwing.export("call\(index)", wrapped(Code.call(function) + Code.drop))
        }
        let instance = try house.instantiate(throwing.module)
        for index in 0..<3 {
            for name in ["direct", "indirect", "reference"] {
                let error = try #require(throws: Exception.self) {
                    try instance.int("\(name)\(index)", 5)
                }
                #expect(error.values == [.i32(5)])
            }
            #expect(try instance.int("call\(index)", 5) == -9)
        }
    }

    @Test func trapsAreNotCaught() throws {
        var throwing = ThrowingModule()
        throwing.addTags()
        throwing.export(
            "divide",
            Code.block(
                Code.empty,
                Code.tryTable(
                    Code.empty, [.catchAll(0)], Code.i32(1), Code.get(0), [0x6d], Code.return)),
            Code.i32(-1))
        throwing.export(
            "recurse",
            Code.block(
                Code.empty,
                Code.tryTable(
                    Code.empty, [.catchAll(0)], Code.get(0), Code.call(1), Code.return)),
            Code.i32(-1))
        throwing.export(
            "null",
            Code.block(
                Code.empty,
                Code.tryTable(
                    Code.empty, [.catchAll(0)], [0xd0, Code.exnref], Code.throwRef)), Code.i32(-1))
        let instance = try House().instantiate(throwing.module)
        func code(_ name: String) -> TrapCode? {
            #expect(throws: Trap.self) { try instance.int(name, 0) }
            do { _ = try instance.int(name, 0) } catch { return (error as? Trap)?.code }
            return nil
        }
        #expect(code("divide") == .integerDivideByZero)
        #expect(code("recurse") == .stackExhausted)
        #expect(code("null") == .nullExceptionReference)
    }

    // MARK: What a handler finds

    /// Locals that the body assigned before it threw, and those that it did not.
    @Test func localsAtTheHandler() throws {
        var throwing = ThrowingModule()
        throwing.addTags()
        let thrower = throwing.addThrower()
        // local 1 = 3; try { local 1 = 5; throw; local 2 = 7 } catch -> local 1 * 10 + local 2
        throwing.export(
            "assigned", locals: [TestModule.i32, TestModule.i32],
            Code.i32(3), Code.set(1),
            Code.block(
                Code.empty,
                Code.tryTable(
                    Code.empty, [.catchAll(0)], Code.i32(5), Code.set(1),
                    Code.get(0), Code.call(thrower), Code.drop, Code.i32(7), Code.set(2)),
                Code.i32(1000), Code.return),
            Code.get(1), Code.i32(10), Code.multiply, Code.get(2), Code.add)
        // Only the body assigns local 1, behind the call: it is zero at the handler, whatever stood
        // in its slot.
        throwing.export(
            "zero", locals: [TestModule.i32],
            Code.block(
                Code.empty,
                Code.tryTable(
                    Code.empty, [.catchAll(0)],
                    Code.get(0), Code.call(thrower), Code.drop, Code.i32(7), Code.set(1))),
            Code.get(1))
        // Fills slots of frames that later calls use.
        let junk = throwing.module.function(
            type: throwing.intToInt, locals: Array(repeating: TestModule.i32, count: 20),
            (1...20).flatMap { Code.i32(99) + Code.set($0) } + Code.i32(0))
        throwing.module.export("junk", .function, junk)
        let instance = try House().instantiate(throwing.module)
        _ = try instance.int("junk", 0)
        #expect(try instance.int("assigned", 1) == 50)
        #expect(try instance.int("assigned", 0) == 1000)
        _ = try instance.int("junk", 0)
        #expect(try instance.int("zero", 1) == 0)
        #expect(try instance.int("zero", 0) == 7)
    }

    /// Operands below the handler's label: values, constants, and locals that the body changes.
    @Test func operandsBelowTheLabel() throws {
        var throwing = ThrowingModule()
        throwing.addTags()
        let thrower = throwing.addThrower()
        throwing.export(
            "operands",
            Code.get(0), Code.i32(1000), Code.get(0), Code.i32(1), Code.add,
            Code.block(
                i32,
                Code.get(0),
                Code.tryTable(
                    Code.empty, [.catch(0, 0)], Code.i32(50), Code.set(0),
                    Code.i32(60), Code.i32(61), Code.get(0), Code.call(thrower), Code.drop,
                    Code.drop, Code.drop)),
            Code.add, Code.add, Code.add)
        let instance = try House().instantiate(throwing.module)
        // 2 + 1000 + (2 + 1) + 50
        #expect(try instance.int("operands", 2) == 1055)
    }

    /// A loop is a handler too: its parameters are the payload.
    @Test func loopsAsHandlers() throws {
        var throwing = ThrowingModule()
        throwing.addTags()
        let thrower = throwing.addThrower()
        throwing.export(
            "count", locals: [TestModule.i32],
            Code.get(0),
            Code.loop(
                [throwing.intToInt], Code.set(0), Code.get(1), Code.i32(1), Code.add, Code.set(1),
                Code.tryTable(
                    Code.empty, [.catch(0, 0)], Code.get(0), Code.i32(-1), Code.add,
                    Code.call(thrower), Code.drop), Code.get(1)))
        let house = House()
        let instance = try house.instantiate(throwing.module)
        #expect(try instance.int("count", 1) == 1)
        #expect(try instance.int("count", 1000) == 1000)
        // It goes round without a backward branch, and still uses fuel.
        house.store.fuel = 500
        let trap = try #require(throws: Trap.self) { try instance.int("count", 1000) }
        #expect(trap.code == .outOfFuel)
    }

    /// Values of every type arrive, in the order of the tag's types.
    @Test func payloadOfEveryType() throws {
        let house = House()
        let types: [ValueType] = [
            .i32, .i64, .v128, .f32, .f64, .funcref, .externref, .ref(.exn, nullable: true), .v128,
            .i32,
        ]
        let tag = Tag(store: house.store, parameters: types)
        house.linker.define("env", "tag", .tag(tag))
        let inner = try Exception(tag: Tag(store: house.store, parameters: []))
        let function = Function(store: house.store) { _, _ in }
        let values: [Value] = [
            .i32(-1), .i64(.min), .v128(low: 1, high: 2), .f32(1.5), .f64(-0.0),
            .function(function), .extern(ExternReference(handle: 77)), .exception(inner),
            .v128(low: .max, high: 3), .i32(42),
        ]
        let exception = try Exception(tag: tag, values: values)
        #expect(exception.values == values)
        house.linker.defineFunction("env", "throw") { _, _ in throw exception }

        var module = TestModule()
        let bytes: [UInt8] = [
            0x7f, 0x7e, 0x7b, 0x7d, 0x7c, 0x70, 0x6f, 0x69, 0x7b, 0x7f,
        ]
        let payload = module.type(bytes)
        let results = module.type([], bytes)
        let reference = module.type([], bytes + [Code.exnref])
        let plain = module.type()
        let host = module.importFunction("env", "throw", type: plain)
        module.importTag("env", "tag", type: payload)
        let caught = module.function(
            type: results,
            Code.block(
                [results], Code.tryTable(Code.empty, [.catch(0, 0)], Code.call(host)),
                Code.unreachable))
        module.export("catch", .function, caught)
        // Thrown again with the values that were caught, by the guest itself.
        let again = module.function(
            type: reference,
            Code.tryTable(
                Code.empty, [.catchRef(0, 0)], Code.call(caught), Code.throw(0))
                + Code.unreachable)
        module.export("again", .function, again)
        let instance = try house.instantiate(module)
        #expect(try instance.function("catch")?.call() == values)
        let all = try #require(try instance.function("again")?.call())
        #expect(all.dropLast() == values[...])
        guard case .exception(.some(let copy))? = all.last else {
            Issue.record("no exception")
            return
        }
        #expect(copy != exception)
        #expect(copy.tag == tag)
        #expect(copy.values == values)
    }

    // MARK: References

    @Test func referencesInGlobalsTablesAndLocals() throws {
        let house = House()
        var throwing = ThrowingModule()
        throwing.addTags()
        throwing.module.global(Code.exnref, mutable: true, [0xd0, Code.exnref])
        throwing.module.table(2, element: Code.exnref)
        throwing.module.export("global", .global, 0)
        throwing.module.export("table", .table, 0)
        // Catches, and puts the reference into a local, the global and the table.
        throwing.export(
            "keep", locals: [Code.exnref],
            Code.block(
                [Code.exnref],
                Code.tryTable(Code.empty, [.catchAllRef(0)], Code.get(0), Code.throw(0)),
                Code.unreachable), Code.set(1), Code.get(1), [0x24, 0], Code.i32(1), Code.get(1),
            [0x26, 0], Code.get(1), [0xd1])
        // Throws what the table has, and catches the same exception.
        throwing.export(
            "again",
            Code.block(
                i32,
                Code.tryTable(
                    Code.empty, [.catch(0, 0)], Code.get(0), [0x25, 0], Code.throwRef),
                Code.unreachable))
        throwing.export("out", [0x23, 0], Code.throwRef)
        let instance = try house.instantiate(throwing.module)
        #expect(instance.global("global")?.value == .exception(nil))
        #expect(try instance.int("keep", 12) == 0)
        #expect(try instance.int("again", 1) == 12)
        guard case .exception(.some(let kept))? = instance.global("global")?.value else {
            Issue.record("no exception")
            return
        }
        #expect(kept.values == [.i32(12)])
        #expect(try instance.table("table")?.get(at: 1) == .exception(kept))
        #expect(try instance.table("table")?.get(at: 0) == .exception(nil))
        let error = try #require(throws: Exception.self) { try instance.int("out", 0) }
        #expect(error == kept)
        #expect(Value.exception(error).hashValue == Value.exception(kept).hashValue)

        try instance.table("table")?.set(.exception(kept), at: 0)
        #expect(try instance.int("again", 0) == 12)
        let other = Store(engine: house.engine)
        let foreign = try Exception(tag: Tag(store: other, parameters: []))
        #expect(throws: AccessError.value(.foreignStore)) {
            try instance.table("table")?.set(.exception(foreign), at: 0)
        }
        #expect(throws: AccessError.value(.typeMismatch(expected: .ref(.exn, nullable: true)))) {
            try instance.table("table")?.set(.function(nil), at: 0)
        }
    }

    /// Every thrown exception is one of its own, `throw_ref` throws the same.
    @Test func identity() throws {
        var throwing = ThrowingModule()
        let keep = throwing.module.type([TestModule.i32], [Code.exnref])
        throwing.addTags()
        let function = throwing.module.function(
            type: keep,
            Code.tryTable(
                Code.empty, [.catchAllRef(0)],
                Code.block(
                    [Code.exnref],
                    Code.tryTable(
                        Code.empty, [.catchAllRef(0)], Code.get(0), Code.throw(0)),
                    Code.unreachable), Code.throwRef)
                + Code.unreachable)
        throwing.module.export("make", .function, function)
        let instance = try House().instantiate(throwing.module)
        let make = try #require(instance.function("make"))
        let one = try make.call([.i32(1)])
        let two = try make.call([.i32(1)])
        #expect(one != two)
        #expect(one == one)
        #expect(Set([one, two, one]).count == 2)
    }

    // MARK: Depth

    @Test func deepUnwinding() throws {
        let house = House(limits: StoreLimits(stackBytes: 64 << 20))
        var throwing = ThrowingModule()
        throwing.addTags()
        // recurse(n) = n == 0 ? throw 77 : recurse(n - 1) + 1
        let recurse = throwing.module.function(
            type: throwing.intToInt,
            Code.get(0) + [0x45] + Code.if(Code.empty, Code.i32(77), Code.throw(0)) + Code.get(0)
                + Code.i32(-1) + Code.add + Code.call(0) + Code.i32(1) + Code.add)
        throwing.export(
            "run",
            Code.block(
                i32,
                Code.tryTable(
                    Code.empty, [.catch(0, 0)], Code.get(0), Code.call(recurse), Code.drop),
                Code.unreachable))
        throwing.module.export("recurse", .function, recurse)
        let instance = try house.instantiate(throwing.module)
        #expect(try instance.int("run", 100_000) == 77)
        let error = try #require(throws: Exception.self) { try instance.int("recurse", 100_000) }
        #expect(error.backtrace.frames.count == Backtrace.frameLimit)
        #expect(error.backtrace.frames.count + error.backtrace.omittedFrameCount == 100_001)
    }

    /// What catches and throws again in every frame is linear, too.
    @Test func catchAndThrowInEveryFrame() throws {
        var throwing = ThrowingModule()
        throwing.addTags()
        let recurse = throwing.module.function(
            type: throwing.intToInt,
            Code.get(0) + [0x45] + Code.if(Code.empty, Code.i32(0), Code.throw(0))
                + Code.block(
                    i32,
                    Code.tryTable(
                        Code.empty, [.catch(0, 0)], Code.get(0), Code.i32(-1), Code.add,
                        Code.call(0), Code.return), Code.unreachable)
                + Code.i32(1) + Code.add + Code.throw(0))
        throwing.module.export("recurse", .function, recurse)
        let instance = try House().instantiate(throwing.module)
        let error = try #require(throws: Exception.self) { try instance.int("recurse", 20_000) }
        #expect(error.values == [.i32(20_000)])
    }

    // MARK: Tables

    /// Nothing is emitted for a `try_table`; what it catches is listed beside the code.
    @Test func handlersAreNoCode() throws {
        func code(_ body: [UInt8]) throws -> (texts: [String], handlers: [String]) {
            var throwing = ThrowingModule()
            throwing.addTags()
            let thrower = throwing.addThrower()
            let call = Code.get(0) + Code.call(thrower) + Code.drop
            throwing.export(
                "f", Code.block(Code.empty, body + call + (body.isEmpty ? [] : Code.end)),
                Code.i32(1))
            let module = try throwing.module.module(Engine())
            let lines = try #require(module.registerCode(of: 1))
            return (lines.map(\.text), module.registerHandlers(of: 1).map(\.text))
        }
        let plain = try code([])
        #expect(plain.handlers.isEmpty)
        let clauses = Code.tryTable(Code.empty, [.catchAll(0)]).dropLast()
        let armed = try code(Array(clauses))
        #expect(armed.texts == plain.texts)
        #expect(armed.handlers.count == 1)
        #expect(armed.handlers.first?.contains("catch_all -> ") == true)
    }

    // MARK: Modules

    /// A module with tags only needs nothing of the machine.
    @Test func tagsByIdentity() throws {
        let house = House()
        var provider = ThrowingModule()
        provider.addTags()
        provider.module.export("tag", .tag, 0)
        let one = try house.instantiate(provider.module)
        let two = try house.instantiate(provider.module)
        let tag = try #require(one.tag("tag"))
        #expect(tag != two.tag("tag"))
        #expect(tag.name == "tag")
        #expect(tag.type == FunctionType(parameters: [.i32]))

        house.linker.define("env", "mine", .tag(tag))
        house.linker.define(
            "env", "throw",
            HostFunction(FunctionType(parameters: [.i32])) { _, slots in
                throw try Exception(tag: tag, values: [.i32(slots.i32(0))])
            })
        var throwing = ThrowingModule()
        let host = throwing.module.importFunction("env", "throw", type: throwing.fromInt)
        throwing.module.importTag("env", "mine", type: throwing.fromInt)
        throwing.addTags()
        throwing.module.export("again", .tag, 0)
        // Tag 1 has the same type, but is another one.
        throwing.export(
            "catch",
            Code.block(
                i32,
                Code.block(
                    i32,
                    Code.tryTable(
                        Code.empty, [.catch(1, 0), .catch(0, 1)], Code.get(0), Code.call(host)),
                    Code.unreachable), Code.drop, Code.i32(-1)))
        let instance = try house.instantiate(throwing.module)
        #expect(instance.tag("again") == tag)
        #expect(try instance.int("catch", 8) == 8)

        var wrong = ThrowingModule()
        wrong.module.importTag("env", "mine", type: wrong.plain)
        let error = try #require(throws: LinkError.self) { try house.instantiate(wrong.module) }
        #expect(error.failures.first?.message == "incompatible import type")
    }
}
