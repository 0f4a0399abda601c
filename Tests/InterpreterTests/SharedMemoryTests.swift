import Glibc
import Synchronization
import Testing
import WasmInterpreter
import WasmText

/// Shared memories and atomic instructions, by several threads with a store each.
@Suite struct SharedMemoryTests {
    private static let text = """
        (module
          (memory (import "env" "memory") 1 16 shared)
          (func (export "count") (param $n i32) (result i32)
            (loop $again
              (drop (i32.atomic.rmw.add (i32.const 64) (i32.const 1)))
              (drop (i64.atomic.rmw8.xor_u offset=3 (i32.const 64) (i64.const 0)))
              (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
            (i32.atomic.load (i32.const 64)))
          (func (export "wait") (param i32 i32 i64) (result i32)
            (memory.atomic.wait32 (local.get 0) (local.get 1) (local.get 2)))
          (func (export "wait64") (param i32 i64 i64) (result i32)
            (memory.atomic.wait64 (local.get 0) (local.get 1) (local.get 2)))
          (func (export "notify") (param i32 i32) (result i32)
            (memory.atomic.notify (local.get 0) (local.get 1)))
          (func (export "peek") (param i32) (result i32) (i32.load (local.get 0)))
          (func (export "poke") (param i32 i32) (i32.store (local.get 0) (local.get 1)))
          (func (export "size") (result i32) (memory.size))
          (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
          (func (export "fill") (param i32 i32 i32)
            (memory.fill (local.get 0) (local.get 1) (local.get 2)))
          (func (export "exchange") (param i32 i32 i32) (result i32)
            (i32.atomic.rmw16.cmpxchg_u (local.get 0) (local.get 1) (local.get 2))))
        """

    private let engine = Engine()
    private let module: Module
    private let memory: SharedMemory

    init() throws {
        module = try Module(try parseModule(Array(Self.text.utf8)), engine: engine)
        memory = try SharedMemory(
            MemoryType(limits: Limits(minimum: 1, maximum: 16), shared: true))
    }

    /// A store of the running thread's own with an instance on the shared memory.
    private func instance(_ prepare: (Store) -> Void = { _ in }) throws -> Instance {
        let store = Store(engine: engine)
        prepare(store)
        let linker = Linker()
        linker.define("env", "memory", .memory(try Memory(store: store, sharing: memory)))
        return try linker.instantiate(module, in: store)
    }

    @Test func noIncrementIsLost() throws {
        let failures = concurrently(4) { _ in
            let count = try #require(try self.instance().function("count"))
            let _: Int32 = try count(20_000 as Int32)
        }
        #expect(failures == 0)
        let peek = try #require(try self.instance().function("peek"))
        #expect(try peek(64 as Int32) == 80_000 as Int32)
    }

    @Test func answersOfWait() throws {
        let instance = try self.instance()
        let wait = try #require(instance.function("wait"))
        let wait64 = try #require(instance.function("wait64"))
        let notify = try #require(instance.function("notify"))
        #expect(try wait(0 as Int32, 1 as Int32, -1 as Int64) == 1 as Int32)
        #expect(try wait64(8 as Int32, 1 as Int64, -1 as Int64) == 1 as Int32)
        #expect(try wait(0 as Int32, 0 as Int32, 1_000_000 as Int64) == 2 as Int32)
        #expect(try wait64(8 as Int32, 0 as Int64, 0 as Int64) == 2 as Int32)
        #expect(try notify(0 as Int32, 5 as Int32) == 0 as Int32)
    }

    /// Waiters are woken in the order in which they came, as many as asked for.
    @Test func notifyWakes() throws {
        let started = Atomic<Int>(0)
        let woken = Atomic<Int>(0)
        let failures = concurrently(4) { index in
            let instance = try self.instance()
            if index > 0 {
                let wait = try #require(instance.function("wait"))
                started.add(1, ordering: .sequentiallyConsistent)
                let answer: Int32 = try wait(16 as Int32, 0 as Int32, -1 as Int64)
                if answer == 0 { woken.add(1, ordering: .sequentiallyConsistent) }
            } else {
                let notify = try #require(instance.function("notify"))
                var sum: Int32 = 0
                while sum < 3 {
                    let count: Int32 = try notify(16 as Int32, 2 as Int32)
                    #expect(count <= 2)
                    sum += count
                    sched_yield()
                }
            }
        }
        #expect(failures == 0)
        #expect(woken.load(ordering: .sequentiallyConsistent) == 3)
    }

    /// A thread that waits for ever is stopped by its store's handle, or by its deadline.
    @Test func waitingEndsWithARequest() throws {
        let handle = Mutex<InterruptHandle?>(nil)
        let failures = concurrently(2) { index in
            if index == 0 {
                let instance = try self.instance { store in
                    handle.withLock { $0 = store.interruptHandle }
                }
                let wait = try #require(instance.function("wait"))
                let code = trapCode {
                    let _: Int32 = try wait(32 as Int32, 0 as Int32, -1 as Int64)
                }
                #expect(code == .interrupted)
            } else {
                while handle.withLock({ $0 == nil }) { sched_yield() }
                usleep(2_000)
                handle.withLock { $0?.interrupt() }
            }
        }
        #expect(failures == 0)
        let instance = try self.instance { $0.deadline = .now.advanced(by: .milliseconds(5)) }
        let wait = try #require(instance.function("wait"))
        #expect(
            trapCode { let _: Int32 = try wait(32 as Int32, 0 as Int32, -1 as Int64) }
                == .deadlineExceeded)
        // Nobody is left in the queue.
        #expect(memory.notify(at: 32, count: 10) == 0)
    }

    /// What one thread added, the others may use at once.
    @Test func growthIsSeen() throws {
        let old = try instance()
        let other = try instance()
        let grow = try #require(other.function("grow"))
        let poke = try #require(other.function("poke"))
        #expect(try grow(2 as Int32) == 1 as Int32)
        try poke(65_540 as Int32, 42 as Int32)
        let peek = try #require(old.function("peek"))
        let size = try #require(old.function("size"))
        let fill = try #require(old.function("fill"))
        #expect(try peek(65_540 as Int32) == 42 as Int32)
        #expect(try size() == 3 as Int32)
        #expect(try grow(1 as Int32) == 3 as Int32)
        try fill(Int32(4 * 65_536 - 10), 1 as Int32, 10 as Int32)
        #expect(trapCode { let _: Int32 = try peek(Int32(4 * 65_536)) } == .outOfBoundsMemoryAccess)
        #expect(memory.byteCount == 4 * 65_536)
        #expect(try grow(13 as Int32) == -1 as Int32)
    }

    /// Segments may go to what another store has added since this one first saw the memory.
    @Test func segmentsBehindGrowth() throws {
        let old = try instance()
        let grow = try #require(try instance().function("grow"))
        #expect(try grow(1 as Int32) == 1 as Int32)
        let text = """
            (module (memory (import "env" "memory") 1 16 shared) (data (i32.const 65536) "*"))
            """
        let linker = Linker()
        linker.define("env", "memory", .memory(try Memory(store: old.store, sharing: memory)))
        let module = try Module(try parseModule(Array(text.utf8)), engine: engine)
        _ = try linker.instantiate(module, in: old.store)
        let peek = try #require(old.function("peek"))
        #expect(try peek(65_536 as Int32) == 42 as Int32)
    }

    /// The expected value of a narrow exchange is wrapped to its width.
    @Test func narrowExchange() throws {
        let instance = try self.instance()
        let exchange = try #require(instance.function("exchange"))
        let peek = try #require(instance.function("peek"))
        #expect(try exchange(4 as Int32, 0x10001 as Int32, 7 as Int32) == 0 as Int32)
        #expect(try peek(4 as Int32) == 0 as Int32)
        #expect(try exchange(4 as Int32, 0x10000 as Int32, 0x12345 as Int32) == 0 as Int32)
        #expect(try peek(4 as Int32) == 0x2345 as Int32)
        #expect(
            trapCode { let _: Int32 = try exchange(3 as Int32, 0 as Int32, 0 as Int32) }
                == .unalignedAtomic)
    }

    @Test func onlySharedMemoriesAreWaitedOn() throws {
        let text = """
            (module (memory 1 1)
              (func (export "wait") (result i32)
                (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const 0)))
              (func (export "notify") (result i32)
                (memory.atomic.notify (i32.const 0) (i32.const 1))))
            """
        let module = try Module(try parseModule(Array(text.utf8)), engine: engine)
        let instance = try Linker().instantiate(module, in: Store(engine: engine))
        let wait = try #require(instance.function("wait"))
        let notify = try #require(instance.function("notify"))
        #expect(trapCode { let _: Int32 = try wait() } == .expectedSharedMemory)
        #expect(try notify() == 0 as Int32)
    }

    private func trapCode(_ body: () throws -> Void) -> TrapCode? {
        do {
            try body()
            return nil
        } catch {
            return (error as? Trap)?.code
        }
    }
}
