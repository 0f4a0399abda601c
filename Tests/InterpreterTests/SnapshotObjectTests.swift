import Testing
import WasmInterpreter

/// Structures and arrays in snapshots.
@Suite struct SnapshotObjectTests {
    /// A ring of nodes, and one of everything that an object can hold.
    static let fields = """
        (rec (type $node (struct
          (field $value (mut i32)) (field $next (mut (ref null $node))) (field $small (mut i8)))))
        (type $bytes (array (mut i8)))
        (type $vectors (array (mut v128)))
        (type $any (array (mut anyref)))
        (type $call (func (result i32)))
        (type $mixed (struct (field i8) (field i16) (field i64) (field f32) (field f64)
          (field v128) (field (ref null $call)) (field (ref $bytes)) (field externref)))
        (global $ring (mut (ref null $node)) (ref.null $node))
        (global $mixed (mut (ref null $mixed)) (ref.null $mixed))
        (global $array (export "array") (mut (ref null $any)) (ref.null $any))
        (table $table 3 anyref)
        (elem $segment (ref null $any)
          (array.new_fixed $any 2 (ref.i31 (i32.const 5)) (ref.null any)))
        (elem declare func $answer)
        (func $answer (type $call) (i32.const 42))
        (func $node (param i32) (result (ref $node))
          (struct.new $node (local.get 0) (ref.null $node) (i32.const -1)))
        (func (export "build") (param $count i32)
          (local $first (ref null $node)) (local $last (ref null $node))
          (local.set $first (call $node (i32.const 0)))
          (local.set $last (local.get $first))
          (loop
            (struct.set $node $next (local.get $last) (call $node (local.get $count)))
            (local.set $last (struct.get $node $next (local.get $last)))
            (local.set $count (i32.sub (local.get $count) (i32.const 1)))
            (br_if 0 (local.get $count)))
          (struct.set $node $next (local.get $last) (local.get $first))
          (global.set $ring (local.get $first))
          (global.set $array (array.new_fixed $any 4
            (local.get $first) (ref.i31 (i32.const -7)) (ref.null any) (local.get $last)))
          (array.set $any (global.get $array) (i32.const 2) (global.get $array))
          (table.set $table (i32.const 1) (global.get $array))
          (table.set $table (i32.const 2) (ref.i31 (i32.const 3)))
          (global.set $mixed (struct.new $mixed
            (i32.const -1) (i32.const -2) (i64.const -3) (f32.const 1.5) (f64.const 2.5)
            (v128.const i64x2 8 9) (ref.func $answer)
            (array.new_fixed $bytes 3 (i32.const 1) (i32.const 2) (i32.const 3))
            (extern.convert_any (local.get $last)))))
        (func (export "sum") (result i32) (local $sum i32) (local $node (ref null $node))
          (local.set $node (global.get $ring))
          (loop
            (local.set $sum (i32.add (local.get $sum)
              (struct.get $node $value (local.get $node))))
            (local.set $node (struct.get $node $next (local.get $node)))
            (br_if 0 (i32.eqz (ref.eq (local.get $node) (global.get $ring)))))
          (local.get $sum))
        (func (export "mixed") (result i32) (local $m (ref $mixed))
          (local.set $m (ref.as_non_null (global.get $mixed)))
          (i32.add
            (call_ref $call (ref.as_non_null (struct.get $mixed 6 (local.get $m))))
            (i32.add
              (array.get_u $bytes (struct.get $mixed 7 (local.get $m)) (i32.const 2))
              (i32.add (struct.get_s $mixed 0 (local.get $m))
                (i32x4.extract_lane 2 (struct.get $mixed 5 (local.get $m)))))))
        (func (export "shared") (result i32)
          (i32.and
            (ref.eq (global.get $array)
              (ref.cast (ref eq) (array.get $any (global.get $array) (i32.const 2))))
            (ref.eq (ref.cast (ref eq) (table.get $table (i32.const 1)))
              (global.get $array))))
        (func (export "converted") (result i32)
          (ref.eq
            (ref.cast (ref eq) (array.get $any (global.get $array) (i32.const 3)))
            (ref.cast (ref eq) (any.convert_extern
              (struct.get $mixed 8 (ref.as_non_null (global.get $mixed)))))))
        (func (export "segment") (result i32)
          (table.init $table $segment (i32.const 0) (i32.const 0) (i32.const 1))
          (i31.get_s (ref.cast (ref i31) (array.get $any
            (ref.cast (ref $any) (table.get $table (i32.const 0))) (i32.const 0)))))
        (func (export "poke") (param i32)
          (struct.set $node $value (ref.as_non_null (global.get $ring)) (local.get 0)))
        """

    static func expectBuilt(_ instance: Instance, count: Int32) throws {
        #expect(try instance.number("sum") == count * (count + 1) / 2)
        #expect(try instance.number("mixed") == 42 + 3 - 1 + 9)
        #expect(try instance.number("shared") == 1)
        #expect(try instance.number("converted") == 1)
        #expect(try instance.number("segment") == 5)
    }

    @Test(arguments: [false, true]) func graphs(stressed: Bool) throws {
        let count: Int32 = stressed ? 20 : 2000
        let house = TextHouse(stressed: stressed)
        let instance = try house.instantiate(Self.fields)
        let empty = try instance.snapshot()
        try instance.call("build", .i32(count))
        let snapshot = try instance.snapshot()
        // The ring, three arrays and the structure of everything.
        #expect(snapshot.objectCount == Int(count) + 1 + 4)
        let fork = try Instance(snapshot, in: Store(engine: house.engine))
        fork.store.collectGarbage()
        try Self.expectBuilt(fork, count: count)
        try fork.call("poke", .i32(5))
        #expect(try fork.number("sum") == count * (count + 1) / 2 + 5)
        try fork.restore(snapshot)
        fork.store.collectGarbage()
        try Self.expectBuilt(fork, count: count)
        try Self.expectBuilt(instance, count: count)

        let loaded = try Snapshot(decoding: snapshot.encoded(), for: instance.module)
        #expect(loaded.encoded() == snapshot.encoded())
        try Self.expectBuilt(Instance(loaded, in: Store(engine: house.engine)), count: count)
        try instance.restore(empty)
        house.store.collectGarbage()
        #expect(throws: Trap.self) { try instance.call("sum") }
        #expect(try instance.number("segment") == 5)
    }

    @Test func heapLimit() throws {
        let house = TextHouse()
        let instance = try house.instantiate(Self.fields)
        try instance.call("build", .i32(10_000))
        let snapshot = try instance.snapshot()
        let limits = StoreLimits(heapBytes: 1 << 16)
        #expect(throws: ResourceError.heapTooLarge(limit: 1 << 16)) {
            try Instance(snapshot, in: Store(engine: house.engine, limits: limits))
        }
    }

    @Test func typesOfOthers() throws {
        let house = TextHouse()
        let maker = try house.instantiate(
            """
            (type $s (struct (field i64)))
            (func (export "make") (result anyref) (struct.new $s (i64.const 1)))
            """)
        let keeper = try house.instantiate(
            "(type $o (struct (field i32))) (global (export \"g\") (mut anyref) (ref.null any))")
        try keeper.global("g")?.set(#require(maker.call("make").first))
        #expect(throws: SnapshotError.reference(.foreignType, .global(index: 0))) {
            try keeper.snapshot()
        }
    }
}
