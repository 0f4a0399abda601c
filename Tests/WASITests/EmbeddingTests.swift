import Testing
import WasmInterpreter
import WasmText
import WasmWASI

/// The examples of `docs/wasi.md`, so that they stay true. Nothing here is `@testable`.
@Suite struct EmbeddingTests {
    /// Reads up to 16 bytes of standard input, sleeps an hour, and writes them, 8 random bytes and
    /// both clocks to the file `out` and to standard output; exits with 7.
    private static let guest = """
        (module
          (import "wasi_snapshot_preview1" "fd_read"
            (func $read (param i32 i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_write"
            (func $write (param i32 i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "path_open"
            (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_filestat_get"
            (func $stat (param i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "random_get"
            (func $random (param i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "clock_time_get"
            (func $time (param i32 i64 i32) (result i32)))
          (import "wasi_snapshot_preview1" "poll_oneoff"
            (func $poll (param i32 i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
          (memory (export "memory") 1)
          (data (i32.const 0) "\\40\\00\\00\\00\\10\\00\\00\\00")
          (data (i32.const 8) "\\40\\00\\00\\00\\80\\00\\00\\00")
          (data (i32.const 16) "out")
          (data (i32.const 272) "\\01")
          (func $check (param i32) (if (local.get 0) (then unreachable)))
          (func (export "_start")
            (call $check (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 24)))
            (i64.store (i32.const 280) (i64.const 3600000000000))
            (call $check (call $poll (i32.const 256) (i32.const 320) (i32.const 1) (i32.const 24)))
            (call $check (call $random (i32.const 80) (i32.const 8)))
            (call $check (call $time (i32.const 0) (i64.const 1) (i32.const 88)))
            (call $check (call $time (i32.const 1) (i64.const 1) (i32.const 96)))
            (call $check (call $open (i32.const 3) (i32.const 0) (i32.const 16) (i32.const 3)
              (i32.const 1) (i64.const 0x200042) (i64.const 0) (i32.const 0) (i32.const 24)))
            (call $check (call $stat (i32.load (i32.const 24)) (i32.const 104)))
            (call $check (call $write (i32.load (i32.const 24)) (i32.const 8) (i32.const 1)
              (i32.const 28)))
            (call $check (call $write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 28)))
            (call $exit (i32.const 7))))
        """

    private let engine = Engine()
    private let module: Module

    init() throws { module = try Module(try parseModule(Array(Self.guest.utf8)), engine: engine) }

    private func run(_ wasi: WASI) throws -> UInt32 {
        let linker = Linker()
        try linker.define(wasi)
        let instance = try linker.instantiate(module, in: Store(engine: engine))
        return try instance.runCommand()
    }

    /// Whatever happens around it, such a guest does the same in every run.
    @Test func deterministicRuns() throws {
        func outcome(seed: UInt64) throws -> (code: UInt32, file: [UInt8], printed: [UInt8]) {
            let clock = ClockSource.custom(VirtualClock(start: 1_700_000_000_000_000_000))
            let folder = MemoryFolder(byteLimit: 1 << 20, clock: clock)
            let output = OutputBuffer(limit: 1 << 20)
            var wasi = WASI(arguments: ["program"])
            wasi.folders = [.init(folder, guestPath: "/")]
            wasi.standardInput = .bytes(Array("what it reads".utf8))
            wasi.standardOutput = .buffer(output)
            wasi.standardError = .null
            wasi.clock = clock
            wasi.random = .seeded(seed)
            wasi.limits.descriptors = 16
            wasi.limits.writtenBytes = 1 << 20
            let code = try run(wasi)
            return (code, try folder.read("out"), output.bytes)
        }
        let start = ContinuousClock.now
        let first = try outcome(seed: 1)
        #expect(first.code == 7)
        #expect(first.file.count == 128)
        #expect(first.file.starts(with: Array("what it reads".utf8)))
        #expect(first.file == first.printed)
        let second = try outcome(seed: 1)
        #expect(first.file == second.file)
        #expect(try outcome(seed: 2).file[16..<24] != first.file[16..<24])
        #expect(ContinuousClock.now - start < .seconds(60))
    }

    @Test func limitsAndClosures() throws {
        var wasi = WASI()
        wasi.folders = [.init(MemoryFolder(), guestPath: "/")]
        wasi.clock = .custom(VirtualClock())
        wasi.standardInput = .closure { buffer throws(Errno) in
            buffer.storeBytes(of: 0x78, as: UInt8.self)
            return 1
        }
        wasi.standardOutput = .closure { bytes throws(Errno) in
            guard bytes.count == 128 else { throw .io }
        }
        #expect(try run(wasi) == 7)
        // The guest traps on what its limits do to it.
        wasi.limits.writtenBytes = 100
        #expect(throws: Trap.self) { try run(wasi) }
        wasi.limits.writtenBytes = nil
        wasi.limits.descriptors = 4
        #expect(throws: Trap.self) { try run(wasi) }
        wasi.limits.descriptors = 5
        #expect(try run(wasi) == 7)
        wasi.folders[0].isReadOnly = true
        #expect(throws: Trap.self) { try run(wasi) }
        wasi.folders = []
        #expect(throws: Trap.self) { try run(wasi) }
    }
}
