import Wasmd

/// What host functions know of a guest.
private struct Session {
    let user: String
    static let key = HostKey<Session>()
}

/// Many guests of one module, whose imports are resolved once.
func preparedModules() async throws {
    let engine = Engine()
    let module = try Module(
        text: """
            (module
              (import "wasi_snapshot_preview1" "fd_write"
                (func $write (param i32 i32 i32 i32) (result i32)))
              (import "env" "name_length" (func $length (result i32)))
              (memory (export "memory") 1)
              (data (i32.const 0) "\\10\\00\\00\\00\\06\\00\\00\\00")
              (data (i32.const 16) "hello\\n")
              (func (export "_start")
                (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))
              (func (export "length") (result i32) (call $length)))
            """, engine: engine)

    let linker = Linker()
    linker.defineWASI()
    linker.defineShared("env", "name_length") { (caller: borrowing Caller) -> Int32 in
        Int32(caller[Session.key]?.user.utf8.count ?? 0)
    }
    let prepared = try linker.prepare(module)

    // On any thread: a store, what belongs to the guest, an instance.
    let lines = try await withThrowingTaskGroup(of: String.self) { group in
        for user in ["ann", "barbara"] {
            group.addTask {
                let output = OutputBuffer()
                var wasi = WASI()
                wasi.standardOutput = .buffer(output)
                let store = Store(engine: engine)
                store.wasiGuest = try WASIGuest(wasi)
                store[Session.key] = Session(user: user)
                let instance = try prepared.instantiate(in: store)
                _ = try instance.runCommand()
                let length = try instance.function("length", as: (() -> Int32).self)()
                return
                    "\(user) (\(length)): \(String(decoding: output.bytes, as: UTF8.self).dropLast())"
            }
        }
        return try await group.reduce(into: []) { $0.append($1) }
    }
    for line in lines.sorted() { print(line) }

    // What belongs to a store cannot be prepared.
    let function = Function(store: Store(engine: engine), results: [.i32]) { _, slots in
        slots.setResult(i32: 7)
    }
    linker.define("env", "name_length", .function(function))
    do {
        _ = try linker.prepare(module)
    } catch {
        print(error)
    }
}
