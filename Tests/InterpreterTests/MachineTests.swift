import Glibc
import Testing

@testable import WasmInterpreter

/// The machine as such: how many instructions run, and on how little native stack.
@Suite struct MachineTests {
    /// `(func (export "run") (param $n i32) (result i32))` with a loop of several families.
    private func loopModule() -> TestModule {
        var module = TestModule()
        let unary = module.type([TestModule.i32], [TestModule.i32])
        module.memory(1)
        module.table(1)
        module.global(TestModule.i32, mutable: true, TestModule.i32(0))
        let twice = module.function(type: unary, [0x20, 0, 0x20, 0, 0x6a])
        module.elements(at: TestModule.i32(0), [twice])
        let run = module.function(
            type: unary, locals: [TestModule.i32, TestModule.f64],
            [0x03, 0x40]  // loop
                + [0x20, 1, 0x10, twice] + TestModule.i32(3) + [0x71, 0x21, 1]  // call, and
                + TestModule.i32(0) + [0x20, 1, 0x36, 2, 0]  // i32.store
                + TestModule.i32(0) + [0x28, 2, 0] + TestModule.i32(0) + [0x11, unary, 0, 0x24, 0]
                + [0x20, 2, 0x44, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0xa0, 0x21, 2]  // f64.add
                + [0x20, 0] + TestModule.i32(-1) + [0x6a, 0x22, 0, 0x0d, 0]  // i32.add, br_if
                + [0x0b, 0x23, 0])
        module.export("run", .function, run)
        return module
    }

    #if DEBUG
        /// The figure that no other work on the machine changes: it moves only with the translator.
        @Test func dispatchesAreExact() throws {
            let house = House()
            let run = try #require(
                try house.instantiate(loopModule()).function("run"))
            _ = try run.call([.i32(1)])
            let before = house.store.exchange.pointee.dispatchCount
            _ = try run.call([.i32(101)])
            let many = house.store.exchange.pointee.dispatchCount - before
            _ = try run.call([.i32(1)])
            let one = house.store.exchange.pointee.dispatchCount - before - many
            #expect((many - one) % 100 == 0)
            #expect((many - one) / 100 == 14)
        }
    #endif

    /// A `br_table` that begins the loop it goes to branches by 0 bytes: backward, all the same.
    @Test func branchTablesToThemselvesUseFuel() throws {
        let house = House()
        var module = TestModule()
        let type = module.type([TestModule.i32])
        module.export(
            "run", .function, module.function(type: type, [0x03, 0x40, 0x20, 0, 0x0e, 0, 0, 0x0b]))
        let run = try #require(try house.instantiate(module).function("run"))
        house.store.fuel = 1000
        #expect(throws: Trap.self) { try run.call([.i32(0)]) }
        #expect(house.store.fuel == 0)
    }

    /// 30,000 divisions without a branch: what takes long costs fuel, or deadlines would be missed.
    @Test func longStretchesUseFuel() throws {
        let house = House()
        var module = TestModule()
        let type = module.type([TestModule.i32])
        let division = [0x20, 0] + TestModule.i32(3) + [0x6d, 0x21, 0]
        // Every 100 of them in a loop that never goes back.
        let stretch: [UInt8] = (0..<100).flatMap { _ in division }
        let body: [UInt8] = (0..<300).flatMap { _ in [0x03, 0x40] + stretch + [0x0b] }
        module.export("run", .function, module.function(type: type, body))
        let run = try #require(try house.instantiate(module).function("run"))
        // Translating so large a body costs fuel, too.
        _ = try run.call([.i32(1)])
        house.store.fuel = 10_000
        _ = try run.call([.i32(1)])
        let used = 10_000 - (house.store.fuel ?? 0)
        #expect((3200...4800).contains(used))
        house.store.fuel = 1000
        #expect(throws: Trap.self) { try run.call([.i32(1)]) }
    }

    @Test func largeFillsAndCopiesUseFuel() throws {
        for operation: [UInt8] in [[0xfc, 11, 0], [0xfc, 10, 0, 0]] {
            let house = House()
            var module = TestModule()
            let type = module.type()
            module.memory(64)
            let size = TestModule.i32(4 << 20)
            module.export(
                "run", .function,
                module.function(
                    type: type, TestModule.i32(0) + TestModule.i32(0) + size + operation))
            let run = try #require(try house.instantiate(module).function("run"))
            house.store.fuel = 1_000_000
            _ = try run.call()
            #expect(house.store.fuel ?? 0 < 1_000_000 - 1000)
            house.store.fuel = 10
            #expect(throws: Trap.self) { try run.call() }
        }
    }

    /// Two instances that call each other by tail calls use no stack for it.
    @Test func tailCallsAcrossInstancesReplaceFrames() throws {
        let house = House(limits: StoreLimits(stackBytes: 64 << 10))
        // (func (param i32 i64) (result i32)): 0 if the first is 0, else the other module's function
        // through the table, which both share, with one less.
        func half(_ name: String, other: Int64) -> TestModule {
            var module = TestModule()
            let type = module.type([TestModule.i32, TestModule.i64], [TestModule.i32])
            module.importTable("env", "table", 2)
            let body: [UInt8] =
                [0x20, 0, 0x45, 0x04, 0x40] + TestModule.i32(7) + [0x0f, 0x0b, 0x20, 0]
                + TestModule.i32(-1) + [0x6a, 0x20, 1] + TestModule.i32(other) + [0x13, type, 0]
            let function = module.function(type: type, body)
            module.elements(at: TestModule.i32(1 - other), [function])
            module.export(name, .function, function)
            return module
        }
        let table = try Table(
            store: house.store,
            type: TableType(element: .funcref, limits: Limits(minimum: 2)))
        house.linker.define("env", "table", .table(table))
        let first = try house.instantiate(half("first", other: 1))
        _ = try house.instantiate(half("second", other: 0))
        let run = try #require(first.function("first"))
        #expect(try run.call([.i32(100_000), .i64(1)]) == [.i32(7)])
        #expect(try run.call([.i32(99_999), .i64(1)]) == [.i32(7)])
    }

    /// One handler that is not a tail call would need more than this stack within milliseconds.
    @Test func runsOnASmallNativeStack() throws {
        #if DEBUG
            let rounds: Int32 = 20_000
        #else
            let rounds: Int32 = 8_000_000  // more than 10^8 instructions
        #endif
        final class Work {
            let run: Function
            let rounds: Int32
            var result: [Value] = []
            init(_ run: Function, _ rounds: Int32) {
                self.run = run
                self.rounds = rounds
            }
        }
        let house = House()
        let run = try #require(try house.instantiate(loopModule()).function("run"))
        let work = Work(run, rounds)
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setstacksize(&attributes, 128 << 10)
        var thread = pthread_t()
        let started = pthread_create(
            &thread, &attributes,
            { raw in
                guard let raw else { return nil }
                let work = Unmanaged<Work>.fromOpaque(raw).takeUnretainedValue()
                work.result = (try? work.run.call([.i32(work.rounds)])) ?? []
                return nil
            }, Unmanaged.passUnretained(work).toOpaque())
        try #require(started == 0)
        pthread_join(thread, nil)
        #expect(work.result == [.i32(0)])
    }
}
