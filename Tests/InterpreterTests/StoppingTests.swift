import Testing
import WasmMachine

@testable import WasmInterpreter

/// Guests are stopped in the middle of what takes long, and what is left behind is sound.
@Suite struct StoppingTests {
    private func code(_ body: () throws -> Void) -> TrapCode? {
        #expect(throws: Trap.self) { try body() }?.code
    }

    /// Fuel ends in the first of many pieces.
    @Test(arguments: [
        "new", "default", "fill", "copy", "memory.fill", "memory.copy", "table.fill", "table.copy",
    ])
    func largeOperationsStopInTheMiddle(operation: String) throws {
        let house = TextHouse()
        let instance = try house.instantiate(
            """
            (type $bytes (array (mut i8)))
            (memory 320)
            (table 4000000 funcref)
            (global $kept (mut (ref null $bytes)) (ref.null $bytes))
            (func (export "prepare") (global.set $kept
              (array.new $bytes (i32.const 5) (i32.const 20000000))))
            (func (export "new") (global.set $kept
              (array.new $bytes (i32.const 7) (i32.const 20000000))))
            (func (export "default") (global.set $kept
              (array.new_default $bytes (i32.const 20000000))))
            (func (export "fill") (array.fill $bytes
              (global.get $kept) (i32.const 0) (i32.const 7) (i32.const 20000000)))
            (func (export "copy") (array.copy $bytes $bytes (global.get $kept) (i32.const 1)
              (global.get $kept) (i32.const 0) (i32.const 19999999)))
            (func (export "memory.fill")
              (memory.fill (i32.const 0) (i32.const 7) (i32.const 20000000)))
            (func (export "memory.copy")
              (memory.copy (i32.const 1) (i32.const 0) (i32.const 20000000)))
            (func (export "table.fill")
              (table.fill (i32.const 0) (ref.null func) (i32.const 4000000)))
            (func (export "table.copy")
              (table.copy (i32.const 1) (i32.const 0) (i32.const 3999999)))
            (func (export "last") (result i32)
              (array.get_u $bytes (global.get $kept) (i32.const 19999999)))
            """)
        try instance.call("prepare")
        house.store.fuel = 600
        #expect(code { try instance.call(operation) } == .outOfFuel)
        house.store.fuel = nil
        // What was not finished is no object, or has its old end.
        #expect(try instance.number("last") == 5)
        house.store.collectGarbage()
        #expect(house.store.liveHeapByteCount < 30_000_000)
        try instance.call(operation)
        house.store.deadline = .now
        #expect(code { try instance.call(operation) } == .deadlineExceeded)
    }

    /// Copies in pieces never overwrite what they have yet to read.
    @Test func overlappingCopiesOfArrays() throws {
        let count: Int32 = 150_000
        let instance = try TextHouse().instantiate(
            """
            (type $longs (array (mut i64)))
            (global $a (mut (ref null $longs)) (ref.null $longs))
            (func (export "prepare") (param $n i32) (local $i i32)
              (global.set $a (array.new_default $longs (local.get $n)))
              (loop $again
                (array.set $longs (global.get $a) (local.get $i) (i64.extend_i32_u (local.get $i)))
                (br_if $again (i32.lt_u
                  (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n)))))
            (func (export "copy") (param i32 i32 i32)
              (array.copy $longs $longs (global.get $a) (local.get 0)
                (global.get $a) (local.get 1) (local.get 2)))
            (func (export "wrong") (param $from i32) (param $to i32) (param $d i32) (result i32)
              (local $count i32)
              (loop $again
                (local.set $count (i32.add (local.get $count) (i64.ne
                  (array.get $longs (global.get $a) (local.get $from))
                  (i64.extend_i32_s (i32.add (local.get $from) (local.get $d))))))
                (br_if $again (i32.lt_u
                  (local.tee $from (i32.add (local.get $from) (i32.const 1))) (local.get $to))))
              (local.get $count))
            """)
        try instance.call("prepare", .i32(count))
        try instance.call("copy", .i32(3), .i32(0), .i32(count - 3))
        #expect(try instance.number("wrong", 3, count, -3) == 0)
        try instance.call("prepare", .i32(count))
        try instance.call("copy", .i32(0), .i32(5), .i32(count - 5))
        #expect(try instance.number("wrong", 0, count - 5, 5) == 0)
    }

    /// A collection that the guest's allocation started ends with the guest, and the next one works.
    @Test func collectionsAreInterrupted() throws {
        let house = TextHouse(stressed: true)
        house.linker.define("env", "expire") { (caller: borrowing Caller) in
            caller.store.deadline = .now
        }
        let instance = try house.instantiate(
            """
            (import "env" "expire" (func $expire))
            (type $box (struct (field i32)))
            (type $boxes (array (mut (ref null $box))))
            (global $kept (mut (ref null $boxes)) (ref.null $boxes))
            (func (export "prepare") (global.set $kept
              (array.new $boxes (struct.new $box (i32.const 9)) (i32.const 140000))))
            (func (export "make") (result i32) (struct.get $box 0 (struct.new $box (i32.const 4))))
            (func (export "expired") (result i32)
              (call $expire) (struct.get $box 0 (struct.new $box (i32.const 4))))
            (func (export "last") (result i32) (struct.get $box 0
              (array.get $boxes (global.get $kept) (i32.const 139999))))
            """)
        try instance.call("prepare")
        let count = house.store.collectionCount
        #expect(code { try instance.call("expired") } == .deadlineExceeded)
        #expect(house.store.collectionCount == count)
        house.store.deadline = nil
        #expect(try instance.number("make") == 4)
        #expect(house.store.collectionCount == count + 1)
        #expect(try instance.number("last") == 9)
    }

    // MARK: Translation

    /// A function whose body has more than 64 KiB, and one that lets the deadline pass and calls it.
    private static let large = """
        (import "env" "expire" (func $expire))
        (global $sum (export "sum") (mut i32) (i32.const 0))
        (func $large (export "large")
          \(String(repeating: "(global.set $sum (i32.add (global.get $sum) (i32.const 1)))", count: 9500)))
        (func (export "expired") (call $expire) (call $large))
        (func (export "unreachable") (call $expire) (call $skipped))
        (func $skipped (unreachable) \(String(repeating: "nop ", count: 70000)))
        """

    private func largeHouse() throws -> (TextHouse, Instance) {
        let house = TextHouse()
        house.linker.define("env", "expire") { (caller: borrowing Caller) in
            caller.store.deadline = .now
        }
        return (house, try house.instantiate(Self.large))
    }

    /// The guest stops while the function is translated, and a later call translates it.
    @Test(arguments: ["expired", "unreachable"])
    func translationLooksAtTheDeadline(name: String) throws {
        let (house, instance) = try largeHouse()
        #expect(code { try instance.call(name) } == .deadlineExceeded)
        // The caller alone.
        #expect(instance.module.translationStatistics.functions == 1)
        house.store.deadline = nil
        try instance.call("large")
        #expect(instance.module.translationStatistics.functions == 2)
    }

    /// Each instance pays for the translation of large bodies, also when another store, or the module
    /// itself, translated them.
    @Test(arguments: [false, true]) func translationUsesTheSameFuel(isEager: Bool) throws {
        let house = TextHouse(translatesEarly: isEager)
        house.linker.define("env", "expire") { (_: borrowing Caller) in }
        let module = try house.module(Self.large)
        let used = try (0..<2).map { _ in
            let store = Store(engine: house.engine)
            store.fuel = 10_000
            let instance = try house.linker.instantiate(module, in: store)
            try instance.call("large")
            return 10_000 - (try #require(store.fuel))
        }
        #expect(used[0] > 64)
        #expect(used[0] == used[1])
        let store = Store(engine: house.engine)
        store.fuel = 20
        #expect(code { _ = try house.linker.instantiate(module, in: store) } == .outOfFuel)
        store.fuel = 10_000
        try house.linker.instantiate(module, in: store).call("large")
    }

    /// Where the policy lets guests owe fuel, an instance is made and its first call is suspended.
    @Test func translationOwesFuel() throws {
        let house = TextHouse()
        house.linker.define("env", "expire") { (_: borrowing Caller) in }
        house.store.onOutOfFuel = .suspend
        house.store.fuel = 20
        let instance = try house.instantiate(Self.large)
        let execution = try #require(instance.function("large")).start()
        guard case .suspended(.outOfFuel) = try execution.resume() else {
            Issue.record("not out of fuel")
            return
        }
        house.store.fuel = 10_000
        guard case .finished = try execution.resume() else {
            Issue.record("not finished")
            return
        }
    }

    // MARK: Instantiation

    /// Modules of which a few bytes, or long lists, ask for much work.
    private static let laborious = [
        "(type $a (array (mut i64))) (global (ref $a) (array.new $a (i64.const 5) (i32.const 1000000)))",
        "(type $a (array (mut i64))) (global (ref $a) (array.new_default $a (i32.const 1000000)))",
        """
        (type $a (array (mut i64)))
        (global $g (ref $a) (array.new_default $a (i32.const 50000)))
        (global (ref $a) (array.new_default $a (i32.const 50000)))
        (global (ref $a) (array.new_default $a (i32.const 50000)))
        """,
        """
        (type $a (array (mut i64)))
        (table (ref null any) (elem (item (array.new_default $a (i32.const 1000000)))))
        """,
        "(func $f) (table 1000000 (ref func) (ref.func $f))",
        "(func $f) (table funcref (elem \(String(repeating: "$f ", count: 40000))))",
        "(memory 7) (data (i32.const 0) \"\(String(repeating: "0123456789", count: 40000))\")",
        "(func $f (loop $l (br $l))) (start $f)",
    ]

    /// Fuel ends in the middle; the second time there is enough.
    @Test(arguments: laborious.indices)
    func instantiationUsesFuel(index: Int) throws {
        let fields = Self.laborious[index]
        let house = TextHouse()
        let module = try house.module(fields)
        house.store.fuel = 300
        #expect(code { _ = try house.linker.instantiate(module, in: house.store) } == .outOfFuel)
        house.store.fuel = nil
        house.store.collectGarbage()
        #expect(house.store.liveHeapByteCount == 0)
        guard !fields.contains("start") else { return }
        _ = try house.linker.instantiate(module, in: house.store)
        house.store.deadline = .now
        // At the latest when something large is made.
        let isLarge = !fields.contains("elem $f")
        if isLarge {
            let code = code { _ = try house.linker.instantiate(module, in: house.store) }
            #expect(code == .deadlineExceeded)
        }
    }

    /// Objects of an active segment are made once.
    @Test func elementsAreMadeOnce() throws {
        let house = TextHouse()
        let instance = try house.instantiate(
            """
            (type $a (array (mut i8)))
            (table $t (ref null any) (elem
              (item (array.new_default $a (i32.const 3000000)))))
            (func (export "same") (result i32) (ref.eq
              (ref.cast eqref (table.get $t (i32.const 0)))
              (ref.cast eqref (table.get $t (i32.const 0)))))
            """)
        #expect(try instance.number("same") == 1)
        #expect(house.store.heap.allocatedByteCount < 4_000_000)
    }

    /// Many objects in one expression: each allocation keeps the operands before it alive without copying
    /// them.
    @Test func longConstantExpressions() throws {
        let house = TextHouse(stressed: true)
        let count = 300
        let instance = try house.instantiate(
            """
            (type $box (struct (field i32)))
            (type $boxes (array (ref $box)))
            (global $all (ref $boxes) (array.new_fixed $boxes \(count)
              \((0..<count).map { "(struct.new $box (i32.const \($0)))" }.joined(separator: " "))))
            (func (export "get") (param i32) (result i32)
              (struct.get $box 0 (array.get $boxes (global.get $all) (local.get 0))))
            """)
        for index in [0, 1, 150, 299] as [Int32] {
            #expect(try instance.number("get", index) == index)
        }
    }

    // MARK: Tables

    @Test func growingTablesStops() throws {
        let house = TextHouse()
        let instance = try house.instantiate(
            """
            (table $t (export "table") 3 funcref)
            (table $far i64 3 funcref)
            (func $f (export "grow") (result i32)
              (table.grow $t (ref.func $f) (i32.const 1000000)))
            (func (export "size") (result i32) (table.size $t))
            (func (export "grow far") (result i32)
              (i32.wrap_i64 (table.grow $far (ref.null func) (i64.const -1))))
            """)
        house.store.fuel = 600
        #expect(code { try instance.call("grow") } == .outOfFuel)
        house.store.fuel = nil
        #expect(try instance.number("size") == 3)
        #expect(try instance.number("grow") == 3)
        #expect(try instance.number("size") == 1_000_003)
        #expect(try instance.number("grow far") == -1)
    }

    /// References that `table.init` is the first to ask for are made in the middle of an instruction,
    /// which may end; the next one makes all of them.
    @Test(arguments: ["table", "array"]) func segmentsThatAreMadeLate(name: String) throws {
        let house = TextHouse()
        let instance = try house.instantiate(
            """
            (type $array (array (mut funcref)))
            (table $t 20000 funcref)
            (func $f)
            (elem $e func \(String(repeating: "$f ", count: 20000)))
            (func (export "table") (result i32)
              (table.init $t $e (i32.const 0) (i32.const 0) (i32.const 20000))
              (ref.is_null (table.get $t (i32.const 19999))))
            (func (export "array") (result i32)
              (ref.is_null (array.get $array
                (array.new_elem $array $e (i32.const 0) (i32.const 20000)) (i32.const 19999))))
            """)
        house.store.fuel = 100
        #expect(code { try instance.call(name) } == .outOfFuel)
        house.store.fuel = nil
        #expect(try instance.number(name) == 0)
    }

    // MARK: The end of a collection

    /// A sweep that was stopped goes on before any cell is handed out.
    @Test func sweepsAreInterrupted() throws {
        let house = TextHouse()
        let instance = try house.instantiate(
            """
            (type $bytes (array (mut i8)))
            (func (export "make") (param $count i32) (loop $again
              (drop (array.new_default $bytes (i32.const 40000)))
              (br_if $again (local.tee $count (i32.sub (local.get $count) (i32.const 1))))))
            """)
        try instance.call("make", .i32(100))
        let heap = house.store.heap
        // As if large objects had been marked and none is alive.
        while heap.space.frontier < 600 { #expect(heap.fillFreeList(SizeClass.large, 1 << 20)) }
        #expect(heap.beginCollection(of: nil) == nil)
        heap.endMarking()
        house.store.interruptHandle.interrupt()
        #expect(heap.sweep(of: house.store) == .interrupted)
        #expect(heap.isSweeping)
        let count = house.store.collectionCount
        try instance.call("make", .i32(1))
        #expect(!heap.isSweeping)
        #expect(house.store.collectionCount == count + 1)
        house.store.collectGarbage()
        #expect(house.store.liveHeapByteCount == 0)
        #expect(heap.space.usedBlocks == 0)
    }

    /// A heap that was large does not look at all of its blocks for ever.
    @Test func freeBlocksAtTheEndAreForgotten() throws {
        let house = TextHouse()
        let instance = try house.instantiate(
            """
            (type $bytes (array (mut i8)))
            (func (export "large") (drop (array.new_default $bytes (i32.const 50000000))))
            """)
        try instance.call("large")
        #expect(house.store.heap.space.frontier > 700)
        house.store.collectGarbage()
        let heap = house.store.heap
        #expect(heap.space.frontier <= heap.minimumThreshold / HeapSpace.blockSize)
    }
}
