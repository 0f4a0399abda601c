import Wasmd

/// The state of an instance as a value: forked, restored, and saved as bytes.
func snapshots() throws {
    let engine = Engine()
    let module = try Module(
        text: """
            (module
              (memory (export "memory") 16)
              (func (export "prepare") (memory.fill (i32.const 0) (i32.const 7) (i32.const 0x100000)))
              (func (export "next") (result i32)
                (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))
                (i32.load (i32.const 0))))
            """, engine: engine)
    let template = try Instance(module, in: Store(engine: engine))
    try template.function("prepare", as: (() -> Void).self)()
    let snapshot = try template.snapshot()

    // Forks share their memory until they write to it.
    for name in ["first", "second"] {
        let fork = try Instance(snapshot, in: Store(engine: engine))
        let next = try fork.function("next", as: (() -> Int32).self)
        print(name, "fork:", try next(), try next())
        try fork.restore(snapshot)
        print("restored:", try next())
    }

    let bytes = snapshot.encoded()
    let decoded = try Snapshot(decoding: bytes, for: module)
    let fork = try Instance(decoded, in: Store(engine: engine))
    print("from \(bytes.count >> 10) KiB:", try fork.function("next", as: (() -> Int32).self)())
}
