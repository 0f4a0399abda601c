import Testing
import WasmInterpreter

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
        #expect(throws: ResourceError.heapTooLarge(limit: 1 << 20)) {
            for index in 0..<1_000_000 {
                kept.append(try Exception(tag: tag, values: [.i64(Int64(index))]))
            }
        }
        #expect(kept.indices.allSatisfy { kept[$0].values == [.i64(Int64($0))] })
        kept = []
        _ = try Exception(tag: tag, values: [.i64(0)])
    }
}
