import Testing
import WasmInterpreter
import WasmText

/// What observers of a store are told.
@Suite struct ObserverTests {
    private final class Recorder: StoreObserver {
        var events: [String] = []
        var onEnter: (ObservedFunction) -> Void = { _ in }

        func didEnter(_ function: ObservedFunction) {
            events.append("+\(function.name ?? "?")")
            onEnter(function)
        }
        func willLeave(_ function: ObservedFunction) { events.append("-\(function.name ?? "?")") }
        func didTrap(_ trap: Trap) { events.append("trap: \(trap)") }
        func didGrowMemory(_ growth: MemoryGrowth) {
            events.append("grow \(growth.oldPageCount)+\(growth.pagesAdded)=\(growth.memory.size)")
        }
        func didCollectGarbage(_ collection: GarbageCollection) {
            events.append("collection \(collection.number)")
        }
    }

    private func house(_ fields: String, observesCalls: Bool = true) throws
        -> (Store, Instance, Recorder)
    {
        var configuration = Engine.Configuration()
        configuration.observesCalls = observesCalls
        let engine = Engine(configuration)
        let module = try Module(parseModule(Array("(module \(fields))".utf8)), engine: engine)
        let store = Store(engine: engine)
        let instance = try Linker().instantiate(module, in: store)
        let recorder = Recorder()
        store.observer = recorder
        return (store, instance, recorder)
    }

    @Test func callsAndReturns() throws {
        let (_, instance, recorder) = try house(
            """
            (func $inc (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
            (func $pick (param i32) (result i32)
              (if (local.get 0) (then (return (i32.const 7))))
              (call $inc (i32.const 41)))
            (func $main (export "main") (param i32) (result i32)
              (i32.mul (call $pick (local.get 0)) (i32.const 2)))
            """)
        #expect(try instance.number("main", 0) == 84)
        #expect(recorder.events == ["+main", "+pick", "+inc", "-inc", "-pick", "-main"])
        recorder.events = []
        #expect(try instance.number("main", 1) == 14)
        #expect(recorder.events == ["+main", "+pick", "-pick", "-main"])
    }

    @Test func resultsOfEveryClassSurviveTheReturn() throws {
        let (_, instance, recorder) = try house(
            """
            (func $f32 (param f32) (result f32) (f32.add (local.get 0) (f32.const 0.5)))
            (func $f64 (param f64) (result f64) (f64.mul (local.get 0) (f64.const 3)))
            (func $i64 (param i64) (result i64) (i64.sub (local.get 0) (i64.const 1)))
            (func $two (result i32 f64) (i32.const 5) (f64.const 2.5))
            (func (export "main") (result f32 f64 i64 i32 f64)
              (call $f32 (f32.const 1)) (call $f64 (f64.const 2)) (call $i64 (i64.const 3))
              (call $two))
            """)
        let results = try instance.call("main")
        #expect(results == [.f32(1.5), .f64(6), .i64(2), .i32(5), .f64(2.5)])
        #expect(recorder.events.count == 10)
    }

    @Test func tailCallsLeaveBeforeTheNextEnters() throws {
        let (_, instance, recorder) = try house(
            """
            (table funcref (elem $end))
            (type $t (func (param i32) (result i32)))
            (func $end (param i32) (result i32) (local.get 0))
            (func $middle (param i32) (result i32)
              (return_call_indirect (type $t) (local.get 0) (i32.const 0)))
            (func $main (export "main") (param i32) (result i32)
              (return_call $middle (local.get 0)))
            """)
        #expect(try instance.number("main", 9) == 9)
        #expect(recorder.events == ["+main", "-main", "+middle", "-middle", "+end", "-end"])
    }

    @Test func nothingIsToldOfCallsUnlessAskedFor() throws {
        let (_, instance, recorder) = try house(
            #"(func (export "main") (result i32) (i32.const 1))"#, observesCalls: false)
        #expect(try instance.number("main") == 1)
        #expect(recorder.events == [])
    }

    @Test func trapsAndGrowth() throws {
        let (_, instance, recorder) = try house(
            """
            (memory (export "memory") 1 4)
            (func $grow (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
            (func (export "size") (result i32) (memory.size))
            (func (export "stop") (unreachable))
            """, observesCalls: false)
        #expect(try instance.number("grow", 2) == 1)
        #expect(try instance.number("grow", 9) == -1)
        #expect(try instance.number("grow", 0) == 3)
        #expect(instance.memory("memory")?.grow(by: 1) == 3)
        #expect(throws: Trap.self) { try instance.call("stop") }
        #expect(recorder.events == ["grow 1+2=3", "grow 3+1=4", "trap: unreachable"])
    }

    @Test func memoryThatAnObserverGrowsIsThereAtOnce() throws {
        let (_, instance, recorder) = try house(
            """
            (memory (export "memory") 1 4)
            (func (export "main") (result i32) (i32.load (i32.const 65536)))
            """)
        recorder.onEnter = { _ in _ = instance.memory("memory")?.grow(by: 1) }
        #expect(try instance.number("main") == 0)
    }

    @Test func collections() throws {
        let (store, instance, recorder) = try house(
            """
            (type $s (struct (field i32)))
            (func $make (export "make") (param i32) (result i32)
              (local $kept (ref null $s))
              (local.set $kept (struct.new $s (local.get 0)))
              (drop (struct.new $s (i32.const 1)))
              (struct.get $s 0 (local.get $kept)))
            """)
        store.collectGarbage()
        #expect(recorder.events == ["collection 1"])
        // A collection in the midst of a call would not see the guest's values.
        recorder.onEnter = { _ in store.collectGarbage() }
        #expect(try instance.number("make", 5) == 5)
        #expect(store.collectionCount == 1)
    }

    @Test func anObserverMayNotCallGuests() throws {
        let (_, instance, recorder) = try house(
            #"(func (export "main") (result i32) (i32.const 3))"#)
        var errors: [any Error] = []
        recorder.onEnter = { _ in
            do { try instance.call("main") } catch { errors.append(error) }
        }
        #expect(try instance.number("main") == 3)
        #expect(errors.count == 1)
        #expect(errors.first as? CallError == .guestIsHeld)
        recorder.onEnter = { _ in }
        #expect(try instance.number("main") == 3)
    }
}

/// Counters of blocks.
@Suite struct CoverageTests {
    private func counted(_ fields: String) throws -> (Module, Instance) {
        var configuration = Engine.Configuration()
        configuration.countsBlocks = true
        let engine = Engine(configuration)
        let module = try Module(parseModule(Array("(module \(fields))".utf8)), engine: engine)
        return (module, try Linker().instantiate(module, in: Store(engine: engine)))
    }

    @Test func blocksAreCounted() throws {
        let (module, instance) = try counted(
            """
            (func $odd (param i32) (result i32)
              (if (result i32) (i32.and (local.get 0) (i32.const 1))
                (then (i32.const 10)) (else (i32.const 20))))
            (func $main (export "main") (param i32) (result i32) (local $sum i32)
              (loop $next
                (local.set $sum (i32.add (local.get $sum) (call $odd (local.get 0))))
                (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
                (br_if $next (local.get 0)))
              (local.get $sum))
            (func $never (export "never") (result i32) (i32.const 1))
            """)
        #expect(try instance.number("main", 5) == 3 * 10 + 2 * 20)
        let coverage = try #require(module.coverage)
        #expect(coverage.functions.map(\.name) == ["odd", "main", "never"])
        #expect(coverage.functions.map(\.count) == [5, 1, 0])
        // Before the condition, if it is 1, else, behind it.
        #expect(coverage.functions[0].blocks.map(\.count) == [5, 3, 2, 5])
        // Before the loop, in it, behind the call, behind the branch and the loop's end.
        #expect(coverage.functions[1].blocks.map(\.count) == [1, 5, 5, 1, 1])
        #expect(coverage.functions[2].blocks == [])
        let offsets = coverage.functions[1].blocks.map(\.offset)
        #expect(offsets == offsets.sorted())
        let body = coverage.functions[1].body
        #expect(offsets.allSatisfy { body.start..<body.end ~= $0 })
    }

    @Test func codeBehindACallThatDoesNotReturnIsNotCounted() throws {
        let (module, instance) = try counted(
            """
            (func $stop (unreachable))
            (func (export "main") (call $stop) (nop))
            """)
        #expect(throws: Trap.self) { try instance.call("main") }
        let coverage = try #require(module.coverage)
        #expect(coverage.functions[1].blocks.map(\.count) == [1, 0])
    }

    @Test func catchingBlocksAreCounted() throws {
        let (module, instance) = try counted(
            """
            (tag $t (param i32))
            (func (export "main") (param i32) (result i32)
              (block $caught (result i32)
                (try_table (catch $t $caught)
                  (if (local.get 0) (then (throw $t (i32.const 5)))))
                (return (i32.const 1))))
            """)
        #expect(try instance.number("main", 0) == 1)
        #expect(try instance.number("main", 1) == 5)
        #expect(try instance.number("main", 1) == 5)
        let blocks = try #require(module.coverage).functions[0].blocks
        #expect(blocks.first?.count == 3)
        #expect(blocks.last?.count == 2)
    }

    @Test func withoutTheConfigurationThereIsNone() throws {
        let house = TextHouse()
        #expect(try house.module("(func)").coverage == nil)
    }

    @Test func functionsWithoutLines() throws {
        let (module, instance) = try counted(
            #"(func $a (export "a")) (func (export "b,c"))"#)
        try instance.call("a")
        try instance.call("a")
        let text = try #require(module.coverage).lcov(moduleFile: "m.wat")
        #expect(
            text == """
                TN:
                SF:m.wat
                FN:1,a
                FN:2,b,c
                FNDA:2,a
                FNDA:0,b,c
                FNF:2
                FNH:1
                DA:1,2
                DA:2,0
                LF:2
                LH:1
                end_of_record

                """)
    }

    /// Programs must do the same with and without counters.
    @Test func countersChangeNothing() throws {
        let fields = """
            (func (export "collatz") (param i32) (result i32) (local $steps i32)
              (block $done (loop $next
                (br_if $done (i32.eq (local.get 0) (i32.const 1)))
                (local.set 0 (if (result i32) (i32.and (local.get 0) (i32.const 1))
                  (then (i32.add (i32.mul (local.get 0) (i32.const 3)) (i32.const 1)))
                  (else (i32.shr_u (local.get 0) (i32.const 1)))))
                (local.set $steps (i32.add (local.get $steps) (i32.const 1)))
                (br $next)))
              (local.get $steps))
            """
        let (_, instance) = try counted(fields)
        let plain = try TextHouse().instantiate(fields)
        for start: Int32 in 1...60 {
            #expect(try instance.number("collatz", start) == plain.number("collatz", start))
        }
    }
}
