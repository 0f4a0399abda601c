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
              (func $outer (export "run") (param i32) (result i32) (call $inner (local.get 0))))
            """, engine: engine)
    let linker = Linker()
    linker.define("env", "record") { (key: Int32) -> Int32 in
        guard key < 100 else { throw Trap(.hostError, cause: NoSuchRecord(key: key)) }
        return key
    }
    let run = try linker.instantiate(module, in: Store(engine: engine))
        .function("run", as: ((Int32) -> Int32).self)

    for key in [0, 100, 50] as [Int32] {
        do {
            print("run(\(key)) =", try run(key))
        } catch let trap as Trap {
            print("run(\(key)) trapped: \(trap)")
            for frame in trap.backtrace.frames { print("  in", frame.functionName ?? "?") }
            if let cause = trap.cause as? NoSuchRecord { print("  the key was", cause.key) }
        }
    }
}
