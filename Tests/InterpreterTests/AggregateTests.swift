import Testing

@testable import WasmInterpreter

/// Structures, arrays and i31 as such; every test also with a collection at every allocation.
@Suite(.serialized) struct AggregateTests {
    @Test(arguments: [false, true]) func fieldsOfAllTypes(stressed: Bool) throws {
        let house = TextHouse(stressed: stressed)
        let instance = try house.instantiate(
            """
            (type $all (sub (struct
              (field $a (mut i8)) (field $b (mut i32)) (field $c (mut i16)) (field $d (mut f64))
              (field $e (mut i64)) (field $f (mut f32)) (field $g (mut (ref null $all)))
              (field $h (mut i8)) (field $i (mut i16)))))
            (type $more (sub $all (struct
              (field (mut i8)) (field (mut i32)) (field (mut i16)) (field (mut f64))
              (field (mut i64)) (field (mut f32)) (field (mut (ref null $all)))
              (field (mut i8)) (field (mut i16)) (field $j i8) (field $k (ref any)))))
            (func $make (result (ref $all))
              (struct.new $all (i32.const 0x1ff) (i32.const -1) (i32.const 0x18000)
                (f64.const 1.5) (i64.const -2) (f32.const 0.25) (struct.new_default $all)
                (i32.const 0x80) (i32.const 0x7fff)))
            (func (export "integers") (result i32 i32 i32 i32 i32 i64 i32 i32 i32)
              (local $x (ref $all))
              (local.set $x (call $make))
              (struct.get_s $all $a (local.get $x)) (struct.get_u $all $a (local.get $x))
              (struct.get $all $b (local.get $x))
              (struct.get_s $all $c (local.get $x)) (struct.get_u $all $c (local.get $x))
              (struct.get $all $e (local.get $x))
              (struct.get_s $all $h (local.get $x)) (struct.get_u $all $h (local.get $x))
              (struct.get_s $all $i (local.get $x)))
            (func (export "floats") (result f64 f32 f64 f32)
              (local $x (ref $all))
              (local.set $x (call $make))
              (struct.get $all $d (local.get $x)) (struct.get $all $f (local.get $x))
              (struct.get $all $d (struct.get $all $g (local.get $x)))
              (struct.get $all $f (struct.get $all $g (local.get $x))))
            (func (export "set") (param $n i32) (param $d f64) (result i32 i32 f64 i32 i64)
              (local $x (ref null $all))
              (local.set $x (struct.new $more (i32.const 1) (i32.const 2) (i32.const 3)
                (f64.const 4) (i64.const 5) (f32.const 6) (ref.null $all) (i32.const 8)
                (i32.const 9) (i32.const 10) (ref.i31 (i32.const 11))))
              (struct.set $all $g (local.get $x) (local.get $x))
              (struct.set $all $a (local.get $x) (i32.add (local.get $n) (i32.const 1)))
              (struct.set $all $c (struct.get $all $g (local.get $x)) (local.get $n))
              (struct.set $all $d (local.get $x) (f64.add (local.get $d) (f64.const 1)))
              (struct.set $all $i (local.get $x) (i32.const -3))
              (struct.set $all $e (struct.get $all $g (local.get $x))
                (i64.extend_i32_u (local.get $n)))
              (struct.get_u $all $a (local.get $x)) (struct.get_u $all $c (local.get $x))
              (struct.get $all $d (local.get $x)) (struct.get_s $all $i (local.get $x))
              (struct.get $all $e (local.get $x)))
            (func (export "j") (result i32)
              (struct.get_u $more $j (struct.new $more (i32.const 1) (i32.const 2) (i32.const 3)
                (f64.const 4) (i64.const 5) (f32.const 6) (call $make) (i32.const 8)
                (i32.const 9) (i32.const 0x10a) (call $make))))
            """)
        #expect(
            try instance.call("integers") == [
                .i32(-1), .i32(255), .i32(-1), .i32(-32768), .i32(32768), .i64(-2), .i32(-128),
                .i32(128), .i32(32767),
            ])
        #expect(try instance.call("floats") == [.f64(1.5), .f32(0.25), .f64(0), .f32(0)])
        #expect(
            try instance.call("set", .i32(70_000), .f64(0.5)) == [
                .i32(70_001 & 255), .i32(70_000 & 0xffff), .f64(1.5), .i32(-3), .i64(70_000),
            ])
        #expect(try instance.number("j") == 10)
    }

    @Test(arguments: [false, true]) func arraysOfAllTypes(stressed: Bool) throws {
        let cases: [(type: String, get: String, value: String, result: Value)] = [
            ("i8", "get_s", "i32.const 0x1fe", .i32(-2)),
            ("i8", "get_u", "i32.const 0x1fe", .i32(254)),
            ("i16", "get_s", "i32.const 0x1fffe", .i32(-2)),
            ("i16", "get_u", "i32.const 0x1fffe", .i32(65534)),
            ("i32", "get", "i32.const -5", .i32(-5)),
            ("i64", "get", "i64.const -5", .i64(-5)),
            ("f32", "get", "f32.const -0.5", .f32(-0.5)),
            ("f64", "get", "f64.const -0.5", .f64(-0.5)),
            ("anyref", "get", "ref.i31 (i32.const 7)", .any(AnyReference(i31: 7))),
        ]
        for (type, get, value, result) in cases {
            let house = TextHouse(stressed: stressed)
            let unpacked = type == "i8" || type == "i16" ? "i32" : type
            let instance = try house.instantiate(
                """
                (type $a (array (mut \(type))))
                (func (export "new") (param $n i32) (param $i i32) (result \(unpacked))
                  (array.\(get) $a (array.new $a (\(value)) (local.get $n)) (local.get $i)))
                (func (export "set") (param $n i32) (param $i i32) (result \(unpacked) i32)
                  (local $x (ref $a))
                  (local.set $x (array.new_default $a (local.get $n)))
                  (array.set $a (local.get $x) (i32.add (local.get $i) (i32.const 1)) (\(value)))
                  (array.\(get) $a (local.get $x) (i32.add (local.get $i) (i32.const 1)))
                  (array.len (local.get $x)))
                (func (export "fixed") (param $i i32) (result \(unpacked))
                  (local $x \(unpacked))
                  (array.\(get) $a (array.new_fixed $a 3 (local.get $x) (\(value)) (local.get $x))
                    (local.get $i)))
                (func (export "fill") (param i32 i32 i32 i32) (result \(unpacked))
                  (local $x (ref $a))
                  (local.set $x (array.new_default $a (local.get 0)))
                  (array.fill $a (local.get $x) (local.get 1) (\(value)) (local.get 2))
                  (array.\(get) $a (local.get $x) (local.get 3)))
                (func (export "copy") (param i32 i32 i32 i32) (result \(unpacked))
                  (local $x (ref $a))
                  (local.set $x (array.new_default $a (i32.const 10)))
                  (array.set $a (local.get $x) (i32.const 2) (\(value)))
                  (array.copy $a $a (local.get $x) (local.get 0) (local.get $x) (local.get 1)
                    (local.get 2))
                  (array.\(get) $a (local.get $x) (local.get 3)))
                """)
            #expect(try instance.call("new", .i32(5), .i32(4)) == [result])
            #expect(try instance.call("set", .i32(5), .i32(3)) == [result, .i32(5)])
            #expect(try instance.call("fixed", .i32(1)) == [result])
            #expect(try instance.call("fixed", .i32(2)) != [result])
            #expect(try instance.call("fill", .i32(9), .i32(2), .i32(3), .i32(4)) == [result])
            #expect(try instance.call("fill", .i32(9), .i32(2), .i32(3), .i32(5)) != [result])
            #expect(try instance.call("copy", .i32(5), .i32(1), .i32(3), .i32(6)) == [result])
            for arguments: [Value] in [
                [.i32(5), .i32(5)], [.i32(5), .i32(-1)], [.i32(0), .i32(0)],
            ] {
                #expect(throws: Trap.self) {
                    try instance.function("new")?.call(arguments)
                }
            }
            #expect(throws: Trap.self) { try instance.call("set", .i32(5), .i32(4)) }
            #expect(throws: Trap.self) {
                try instance.call("fill", .i32(9), .i32(7), .i32(3), .i32(4))
            }
            #expect(throws: Trap.self) {
                try instance.call("copy", .i32(8), .i32(0), .i32(3), .i32(4))
            }
        }
    }

    @Test(arguments: [false, true]) func largeArrays(stressed: Bool) throws {
        let house = TextHouse(stressed: stressed)
        let instance = try house.instantiate(
            """
            (type $refs (array (mut (ref null $refs))))
            (type $bytes (array (mut i8)))
            (func (export "nest") (param $n i32) (result i32)
              (local $x (ref null $refs)) (local $y (ref null $refs)) (local $i i32)
              (loop $again
                (local.set $y (array.new $refs (local.get $x) (i32.const 20000)))
                (local.set $x (local.get $y))
                (br_if $again (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1)))
                  (local.get $n))))
              (local.set $i (i32.const 0))
              (loop $down
                (local.set $x (array.get $refs (local.get $x) (i32.const 19999)))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if $down (i32.eqz (ref.is_null (local.get $x)))))
              (local.get $i))
            (func (export "bytes") (param $n i32) (result i32)
              (array.len (array.new_default $bytes (local.get $n))))
            """)
        #expect(try instance.number("nest", 20) == 20)
        #expect(try instance.number("bytes", 100_000_000) == 100_000_000)
        house.store.collectGarbage()
        #expect(house.store.liveHeapByteCount < 1 << 20)
    }

    @Test func constantExpressions() throws {
        let house = TextHouse(stressed: true)
        let instance = try house.instantiate(
            """
            (type $point (struct (field i32) (field (mut i8)) (field f64)))
            (type $list (array (mut (ref null $point))))
            (type $longs (array i64))
            (global $p (ref $point)
              (struct.new $point (i32.const 1) (i32.const 0x102) (f64.const 3)))
            (global $l (export "list") (ref $list)
              (array.new_fixed $list 3 (global.get $p) (struct.new_default $point)
                (struct.new $point (i32.const 7) (i32.const 8) (f64.const 9))))
            (global (export "longs") (ref $longs) (array.new $longs (i64.const 6) (i32.const 4)))
            (global (export "small") i31ref (ref.i31 (i32.const -1)))
            (global (export "outside") externref (extern.convert_any (global.get $p)))
            (table (export "table") 3 (ref null $point)
              (struct.new $point (i32.const 5) (i32.const 6) (f64.const 0)))
            (elem $e (ref $point) (item (global.get $p))
              (item (struct.new $point (i32.const 11) (i32.const 12) (f64.const 0))))
            """)
        let list = try #require(instance.global("list"))
        let reference = try #require(list.value.anyReference)
        #expect(reference.count == 3)
        let first = try #require(reference[0]?.anyReference)
        let last = try #require(reference[2]?.anyReference)
        #expect(first[0] == .i32(1))
        #expect(first[1] == .i32(2))
        #expect(first[2] == .f64(3))
        #expect(last[2] == .f64(9))
        #expect(first[3] == nil)
        let longs = try #require(instance.global("longs")?.value.anyReference)
        #expect((0..<5).map { longs[$0] } == [.i64(6), .i64(6), .i64(6), .i64(6), nil])
        #expect(instance.global("small")?.value == .any(AnyReference(i31: -1)))
        guard case .extern(let outside?)? = instance.global("outside")?.value else { return }
        #expect(outside.guest == first)
        #expect(AnyReference(internalizing: outside) == first)
        let table = try #require(instance.table("table"))
        #expect(try table.get(at: 0) == table.get(at: 2))
    }

    @Test func vectors() throws {
        let house = TextHouse(stressed: true)
        let module = try house.module(
            """
            (type $s (struct (field i8) (field $v (mut v128)) (field i8)))
            (type $a (array (mut v128)))
            (global (export "g") (ref $s)
              (struct.new $s (i32.const 1) (v128.const i64x2 2 3) (i32.const 4)))
            (func (export "struct") (param v128) (result v128 i32)
              (local $x (ref $s))
              (local.set $x (struct.new $s (i32.const 5) (local.get 0) (i32.const 6)))
              (struct.get $s $v (local.get $x)) (struct.get_u $s 2 (local.get $x)))
            (func (export "set") (param v128) (result v128)
              (local $x (ref $s))
              (local.set $x (struct.new_default $s))
              (struct.set $s $v (local.get $x) (local.get 0))
              (struct.get $s $v (local.get $x)))
            (func (export "array") (param v128 i32) (result v128)
              (local $x (ref $a))
              (local.set $x (array.new $a (local.get 0) (i32.const 3)))
              (array.fill $a (local.get $x) (i32.const 2) (v128.const i64x2 8 9) (i32.const 1))
              (array.set $a (local.get $x) (i32.const 1)
                (array.get $a (local.get $x) (i32.const 2)))
              (array.get $a (local.get $x) (local.get 1)))
            (func (export "fixed") (param v128 i32) (result v128)
              (array.get $a
                (array.new_fixed $a 2 (v128.const i64x2 8 9) (local.get 0)) (local.get 1)))
            """)
        let instance = try house.linker.instantiate(module, in: house.store)
        let v = Value.v128(low: 0x1122_3344_5566_7788, high: 0x99aa_bbcc_ddee_ff00)
        let w = Value.v128(low: 8, high: 9)
        let g = try #require(instance.global("g")?.value.anyReference)
        #expect((0..<3).map { g[$0] } == [.i32(1), .v128(low: 2, high: 3), .i32(4)])
        #expect(try instance.call("struct", v) == [v, .i32(6)])
        #expect(try instance.call("set", v) == [v])
        #expect(try instance.call("array", v, .i32(0)) == [v])
        #expect(try instance.call("array", v, .i32(1)) == [w])
        #expect(try instance.call("array", v, .i32(2)) == [w])
        #expect(try instance.call("fixed", v, .i32(0)) == [w])
        #expect(try instance.call("fixed", v, .i32(1)) == [v])
    }

    @Test func sizesDoNotOverflow() throws {
        let house = TextHouse(limits: StoreLimits(heapBytes: 1 << 20))
        let instance = try house.instantiate(
            """
            (type $vectors (array (mut i64)))
            (type $bytes (array (mut i8)))
            (data $d "hello")
            (func (export "new") (param i32)
              (drop (array.new $vectors (i64.const 1) (local.get 0))))
            (func (export "default") (param i32)
              (drop (array.new_default $vectors (local.get 0))))
            (func (export "data") (param i32 i32)
              (drop (array.new_data $vectors $d (local.get 0) (local.get 1))))
            (func (export "init") (param i32 i32 i32)
              (array.init_data $bytes $d (array.new_default $bytes (i32.const 8)) (local.get 0)
                (local.get 1) (local.get 2)))
            """)
        for count: Int32 in [-1, .max, .min, 1 << 29, 1 << 20] {
            for name in ["new", "default"] {
                let trap = #expect(throws: Trap.self) { try instance.call(name, .i32(count)) }
                #expect(trap?.code == .heapExhausted)
            }
            let trap = #expect(throws: Trap.self) {
                try instance.call("data", .i32(0), .i32(count))
            }
            #expect(trap?.code == .outOfBoundsMemoryAccess)
            let other = #expect(throws: Trap.self) {
                try instance.call("init", .i32(count), .i32(0), .i32(1))
            }
            #expect(other?.code == .outOfBoundsArrayAccess)
        }
        try instance.call("init", .i32(3), .i32(0), .i32(5))
        #expect(throws: Trap.self) { try instance.call("init", .i32(3), .i32(1), .i32(5)) }
    }

    /// Large fills cost fuel, and a guest that has none left stops.
    @Test func largeArraysUseFuel() throws {
        let house = TextHouse()
        let instance = try house.instantiate(
            """
            (type $bytes (array (mut i8)))
            (func (export "run") (result i32)
              (array.len (array.new $bytes (i32.const 1) (i32.const 10485760))))
            """)
        house.store.fuel = 20_000
        #expect(try instance.number("run") == 10 << 20)
        #expect((10_240...10_250).contains(20_000 - (house.store.fuel ?? 0)))
        let trap = #expect(throws: Trap.self) { try instance.call("run") }
        #expect(trap?.code == .outOfFuel)
    }

    /// A few bytes of constant expressions ask for gigabytes again and again: time can be over there.
    @Test func largeConstantsRespectTheDeadline() throws {
        let fields = """
            (type $bytes (array i8))
            (global $first (export "first") (ref $bytes)
              (array.new $bytes (i32.const 7) (i32.const 1000000)))
            (global (ref $bytes) (array.new_fixed $bytes 2 (i32.const 8) (i32.const 9)))
            """
        let house = TextHouse()
        let first = try house.instantiate(fields).global("first")?.value.anyReference
        #expect(first?.count == 1_000_000 && first?[999_999] == .i32(7))
        house.store.deadline = .now
        let trap = #expect(throws: Trap.self) { try house.instantiate(fields) }
        #expect(trap?.code == .deadlineExceeded)
    }
}
