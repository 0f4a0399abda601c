import Testing
import WasmInterpreter
import WasmSystem

/// Guests that call each other and the host, and how they are stopped.
@Suite struct GuestCallTests {
    /// `count(n)` goes round a loop n times; `forever()` never ends.
    private func loops() -> TestModule {
        var module = TestModule()
        let count = module.type([TestModule.i32])
        let none = module.type()
        module.export(
            "count", .function,
            module.function(
                type: count,
                // loop: local.get 0, i32.const 1, i32.sub, local.tee 0, br_if 0
                [0x03, 0x40, 0x20, 0, 0x41, 1, 0x6b, 0x22, 0, 0x0d, 0, 0x0b]))
        module.export(
            "forever", .function, module.function(type: none, [0x03, 0x40, 0x0c, 0, 0x0b]))
        return module
    }

    private func trapCode(_ body: () throws -> Void) -> TrapCode? {
        do {
            try body()
            return nil
        } catch {
            return (error as? Trap)?.code
        }
    }

    @Test(arguments: [1, 10, 99_999, 100_000, 100_001, 350_000] as [UInt64])
    func fuelIsExact(rounds: UInt64) throws {
        let house = House()
        let count = try #require(try house.instantiate(loops()).function("count"))
        house.store.fuel = 1_000_000
        _ = try count.call([.i32(Int32(rounds))])
        let used = 1_000_000 - (house.store.fuel ?? 0)
        // A branch each time but the last.
        #expect(used == rounds - 1)
        house.store.fuel = used
        _ = try count.call([.i32(Int32(rounds))])
        #expect(house.store.fuel == 0)
        guard used > 0 else { return }
        house.store.fuel = used - 1
        #expect(trapCode { _ = try count.call([.i32(Int32(rounds))]) } == .outOfFuel)
        #expect(house.store.fuel == 0)
        house.store.fuel = nil
        _ = try count.call([.i32(Int32(rounds))])
        #expect(house.store.fuel == nil)
    }

    @Test func fuelEndsForever() throws {
        let house = House()
        let forever = try #require(try house.instantiate(loops()).function("forever"))
        house.store.fuel = 1_234_567
        #expect(trapCode { try forever() } == .outOfFuel)
        #expect(trapCode { try forever() } == .outOfFuel)
    }

    @Test func deadlineEndsForever() throws {
        let house = House()
        let forever = try #require(try house.instantiate(loops()).function("forever"))
        let start = ContinuousClock.now
        house.store.deadline = start + .milliseconds(30)
        #expect(trapCode { try forever() } == .deadlineExceeded)
        #expect(ContinuousClock.now - start >= .milliseconds(30))
    }

    @Test func interruptEndsForever() throws {
        let house = House()
        let handle = house.store.interruptHandle
        let forever = try #require(try house.instantiate(loops()).function("forever"))
        // A thread, since a task would wait until other tests have left one to it.
        let thread = SystemThread.start {
            SystemClock.sleep(until: SystemClock.monotonic.now + 20_000_000)
            handle.interrupt()
        }
        #expect(trapCode { try forever() } == .interrupted)
        thread?.join()
    }

    @Test func bulkOperationsCostFuel() throws {
        let house = House()
        var module = TestModule()
        let type = module.type()
        module.memory(0)
        module.memory(16)
        // memory.fill of 1 MiB, ten times without a branch: 1,024 units each.
        let fill = [0x41, 0, 0x41, 7] + TestModule.i32(1 << 20) + [0xfc, 0x0b, 1]
        module.export(
            "fill", .function,
            module.function(type: type, Array(repeating: fill, count: 10).flatMap { $0 }))
        let function = try #require(try house.instantiate(module).function("fill"))
        house.store.fuel = 1_000_000
        try function()
        let left: UInt64 = 1_000_000 - 10 * 1024
        #expect(house.store.fuel == left)
        house.store.fuel = 5_000
        #expect(trapCode { try function() } == .outOfFuel)
    }

    @Test func hostCallsBackWithItsOwnArguments() throws {
        let house = House()
        final class Inner { var function: Function? }
        let inner = Inner()
        house.linker.define("env", "twice") {
            [inner] (_: borrowing Caller, a: Int64, b: Int64) -> Int64 in
            guard let function = inner.function else { return -1 }
            let once: Int64 = try function(a)
            let again: Int64 = try function(once)
            return again &+ b
        }
        var module = TestModule()
        let two = module.type([TestModule.i64, TestModule.i64], [TestModule.i64])
        let one = module.type([TestModule.i64], [TestModule.i64])
        let twice = module.importFunction("env", "twice", type: two)
        // local.get 0, i64.const 3, i64.mul
        module.export(
            "triple", .function,
            module.function(type: one, [0x20, 0] + TestModule.i64(3) + [0x7e]))
        // 100 + twice(x, 5) + x
        module.export(
            "outer", .function,
            module.function(
                type: one,
                TestModule.i64(100) + [0x20, 0] + TestModule.i64(5)
                    + [0x10, twice, 0x7c, 0x20, 0, 0x7c]))
        let instance = try house.instantiate(module)
        inner.function = instance.function("triple")
        let outer = try #require(instance.function("outer"))
        #expect(try outer(2 as Int64, returning: Int64.self) == 100 + 18 + 5 + 2)
        house.store.fuel = 4
        #expect(try outer(2 as Int64, returning: Int64.self) == 125)
        #expect(house.store.fuel == 3)
        house.store.fuel = 0
        #expect(trapCode { let _: Int64 = try outer(2 as Int64) } == .outOfFuel)
        inner.function = nil
    }

    @Test func recursionThroughTheHostIsLimited() throws {
        let house = House()
        final class Inner { var function: Function? }
        let inner = Inner()
        house.linker.define("env", "again") { [inner] (_: borrowing Caller) -> Void in
            try inner.function?()
        }
        var module = TestModule()
        let type = module.type()
        let again = module.importFunction("env", "again", type: type)
        module.export("f", .function, module.function(type: type, [0x10, again]))
        let instance = try house.instantiate(module)
        inner.function = instance.function("f")
        let error = #expect(throws: Trap.self) { try instance.function("f")?() }
        #expect(error?.code == .stackExhausted)
        #expect(error?.backtrace.frames.count == Backtrace.frameLimit)
        #expect(
            error?.backtrace.omittedFrameCount
                == house.store.limits.nestedCalls - Backtrace.frameLimit)
        inner.function = nil
        try instance.function("f")?()
    }

    @Test func guestRecursionIsLimitedByTheValueStack() throws {
        let house = House()
        var module = TestModule()
        let type = module.type([TestModule.i32], [TestModule.i32])
        module.export(
            "deep", .function,
            // n == 0 ? 0 : 1 + deep(n - 1)
            module.function(
                type: type,
                [
                    0x20, 0, 0x45, 0x04, TestModule.i32, 0x41, 0, 0x05, 0x20, 0, 0x41, 1, 0x6b,
                    0x10, 0, 0x41, 1, 0x6a, 0x0b,
                ]))
        let deep = try #require(try house.instantiate(module).function("deep"))
        #expect(try deep(100_000 as Int32, returning: Int32.self) == 100_000)
        let error = #expect(throws: Trap.self) { let _: Int32 = try deep(-1 as Int32) }
        #expect(error?.code == .stackExhausted)
        #expect(error?.backtrace.frames.first?.functionName == "deep")
        #expect((error?.backtrace.omittedFrameCount ?? 0) > 100_000)
        #expect(try deep(100_000 as Int32, returning: Int32.self) == 100_000)
    }

    @Test func memoryGrownByTheHostIsSeen() throws {
        let house = House()
        house.linker.define("env", "grow") { (caller: borrowing Caller) -> Int32 in
            guard let memory = caller.instance?.memory("memory") else { return -1 }
            _ = memory.grow(by: 1)
            try caller.memory.store(42 as UInt32, at: 65_536 as UInt32)
            return Int32(memory.size)
        }
        var module = TestModule()
        let type = module.type([], [TestModule.i32])
        let grow = module.importFunction("env", "grow", type: type)
        module.memory(1)
        module.export("memory", .memory, 0)
        // grow(), drop, i32.const 65536, i32.load
        module.export(
            "f", .function,
            module.function(
                type: type, [0x10, grow, 0x1a] + TestModule.i32(65_536) + [0x28, 2, 0]))
        let function = try #require(try house.instantiate(module).function("f"))
        #expect(try function(returning: Int32.self) == 42)
    }

    @Test func instancesShareTablesAndCallEachOther() throws {
        let house = House()
        var first = TestModule()
        let unary = first.type([TestModule.i32], [TestModule.i32])
        first.table(2)
        first.export("table", .table, 0)
        first.global(TestModule.i32, mutable: true, TestModule.i32(10))
        // global 0 += argument
        let add = first.function(
            type: unary, [0x23, 0, 0x20, 0, 0x6a, 0x24, 0, 0x23, 0])
        first.elements(at: TestModule.i32(0), [add])
        first.export("add", .function, add)
        let one = try house.instantiate(first)
        house.linker.define(instance: one, as: "first")

        var second = TestModule()
        let same = second.type([TestModule.i32], [TestModule.i32])
        let imported = second.importFunction("first", "add", type: same)
        second.importTable("first", "table", 1)
        // add(add(x)) by a direct and an indirect call
        second.export(
            "both", .function,
            second.function(type: same, [0x20, 0, 0x10, imported, 0x41, 0, 0x11, same, 0]))
        let both = try #require(try house.instantiate(second).function("both"))
        // 10 + 5 = 15, then 15 + 15
        #expect(try both(5 as Int32, returning: Int32.self) == 30)
        #expect(try both(0 as Int32, returning: Int32.self) == 60)
        house.store.fuel = 100
        _ = try both(0 as Int32, returning: Int32.self)
        #expect(house.store.fuel == 98)
    }

    @Test func backtraceCrossesInstancesAndHost() throws {
        let house = House()
        final class Inner { var function: Function? }
        let inner = Inner()
        house.linker.define("env", "host") { [inner] (_: borrowing Caller) -> Void in
            try inner.function?()
        }
        var first = TestModule()
        let none = first.type()
        first.export("crash", .function, first.function(type: none, [0x01, 0x00]))
        let one = try house.instantiate(first)
        house.linker.define(instance: one, as: "first")

        var second = TestModule()
        let same = second.type()
        let host = second.importFunction("env", "host", type: same)
        let crash = second.importFunction("first", "crash", type: same)
        let middle = second.function(type: same, [0x01, 0x10, crash])
        let outer = second.function(type: same, [0x10, host])
        second.export("middle", .function, middle)
        second.export("outer", .function, outer)
        let two = try house.instantiate(second)
        inner.function = two.function("middle")
        let error = #expect(throws: Trap.self) { try two.function("outer")?() }
        let frames = try #require(error?.backtrace.frames)
        #expect(error?.code == .unreachable)
        #expect(frames.map(\.functionName) == ["crash", "middle", "outer"])
        #expect(frames.map(\.functionIndex) == [0, 2, 3])
        #expect(frames[0].module === one.module)
        #expect(frames[2].module === two.module)
        // The offsets lead to `unreachable` and to calls.
        let bytes = frames.map { frame in frame.offset.map { frame.module.parsed.bytes.base[$0] } }
        #expect(bytes == [0x00, 0x10, 0x10])
        inner.function = nil
    }

    @Test func startFunctionRunsAndMayFail() throws {
        let house = House()
        let table = try Table(
            store: house.store, type: TableType(element: .funcref, limits: Limits(minimum: 1)))
        house.linker.define("env", "table", .table(table))
        var module = TestModule()
        let none = module.type()
        let answer = module.type([], [TestModule.i32])
        module.importTable("env", "table", 1)
        module.global(TestModule.i32, mutable: true, TestModule.i32(1))
        let get = module.function(type: answer, [0x23, 0])
        let start = module.function(type: none, [0x41, 2, 0x24, 0])
        let fails = module.function(type: none, [0x41, 3, 0x24, 0, 0x00])
        module.export("get", .function, get)
        module.elements(at: TestModule.i32(0), [get])
        module.start = start
        let get1 = try #require(try house.instantiate(module).function("get"))
        #expect(try get1(returning: Int32.self) == 2)

        module.start = fails
        #expect(trapCode { _ = try house.instantiate(module) } == .unreachable)
        guard case .function(.some(let left)) = try table.get(at: 0) else {
            Issue.record("the table lost its function")
            return
        }
        #expect(left != get1)
        #expect(try left(returning: Int32.self) == 3)
    }

    @Test func hostErrorsPassThroughGuests() throws {
        let house = House()
        house.linker.define("env", "exit") { (_: borrowing Caller, code: UInt32) -> Void in
            throw GuestExit(code: code)
        }
        var module = TestModule()
        let type = module.type([TestModule.i32])
        let exit = module.importFunction("env", "exit", type: type)
        module.export("f", .function, module.function(type: type, [0x20, 0, 0x10, exit, 0x00]))
        let instance = try house.instantiate(module)
        #expect(throws: GuestExit(code: 9)) { try instance.function("f")?.call([.i32(9)]) }
    }
}
