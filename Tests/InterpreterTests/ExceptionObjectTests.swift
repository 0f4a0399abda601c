import Testing
@testable import WasmInterpreter

/// Exceptions as objects of the heap: what they carry lives as long as they do, and no longer.
@Suite struct ExceptionObjectTests {
    private static let fields = """
        (type $box (struct (field i32)))
        (tag $thrown (export "thrown") (param i32 (ref $box) i64))
        (table $kept 1 exnref)
        (func $throw (param i32)
          (throw $thrown (local.get 0) (struct.new $box (local.get 0)) (i64.const -1)))
        (func $catch (param i32) (result exnref)
          (block $handler (result exnref)
            (try_table (catch_all_ref $handler) (call $throw (local.get 0)))
            unreachable))
        (func (export "churn") (param $count i32)
          (loop $again
            (drop (call $catch (local.get $count)))
            (br_if $again (local.tee $count (i32.sub (local.get $count) (i32.const 1))))))
        (func (export "keep") (param i32)
          (table.set $kept (i32.const 0) (call $catch (local.get 0))))
        (func (export "open") (result i32) (local i32)
          (block $handler (result i32 (ref $box) i64)
            (try_table (catch $thrown $handler)
              (throw_ref (table.get $kept (i32.const 0))))
            unreachable)
          drop
          (struct.get $box 0)
          i32.add)
        (func (export "give") (result exnref) (table.get $kept (i32.const 0)))
        (func (export "throw") (param i32) (call $throw (local.get 0)))
        """

    @Test(arguments: [false, true])
    func exceptionsThatNobodyKeepsAreFreed(stressed: Bool) throws {
        let house = TextHouse(stressed: stressed, limits: StoreLimits(heapBytes: 1 << 20))
        let instance = try house.instantiate(Self.fields)
        try instance.call("churn", .i32(stressed ? 1000 : 100_000))
        house.store.collectGarbage()
        #expect(house.store.liveHeapByteCount == 0)
    }

    @Test(arguments: [false, true])
    func whatTheyCarryStays(stressed: Bool) throws {
        let house = TextHouse(stressed: stressed)
        let instance = try house.instantiate(Self.fields)
        try instance.call("keep", .i32(21))
        try instance.call("churn", .i32(500))
        house.store.collectGarbage()
        #expect(try instance.number("open") == 42)
        #expect(house.store.liveHeapByteCount > 0)
    }

    /// An exception that the host holds, and one that it makes.
    @Test(arguments: [false, true])
    func theHostKeepsThem(stressed: Bool) throws {
        let house = TextHouse(stressed: stressed)
        let instance = try house.instantiate(Self.fields)
        let thrown = try #require(throws: Exception.self) { try instance.call("throw", .i32(7)) }
        try instance.call("churn", .i32(500))
        house.store.collectGarbage()
        let box = try #require(thrown.values[1].anyReference)
        #expect(thrown.values[0] == .i32(7))
        #expect(thrown.values[2] == .i64(-1))

        let tag = try #require(instance.tag("thrown"))
        let made = try Exception(tag: tag, values: [.i32(1), .any(box), .i64(2)])
        house.store.collectGarbage()
        #expect(made.values == [.i32(1), .any(box), .i64(2)])
    }

    @Test func theHostsExceptionsAreLimited() throws {
        let house = TextHouse(limits: StoreLimits(heapBytes: 1 << 20))
        let tag = Tag(store: house.store, parameters: [.i64])
        var kept: [Exception] = []
        #expect(throws: CreationError.resource(.heapTooLarge(limit: 1 << 20))) {
            for index in 0..<1_000_000 {
                kept.append(try Exception(tag: tag, values: [.i64(Int64(index))]))
            }
        }
        #expect(kept.indices.allSatisfy { kept[$0].values == [.i64(Int64($0))] })
        kept = []
        _ = try Exception(tag: tag, values: [.i64(0)])
    }

    /// What the host puts into objects that it makes is in use while they are made.
    @Test(arguments: [false, true])
    func valuesOfTheHostStayWhileObjectsAreMade(stressed: Bool) throws {
        let house = TextHouse(stressed: stressed)
        let instance = try house.instantiate(
            """
            (type $pair (struct (field externref i64)))
            (type $list (array externref))
            (func (export "pair") (result (ref $pair)) (struct.new_default $pair))
            (func (export "list") (result (ref $list)) (array.new_default $list (i32.const 1)))
            """)
        let store = house.store
        let first = Value.extern(ExternReference("first"))
        let second = Value.extern(ExternReference("second"))
        let pair = try #require(instance.call("pair")[0].anyReference?.heapType.typeIndex)
        let list = try #require(instance.call("list")[0].anyReference?.heapType.typeIndex)

        let structure = try store.makeStructure(pair, [first, .i64(3)])
        let array = try store.makeArray(list, [second, first])
        let tag = Tag(store: store, parameters: [.ref(.extern, nullable: true), .i64])
        let exception = try Exception(tag: tag, values: [second, .i64(4)])
        _ = try store.makeArray(list, [.extern(ExternReference("third"))])
        #expect([structure[0], structure[1]] == [first, .i64(3)])
        #expect([array[0], array[1]] == [second, first])
        #expect(exception.values == [second, .i64(4)])
    }

    /// The slots where a payload would go hold other things: of the function's own label, the frame.
    @Test func whoCatchesEverythingGetsNoPayload() throws {
        let house = TextHouse()
        let instance = try house.instantiate(
            """
            (tag $long (param i64 i64 i64 i64 i64 i64 i64 i64))
            (tag $none)
            (func $throw (param i32)
              (if (i32.eqz (local.get 0)) (then (throw $none)))
              (throw $long (i64.const 1) (i64.const 2) (i64.const 3) (i64.const 4)
                (i64.const 5) (i64.const 6) (i64.const 7) (i64.const 8)))
            (func $nothing (param i32)
              (try_table (catch_all 0) (call $throw (local.get 0))))
            (func $reference (param i32) (result exnref)
              (try_table (catch_all_ref 0) (call $throw (local.get 0)))
              unreachable)
            (func (export "nothing") (param i32) (result i32)
              (i32.const 10)
              (call $nothing (local.get 0))
              (i32.add (local.get 0)))
            (func (export "reference") (param i32) (result i32)
              (i32.const 20)
              (call $reference (local.get 0))
              ref.is_null
              i32.add)
            """)
        for index in 0..<2 as Range<Int32> {
            #expect(try instance.number("nothing", index) == 10 + index)
            #expect(try instance.number("reference", index) == 20)
        }
    }

    /// Exceptions that carry exceptions: a description does not follow them.
    @Test func nestedExceptionsAreDescribed() throws {
        let house = TextHouse()
        let instance = try house.instantiate(
            """
            (tag $outer (export "outer") (param exnref exnref i32))
            (func (export "nest") (param $count i32) (local $inner exnref)
              (loop $again
                (block $handler (result exnref)
                  (try_table (catch_all_ref $handler)
                    (throw $outer (local.get $inner) (local.get $inner) (local.get $count)))
                  unreachable)
                local.set $inner
                (br_if $again (local.tee $count (i32.sub (local.get $count) (i32.const 1)))))
              (throw_ref (local.get $inner)))
            """)
        let thrown = try #require(throws: Exception.self) {
            try instance.call("nest", .i32(100_000))
        }
        #expect("\(thrown)" == "exception outer(exception outer, exception outer, 1)")
    }
}
