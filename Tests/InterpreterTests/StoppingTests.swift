import Testing
import WasmInterpreter

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
}
