import Synchronization
import Testing
import WasmInterpreter
import WasmSystem
import WasmWASI
import WasmdEventLoop

@testable import WasmdGuests

/// Calls of WASI that move many bytes: other tasks of the loop run meanwhile.
@Suite struct LongTransferTests {
    /// A program that makes a call again and again, and exits with 5 if each moved all of its bytes.
    private func mover(_ call: String, byteCount: Int, times: Int = 1) throws -> GuestProgram {
        try program(
            """
            (module
              (import "wasi_snapshot_preview1" "fd_write"
                (func $fd_write (param i32 i32 i32 i32) (result i32)))
              (import "wasi_snapshot_preview1" "fd_pwrite"
                (func $fd_pwrite (param i32 i32 i32 i64 i32) (result i32)))
              (import "wasi_snapshot_preview1" "fd_read"
                (func $fd_read (param i32 i32 i32 i32) (result i32)))
              (import "wasi_snapshot_preview1" "fd_pread"
                (func $fd_pread (param i32 i32 i32 i64 i32) (result i32)))
              (import "wasi_snapshot_preview1" "fd_seek"
                (func $fd_seek (param i32 i64 i32 i32) (result i32)))
              (import "wasi_snapshot_preview1" "path_open" (func $path_open
                (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
              (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
              (memory (export "memory") 600)
              (data (i32.const 16) "f")
              (func (export "_start") (local $left i32)
                (i32.store (i32.const 0) (i32.const 65536))
                (i32.store (i32.const 4) (i32.const \(byteCount)))
                (memory.fill (i32.const 65536) (i32.const 10) (i32.const \(byteCount)))
                (drop (call $path_open (i32.const 3) (i32.const 0) (i32.const 16) (i32.const 1)
                  (i32.const 1) (i64.const 0x1fffffff) (i64.const 0) (i32.const 0)
                  (i32.const 32)))
                (local.set $left (i32.const \(times)))
                (loop $again
                  (if \(call) (then (unreachable)))
                  (if (i32.ne (i32.load (i32.const 8)) (i32.const \(byteCount)))
                    (then (unreachable)))
                  (local.set $left (i32.sub (local.get $left) (i32.const 1)))
                  (br_if $again (local.get $left)))
                (call $exit (i32.const 5))))
            """)
    }

    /// Runs a program; returns its exit code, and how often another task of the loop ran meanwhile.
    private func turns(_ program: GuestProgram, in world: WASI) throws -> (code: UInt32?, Int) {
        try onLoop { guests in
            let loop = guests.loop
            var limits = GuestProgram.Limits()
            limits.time = nil
            let run = loop.spawn { [limits] in
                await program.run(in: world, limits: limits, on: guests).exitCode
            }
            let others = loop.spawn {
                var turns = 0
                while (try? await loop.sleep(for: .microseconds(1))) != nil { turns += 1 }
                return turns
            }
            let code = await run.value
            others.cancel()
            return (code, await others.value)
        }
    }

    /// Takes a millisecond for each part of a write that it gets.
    private func takeTime(_ taken: Taken, _ byteCount: Int) {
        taken.parts.add(1, ordering: .relaxed)
        taken.bytes.add(byteCount, ordering: .relaxed)
        let end = SystemClock.monotonic.now + 1_000_000
        while SystemClock.monotonic.now < end {}
    }

    private final class Taken: Sendable {
        let parts = Atomic(0)
        let bytes = Atomic(0)
    }

    private final class SlowStream: GuestStream {
        let changes = WakeSource()
        let taken = Taken()
        let take: @Sendable (Taken, Int) -> Void

        init(_ take: @escaping @Sendable (Taken, Int) -> Void) { self.take = take }

        func write(_ bytes: UnsafeRawBufferPointer) throws(Errno) -> Int {
            take(taken, bytes.count)
            return bytes.count
        }
    }

    private static let write =
        "(call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))"

    @Test func aStreamThatLooksAtEachByte() throws {
        let program = try mover(Self.write, byteCount: 1 << 20)
        let stream = SlowStream { self.takeTime($0, $1) }
        var world = WASI()
        world.standardOutput = .stream(stream)
        let (code, turns) = try turns(program, in: world)
        #expect(code == 5)
        #expect(stream.taken.bytes.load(ordering: .relaxed) == 1 << 20)
        let parts = stream.taken.parts.load(ordering: .relaxed)
        #expect(parts >= 64 && turns > parts / 2)
    }

    @Test func aClosureThatLooksAtEachByte() throws {
        let program = try mover(Self.write, byteCount: 1 << 20)
        let taken = Taken()
        var world = WASI()
        world.standardOutput = .closure { self.takeTime(taken, $0.count) }
        let (code, turns) = try turns(program, in: world)
        #expect(code == 5)
        #expect(taken.bytes.load(ordering: .relaxed) == 1 << 20)
        let parts = taken.parts.load(ordering: .relaxed)
        #expect(parts >= 64 && turns > parts / 2)
    }

    /// Each call is too short for a turn of its own.
    @Test func manyCallsThatTakeTime() throws {
        let program = try mover(Self.write, byteCount: 2048, times: 200)
        let taken = Taken()
        var world = WASI()
        world.standardOutput = .closure { self.takeTime(taken, $0.count) }
        let (code, turns) = try turns(program, in: world)
        #expect(code == 5)
        #expect(taken.parts.load(ordering: .relaxed) == 200)
        #expect(turns > 50)
    }

    /// A call that is as long on a fast machine too would need more memory than there is: many
    /// are, each of more than a turn.
    private let times = 20

    /// Goes back to the start of the file.
    private static let back =
        "(call $fd_seek (i32.load (i32.const 32)) (i64.const 0) (i32.const 0) (i32.const 40))"

    @Test(arguments: [
        """
        (i32.or (call $fd_write (i32.load (i32.const 32)) (i32.const 0) (i32.const 1)
          (i32.const 8)) \(back))
        """,
        """
        (call $fd_pwrite (i32.load (i32.const 32)) (i32.const 0) (i32.const 1) (i64.const 9)
          (i32.const 8))
        """,
    ])
    func aFile(_ call: String) throws {
        let byteCount = 30 << 20
        let folder = MemoryFolder(byteLimit: 64 << 20)
        let program = try mover(call, byteCount: byteCount, times: times)
        var world = WASI()
        world.folders = [.init(folder, guestPath: "/")]
        let (code, turns) = try turns(program, in: world)
        #expect(code == 5)
        #expect(turns > times * 3 / 2)
        let bytes = try folder.read("f")
        #expect(bytes.count == byteCount + (call.contains("pwrite") ? 9 : 0))
        #expect(bytes.suffix(byteCount).allSatisfy { $0 == 10 })
    }

    @Test(arguments: [
        """
        (i32.or (call $fd_read (i32.load (i32.const 32)) (i32.const 0) (i32.const 1)
          (i32.const 8)) \(back))
        """,
        """
        (call $fd_pread (i32.load (i32.const 32)) (i32.const 0) (i32.const 1) (i64.const 0)
          (i32.const 8))
        """,
    ])
    func aFileThatIsRead(_ call: String) throws {
        let byteCount = 30 << 20
        let folder = MemoryFolder(byteLimit: 64 << 20)
        try folder.write([UInt8](repeating: 7, count: byteCount), to: "f")
        let program = try mover(call, byteCount: byteCount, times: times)
        var world = WASI()
        world.folders = [.init(folder, guestPath: "/")]
        let (code, turns) = try turns(program, in: world)
        #expect(code == 5)
        #expect(turns > times * 3 / 2)
    }
}
