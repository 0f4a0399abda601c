import Testing
import Wasmd

@Suite struct LimitTests {
    private let text = """
        (module
          (memory (export "memory") 1)
          (table (export "table") 4 funcref)
          (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
          (func (export "grow_table") (param i32) (result i32)
            (table.grow (ref.null func) (local.get 0)))
          (func $deep (export "deep") (param i32) (result i32)
            (if (result i32) (local.get 0)
              (then (i32.add (i32.const 1) (call $deep (i32.sub (local.get 0) (i32.const 1)))))
              (else (i32.const 0)))))
        """

    private final class Budget: StoreLimiter {
        var rest: UInt64
        var asked: [[UInt64]] = []

        init(_ rest: UInt64) { self.rest = rest }

        func shouldGrowMemory(from current: UInt64, to wanted: UInt64) -> Bool {
            asked.append([current, wanted])
            guard wanted - current <= rest else { return false }
            rest -= wanted - current
            return true
        }

        func shouldGrowTable(from current: UInt64, to wanted: UInt64) -> Bool {
            asked.append([current, wanted])
            return wanted <= 6
        }
    }

    @Test func limiterDecidesOnGrowth() throws {
        let module = try module(text)
        let store = Store(engine: module.engine)
        let budget = Budget(4 << 16)
        store.limiter = budget
        let instance = try Instance(module, in: store)
        #expect(budget.asked == [[0, 1 << 16], [0, 4]])
        budget.asked = []
        let grow = try instance.function("grow", as: ((Int32) -> Int32).self)
        #expect(try grow(2) == 1)
        #expect(try grow(0) == 3)
        #expect(try grow(2) == -1)
        #expect(budget.asked == [[1 << 16, 3 << 16], [3 << 16, 5 << 16]])
        // What the type forbids is not asked for.
        #expect(try grow(65_536) == -1)
        #expect(try grow(-1) == -1)
        #expect(budget.asked.count == 2)
        // The host is asked as guests are.
        #expect(instance.memory("memory")?.grow(by: 2) == nil)
        #expect(instance.memory("memory")?.grow(by: 1) == 3)
        #expect(budget.rest == 0)
        let growTable = try instance.function("grow_table", as: ((Int32) -> Int32).self)
        #expect(try growTable(2) == 4)
        #expect(try growTable(1) == -1)
        let table = try #require(instance.table("table"))
        #expect(try table.grow(by: 1, filledWith: .function(nil)) == nil)
        store.limiter = nil
        #expect(try growTable(1) == 6)
    }

    @Test func limiterRefusesWhatIsMade() throws {
        let module = try module(text)
        let store = Store(engine: module.engine)
        store.limiter = Budget(1)
        #expect(throws: ResourceError.refused(.memory)) { try Instance(module, in: store) }
        #expect(throws: ResourceError.refused(.memory)) {
            try Memory(
                store: store,
                sharing: SharedMemory(MemoryType(limits: Limits(minimum: 1, maximum: 2))))
        }
        store.limiter = Budget(1 << 20)
        #expect(throws: CreationError.resource(.refused(.table))) {
            try Table(
                store: store, type: TableType(element: .funcref, limits: Limits(minimum: 7)))
        }
        _ = try Instance(module, in: store)
    }

    @Test func stackAsAPlainNumber() throws {
        func deepest(_ bytes: Int) throws -> Int32 {
            let limits = StoreLimits(stackBytes: bytes)
            let deep = try instance(text, limits: limits).function(
                "deep", as: ((Int32) -> Int32).self)
            var good: Int32 = 0
            var bad: Int32 = 10_000_000
            while bad - good > 1 {
                let middle = (good + bad) / 2
                do {
                    _ = try deep(middle)
                    good = middle
                } catch let trap as Trap {
                    #expect(trap.code == .stackExhausted)
                    bad = middle
                }
            }
            return good
        }
        let small = try deepest(64 << 10)
        let large = try deepest(256 << 10)
        #expect(small > 500)
        #expect((3 * small...5 * small).contains(large))
    }

    @Test func traps() throws {
        let deep = try instance(text).function("deep", as: ((Int32) -> Int32).self)
        let trap = #expect(throws: Trap.self) { try deep(-1) }
        #expect(trap?.code == .stackExhausted)
        #expect(trap?.cause == nil)
        #expect(trap?.description == "call stack exhausted")
        #expect(trap?.backtrace.frames.first?.functionName == "deep")
        #expect(try deep(10) == 10)
    }
}
