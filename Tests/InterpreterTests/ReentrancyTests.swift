import Testing
import WasmInterpreter

/// Closures of the host that use the store in the midst of what they are told, asked or lent.
@Suite struct ReentrancyTests {
    private final class Collections: StoreObserver {
        var body: () -> Void = {}
        func didCollectGarbage(_ collection: GarbageCollection) { body() }
    }

    private final class Tables: StoreLimiter {
        var body: () -> Bool = { true }
        func shouldGrowTable(from current: UInt64, to wanted: UInt64) -> Bool { body() }
    }

    /// Text that brings itself into the guest's memory when it is passed.
    private struct GuestText: WasmValue {
        let allocate: Function
        let memory: Memory
        let text: String

        static var valueType: ValueType { .i32 }

        init(_ text: String, in instance: Instance) throws {
            allocate = try #require(instance.function("allocate"))
            memory = try #require(instance.memory("memory"))
            self.text = text
        }

        // Never a result.
        init(slots: borrowing CallSlots, at index: inout Int) { fatalError() }

        func write(to slots: borrowing CallSlots, at index: inout Int) throws(ValueError) {
            do {
                let address: Int32 = try allocate(Int32(text.utf8.count), returning: Int32.self)
                try memory.storeString(text, at: address)
                address.write(to: slots, at: &index)
            } catch {
                throw .typeMismatch(expected: .i32)
            }
        }
    }

    private static let taker = """
        (memory (export "memory") 1)
        (global $next (mut i32) (i32.const 1024))
        (func (export "allocate") (param $count i32) (result i32) (local i64 i64 i64 i64 i64 i64)
          (local.set 2 (i64.const -1)) (local.set 3 (i64.const -1)) (local.set 4 (i64.const -1))
          (global.get $next)
          (global.set $next (i32.add (global.get $next) (local.get $count))))
        (func (export "last") (param externref i32 i32) (result externref i32)
          (local.get 0) (i32.add (local.get 1) (local.get 2)))
        """

    @Test func argumentsThatCallGuestsLeaveTheOthers() throws {
        let house = TextHouse()
        let instance = try house.instantiate(Self.taker)
        let last = try #require(instance.function("last"))
        let typed = try last.typed(
            as: ((ExternReference?, GuestText, GuestText) -> (ExternReference?, Int32)).self)
        let reference = ExternReference("a value")
        for _ in 0..<3 {
            let (same, sum) = try typed(
                reference, GuestText("one", in: instance), GuestText("two", in: instance))
            #expect(same == reference)
            let first = (sum - 3) / 2
            #expect(try instance.memory("memory")?.loadString(at: first, count: 6) == "onetwo")
        }
    }

    @Test func refusedArgumentsGiveTheirSlotsBack() throws {
        let house = TextHouse(limits: StoreLimits(stackBytes: 64 << 10))
        let instance = try house.instantiate(
            """
            (func (export "f") (param i32 i32 i32 funcref) (result i32) (local.get 2))
            """)
        let f = try #require(instance.function("f"))
        let foreign = Function(store: Store(engine: house.engine)) { _, _ in }
        let typed = try f.typed(as: ((Int32, Int32, Int32, Function?) -> Int32).self)
        var errors: [CallError: Int] = [:]
        func count(_ call: () throws -> Void) {
            do { try call() } catch { (error as? CallError).map { errors[$0, default: 0] += 1 } }
        }
        for _ in 0..<2_000 {
            count { _ = try typed(1, 2, 3, foreign) }
            count { _ = try f.call([.i32(1), .i32(2), .i32(3), .function(foreign)]) }
        }
        #expect(errors == [.argument(index: 3, .foreignStore): 4_000])
        #expect(try typed(1, 2, 3, nil) == 3)
    }

    @Test func objectsOfAnObserverLeaveThoseBeingRestored() throws {
        let house = TextHouse(stressed: true)
        let instance = try house.instantiate(SnapshotObjectTests.fields)
        try instance.call("build", .i32(30))
        let sum = try instance.number("sum")
        let array = try #require(instance.global("array")?.value.anyReference)
        let type = try #require(array.heapType.typeIndex)
        let snapshot = try instance.snapshot()

        let observer = Collections()
        var made = 0
        observer.body = { [unowned store = house.store] in
            if (try? store.makeArray(type, [.any(nil), .any(AnyReference(i31: 1))])) != nil {
                made += 1
            }
            if made == 20 { _ = try? Instance(snapshot, in: store) }
        }
        house.store.observer = observer
        try instance.restore(snapshot)
        let other = try Instance(snapshot, in: house.store)
        #expect(made > 30)
        house.store.observer = nil
        #expect(try instance.number("sum") == sum)
        #expect(try other.number("sum") == sum)
        #expect(try instance.number("shared") == 1)
    }

    @Test func aTableThatAnObserverGrowsKeepsItsElements() throws {
        let house = TextHouse(stressed: true)
        let table = try Table(
            store: house.store,
            type: TableType(
                element: ReferenceType(.any, nullable: true), limits: Limits(minimum: 4)))
        house.linker.define("env", "table", .table(table))
        let observer = Collections()
        // What is allocated behind the table makes growing move it.
        var blocks: [[UInt64]] = []
        observer.body = {
            blocks.append(Array(repeating: 0, count: 100))
            _ = try? table.grow(by: table.size * 3, filledWith: .any(nil))
        }
        house.store.observer = observer
        let instance = try house.instantiate(
            """
            (type $box (struct (field i32)))
            (import "env" "table" (table 4 anyref))
            (elem (i32.const 0) anyref
              (struct.new $box (i32.const 10)) (struct.new $box (i32.const 11))
              (struct.new $box (i32.const 12)) (struct.new $box (i32.const 13)))
            (func (export "get") (param i32) (result i32)
              (struct.get $box 0 (ref.cast (ref $box) (table.get (local.get 0)))))
            """)
        house.store.observer = nil
        #expect(table.size > 4)
        for index in 0..<4 {
            #expect(try instance.number("get", Int32(index)) == 10 + Int32(index))
        }
    }

    @Test func whatALimiterMakesStaysWhenItRefuses() throws {
        let house = TextHouse(stressed: true)
        let inner = try house.module(
            """
            (type $box (struct (field i32)))
            (table $table 1 anyref)
            (func (export "set") (param i32)
              (table.set (i32.const 0) (struct.new $box (local.get 0))))
            (func (export "get") (result i32)
              (struct.get $box 0 (ref.cast (ref $box) (table.get (i32.const 0)))))
            """)
        let limiter = Tables()
        var made: Instance?
        limiter.body = { [unowned house = house.store] in
            house.limiter = nil
            made = try? Instance(inner, in: house)
            return false
        }
        house.store.limiter = limiter
        #expect(throws: ResourceError.refused(.table)) {
            try house.instantiate("(table 7 funcref)")
        }
        let instance = try #require(made)
        try instance.call("set", .i32(42))
        for value: Int32 in 0..<20 {
            _ = try Instance(inner, in: house.store).call("set", .i32(value))
        }
        house.store.collectGarbage()
        #expect(try instance.number("get") == 42)
    }

    @Test func restoringAsksTheLimiter() throws {
        final class Sizes: StoreLimiter {
            var most: UInt64 = 0
            func shouldGrowMemory(from current: UInt64, to wanted: UInt64) -> Bool {
                wanted <= most
            }
            func shouldGrowTable(from current: UInt64, to wanted: UInt64) -> Bool {
                wanted <= most
            }
        }
        let house = TextHouse()
        let module = try house.module(
            """
            (memory (export "memory") 1) (table (export "table") 1 funcref)
            (func (export "grow") (param i32 i32)
              (drop (memory.grow (local.get 0)))
              (drop (table.grow (ref.null func) (local.get 1))))
            """)
        for (pages, elements) in [(3, 0), (0, 300_000)] as [(Int32, Int32)] {
            let large = try Instance(module, in: house.store)
            try large.call("grow", .i32(pages), .i32(elements))
            let snapshot = try large.snapshot()
            let store = Store(engine: house.engine)
            let small = try Instance(module, in: store)
            let sizes = Sizes()
            sizes.most = 3 << 16
            store.limiter = sizes
            #expect(throws: SnapshotError.resource(.refused(pages > 0 ? .memory : .table))) {
                try small.restore(snapshot)
            }
            #expect(small.memory("memory")?.size == 1)
            #expect(small.table("table")?.size == 1)
            sizes.most = 4 << 17
            try small.restore(snapshot)
            #expect(small.memory("memory")?.size == UInt64(1 + pages))
            #expect(small.table("table")?.size == UInt64(1 + elements))
        }
    }
}
