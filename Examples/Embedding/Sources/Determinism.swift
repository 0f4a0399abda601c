import Wasmd

/// A guest that asks for random numbers and the time, and sees the same in every run.
func determinism() throws {
    let text = """
        (module
          (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "clock_time_get"
            (func $time (param i32 i64 i32) (result i32)))
          (import "env" "show" (func $show (param i64 i64 i64)))
          (memory (export "memory") 1)
          (func (export "_start")
            (drop (call $random (i32.const 0) (i32.const 8)))
            (drop (call $time (i32.const 0) (i64.const 1) (i32.const 8)))
            (call $show (i64.load (i32.const 0)) (i64.load (i32.const 8))
              (i64.reinterpret_f64 (f64.sub (f64.const inf) (f64.const inf))))))
        """
    let engine = Engine(.deterministic)
    let module = try Module(text: text, engine: engine)
    for _ in 1...2 {
        var wasi = WASI(arguments: ["simulate"])
        wasi.makeDeterministic(seed: 42)
        let linker = Linker()
        linker.define("env", "show") { (random: UInt64, time: UInt64, nan: UInt64) in
            print("random", random, "time", time, "NaN", String(nan, radix: 16))
        }
        _ = try wasi.run(module, in: Store(engine: engine), linker: linker)
    }
}
