import Testing
import WasmInterpreter

/// What traps tell of the values that caused them.
@Suite struct TrapDetailTests {
    private func detail(_ body: () throws -> Void) -> TrapDetail? {
        do {
            try body()
        } catch let trap as Trap {
            return trap.detail
        } catch {}
        return nil
    }

    private func access(
        _ address: UInt64, _ count: UInt64, memory: Int = 0, of size: UInt64 = 65_536
    ) -> TrapDetail {
        .memoryAccess(memory: memory, address: address, byteCount: count, memoryByteCount: size)
    }

    // MARK: Memories

    /// Every plain access of WebAssembly: its name, its bytes, and what it takes and gives.
    private static let loads: [(name: String, byteCount: UInt64, type: String)] = [
        ("i32.load", 4, "i32"), ("i32.load8_s", 1, "i32"), ("i32.load8_u", 1, "i32"),
        ("i32.load16_s", 2, "i32"), ("i32.load16_u", 2, "i32"), ("i64.load", 8, "i64"),
        ("i64.load8_s", 1, "i64"), ("i64.load8_u", 1, "i64"), ("i64.load16_s", 2, "i64"),
        ("i64.load16_u", 2, "i64"), ("i64.load32_s", 4, "i64"), ("i64.load32_u", 4, "i64"),
        ("f32.load", 4, "f32"), ("f64.load", 8, "f64"), ("v128.load", 16, "v128"),
        ("v128.load8x8_s", 8, "v128"), ("v128.load8x8_u", 8, "v128"),
        ("v128.load16x4_s", 8, "v128"), ("v128.load32x2_u", 8, "v128"),
        ("v128.load8_splat", 1, "v128"), ("v128.load16_splat", 2, "v128"),
        ("v128.load32_splat", 4, "v128"), ("v128.load64_splat", 8, "v128"),
        ("v128.load32_zero", 4, "v128"), ("v128.load64_zero", 8, "v128"),
    ]
    private static let stores: [(name: String, byteCount: UInt64, type: String)] = [
        ("i32.store", 4, "i32"), ("i32.store8", 1, "i32"), ("i32.store16", 2, "i32"),
        ("i64.store", 8, "i64"), ("i64.store8", 1, "i64"), ("i64.store16", 2, "i64"),
        ("i64.store32", 4, "i64"), ("f32.store", 4, "f32"), ("f64.store", 8, "f64"),
        ("v128.store", 16, "v128"),
    ]
    /// Ways to compute an address of the parameters `a` and `b`, and what it is.
    private static let addresses: [(text: String, value: @Sendable (UInt32, UInt32) -> UInt32)] = [
        ("(local.get 0)", { a, _ in a }),
        ("(i32.const 65535)", { _, _ in 65_535 }),
        ("(i32.const -1)", { _, _ in .max }),
        ("(i32.add (local.get 0) (i32.const 8))", { a, _ in a &+ 8 }),
        ("(i32.add (local.get 0) (i32.const -8))", { a, _ in a &- 8 }),
        ("(i32.add (local.get 0) (i32.const 1000000))", { a, _ in a &+ 1_000_000 }),
        ("(i32.add (local.get 0) (local.get 1))", { a, b in a &+ b }),
        ("(i32.add (local.get 0) (i32.shl (local.get 1) (i32.const 1)))", { $0 &+ $1 << 1 }),
        ("(i32.add (local.get 0) (i32.shl (local.get 1) (i32.const 2)))", { $0 &+ $1 << 2 }),
        ("(i32.add (local.get 0) (i32.shl (local.get 1) (i32.const 3)))", { $0 &+ $1 << 3 }),
        (
            "(i32.add (i32.shl (local.get 1) (i32.const 2)) (i32.const 65000))",
            { 65_000 &+ $1 << 2 }
        ),
        ("(i32.mul (local.get 0) (local.get 1))", { a, b in a &* b }),
        ("(i32.add (i32.mul (local.get 0) (local.get 1)) (local.get 0))", { $0 &* $1 &+ $0 }),
        ("(i32.add (i32.mul (local.get 0) (local.get 1)) (i32.const 16))", { $0 &* $1 &+ 16 }),
        (
            "(i32.add (local.get 0) (i32.mul (local.get 1) (i32.const 40)))",
            { $0 &+ $1 &* 40 }
        ),
    ]

    /// Checks that functions tell the addresses that they were made with.
    private func check(_ functions: [(text: String, address: (UInt32, UInt32) -> UInt64, Int)])
        throws
    {
        let fields = functions.enumerated().map {
            "(func (export \"\($0.offset)\") (param i32 i32) (local v128) \($0.element.text))"
        }
        let instance = try TextHouse().instantiate(
            "(memory 1) (global $g (mut i32) (i32.const 0))" + fields.joined())
        for (index, function) in functions.enumerated() {
            for (a, b) in [(65_530, 3), (60_000, 10_000), (4, 20_000)] as [(UInt32, UInt32)] {
                let address = function.address(a, b)
                let size = UInt64(function.2)
                let found = detail {
                    try instance.call("\(index)", .i32(bits: a), .i32(bits: b))
                }
                let isInside = address + size <= 65_536
                #expect(
                    found == (isInside ? nil : access(address, size)), "\(function.text) \(a) \(b)")
            }
        }
    }

    @Test func everyLoad() throws {
        try check(
            Self.loads.flatMap { load in
                Self.addresses.flatMap { address in
                    [0, 4, 70_000].map { (offset: UInt64) in
                        (
                            "(drop (\(load.name) offset=\(offset) \(address.text)))",
                            { UInt64(address.value($0, $1)) + offset }, Int(load.byteCount)
                        )
                    }
                }
            })
    }

    @Test func everyStore() throws {
        try check(
            Self.stores.flatMap { store in
                let zero = store.type == "v128" ? "i64x2 0 0" : "0"
                let value = "(\(store.type).const \(zero))"
                let computed: [String: String] = [
                    "i32": "(i32.mul (local.get 1) (local.get 1))",
                    "f64": "(f64.convert_i32_s (local.get 1))",
                ]
                return Self.addresses.flatMap { address in
                    [value, computed[store.type] ?? value].map { value in
                        (
                            "(\(store.name) offset=4 \(address.text) \(value))",
                            { UInt64(address.value($0, $1)) + 4 }, Int(store.byteCount)
                        )
                    }
                }
            })
    }

    /// Instructions that the translator makes one of several.
    @Test func fusedAccesses() throws {
        let a = "(local.get 0)", b = "(local.get 1)"
        let plain = { (a: UInt32, _: UInt32) in UInt64(a) }
        try check([
            ("(block (br_if 0 (i32.load \(a))) (global.set $g \(b)))", plain, 4),
            ("(block (br_if 0 (i32.eqz (i32.load8_u \(a)))) (global.set $g \(b)))", plain, 1),
            (
                "(block (br_if 0 (i32.lt_u (i32.load16_u \(a)) \(b))) (global.set $g \(b)))", plain,
                2
            ),
            ("(i32.store (i32.const 0) (i32.load \(a)))", plain, 4),
            ("(i32.store \(a) (i32.load (i32.const 0)))", plain, 4),
            ("(i64.store \(a) (i64.load (i32.const 8)))", plain, 8),
            ("(i32.store8 \(a) (i32.load8_u (i32.const 8)))", plain, 1),
            (
                "(local.set 0 (i32.load \(a))) (local.set 1 (i32.load offset=8 (i32.const 0))) "
                    + "(global.set $g (i32.add \(a) \(b)))", plain, 4
            ),
            (
                "(local.set 2 (i32x4.add (local.get 2) (v128.load \(a)))) "
                    + "(v128.store (i32.const 0) (local.get 2))", plain, 16
            ),
            (
                "(local.set 2 (i16x8.add (local.get 2) (v128.load8x8_u \(a)))) "
                    + "(v128.store (i32.const 0) (local.get 2))", plain, 8
            ),
            ("(v128.store \(a) (f32x4.mul (local.get 2) (local.get 2)))", plain, 16),
            (
                "(v128.store (i32.const 0) (f32x4.add (local.get 2) (f32x4.mul "
                    + "(v128.load \(a)) (local.get 2))))", plain, 16
            ),
            (
                "(v128.store (i32.const 0) (f32x4.mul (v128.load (i32.const 0)) (v128.load \(a))))",
                plain, 16
            ),
            (
                "(v128.store (i32.const 16) (f32x4.add (v128.load (i32.const 16)) "
                    + "(f32x4.mul (v128.load \(a)) (local.get 2))))", plain, 16
            ),
            ("(v128.store \(a) (i32x4.add (v128.load \(a)) (local.get 2)))", plain, 16),
        ])
    }

    @Test func bulkOperations() throws {
        let instance = try TextHouse().instantiate(
            """
            (memory 1) (memory $n i64 2) (data $d "0123456789")
            (func (export "copy") (param i32 i32 i32)
              (memory.copy (local.get 0) (local.get 1) (local.get 2)))
            (func (export "between") (param i64 i32 i32)
              (memory.copy $n 0 (local.get 0) (local.get 1) (local.get 2)))
            (func (export "fill") (param i32 i32)
              (memory.fill (local.get 0) (i32.const 1) (local.get 1)))
            (func (export "init") (param i32 i32 i32)
              (memory.init $d (local.get 0) (local.get 1) (local.get 2)))
            (func (export "drop") (data.drop $d))
            (func (export "far") (param i64) (drop (i64.load16_u $n offset=7 (local.get 0))))
            (func (export "farther") (param i64) (v128.store $n (local.get 0) (v128.const i64x2 0 0)))
            """)
        #expect(
            detail { try instance.call("copy", .i32(0), .i32(65_000), .i32(537)) }
                == access(65_000, 537))
        #expect(
            detail { try instance.call("copy", .i32(65_530), .i32(0), .i32(7)) }
                == access(65_530, 7))
        #expect(
            detail { try instance.call("between", .i64(131_072), .i32(0), .i32(1)) }
                == access(131_072, 1, memory: 1, of: 131_072))
        #expect(
            detail { try instance.call("between", .i64(0), .i32(1), .i32(65_536)) }
                == access(1, 65_536))
        #expect(detail { try instance.call("fill", .i32(-1), .i32(2)) } == access(0xffff_ffff, 2))
        #expect(
            detail { try instance.call("init", .i32(65_530), .i32(0), .i32(10)) }
                == access(65_530, 10))
        #expect(
            detail { try instance.call("init", .i32(0), .i32(5), .i32(6)) }
                == .dataSegment(segment: 0, offset: 5, byteCount: 6, segmentByteCount: 10))
        try instance.call("drop")
        #expect(
            detail { try instance.call("init", .i32(0), .i32(0), .i32(1)) }
                == .dataSegment(segment: 0, offset: 0, byteCount: 1, segmentByteCount: 0))
        #expect(
            detail { try instance.call("far", .i64(131_064)) }
                == access(131_071, 2, memory: 1, of: 131_072))
        #expect(
            detail { try instance.call("far", .i64(-1)) }
                == access(.max, 2, memory: 1, of: 131_072))
        #expect(
            detail { try instance.call("farther", .i64(131_057)) }
                == access(131_057, 16, memory: 1, of: 131_072))
    }

    @Test func atomicAccesses() throws {
        let instance = try TextHouse().instantiate(
            """
            (memory 1 1 shared)
            (func (export "load") (param i32) (drop (i64.atomic.load16_u offset=2 (local.get 0))))
            (func (export "store") (param i32) (i32.atomic.store8 (local.get 0) (i32.const 0)))
            (func (export "add") (param i32)
              (drop (i64.atomic.rmw.add (local.get 0) (i64.const 0))))
            (func (export "exchange") (param i32)
              (drop (i32.atomic.rmw16.cmpxchg_u (local.get 0) (i32.const 0) (i32.const 0))))
            (func (export "wait") (param i32)
              (drop (memory.atomic.wait64 (local.get 0) (i64.const 0) (i64.const 0))))
            (func (export "notify") (param i32)
              (drop (memory.atomic.notify (local.get 0) (i32.const 0))))
            """)
        for (name, offset, size) in [
            ("load", 2, 2), ("store", 0, 1), ("add", 0, 8), ("exchange", 0, 2), ("wait", 0, 8),
            ("notify", 0, 4),
        ] as [(String, UInt64, UInt64)] {
            let found = detail { try instance.call(name, .i32(65_536)) }
            #expect(found == access(65_536 + offset, size), "\(name)")
            guard size > 1 else { continue }
            let unaligned = detail { try instance.call(name, .i32(9)) }
            #expect(
                unaligned == .unalignedAccess(memory: 0, address: 9 + offset, byteCount: size),
                "\(name)")
        }
    }

    @Test func activeSegments() throws {
        #expect(
            detail { _ = try TextHouse().instantiate(#"(memory 1) (data (i32.const 65535) "ab")"#) }
                == access(65_535, 2))
        #expect(
            detail {
                _ = try TextHouse().instantiate(
                    "(table 2 funcref) (func $f) (elem (i32.const 1) $f $f)")
            } == .tableAccess(table: 0, index: 1, count: 2, tableCount: 2))
    }

    // MARK: Tables and calls

    @Test func tables() throws {
        let instance = try TextHouse().instantiate(
            """
            (table $t 4 funcref) (table $u 5 externref) (elem $e func $f $f) (func $f)
            (func (export "get") (param i32) (drop (table.get $u (local.get 0))))
            (func (export "set") (param i32) (table.set $t (local.get 0) (ref.null func)))
            (func (export "fill") (param i32 i32)
              (table.fill $u (local.get 0) (ref.null extern) (local.get 1)))
            (func (export "copy") (param i32 i32 i32)
              (table.copy $t $t (local.get 0) (local.get 1) (local.get 2)))
            (func (export "init") (param i32 i32 i32)
              (table.init $t $e (local.get 0) (local.get 1) (local.get 2)))
            """)
        func table(_ table: Int, _ index: UInt64, _ count: UInt64, _ size: UInt64) -> TrapDetail {
            .tableAccess(table: table, index: index, count: count, tableCount: size)
        }
        #expect(detail { try instance.call("get", .i32(5)) } == table(1, 5, 1, 5))
        #expect(detail { try instance.call("set", .i32(-1)) } == table(0, 0xffff_ffff, 1, 4))
        #expect(detail { try instance.call("fill", .i32(2), .i32(4)) } == table(1, 2, 4, 5))
        #expect(
            detail { try instance.call("copy", .i32(0), .i32(3), .i32(2)) } == table(0, 3, 2, 4))
        #expect(
            detail { try instance.call("copy", .i32(3), .i32(0), .i32(2)) } == table(0, 3, 2, 4))
        #expect(
            detail { try instance.call("init", .i32(3), .i32(0), .i32(2)) } == table(0, 3, 2, 4))
        #expect(
            detail { try instance.call("init", .i32(0), .i32(1), .i32(2)) }
                == .elementSegment(segment: 0, offset: 1, count: 2, segmentCount: 2))
    }

    @Test func indirectCalls() throws {
        let instance = try TextHouse().instantiate(
            """
            (table $t 4 funcref) (table $u 3 funcref)
            (elem (table $t) (i32.const 1) func $f) (elem (table $u) (i32.const 2) func $f)
            (type $want (func (param i32) (result f32)))
            (func $f (param i64))
            (func (export "near") (param i32)
              (drop (call_indirect $t (type $want) (i32.const 0) (local.get 0))))
            (func (export "computed") (param i32)
              (drop (call_indirect $t (type $want) (i32.const 0)
                (i32.mul (local.get 0) (local.get 0)))))
            (func (export "far") (param i32)
              (drop (call_indirect $u (type $want) (i32.const 0) (local.get 0))))
            (func (export "tail") (param i32) (result f32)
              (return_call_indirect $u (type $want) (i32.const 0) (local.get 0)))
            """)
        let expected = "(i32) -> (f32)"
        for (name, table, count, index) in [
            ("near", 0, 4, 1), ("computed", 0, 4, 1), ("far", 1, 3, 2), ("tail", 1, 3, 2),
        ] as [(String, Int, UInt64, Int32)] {
            #expect(
                detail { try instance.call(name, .i32(0)) }
                    == .nullElement(table: table, index: 0, expected: expected), "\(name)")
            let found = detail { try instance.call(name, .i32(index)) }
            #expect(
                found
                    == .functionType(
                        table: table, index: UInt64(index), expected: expected,
                        found: "(i64) -> ()"), "\(name)")
            let beyond = detail { try instance.call(name, .i32(7)) }
            let position: UInt64 = name == "computed" ? 49 : 7
            #expect(
                beyond == .tableAccess(table: table, index: position, count: 1, tableCount: count),
                "\(name)")
        }
    }

    // MARK: Numbers and objects

    @Test func conversions() throws {
        let operators = [
            "i32.trunc_f32_s", "i32.trunc_f64_u", "i64.trunc_f32_u", "i64.trunc_f64_s",
        ]
        let fields = operators.map { name in
            let type = name.contains("f32") ? "f32" : "f64"
            return """
                (func (export "\(name)") (param \(type)) (drop (\(name) (local.get 0))))
                (func (export "\(name) computed") (param \(type))
                  (drop (\(name) (\(type).add (local.get 0) (\(type).const 0)))))
                """
        }
        let instance = try TextHouse().instantiate(fields.joined())
        for name in operators {
            for suffix in ["", " computed"] {
                let argument: Value = name.contains("f32") ? .f32(-1e20) : .f64(-1e20)
                let found = detail { try instance.call(name + suffix, argument) }
                let value = name.contains("f32") ? Double(-1e20 as Float) : -1e20
                let type: ValueType = name.hasPrefix("i32") ? .i32 : .i64
                #expect(found == .conversion(value: value, type: type), "\(name)\(suffix)")
            }
        }
        let nan = detail { try instance.call("i32.trunc_f64_u", .f64(.nan)) }
        guard case .conversion(let value, .i32)? = nan else {
            Issue.record("\(nan as Any)")
            return
        }
        #expect(value.isNaN)
        let negative = TrapDetail.conversion(value: -.nan, type: .i32)
        #expect("\(negative)" == "nan is no i32")
    }

    @Test func arrays() throws {
        let instance = try TextHouse().instantiate(
            """
            (type $b (array (mut i8))) (type $d (array (mut f64))) (type $v (array (mut v128)))
            (data $data "0123456789") (type $r (array (mut funcref))) (elem $elem func $f) (func $f)
            (func (export "get") (param i32)
              (drop (array.get_u $b (array.new_default $b (i32.const 5)) (local.get 0))))
            (func (export "set") (param i32)
              (array.set $b (array.new_default $b (i32.const 5))
                (i32.add (local.get 0) (i32.const 1)) (i32.const 0)))
            (func (export "float") (param i32)
              (array.set $d (array.new_default $d (i32.const 5)) (local.get 0)
                (f64.convert_i32_s (local.get 0))))
            (func (export "vector") (param i32)
              (drop (array.get $v (array.new_default $v (i32.const 5)) (local.get 0))))
            (func (export "fill") (param i32)
              (array.fill $b (array.new_default $b (i32.const 5)) (local.get 0) (i32.const 0)
                (i32.const 3)))
            (func (export "from") (param i32)
              (array.copy $b $b (array.new_default $b (i32.const 9)) (i32.const 0)
                (array.new_default $b (i32.const 5)) (local.get 0) (i32.const 3)))
            (func (export "to") (param i32)
              (array.copy $b $b (array.new_default $b (i32.const 5)) (local.get 0)
                (array.new_default $b (i32.const 9)) (i32.const 0) (i32.const 3)))
            (func (export "init") (param i32 i32)
              (array.init_data $b $data (array.new_default $b (i32.const 5)) (local.get 0)
                (local.get 1) (i32.const 3)))
            (func (export "data") (param i32)
              (drop (array.new_data $d $data (local.get 0) (i32.const 1))))
            (func (export "elements") (param i32)
              (drop (array.new_elem $r $elem (local.get 0) (i32.const 1))))
            """)
        func array(_ index: UInt64, _ count: UInt64 = 1) -> TrapDetail {
            .arrayAccess(index: index, count: count, arrayCount: 5)
        }
        #expect(detail { try instance.call("get", .i32(5)) } == array(5))
        #expect(detail { try instance.call("set", .i32(5)) } == array(6))
        #expect(detail { try instance.call("float", .i32(-1)) } == array(0xffff_ffff))
        #expect(detail { try instance.call("vector", .i32(7)) } == array(7))
        #expect(detail { try instance.call("fill", .i32(3)) } == array(3, 3))
        #expect(detail { try instance.call("from", .i32(4)) } == array(4, 3))
        #expect(detail { try instance.call("to", .i32(4)) } == array(4, 3))
        #expect(detail { try instance.call("init", .i32(4), .i32(0)) } == array(4, 3))
        #expect(
            detail { try instance.call("init", .i32(0), .i32(8)) }
                == .dataSegment(segment: 0, offset: 8, byteCount: 3, segmentByteCount: 10))
        #expect(
            detail { try instance.call("data", .i32(3)) }
                == .dataSegment(segment: 0, offset: 3, byteCount: 8, segmentByteCount: 10))
        #expect(
            detail { try instance.call("elements", .i32(1)) }
                == .elementSegment(segment: 0, offset: 1, count: 1, segmentCount: 1))
    }

    @Test func casts() throws {
        let instance = try TextHouse().instantiate(
            """
            (type $s (sub (struct (field i32)))) (type $u (struct (field f64)))
            (type $a (array i8)) (type $f (func (param i32))) (type $g (func)) (table 1 funcref)
            (elem declare func $g) (func $g (type $g))
            (func $any (param i32) (result anyref)
              (block (block (block (block (br_table 0 1 2 3 (local.get 0)))
                (return (ref.null any))) (return (ref.i31 (i32.const -7))))
                (return (struct.new $u (f64.const 0)))) (array.new_default $a (i32.const 1)))
            (func (export "struct") (param i32) (drop (ref.cast (ref $s) (call $any (local.get 0)))))
            (func (export "array") (param i32) (drop (ref.cast (ref array) (call $any (local.get 0)))))
            (func (export "i31") (param i32) (drop (ref.cast (ref i31) (call $any (local.get 0)))))
            (func (export "none") (param i32) (drop (ref.cast (ref null none) (call $any (local.get 0)))))
            (func (export "function") (drop (ref.cast (ref $f) (ref.func $g))))
            (func (export "host") (param externref)
              (drop (ref.cast (ref eq) (any.convert_extern (local.get 0)))))
            """)
        func text(_ name: String, _ arguments: Value...) -> String? {
            detail {
                _ = try instance.function(Name(name))?.call(arguments)
            }.map(\.description)
        }
        #expect(text("struct", .i32(0)) == "expected (ref (struct i32)), found null")
        #expect(text("struct", .i32(1)) == "expected (ref (struct i32)), found i31 -7")
        #expect(text("struct", .i32(2)) == "expected (ref (struct i32)), found (ref (struct f64))")
        #expect(text("array", .i32(2)) == "expected (ref array), found (ref (struct f64))")
        #expect(text("array", .i32(3)) == nil)
        #expect(text("i31", .i32(3)) == "expected (ref i31), found (ref (array i8))")
        #expect(text("none", .i32(3)) == "expected null, found a reference")
        #expect(
            text("function") == "expected (ref (func (i32) -> ())), found (ref (func () -> ()))")
        #expect(
            text("host", .extern(ExternReference(handle: 1)))
                == "expected (ref eq), found a value of the host")
    }

    @Test func othersHaveNone() throws {
        let instance = try TextHouse().instantiate(
            """
            (func (export "stop") (unreachable))
            (func (export "divide") (drop (i32.div_s (i32.const -2147483648) (i32.const -1))))
            (func (export "recurse") (call 2))
            """)
        for name in ["stop", "divide", "recurse"] {
            let trap = #expect(throws: Trap.self) { try instance.call(name) }
            #expect(trap?.detail == nil)
            #expect(trap?.description == trap?.code.message)
        }
    }

    @Test func descriptionsBeginWithTheSuitesWords() throws {
        let instance = try TextHouse().instantiate(
            #"(memory 1) (func (export "f") (drop (i32.load (i32.const 65533))))"#)
        let trap = #expect(throws: Trap.self) { try instance.call("f") }
        #expect(
            trap?.description
                == "out of bounds memory access: 4 bytes at 0xfffd of memory 0, which has 65536 bytes"
        )
    }
}
