import Glibc
import Testing

@testable import WasmInterpreter

/// A guest that calls slow functions of the host stops after the call in which its time ran out or
/// somebody asked for it, and not only when its budget is used up.
@Suite struct HostCallStoppingTests {
    /// Counts calls; does something in the third, and gives up if the guest does not stop.
    private final class Work {
        var calls = 0
        var third: (Store) -> Void
        struct NotStopped: Error {}

        init(_ third: @escaping (Store) -> Void) { self.third = third }

        func call(_ store: Store) throws {
            calls += 1
            if calls == 3 { third(store) }
            if calls > 3 { usleep(5000) }
            guard calls < 400 else { throw NotStopped() }
        }
    }

    /// Every way of a guest to a function of the host, each in an endless loop that begins with a
    /// large budget.
    private static let ways: [(name: String, fields: String)] = [
        ("call", "(func (export \"run\") (call $warm) (loop $l (call $work) (br $l)))"),
        (
            "call_indirect",
            """
            (table funcref (elem $work)) (type $t (func))
            (func (export "run") (call $warm)
              (loop $l (call_indirect (type $t) (i32.const 0)) (br $l)))
            """
        ),
        (
            "call_indirect of another table",
            """
            (table 1 funcref) (table $other funcref (elem $work)) (type $t (func))
            (func (export "run") (call $warm)
              (loop $l (call_indirect $other (type $t) (i32.const 0)) (br $l)))
            """
        ),
        (
            "call_ref",
            """
            (type $t (func)) (elem declare func $work)
            (func (export "run") (call $warm)
              (loop $l (call_ref $t (ref.func $work)) (br $l)))
            """
        ),
        (
            "return_call",
            """
            (func $tail (return_call $work))
            (func (export "run") (call $warm) (loop $l (call $tail) (br $l)))
            """
        ),
        (
            "return_call_indirect",
            """
            (table funcref (elem $work)) (type $t (func))
            (func $tail (return_call_indirect (type $t) (i32.const 0)))
            (func (export "run") (call $warm) (loop $l (call $tail) (br $l)))
            """
        ),
        (
            "return_call_ref",
            """
            (type $t (func)) (elem declare func $work)
            (func $tail (return_call_ref $t (ref.func $work)))
            (func (export "run") (call $warm) (loop $l (call $tail) (br $l)))
            """
        ),
        (
            "caught exceptions",
            """
            (import "env" "throw" (func $throw)) (import "env" "tag" (tag $tag))
            (func (export "run") (call $warm)
              (loop $l (block $h (try_table (catch $tag $h) (call $throw))) (br $l)))
            """
        ),
        (
            "values",
            """
            (import "env" "values" (func $values (param i32) (result i32)))
            (func (export "run") (call $warm)
              (loop $l (drop (call $values (i32.const 1))) (br $l)))
            """
        ),
        (
            "slots",
            """
            (import "env" "slots" (func $slots (param i64) (result i64)))
            (func (export "run") (call $warm)
              (loop $l (drop (call $slots (i64.const 1))) (br $l)))
            """
        ),
        (
            "a function that another instance exports",
            """
            (import "other" "work" (func $other))
            (func (export "run") (call $warm) (loop $l (call $other) (br $l)))
            """
        ),
        (
            "a function of a guest of another store",
            """
            (import "env" "elsewhere" (func $elsewhere))
            (func (export "run") (call $warm) (loop $l (call $elsewhere) (br $l)))
            """
        ),
        (
            "a start function",
            "(func $main (call $warm) (loop $l (call $work) (br $l))) (start $main)"
        ),
    ]

    private func instantiate(_ fields: String, _ work: Work) throws -> (
        TextHouse, () throws -> Void
    ) {
        let house = TextHouse()
        let linker = house.linker
        let tag = Tag(store: house.store, parameters: [])
        linker.define("env", "tag", .tag(tag))
        linker.define("env", "work") { (caller: borrowing Caller) in try work.call(caller.store) }
        linker.define("env", "throw") { (caller: borrowing Caller) in
            try work.call(caller.store)
            throw try Exception(tag: tag)
        }
        linker.define("env", "values") { (caller: borrowing Caller, value: Int32) -> Int32 in
            try work.call(caller.store)
            return value
        }
        linker.defineFunction("env", "slots", parameters: [.i64], results: [.i64]) {
            caller, slots in
            try work.call(caller.store)
            slots.setResult(i64: slots.i64(0))
        }
        let inner = TextHouse()
        inner.linker.define("env", "work") { [store = house.store] in try work.call(store) }
        let guest = try inner.instantiate(
            """
            (import "env" "work" (func $work)) (func (export "work") (call $work))
            """)
        linker.define("env", "elsewhere") { try guest.call("work") }
        let other = try house.instantiate(
            """
            (import "env" "work" (func $work)) (func (export "work") (call $work))
            """)
        linker.define(instance: other, as: "other")
        let module = """
            (import "env" "work" (func $work))
            \(fields)
            (func $warm (local $i i32)
              (loop $l (br_if $l (i32.lt_u
                (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 200000)))))
            """
        guard !fields.contains("(start") else {
            return (house, { _ = try house.instantiate(module) })
        }
        let instance = try house.instantiate(module)
        return (house, { try instance.call("run") })
    }

    @Test(arguments: ways.indices)
    func requests(_ way: Int) throws {
        let (name, fields) = Self.ways[way]
        let work = Work { $0.interruptHandle.interrupt() }
        let (house, run) = try instantiate(fields, work)
        let trap = #expect(throws: Trap.self, "\(name)") { try run() }
        #expect(trap?.code == .interrupted, "\(name)")
        #expect(work.calls == 3, "\(name)")
        #expect(house.store.stopRequest() == nil)
    }

    @Test(arguments: ways.indices)
    func deadlines(_ way: Int) throws {
        let (name, fields) = Self.ways[way]
        let work = Work {
            $0.deadline = .now + .milliseconds(5)
            usleep(5000)
        }
        let (house, run) = try instantiate(fields, work)
        let trap = #expect(throws: Trap.self, "\(name)") { try run() }
        #expect(trap?.code == .deadlineExceeded, "\(name)")
        // Until another one is set, it stops whatever is called.
        #expect(throws: Trap.self) { try run() }
        #expect(throws: Trap.self) { try run() }
        house.store.deadline = nil
        work.calls = 0
        work.third = { $0.interruptHandle.interrupt() }
        #expect(throws: Trap.self) { try run() }
        #expect(work.calls == 3, "\(name)")
    }

    /// The trap names the call after which the guest stopped.
    @Test func backtrace() throws {
        let work = Work { $0.interruptHandle.interrupt() }
        let (_, run) = try instantiate(
            """
            (func $inner (nop) (call $work) (nop))
            (func (export "run") (loop $l (call $inner) (br $l)))
            """, work)
        let trap = try #require(#expect(throws: Trap.self) { try run() })
        let bytes = try #require(trap.backtrace.frames.first).module.parsed.bytes
        let offset = try #require(trap.backtrace.frames.first?.offset)
        #expect(bytes[ByteRange(start: offset, end: offset + 2)] == [0x10, 0])
        #expect(trap.backtrace.frames.map(\.functionIndex) == [1, 2])
    }

    /// What rang for a deadline that was changed meanwhile stops nobody.
    @Test func deadlinesThatWereMoved() throws {
        let house = TextHouse()
        var calls = 0
        house.linker.define("env", "work") { (caller: borrowing Caller) in
            calls += 1
            caller.store.deadline = .now
            usleep(2000)
            caller.store.deadline = calls % 2 == 0 ? nil : .now + .seconds(3600)
        }
        let instance = try house.instantiate(
            """
            (import "env" "work" (func $work))
            (func (export "run") (param $n i32)
              (loop $l (call $work)
                (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
            """)
        try instance.call("run", .i32(20))
        #expect(calls == 20)
        // A bit that was left over is looked into, and forgotten.
        house.store.interruptHandle.ring()
        #expect(!house.store.mustStop)
        #expect(!house.store.interruptHandle.hasStopBits)
        house.store.deadline = .now
        house.store.interruptHandle.ring()
        #expect(house.store.mustStop)
        #expect(house.store.mustStop)
    }

    /// An error of the host ends the guest; the request is still there for the next one.
    @Test func errorsComeFirst() throws {
        struct Failure: Error {}
        let house = TextHouse()
        house.linker.define("env", "work") { (caller: borrowing Caller) in
            caller.store.interruptHandle.interrupt()
            throw Failure()
        }
        let instance = try house.instantiate(
            """
            (import "env" "work" (func $work)) (func (export "run") (call $work))
            """)
        #expect(throws: Failure.self) { try instance.call("run") }
        #expect(throws: Trap.self) { try instance.call("run") }
        #expect(throws: Failure.self) { try instance.call("run") }
    }

    /// A suspended guest stops when it goes on, also with an exception that it would catch.
    @Test func resumedGuests() throws {
        let house = TextHouse()
        let tag = Tag(store: house.store, parameters: [])
        house.linker.define("env", "tag", .tag(tag))
        house.linker.define("env", "wait") { (_: borrowing Caller) in throw Suspension(0) }
        let instance = try house.instantiate(
            """
            (import "env" "wait" (func $wait)) (import "env" "tag" (tag $tag))
            (global $caught (export "caught") (mut i32) (i32.const 0))
            (func (export "run")
              (block $h (try_table (catch $tag $h) (call $wait)))
              (global.set $caught (i32.const 1)))
            """)
        let execution = try #require(instance.function("run")).start()
        _ = try execution.resume()
        house.store.deadline = .now
        let exception = try Exception(tag: tag)
        let trap = #expect(throws: Trap.self) { try execution.resume(throwing: exception) }
        #expect(trap?.code == .deadlineExceeded)
        #expect(instance.global("caught")?.value == .i32(0))
    }

    /// Handles of stores that are gone are not kept until their deadline.
    @Test func stores() {
        struct Weak { weak var handle: InterruptHandle? }
        let engine = Engine()
        var handles: [Weak] = []
        for _ in 0..<2000 {
            let store = Store(engine: engine)
            store.deadline = .now + .seconds(3600)
            handles.append(Weak(handle: store.interruptHandle))
        }
        #expect(handles.count { $0.handle != nil } < 1000)
    }
}

/// Closures of the host that an instruction asks or tells take any time too.
@Suite struct ClosureStoppingTests {
    private final class Interrupting: StoreLimiter, StoreObserver {
        let handle: InterruptHandle
        var calls = 0
        init(_ store: Store) { handle = store.interruptHandle }

        private func call() {
            calls += 1
            if calls == 2 { handle.interrupt() }
        }
        func shouldGrowMemory(from current: UInt64, to wanted: UInt64) -> Bool {
            call()
            return false
        }
        func shouldGrowTable(from current: UInt64, to wanted: UInt64) -> Bool {
            call()
            return true
        }
        func didGrowMemory(_ growth: MemoryGrowth) { call() }
        func didEnter(_ function: ObservedFunction) { call() }
        func didCollectGarbage(_ collection: GarbageCollection) { call() }
    }

    private static let fields = """
        (memory 1 100) (table (export "t") 1 funcref)
        (type $box (struct (field i32)))
        (func $f)
        (func (export "memory")
          (drop (memory.grow (i32.const 1))) (drop (memory.grow (i32.const 1)))
          (drop (memory.grow (i32.const 1))))
        (func (export "table")
          (drop (table.grow (ref.null func) (i32.const 1)))
          (drop (table.grow (ref.null func) (i32.const 1)))
          (drop (table.grow (ref.null func) (i32.const 1))))
        (func (export "calls") (loop $l (call $f) (br $l)))
        (func (export "objects") (loop $l
          (drop (struct.new $box (i32.const 1))) (drop (struct.new $box (i32.const 1)))
          (drop (struct.new $box (i32.const 1))) (br $l)))
        """

    @Test(arguments: ["memory", "table"]) func limiters(_ function: String) throws {
        let house = TextHouse()
        let instance = try house.instantiate(Self.fields)
        let limiter = Interrupting(house.store)
        house.store.limiter = limiter
        let trap = #expect(throws: Trap.self) { try instance.call(function) }
        #expect(trap?.code == .interrupted)
        #expect(limiter.calls == 2)
        #expect(instance.table("t")?.size == (function == "table" ? 2 : 1))
    }

    @Test(arguments: ["memory", "objects"]) func observers(_ function: String) throws {
        let house = TextHouse(stressed: true)
        let instance = try house.instantiate(Self.fields)
        let observer = Interrupting(house.store)
        house.store.observer = observer
        let trap = #expect(throws: Trap.self) { try instance.call(function) }
        #expect(trap?.code == .interrupted)
        #expect(observer.calls == 2)
    }

    /// The next call or branch looks.
    @Test func observedCalls() throws {
        var configuration = Engine.Configuration()
        configuration.observesCalls = true
        let engine = Engine(configuration)
        let store = Store(engine: engine)
        let module = try TextHouse().module(Self.fields)
        let instance = try Linker().instantiate(
            try Module(module.parsed, engine: engine), in: store)
        let observer = Interrupting(store)
        store.observer = observer
        store.fuel = 1_000_000
        let trap = #expect(throws: Trap.self) { try instance.call("calls") }
        #expect(trap?.code == .interrupted)
        #expect(observer.calls <= 3)
        // What was not used was given back.
        #expect((store.fuel ?? 0) > 999_900)
    }

    @Test func askedForFuel() throws {
        let house = TextHouse()
        let instance = try house.instantiate(Self.fields)
        var calls = 0
        house.store.fuel = 10
        house.store.onOutOfFuel = .ask { [handle = house.store.interruptHandle] _ in
            calls += 1
            if calls == 3 { handle.interrupt() }
            return 10
        }
        let trap = #expect(throws: Trap.self) { try instance.call("calls") }
        #expect(trap?.code == .interrupted)
        #expect(calls == 3)
    }
}

/// Growing a table by millions is stopped and paid for as filling it is.
@Suite struct TableGrowthTests {
    private static let fields = """
        (table $t (export "t") 10 10000000 funcref)
        (func $f) (elem declare func $f)
        (func (export "grow") (param i32) (result i32)
          (table.grow $t (ref.func $f) (local.get 0)))
        (func (export "last") (result i32)
          (ref.is_null (table.get $t (i32.sub (table.size $t) (i32.const 1)))))
        """

    @Test func stopsInTheMiddle() throws {
        let house = TextHouse()
        let instance = try house.instantiate(Self.fields)
        house.store.fuel = 1000
        #expect(
            #expect(throws: Trap.self) { try instance.number("grow", 1_000_000) }?.code
                == .outOfFuel)
        #expect(instance.table("t")?.size == 10)
        house.store.fuel = nil
        house.store.deadline = .now
        #expect(throws: Trap.self) { try instance.number("grow", 1_000_000) }
        house.store.deadline = nil
        #expect(instance.table("t")?.size == 10)
        #expect(try instance.number("grow", 1_000_000) == 10)
        #expect(instance.table("t")?.size == 1_000_010)
        #expect(try instance.number("last") == 0)
        #expect(try instance.number("grow", 9_999_999) == -1)
        #expect(try instance.number("grow", 0) == 1_000_010)
    }
}
