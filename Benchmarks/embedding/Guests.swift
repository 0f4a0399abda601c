import Wasmd

/// What a guest of WASI costs where there are many: its store, its world, its instance, its start.
func measureGuests() throws {
    let engine = Engine()
    let module = try Module(
        text: """
            (module
              (import "wasi_snapshot_preview1" "fd_write"
                (func $write (param i32 i32 i32 i32) (result i32)))
              (import "wasi_snapshot_preview1" "args_sizes_get"
                (func (param i32 i32) (result i32)))
              (import "wasi_snapshot_preview1" "environ_sizes_get"
                (func (param i32 i32) (result i32)))
              (import "wasi_snapshot_preview1" "clock_time_get"
                (func $time (param i32 i64 i32) (result i32)))
              (import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))
              (memory (export "memory") 2)
              (func (export "write_loop") (param $n i32)
                (loop $l
                  (drop (call $write (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 16)))
                  (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
              (func (export "_start")))
            """, engine: engine)
    var wasi = WASI(arguments: ["guest"], environment: [("NAME", "value")])
    wasi.standardInput = .null
    wasi.standardOutput = .null
    wasi.standardError = .null
    let linker = Linker()
    linker.defineWASI()
    let prepared = try linker.prepare(module)

    func guest() throws -> Instance {
        let store = Store(engine: engine)
        store.wasiGuest = try WASIGuest(wasi)
        return try prepared.instantiate(in: store)
    }
    let count = 2000
    report(
        "WASI guest with a linker of its own, from nothing to its end",
        try nanoseconds(count) {
            for _ in 0..<count {
                let linker = Linker()
                try linker.define(wasi)
                _ = try linker.instantiate(module, in: Store(engine: engine)).runCommand()
            }
        })
    report(
        "WASI guest of a prepared module, from nothing to its end",
        try nanoseconds(count) { for _ in 0..<count { _ = try guest().runCommand() } })
    report(
        "its world alone", try nanoseconds(count) { for _ in 0..<count { _ = try WASIGuest(wasi) } }
    )

    let instance = try guest()
    guard let loop = instance.function("write_loop") else { return }
    let calls: Int32 = 200_000
    let shared = try nanoseconds(Int(calls)) { try loop(calls) }
    report("fd_write of no bytes, function of all guests", shared)
    let own = Linker()
    try own.define(wasi)
    let other = try own.instantiate(module, in: Store(engine: engine))
    guard let loop = other.function("write_loop") else { return }
    report(
        "fd_write of no bytes, function of one guest",
        try nanoseconds(Int(calls)) { try loop(calls) })
}
