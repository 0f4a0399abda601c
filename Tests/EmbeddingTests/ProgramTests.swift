import Testing
import Wasmd

@Suite struct ProgramTests {
    /// Prints its first argument, 8 random bytes and the clock, and exits with the number of its
    /// arguments.
    private static let program = """
        (module
          (import "wasi_snapshot_preview1" "args_sizes_get"
            (func $sizes (param i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "clock_time_get"
            (func $time (param i32 i64 i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_write"
            (func $write (param i32 i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
          (memory (export "memory") 1)
          (func (export "_start")
            (drop (call $sizes (i32.const 0) (i32.const 4)))
            (drop (call $args (i32.const 16) (i32.const 128)))
            (drop (call $random (i32.const 160) (i32.const 8)))
            (drop (call $time (i32.const 0) (i64.const 1) (i32.const 168)))
            (i32.store (i32.const 8) (i32.const 128))
            (i32.store (i32.const 12) (i32.const 48))
            (drop (call $write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 120)))
            (call $exit (i32.load (i32.const 0)))))
        """

    private func output(_ wasi: WASI, _ engine: Engine = Engine()) throws -> (UInt32, [UInt8]) {
        let output = OutputBuffer(limit: 1 << 10)
        var wasi = wasi
        wasi.standardOutput = .buffer(output)
        let module = try module(Self.program, engine: engine)
        return (try wasi.run(module, in: Store(engine: engine)), output.bytes)
    }

    @Test func exitCodeAndArguments() throws {
        let (code, bytes) = try output(WASI(arguments: ["greet", "world"]))
        #expect(code == 2)
        #expect(bytes.starts(with: Array("greet\0world\0".utf8)))
    }

    @Test func determinism() throws {
        func run(seed: UInt64) throws -> [UInt8] {
            var wasi = WASI(arguments: ["a"])
            wasi.makeDeterministic(seed: seed)
            return try output(wasi, Engine(.deterministic)).1
        }
        let first = try run(seed: 1)
        #expect(first == (try run(seed: 1)))
        #expect(first != (try run(seed: 2)))
        // The clock starts at zero.
        #expect(first[40..<48].allSatisfy { $0 == 0 })
    }

    @Test func deterministicEngines() throws {
        let engine = Engine(.deterministic)
        #expect(throws: ModuleError.self) {
            try module("(module (memory 1 1 shared))", engine: engine)
        }
        let nan = try module(
            """
            (module (func (export "nan") (result i64)
              (i64.reinterpret_f64 (f64.sub (f64.const inf) (f64.const inf)))))
            """, engine: engine)
        let instance = try Instance(nan, in: Store(engine: engine))
        #expect(try instance.function("nan", as: (() -> UInt64).self)() == 0x7ff8 << 48)
    }

    @Test func importsBesideWASI() throws {
        let text = """
            (module (import "env" "log" (func $log (param i32)))
              (func (export "_start") (call $log (i32.const 5))))
            """
        let module = try module(text)
        var logged: [Int32] = []
        let linker = Linker()
        linker.define("env", "log") { (value: Int32) in logged.append(value) }
        #expect(try WASI().run(module, in: Store(engine: module.engine), linker: linker) == 0)
        #expect(logged == [5])
        #expect(throws: LinkError.self) { try WASI().run(module, in: Store(engine: module.engine)) }
        #expect(throws: NoStartFunction.self) {
            let library = try Module(text: "(module)", engine: module.engine)
            _ = try WASI().run(library, in: Store(engine: module.engine))
        }
        #expect(throws: ModuleError.self) { try WASI().run("/missing.wasm") }
    }

    /// A program may end in its module's start function.
    @Test func exitWhileInstantiated() throws {
        let module = try module(
            """
            (module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
              (func $begin (call $exit (i32.const 9))) (start $begin)
              (func (export "_start")))
            """)
        #expect(try WASI().run(module, in: Store(engine: module.engine)) == 9)
    }
}
