import Testing
import WasmInterpreter
import WasmSystem
import WasmText
import WasmWASI
import WasmdEventLoop

@testable import WasmdGuests

/// Runs `body` on a loop with guests.
func onLoop<Success: Sendable>(
    _ body: sending @escaping (GuestLoop) async throws -> Success
) throws -> Success {
    try EventLoop().run { loop in try await body(try GuestLoop(loop)) }
}

func program(_ text: String) throws -> GuestProgram {
    try GuestProgram(Module(try parseModule(Array(text.utf8)), engine: Engine()))
}

/// The text of a program with a memory, whose `_start` is `body`.
private func command(_ body: String) -> String {
    """
    (module
      (import "wasi_snapshot_preview1" "fd_write"
        (func $write (param i32 i32 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "fd_read"
        (func $read (param i32 i32 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "poll_oneoff"
        (func $poll (param i32 i32 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
      (memory (export "memory") 1)
      (global $runs (mut i32) (i32.const 0))
      (func (export "_start") (local $i i32) \(body)))
    """
}

/// Sleeps for the nanoseconds at 24, then ends with 3.
private let sleeper = """
    (i32.store8 offset=8 (i32.const 0) (i32.const 0))
    (i32.store offset=16 (i32.const 0) (i32.const 1))
    (i64.store offset=24 (i32.const 0) (i64.const 1000000000))
    (drop (call $poll (i32.const 0) (i32.const 100) (i32.const 1) (i32.const 200)))
    (call $exit (i32.const 3))
    """

private let endless = "(loop $l (br $l))"

/// Copies standard input to standard output until its end.
private let echo = """
    (i32.store (i32.const 0) (i32.const 64))
    (loop $next
      (i32.store (i32.const 4) (i32.const 100))
      (if (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8))
        (then (call $exit (i32.const 1))))
      (if (i32.eqz (i32.load (i32.const 8))) (then (return)))
      (i32.store (i32.const 4) (i32.load (i32.const 8)))
      (if (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))
        (then (call $exit (i32.const 2))))
      (br $next))
    """

extension GuestProgram.Outcome {
    var exitCode: UInt32? { if case .exited(let code) = self { code } else { nil } }
    var trapCode: TrapCode? { if case .trapped(let trap) = self { trap.code } else { nil } }
}

@Suite struct GuestProgramTests {
    @Test func eachRunHasAnInstanceOfItsOwn() throws {
        let program = try program(
            command(
                """
                (global.set $runs (i32.add (global.get $runs) (i32.const 1)))
                (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (global.get $runs)))
                (call $exit (i32.load (i32.const 0)))
                """))
        #expect(program.isForked)
        let codes = try onLoop { guests in
            var codes: [UInt32?] = []
            for _ in 0..<3 { codes.append(await program.run(in: WASI(), on: guests).exitCode) }
            return codes
        }
        #expect(codes == [1, 1, 1])
    }

    @Test func whatReadsRandomNumbersWhileItStartsIsNotForked() throws {
        let program = try program(
            """
            (module
              (import "wasi_snapshot_preview1" "random_get"
                (func $random (param i32 i32) (result i32)))
              (import "wasi_snapshot_preview1" "fd_write"
                (func $write (param i32 i32 i32 i32) (result i32)))
              (memory (export "memory") 1)
              (func $begin (drop (call $random (i32.const 32) (i32.const 32))))
              (start $begin)
              (func (export "_start")
                (i32.store (i32.const 0) (i32.const 32))
                (i32.store (i32.const 4) (i32.const 32))
                (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))
            """)
        #expect(!program.isForked)
        let outputs = try onLoop { guests in
            var outputs: Set<[UInt8]> = []
            for _ in 0..<1000 {
                let output = OutputBuffer()
                var world = WASI()
                world.standardOutput = .buffer(output)
                #expect(await program.run(in: world, on: guests).exitCode == 0)
                outputs.insert(output.bytes)
            }
            return outputs
        }
        #expect(outputs.count == 1000 && outputs.allSatisfy { $0.count == 32 })
    }

    @Test func limitsEndARun() throws {
        let endless = try program(command(endless))
        let codes = try onLoop { guests in
            var limits = GuestProgram.Limits()
            limits.time = .milliseconds(20)
            let late = await endless.run(in: WASI(), limits: limits, on: guests)
            limits.time = nil
            limits.fuel = 1000
            let dry = await endless.run(in: WASI(), limits: limits, on: guests)
            return [late.trapCode, dry.trapCode]
        }
        #expect(codes == [.deadlineExceeded, .outOfFuel])
    }

    @Test func whatIsNoProgramIsRefused() {
        #expect(throws: NoStartFunction.self) { try program("(module)") }
        #expect(throws: LinkError.self) {
            try program("(module (import \"a\" \"b\" (func)) (func (export \"_start\")))")
        }
    }
}

@Suite struct GuestLoopTests {
    @Test func aHundredSleepAtOnce() throws {
        let program = try program(command(sleeper))
        let (codes, time) = try onLoop { guests in
            var limits = GuestProgram.Limits()
            limits.time = nil
            let start = ContinuousClock.now
            let tasks = (0..<100).map { [limits] _ in
                guests.loop.spawn {
                    await program.run(in: WASI(), limits: limits, on: guests).exitCode
                }
            }
            var codes: [UInt32?] = []
            for task in tasks { codes.append(await task.value) }
            return (codes, start.duration(to: .now))
        }
        #expect(codes == Array(repeating: 3, count: 100))
        // One after another they would take 100 seconds.
        #expect(time >= .seconds(1) && time < .seconds(60))
    }

    /// The call fills the whole of 32 MiB.
    @Test func aLargeCallForRandomNumbersTakesTurnsWithOthers() throws {
        let filling = try program(
            """
            (module
              (import "wasi_snapshot_preview1" "random_get"
                (func $random (param i32 i32) (result i32)))
              (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
              (memory (export "memory") 512)
              (func (export "_start") (local $at i32)
                (if (call $random (i32.const 0) (i32.const 33554432)) (then (unreachable)))
                ;; No piece of 64 bytes is all zeros.
                (loop $l
                  (if (i64.eqz (i64.or (i64.or (i64.load (local.get $at))
                      (i64.load offset=8 (local.get $at)))
                      (i64.or (i64.load offset=48 (local.get $at))
                      (i64.load offset=56 (local.get $at)))))
                    (then (unreachable)))
                  (local.set $at (i32.add (local.get $at) (i32.const 4096)))
                  (br_if $l (i32.lt_u (local.get $at) (i32.const 33554432))))
                (call $exit (i32.const 5))))
            """)
        let (code, turns) = try onLoop { guests in
            let loop = guests.loop
            let run = loop.spawn { await filling.run(in: WASI(), on: guests).exitCode }
            let others = loop.spawn {
                var turns = 0
                while (try? await loop.sleep(for: .microseconds(1))) != nil { turns += 1 }
                return turns
            }
            let code = await run.value
            others.cancel()
            return (code, await others.value)
        }
        #expect(code == 5)
        // 128 turns of 256 KiB.
        #expect(turns > 60)
    }

    @Test func guestsThatComputeTakeTurnsWithOthers() throws {
        let endless = try program(command(endless))
        let short = try program(command("(call $exit (i32.const 7))"))
        let codes = try onLoop { guests in
            let busy = (0..<3).map { _ in
                guests.loop.spawn { await endless.run(in: WASI(), on: guests).trapCode }
            }
            var codes: [UInt32?] = []
            for _ in 0..<50 {
                codes.append(await short.run(in: WASI(), on: guests).exitCode)
                await guests.loop.yield()
            }
            for task in busy { task.cancel() }
            for task in busy { #expect(await task.value == .interrupted) }
            return codes
        }
        #expect(codes == Array(repeating: 7, count: 50))
    }

    @Test func cancellingEndsAGuestThatWaits() throws {
        let program = try program(command(echo))
        let code = try onLoop { guests in
            let input = MemoryPipe()
            var world = WASI()
            world.standardInput = .stream(input)
            let guest = guests.loop.spawn { [world] in
                await program.run(in: world, on: guests).trapCode
            }
            try await guests.loop.sleep(for: .milliseconds(5))
            guest.cancel()
            return await guest.value
        }
        #expect(code == .interrupted)
    }

    @Test func streamsOfTheHostAreWaitedFor() throws {
        let program = try program(command(echo))
        let output = try onLoop { guests in
            let input = MemoryPipe(capacity: 10)
            let output = OutputBuffer()
            var world = WASI()
            world.standardInput = .stream(input)
            world.standardOutput = .buffer(output)
            let guest = guests.loop.spawn { [world] in
                await program.run(in: world, on: guests).exitCode
            }
            for number in 0..<20 as Range<UInt8> {
                _ = try input.write([number, number])
                try await guests.loop.sleep(for: .microseconds(200))
            }
            input.closeWriting()
            #expect(await guest.value == 0)
            return output.bytes
        }
        #expect(output == (0..<20).flatMap { [$0, $0] })
    }

    /// Two guests wait for one pipe at once; in the next round its number is used again.
    @Test func descriptorsAreWaitedFor() throws {
        let program = try program(command(echo))
        let outputs = try onLoop { guests in
            var outputs: [[UInt8]] = []
            for round in 0..<3 as Range<UInt8> {
                let (reading, writing) = try Kernel.makePipe()
                let output = OutputBuffer()
                var world = WASI()
                world.standardInput = .descriptor(reading)
                world.standardOutput = .buffer(output)
                let tasks = (0..<2).map { [world] _ in
                    guests.loop.spawn { await program.run(in: world, on: guests).exitCode }
                }
                for _ in 0..<2 {
                    try await guests.loop.sleep(for: .milliseconds(2))
                    try [round].withUnsafeBytes { bytes in try Kernel.writeAll(writing, bytes) }
                }
                try await guests.loop.sleep(for: .milliseconds(2))
                // Guests have duplicates of the other end, made when they start.
                try Kernel.close(reading)
                try Kernel.close(writing)
                for task in tasks { #expect(await task.value == 0) }
                outputs.append(output.bytes)
            }
            return outputs
        }
        #expect(outputs == [[0, 0], [1, 1], [2, 2]])
    }
}
