import Wasmd

/// A guest that does what it must not is stopped, says where, and leaves the store usable.
func traps() throws {
    struct NoSuchRecord: Error { let key: Int32 }

    let engine = Engine()
    let module = try Module(
        text: """
            (module
              (import "env" "record" (func $record (param i32) (result i32)))
              (func $inner (param i32) (result i32)
                (i32.div_s (i32.const 100) (call $record (local.get 0))))
              (func $outer (export "run") (param i32) (result i32) (call $inner (local.get 0)))
              (memory 1)
              (func (export "peek") (param i32) (result i32) (i32.load (local.get 0))))
            """, engine: engine)
    let linker = Linker()
    linker.define("env", "record") { (key: Int32) -> Int32 in
        guard key < 100 else { throw Trap(.hostError, cause: NoSuchRecord(key: key)) }
        return key
    }
    let instance = try linker.instantiate(module, in: Store(engine: engine))
    let run = try instance.function("run", as: ((Int32) -> Int32).self)

    for key in [0, 100, 50] as [Int32] {
        do {
            print("run(\(key)) =", try run(key))
        } catch let trap as Trap {
            print("run(\(key)) trapped: \(trap)")
            for frame in trap.backtrace.frames { print("  in", frame.functionName ?? "?") }
            if let cause = trap.cause as? NoSuchRecord { print("  the key was", cause.key) }
        }
    }

    let peek = try instance.function("peek", as: ((Int32) -> Int32).self)
    do {
        print("peek(65533) =", try peek(65_533))
    } catch let trap as Trap {
        print("peek trapped: \(trap)")
        if case .memoryAccess(_, let address, let count, let size) = trap.detail {
            print("  \(address) + \(count) is more than \(size)")
        }
    }
}
