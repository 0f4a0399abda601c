import Glibc
import Synchronization
import Testing

@_spi(Loops) @testable import WasmInterpreter

/// `memory.atomic.wait` of guests that are suspended: any number on one thread, also of one store.
@Suite struct AtomicWaitTests {
    private let house = TextHouse()
    private let memory: SharedMemory

    init() throws {
        memory = try SharedMemory(
            MemoryType(limits: Limits(minimum: 1, maximum: 1), shared: true))
    }

    private func instance(in store: Store? = nil) throws -> Instance {
        let store = store ?? house.store
        let linker = Linker()
        linker.define("env", "memory", .memory(try Memory(store: store, sharing: memory)))
        return try linker.instantiate(
            house.module(
                """
                (memory (import "env" "memory") 1 1 shared)
                (func (export "wait") (param i32 i32 i64) (result i32)
                  (memory.atomic.wait32 (local.get 0) (local.get 1) (local.get 2)))
                (func (export "sum") (param i64 f64) (result f64)
                  (f64.add
                    (f64.mul (local.get 1) (f64.const 2))
                    (f64.convert_i32_u
                      (memory.atomic.wait64 (i32.const 8) (i64.const 0) (local.get 0)))))
                (func (export "notify") (param i32 i32) (result i32)
                  (memory.atomic.notify (local.get 0) (local.get 1)))
                """), in: store)
    }

    private func start(_ name: Name, _ instance: Instance, _ arguments: Value...) throws
        -> Execution
    {
        try #require(instance.function(name)).start(arguments)
    }

    private func isWaiting(_ outcome: Execution.Outcome) -> Bool {
        if case .suspended(.wait) = outcome { true } else { false }
    }

    private func results(_ outcome: Execution.Outcome) -> [Value]? {
        if case .finished(let values) = outcome { values } else { nil }
    }

    /// Guests of one store on one thread wait for each other, and are woken in their order.
    @Test func guestsOfOneStore() throws {
        let instance = try instance()
        var waiting: [Execution] = []
        for _ in 0..<5 {
            let execution = try start("wait", instance, .i32(16), .i32(0), .i64(-1))
            #expect(isWaiting(try execution.resume()))
            #expect(execution.wait?.interests.isEmpty == true)
            #expect(execution.wait?.end == nil)
            #expect(execution.backtrace.frames.count == 1)
            waiting.append(execution)
        }
        // Whoever looks without having been woken goes on waiting.
        #expect(isWaiting(try waiting[0].resume()))
        #expect(try instance.number("notify", 16, 2) == 2)
        #expect(waiting.map(\.wakeCell.isWoken) == [true, true, false, false, false])
        #expect(results(try waiting[1].resume()) == [.i32(0)])
        #expect(isWaiting(try waiting[2].resume()))
        #expect(results(try waiting[0].resume()) == [.i32(0)])
        // One that is cancelled does not take another's place.
        waiting[2].cancel()
        #expect(try instance.number("notify", 16, 2) == 2)
        #expect(results(try waiting[4].resume()) == [.i32(0)])
        #expect(results(try waiting[3].resume()) == [.i32(0)])
        #expect(try instance.number("notify", 16, 2) == 0)
    }

    @Test(arguments: WaitDriver.allCases) func answers(_ driver: WaitDriver) throws {
        let instance = try instance()
        let wait = try #require(instance.function("wait"))
        #expect(try driver.call(wait, [.i32(0), .i32(1), .i64(-1)]) == [.i32(1)])
        let start = ContinuousClock.now
        #expect(try driver.call(wait, [.i32(0), .i32(0), .i64(5_000_000)]) == [.i32(2)])
        #expect(ContinuousClock.now - start >= .milliseconds(5))
        #expect(try driver.call(wait, [.i32(0), .i32(0), .i64(0)]) == [.i32(2)])
        #expect(throws: Trap.self) { try driver.call(wait, [.i32(2), .i32(0), .i64(0)]) }
        // What else the machine held is still there.
        let sum = try #require(instance.function("sum"))
        #expect(try driver.call(sum, [.i64(2_000_000), .f64(20)]) == [.f64(42)])
    }

    @Test(arguments: WaitDriver.allCases) func otherThreadsNotify(_ driver: WaitDriver) throws {
        let wait = try #require(try instance().function("wait"))
        let memory = self.memory
        let thread = TestThread {
            while memory.notify(at: 32, count: 1) == 0 { usleep(500) }
        }
        defer { thread.join() }
        #expect(try driver.call(wait, [.i32(32), .i32(0), .i64(-1)]) == [.i32(0)])
    }

    /// A guest that is to stop leaves the queue.
    @Test(arguments: WaitDriver.allCases) func stopping(_ driver: WaitDriver) throws {
        let wait = try #require(try instance().function("wait"))
        let handle = house.store.interruptHandle
        let thread = TestThread {
            usleep(10_000)
            handle.interrupt()
        }
        let trap = #expect(throws: Trap.self) {
            try driver.call(wait, [.i32(48), .i32(0), .i64(-1)])
        }
        thread.join()
        #expect(trap?.code == .interrupted)
        #expect(memory.notify(at: 48, count: 10) == 0)
        house.store.deadline = .now + .milliseconds(5)
        let late = #expect(throws: Trap.self) {
            try driver.call(wait, [.i32(48), .i32(0), .i64(-1)])
        }
        #expect(late?.code == .deadlineExceeded)
        #expect(memory.notify(at: 48, count: 10) == 0)
    }

    /// Two guests in stores of their own hand a token to and fro, both on one loop.
    @Test func pingPong() throws {
        let loop = try #require(WaitLoop())
        var rounds = 0
        let instances = try (0..<2).map { _ in try instance(in: Store(engine: house.engine)) }
        func play(_ side: Int) throws {
            let execution = try start(
                "wait", instances[side], .i32(Int32(64 + 8 * side)), .i32(0), .i64(-1))
            guard isWaiting(try execution.resume()) else { return }
            loop.watch(execution) {
                guard self.results((try? execution.resume()) ?? .suspended(.endOfSlice)) != nil,
                    rounds < 100
                else { return }
                rounds += 1
                try? play(side)
                _ = try? instances[side].number("notify", Int32(64 + 8 * (1 - side)), 1)
            }
        }
        try play(0)
        try play(1)
        #expect(memory.notify(at: 64, count: 1) == 1)
        while rounds < 100 { loop.runOnce() }
        #expect(rounds == 100)
    }
}
