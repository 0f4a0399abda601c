import Testing

@testable import WasmInterpreter

/// `try`, `catch`, `catch_all`, `rethrow` and `delegate`, as they were before 3.0.
@Suite struct LegacyExceptionTests {
    private let i32 = [TestModule.i32]
    private let thrown = Code.get(0) + Code.call(0) + Code.drop

    /// Tag 0 with an i32, tag 1 without values; function 0 throws tag 0 if its argument is not 0.
    private func start() -> ThrowingModule {
        var throwing = ThrowingModule()
        throwing.addTags()
        _ = throwing.addThrower()
        return throwing
    }

    @Test func needsItsFeature() throws {
        var throwing = start()
        throwing.export("try", Code.try(Code.empty, thrown), Code.catchAll(), Code.end, Code.i32(1))
        #expect(throws: ModuleError.self) { try House().instantiate(throwing.module) }
        #expect(try House.legacy.instantiate(throwing.module).int("try", 1) == 1)
    }

    @Test func catchBodies() throws {
        var throwing = start()
        throwing.export(
            "first",
            Code.try(i32, thrown, Code.i32(-1)),
            Code.catch(1, Code.i32(1)),
            Code.catch(0, Code.i32(100), Code.add),
            Code.catch(0, Code.i32(200), Code.add),
            Code.catchAll(Code.i32(2)), Code.end)
        throwing.export(
            "all", Code.try(i32, thrown, Code.i32(-1)), Code.catch(1, Code.i32(1)),
            Code.catchAll(Code.i32(2)), Code.end)
        throwing.export(
            "none", Code.try(Code.empty, thrown), Code.catch(1), Code.end, Code.i32(3))
        throwing.export("bare", Code.try(Code.empty, thrown), Code.end, Code.i32(3))
        // Branches out of the body and out of a catch body.
        throwing.export(
            "branch",
            Code.block(
                i32,
                Code.try(
                    i32, Code.get(0), [0x45], Code.if(Code.empty, Code.i32(7), Code.br(2)),
                    thrown, Code.i32(-1)),
                Code.catch(0, Code.i32(1), Code.add, Code.br(1)), Code.end, Code.i32(50), Code.add))
        // A catch body throws: its own `try` does not catch that.
        throwing.export(
            "body",
            Code.try(
                i32,
                Code.try(i32, thrown, Code.i32(-1)),
                Code.catch(0, Code.i32(2), Code.multiply, Code.throw(0)), Code.end),
            Code.catch(0, Code.i32(1), Code.add), Code.end)
        let instance = try House.legacy.instantiate(throwing.module)
        #expect(try instance.int("first", 5) == 105)
        #expect(try instance.int("first", 0) == -1)
        #expect(try instance.int("all", 5) == 2)
        #expect(try instance.int("none", 0) == 3)
        #expect(throws: Exception.self) { try instance.int("none", 5) }
        #expect(throws: Exception.self) { try instance.int("bare", 5) }
        #expect(try instance.int("branch", 0) == 7)
        #expect(try instance.int("branch", 5) == 6)
        #expect(try instance.int("body", 5) == 11)
    }

    @Test func rethrow() throws {
        var throwing = start()
        // From a catch body, past operands and through a try of its own.
        throwing.export(
            "nested",
            Code.try(
                i32,
                Code.try(i32, thrown, Code.i32(-1)),
                Code.catch(
                    0, Code.i32(1000), Code.multiply,
                    Code.try(Code.empty, Code.throw(1)),
                    Code.catch(1, Code.rethrow(1)), Code.end), Code.end),
            Code.catch(0, Code.i32(1), Code.add), Code.end)
        throwing.export(
            "all",
            Code.try(
                i32,
                Code.try(i32, thrown, Code.i32(-1)), Code.catchAll(Code.rethrow(0)), Code.end),
            Code.catch(0, Code.i32(1), Code.add), Code.end)
        throwing.export(
            "out", Code.try(i32, thrown, Code.i32(-1)), Code.catchAll(Code.rethrow(0)), Code.end)
        // The inner of two exceptions.
        throwing.export(
            "inner",
            Code.try(
                i32,
                Code.try(i32, thrown, Code.i32(-1)),
                Code.catch(
                    0, Code.set(0),
                    Code.try(i32, Code.get(0), Code.i32(10), Code.add, Code.throw(0)),
                    Code.catchAll(Code.rethrow(0)), Code.end), Code.end),
            Code.catch(0, Code.i32(1), Code.add), Code.end)
        let house = House.legacy
        let instance = try house.instantiate(throwing.module)
        #expect(try instance.int("nested", 5) == 6)
        #expect(try instance.int("all", 5) == 6)
        #expect(try instance.int("all", 0) == -1)
        #expect(try instance.int("inner", 5) == 16)
        #expect(
            try #require(throws: Exception.self) { try instance.int("out", 5) }.values == [.i32(5)])
    }

    @Test func delegates() throws {
        var throwing = start()
        // try (A) { try (B) { try (C) { throw } delegate } catch_all } catch: C goes to A or to B.
        for (name, label) in [("to_b", 0), ("to_a", 1), ("out", 2)] as [(String, UInt8)] {
            throwing.export(
                name,
                Code.try(
                    i32,
                    Code.try(
                        i32, Code.try(i32, thrown, Code.i32(-1)), Code.delegate(label)),
                    Code.catchAll(Code.i32(20)), Code.end),
                Code.catch(0, Code.i32(10), Code.add), Code.end)
        }
        // To a block: what is around it catches.
        throwing.export(
            "block",
            Code.try(
                i32,
                Code.try(
                    i32,
                    Code.block(
                        i32,
                        Code.try(i32, Code.try(i32, thrown, Code.i32(-1)), Code.delegate(1)),
                        Code.catchAll(Code.i32(30)), Code.end)),
                Code.catch(0, Code.i32(10), Code.add), Code.end),
            Code.catchAll(Code.i32(40)), Code.end)
        // To a try whose catch body it is in: that one does not catch.
        throwing.export(
            "body",
            Code.try(
                i32,
                Code.try(i32, Code.throw(1)),
                Code.catchAll(
                    Code.try(i32, thrown, Code.i32(-1)), Code.delegate(0)), Code.end),
            Code.catch(0, Code.i32(10), Code.add), Code.end)
        let instance = try House.legacy.instantiate(throwing.module)
        #expect(try instance.int("to_b", 5) == 20)
        #expect(try instance.int("to_a", 5) == 15)
        #expect(throws: Exception.self) { try instance.int("out", 5) }
        #expect(try instance.int("block", 5) == 15)
        #expect(try instance.int("body", 5) == 15)
        for name in ["to_b", "to_a", "out", "block", "body"] {
            #expect(try instance.int(name, 0) == -1)
        }
    }

    /// Both generations together, and code that cannot be reached.
    @Test func mixed() throws {
        var throwing = start()
        throwing.export(
            "mixed",
            Code.block(
                i32,
                Code.tryTable(
                    Code.empty, [.catch(0, 0)],
                    Code.try(Code.empty, thrown), Code.catch(1), Code.end), Code.i32(-5)))
        throwing.export(
            "unreachable",
            Code.get(0), Code.return,
            Code.try(i32, Code.try(i32, Code.throw(1)), Code.delegate(0)),
            Code.catch(0), Code.catchAll(Code.i32(1)), Code.end)
        throwing.export(
            "unreachable_catch",
            Code.try(i32, Code.get(0), Code.return),
            Code.catch(0, Code.return, Code.try(i32, Code.rethrow(1)), Code.delegate(0)),
            Code.catchAll(Code.unreachable), Code.end)
        let instance = try House.legacy.instantiate(throwing.module)
        #expect(try instance.int("mixed", 5) == 5)
        #expect(try instance.int("mixed", 0) == -5)
        #expect(try instance.int("unreachable", 5) == 5)
        #expect(try instance.int("unreachable_catch", 5) == 5)
    }

    @Test func localsAndOperands() throws {
        var throwing = start()
        throwing.export(
            "locals", locals: [TestModule.i32, TestModule.i32],
            Code.i32(3), Code.set(1), Code.get(1),
            Code.try(
                i32, Code.i32(4), Code.set(1), thrown, Code.i32(5), Code.set(2), Code.i32(0)),
            Code.catch(0, Code.get(1), Code.i32(10), Code.multiply, Code.add), Code.end,
            Code.add, Code.get(2), Code.add)
        let instance = try House.legacy.instantiate(throwing.module)
        // 3 + (7 + 4 * 10) + 0, and 3 + 0 + 5
        #expect(try instance.int("locals", 7) == 50)
        #expect(try instance.int("locals", 0) == 8)
    }
}
