import Testing

@testable import WasmInterpreter

/// What is freed and what is not.
@Suite(.serialized) struct CollectorTests {
    private static let list = """
        (type $node (sub (struct (field $value i32) (field $next (mut (ref null $node))))))
        (global $head (mut (ref null $node)) (ref.null $node))
        (func (export "make") (param $n i32)
          (local $x (ref null $node))
          (loop $again
            (local.set $x (struct.new $node (local.get $n) (local.get $x)))
            (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
          (global.set $head (local.get $x)))
        (func (export "close") (struct.set $node $next (global.get $head) (global.get $head)))
        (func (export "drop") (global.set $head (ref.null $node)))
        (func (export "head") (result (ref null $node)) (global.get $head))
        (func (export "set") (param (ref null $node)) (global.set $head (local.get 0)))
        (func (export "garbage") (param $n i32)
          (loop $again
            (drop (struct.new $node (local.get $n) (ref.null $node)))
            (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
        (func (export "sum") (result i64)
          (local $s i64) (local $x (ref null $node))
          (local.set $x (global.get $head))
          (block $end
            (loop $again
              (local.set $s (i64.add (local.get $s)
                (i64.extend_i32_u (struct.get $node $value (br_on_null $end (local.get $x))))))
              (local.set $x (struct.get $node $next (local.get $x)))
              (br $again)))
          (local.get $s))
        """

    /// Marking goes down the list without native recursion, on a little mark stack.
    @Test func deepListsAreMarked() throws {
        let house = TextHouse()
        let instance = try house.instantiate(Self.list)
        try instance.call("make", .i32(1_000_000))
        house.store.collectGarbage()
        #expect(house.store.liveHeapByteCount >= 16_000_000)
        try instance.call("garbage", .i32(1_000_000))
        house.store.collectGarbage()
        #expect(house.store.liveHeapByteCount < 17_000_000)
        #expect(try instance.call("sum") == [.i64(500_000_500_000)])
        try instance.call("drop")
        house.store.collectGarbage()
        // A slot of the value stack that is not in use any more may keep some.
        #expect(house.store.liveHeapByteCount <= 16_000_000)
    }

    @Test func cyclesAreFreed() throws {
        let house = TextHouse()
        let instance = try house.instantiate(Self.list)
        for _ in 0..<10 {
            try instance.call("make", .i32(1000))
            try instance.call("close")
        }
        try instance.call("drop")
        house.store.collectGarbage()
        #expect(house.store.liveHeapByteCount == 0)
    }

    /// The mark stack may be too small for what is on it: then the heap itself is searched.
    @Test func markStackOverflows() throws {
        let house = TextHouse()
        let instance = try house.instantiate(
            Self.list + """
                (type $nodes (array (mut (ref null $node))))
                (global $all (mut (ref null $nodes)) (ref.null $nodes))
                (func (export "fan") (param $n i32)
                  (local $i i32)
                  (global.set $all (array.new_default $nodes (local.get $n)))
                  (loop $again
                    (array.set $nodes (global.get $all) (local.get $i)
                      (struct.new $node (i32.const 1)
                        (struct.new $node (i32.const 2) (ref.null $node))))
                    (br_if $again (i32.lt_u
                      (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n)))))
                (func (export "total") (result i32)
                  (local $i i32) (local $s i32)
                  (loop $again
                    (local.set $s (i32.add (local.get $s) (struct.get $node $value
                      (struct.get $node $next
                        (array.get $nodes (global.get $all) (local.get $i))))))
                    (br_if $again (i32.lt_u
                      (local.tee $i (i32.add (local.get $i) (i32.const 1)))
                      (array.len (global.get $all)))))
                  (local.get $s))
                """)
        house.store.heap.markStack.maximum = 2048
        try instance.call("fan", .i32(100_000))
        house.store.collectGarbage()
        try instance.call("garbage", .i32(1_000_000))
        house.store.collectGarbage()
        #expect(try instance.number("total") == 200_000)
        #expect((3_200_000...4_200_000).contains(house.store.liveHeapByteCount))
    }

    @Test(arguments: [false, true]) func handlesKeepObjects(stressed: Bool) throws {
        let house = TextHouse(stressed: stressed)
        let instance = try house.instantiate(Self.list)
        try instance.call("make", .i32(3))
        var head = try #require(instance.call("head").first?.anyReference)
        let same = try #require(instance.call("head").first?.anyReference)
        #expect(head == same)
        #expect(head.hashValue == same.hashValue)
        #expect(head.kind == .structure)
        try instance.call("drop")
        house.store.collectGarbage()
        try instance.call("garbage", .i32(1000))
        #expect(head[0] == .i32(1))
        head = try #require(head[1]?.anyReference)
        #expect(head[0] == .i32(2))
        try instance.call("set", .any(head))
        #expect(try instance.call("sum") == [.i64(5)])
    }

    private final class Handles: @unchecked Sendable {
        var references: [AnyReference] = []
    }

    /// Handles may go away on other threads while the guest runs.
    @Test func handlesGoAwayAnywhere() throws {
        let house = TextHouse()
        let instance = try house.instantiate(Self.list)
        let handles = (0..<4).map { _ in Handles() }
        try instance.call("make", .i32(1000))
        for index in 0..<4000 {
            let head = try #require(instance.call("head").first?.anyReference)
            handles[index % 4].references.append(head)
        }
        try instance.call("drop")
        house.store.collectGarbage()
        #expect(house.store.liveHeapByteCount == 16_000)
        let failures = concurrently(4) { index in
            for _ in 0..<1000 { handles[index].references.removeLast() }
        }
        #expect(failures == 0)
        house.store.collectGarbage()
        #expect(house.store.liveHeapByteCount == 0)
    }

    /// An object that a guest got out of a global is held by nothing but its frame.
    @Test(arguments: [false, true]) func framesKeepObjects(stressed: Bool) throws {
        let house = TextHouse(stressed: stressed)
        let store = house.store
        var instance: Instance?
        house.linker.define("host", "collect") { (_: borrowing Caller) in
            store.collectGarbage()
            // The guest goes on below: a nested call that makes garbage of its own.
            try instance?.call("garbage", .i32(100))
            store.collectGarbage()
        }
        let text = """
            (import "host" "collect" (func $collect))
            """
        let made = try house.instantiate(
            text + Self.list + """
                (func $deep (param $x (ref $node)) (param $n i32) (result i32)
                  (local $y (ref $node))
                  (local.set $y (struct.new $node (local.get $n) (local.get $x)))
                  (if (result i32) (local.get $n)
                    (then (i32.add (call $deep (local.get $y)
                        (i32.sub (local.get $n) (i32.const 1)))
                      (struct.get $node $value (struct.get $node $next (local.get $y)))))
                    (else (call $collect) (struct.get $node $value (local.get $y)))))
                (func (export "run") (result i32)
                  (call $deep (struct.new $node (i32.const 7) (ref.null $node)) (i32.const 100)))
                """)
        instance = made
        #expect(try made.number("run") == 7 + (2...100).reduce(0, +))
        #expect(store.collectionCount > 0)
        instance = nil
    }

    @Test func rootsOfAllKinds() throws {
        let house = TextHouse(stressed: true)
        let global = try Global(
            store: house.store,
            type: GlobalType(.ref(.any, nullable: true), mutable: true), value: .any(nil))
        house.linker.define("host", "g", .global(global))
        let instance = try house.instantiate(
            """
            (type $box (struct (field i32)))
            (import "host" "g" (global $host (mut anyref)))
            (global $own (mut eqref) (ref.null eq))
            (global $extern (mut externref) (ref.null extern))
            (table $t 4 anyref) (table $u 1 externref) (table $n 3 i31ref)
            (elem $e (ref $box) (item (struct.new $box (i32.const 6))))
            (func $new (param i32) (result (ref $box)) (struct.new $box (local.get 0)))
            (func (export "fill")
              (global.set $host (call $new (i32.const 1)))
              (global.set $own (call $new (i32.const 2)))
              (global.set $extern (extern.convert_any (call $new (i32.const 3))))
              (table.set $t (i32.const 2) (call $new (i32.const 4)))
              (table.set $u (i32.const 0) (extern.convert_any (call $new (i32.const 5)))))
            (func $get (param anyref) (result i32)
              (struct.get $box 0 (ref.cast (ref $box) (local.get 0))))
            (func (export "check") (result i32 i32 i32 i32 i32 i32)
              (drop (call $new (i32.const 99)))
              (call $get (global.get $host)) (call $get (global.get $own))
              (call $get (any.convert_extern (global.get $extern)))
              (call $get (table.get $t (i32.const 2)))
              (call $get (any.convert_extern (table.get $u (i32.const 0))))
              (table.init $t $e (i32.const 0) (i32.const 0) (i32.const 1))
              (call $get (table.get $t (i32.const 0))))
            """)
        try instance.call("fill")
        house.store.collectGarbage()
        #expect(try instance.call("check") == (1...6).map { .i32($0) })
        #expect(global.value.anyReference?[0] == .i32(1))
        let box = try #require(global.value.anyReference)
        let type = try #require(box.heapType.typeIndex)
        let made = try house.store.makeStructure(type, [.i32(42)])
        try global.set(.any(made))
        #expect(global.value == .any(made))
        #expect(throws: CreationError.value(index: 0, .typeMismatch(expected: .i32))) {
            try house.store.makeStructure(type, [.i64(42)])
        }
        #expect(throws: CreationError.valueCount(expected: 1, given: 0)) {
            try house.store.makeStructure(type, [])
        }
        #expect(throws: CreationError.wrongType) { try house.store.makeArray(type, []) }
    }

    // MARK: Limits

    @Test func limitIsATrap() throws {
        let house = TextHouse(limits: StoreLimits(heapBytes: 4 << 20))
        let instance = try house.instantiate(Self.list)
        let trap = #expect(throws: Trap.self) { try instance.call("make", .i32(1_000_000)) }
        #expect(trap?.code == .heapExhausted)
        // Garbage is no problem, and what was live then is garbage now.
        try instance.call("garbage", .i32(2_000_000))
        try instance.call("make", .i32(100_000))
        #expect(try instance.call("sum") == [.i64(5_000_050_000)])
        #expect(house.store.collectionCount > 5)
        #expect(throws: CreationError.resource(.heapTooLarge(limit: 4 << 20))) {
            let head = try #require(instance.call("head").first?.anyReference)
            guard let type = head.heapType.typeIndex else { return }
            var all = [head]
            while true { all.append(try house.store.makeStructure(type, [.i32(1), .any(nil)])) }
        }
    }

    @Test func noHeapAtAll() throws {
        let house = TextHouse(limits: StoreLimits(heapBytes: 0))
        let instance = try house.instantiate(Self.list)
        let trap = #expect(throws: Trap.self) { try instance.call("make", .i32(1)) }
        #expect(trap?.code == .heapExhausted)
        let failed = #expect(throws: Trap.self) {
            try house.instantiate("(type $s (struct)) (global (ref $s) (struct.new $s))")
        }
        #expect(failed?.code == .heapExhausted)
    }

    /// Collections at the limit that find little must not make a guest quadratic.
    @Test func almostFullHeapDoesNotThrash() throws {
        let house = TextHouse(limits: StoreLimits(heapBytes: 16 << 20))
        let instance = try house.instantiate(Self.list)
        try instance.call("make", .i32(1_000_000))
        let before = house.store.collectionCount
        #expect(throws: Trap.self) { try instance.call("garbage", .i32(1_000_000)) }
        #expect(house.store.collectionCount - before < 10)
    }

    // MARK: Values of the host

    private final class Token: Hashable, @unchecked Sendable {
        nonisolated(unsafe) static var live = 0
        init() { Self.live += 1 }
        deinit { Self.live -= 1 }
        static func == (a: Token, b: Token) -> Bool { a === b }
        func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
    }

    @Test func hostValuesAreReleased() throws {
        let house = TextHouse()
        house.linker.define(
            "host", "make",
            HostFunction(FunctionType(results: [.externref])) { _, slots in
                try slots.setResult(0, .extern(ExternReference(Token())), as: .externref)
            })
        let instance = try house.instantiate(
            """
            (import "host" "make" (func $make (result externref)))
            (type $box (struct (field externref)))
            (table $t (export "t") 3 externref)
            (global $g (mut anyref) (ref.null any))
            (func (export "many") (param $n i32)
              (loop $again
                (drop (call $make))
                (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
            (func (export "keep")
              (table.set $t (i32.const 1) (call $make))
              (global.set $g (struct.new $box (call $make))))
            (func (export "let")
              (table.set $t (i32.const 1) (ref.null extern))
              (global.set $g (ref.null any)))
            """)
        Token.live = 0
        try instance.call("keep")
        // No object is allocated: the values themselves call for a collection.
        try instance.call("many", .i32(100_000))
        #expect(Token.live < 25_000)
        house.store.collectGarbage()
        #expect((2...4).contains(Token.live))
        let table = try #require(instance.table("t"))
        if case .extern(let reference?) = try table.get(at: 1) {
            #expect(reference.value is Token)
        } else {
            Issue.record("the value is gone")
        }
        try instance.call("let")
        house.store.collectGarbage()
        #expect(Token.live <= 2)
        #expect(house.store.heap.externs.count <= 2)
    }

    @Test func externalReferencesGoBothWays() throws {
        let house = TextHouse(stressed: true)
        let instance = try house.instantiate(
            """
            (type $box (struct (field i32)))
            (func (export "out") (result externref)
              (extern.convert_any (struct.new $box (i32.const 9))))
            (func (export "small") (param i32) (result externref)
              (extern.convert_any (ref.i31 (local.get 0))))
            (func (export "in") (param externref) (result anyref)
              (any.convert_extern (local.get 0)))
            (func (export "same") (param externref anyref) (result anyref externref)
              (any.convert_extern (local.get 0)) (extern.convert_any (local.get 1)))
            (func (export "unbox") (param anyref) (result i32)
              (struct.get $box 0 (ref.cast (ref $box) (local.get 0))))
            """)
        guard case .extern(let box?) = try instance.call("out")[0] else { return }
        let inside = try #require(box.guest)
        #expect(inside[0] == .i32(9))
        #expect(try instance.call("in", .extern(box)) == [.any(inside)])
        #expect(try instance.call("unbox", .any(inside)) == [.i32(9)])
        guard case .extern(let small?) = try instance.call("small", .i32(-5))[0] else { return }
        #expect(small.guest == AnyReference(i31: -5))
        #expect(small.guest?.kind == .i31(-5))
        for host in [ExternReference(handle: 77), ExternReference("text")] {
            let any = AnyReference(internalizing: host)
            #expect(any.kind == .extern(host))
            #expect(try instance.call("in", .extern(host)) == [.any(any)])
            #expect(
                try instance.call("same", .extern(host), .any(any)) == [.any(any), .extern(host)])
            let trap = #expect(throws: Trap.self) { try instance.call("unbox", .any(any)) }
            #expect(trap?.code == .castFailure)
        }
        let other = Store(engine: house.engine)
        let foreign = Function(
            store: other, parameters: [.ref(.any, nullable: true)], results: []
        ) { _, _ in }
        #expect(throws: CallError.argument(index: 0, .foreignStore)) {
            try foreign.call([.any(inside)])
        }
        #expect(throws: CallError.self) { try foreign.call([.extern(box)]) }
        #expect(try foreign.call([.any(nil)]) == [])
    }
}

extension CollectorTests {
    /// What exceptions carry stays as long as anybody can get at them: guests and the host.
    @Test(arguments: [false, true]) func exceptionsKeepWhatTheyCarry(stressed: Bool) throws {
        let house = TextHouse(stressed: stressed)
        let instance = try house.instantiate(
            """
            (type $box (struct (field i32)))
            (tag $t (export "t") (param i64 (ref $box) i64))
            (table $kept 4 exnref)
            (func $throw (param $n i32)
              (throw $t (i64.const 1) (struct.new $box (local.get $n)) (i64.const 2)))
            (func (export "throw") (param $n i32) (call $throw (local.get $n)))
            (func (export "keep") (param $i i32) (param $n i32)
              (table.set $kept (local.get $i)
                (block $caught (result exnref)
                  (try_table (catch_all_ref $caught) (call $throw (local.get $n)))
                  (unreachable))))
            (func (export "garbage") (param $n i32)
              (loop $again
                (drop (struct.new $box (local.get $n)))
                (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
            (func (export "box") (param $i i32) (result i32)
              (local $x (ref null $box))
              (block $caught (result i64 (ref $box) i64)
                (try_table (catch $t $caught) (throw_ref (table.get $kept (local.get $i))))
                (unreachable))
              (drop) (local.set $x) (drop)
              (struct.get $box 0 (local.get $x)))
            """)
        for index: Int32 in 0..<4 { try instance.call("keep", .i32(index), .i32(index + 10)) }
        let error = try #require(throws: Exception.self) { try instance.call("throw", .i32(7)) }
        house.store.collectGarbage()
        try instance.call("garbage", .i32(stressed ? 500 : 1_000_000))
        house.store.collectGarbage()
        for index: Int32 in 0..<4 { #expect(try instance.number("box", index) == index + 10) }
        #expect(error.values.count == 3)
        #expect(error.values[1].anyReference?[0] == .i32(7))
        #expect(error.values[2] == .i64(2))
    }
}
