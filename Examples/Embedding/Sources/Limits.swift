import Wasmd

/// What a guest may use, as plain data, and a decision at every growth.
func limits() throws {
    final class SharedBudget: StoreLimiter {
        var bytes: UInt64 = 5 << 16

        func shouldGrowMemory(from current: UInt64, to wanted: UInt64) -> Bool {
            guard wanted - current <= bytes else { return false }
            bytes -= wanted - current
            return true
        }
    }

    let engine = Engine()
    let module = try Module(
        text: """
            (module
              (memory (export "memory") 1)
              (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
              (func $deep (export "deep") (param i32)
                (if (local.get 0) (then (call $deep (i32.sub (local.get 0) (i32.const 1)))))))
            """, engine: engine)

    var limits = StoreLimits()
    limits.memoryBytes = 3 << 16
    limits.stackBytes = 64 << 10
    let budget = SharedBudget()
    for name in ["first", "second", "third"] {
        let store = Store(engine: engine, limits: limits)
        store.limiter = budget
        do {
            let instance = try Instance(module, in: store)
            let grow = try instance.function("grow", as: ((Int32) -> Int32).self)
            print(name, "grows by 2:", try grow(2), "and by 1:", try grow(1))
            let deep = try instance.function("deep", as: ((Int32) -> Void).self)
            try deep(1_000_000)
        } catch let error as ResourceError {
            print(name, "refused:", error)
        } catch let trap as Trap {
            print(name, "trapped:", trap)
        }
    }
}
