import Testing
import WasmInterpreter
import WasmSystem
import WasmWASI
import WasmdEventLoop

@testable import WasmdGuests

/// Calls functions of WASI on the sockets 3 and 4 with arguments of a generator, which begins with the
/// number of arguments of the program. Ends after 300 calls; half of them in `proc_exit`.
private let wild = """
    (module
      (import "wasi_snapshot_preview1" "args_sizes_get"
        (func $arguments (param i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "fd_write"
        (func $write (param i32 i32 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "fd_read"
        (func $read (param i32 i32 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "fd_fdstat_set_flags"
        (func $flags (param i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "fd_renumber" (func $renumber (param i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "sock_recv"
        (func $receive (param i32 i32 i32 i32 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "sock_send"
        (func $send (param i32 i32 i32 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "sock_shutdown"
        (func $shutdown (param i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "poll_oneoff"
        (func $poll (param i32 i32 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
      (memory (export "memory") 16)
      (global $state (mut i64) (i64.const 1))
      (func $random (param $below i32) (result i32)
        (global.set $state (i64.add (i64.const 1442695040888963407)
          (i64.mul (global.get $state) (i64.const 6364136223846793005))))
        (i32.rem_u (i32.wrap_i64 (i64.shr_u (global.get $state) (i64.const 40)))
          (local.get $below)))
      (func $fd (result i32) (i32.add (i32.const 3) (call $random (i32.const 2))))
      ;; three buffers at 0
      (func $vectors (local $i i32)
        (loop $l
          (i32.store (i32.mul (local.get $i) (i32.const 8))
            (i32.add (i32.const 4096) (call $random (i32.const 100000))))
          (i32.store offset=4 (i32.mul (local.get $i) (i32.const 8))
            (call $random (i32.const 40000)))
          (br_if $l (i32.lt_u
            (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 3)))))
      ;; a clock of a millisecond, and reads and writes
      (func $wait (local $i i32) (local $at i32)
        (i64.store (i32.const 1000) (i64.const 0))
        (i32.store8 (i32.const 1008) (i32.const 0))
        (i32.store (i32.const 1016) (i32.const 1))
        (i64.store (i32.const 1024) (i64.const 1000000))
        (i64.store (i32.const 1032) (i64.const 0))
        (i64.store (i32.const 1040) (i64.const 0))
        (loop $l
          (local.set $at (i32.add (i32.const 1048) (i32.mul (local.get $i) (i32.const 48))))
          (i32.store8 offset=8 (local.get $at)
            (i32.add (i32.const 1) (call $random (i32.const 2))))
          (i32.store offset=16 (local.get $at) (call $fd))
          (br_if $l (i32.lt_u
            (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 8))))
        (drop (call $poll (i32.const 1000) (i32.const 2000)
          (i32.add (i32.const 1) (call $random (i32.const 9))) (i32.const 900))))
      (func $step (local $what i32)
        (local.set $what (call $random (i32.const 40)))
        (call $vectors)
        (if (i32.lt_u (local.get $what) (i32.const 12)) (then
          (drop (call $write (call $fd) (i32.const 0) (call $random (i32.const 4))
            (i32.const 900)))
          (return)))
        (if (i32.lt_u (local.get $what) (i32.const 18)) (then
          (drop (call $flags (call $fd) (i32.const 4)))
          (drop (call $read (call $fd) (i32.const 0) (call $random (i32.const 4))
            (i32.const 900)))
          (return)))
        (if (i32.lt_u (local.get $what) (i32.const 24)) (then
          (drop (call $receive (call $fd) (i32.const 0) (call $random (i32.const 4))
            (call $random (i32.const 2)) (i32.const 900) (i32.const 904)))
          (return)))
        (if (i32.lt_u (local.get $what) (i32.const 28)) (then
          (drop (call $send (call $fd) (i32.const 0) (call $random (i32.const 4)) (i32.const 0)
            (i32.const 900)))
          (return)))
        (if (i32.eq (local.get $what) (i32.const 28)) (then
          (drop (call $shutdown (call $fd) (call $random (i32.const 4))))
          (return)))
        (if (i32.eq (local.get $what) (i32.const 29)) (then
          (if (i32.eqz (call $random (i32.const 4)))
            (then (drop (call $renumber (call $fd) (call $fd)))))
          (return)))
        (call $wait))
      (func (export "_start") (local $i i32)
        (drop (call $arguments (i32.const 900) (i32.const 904)))
        (global.set $state (i64.extend_i32_u (i32.load (i32.const 900))))
        (loop $l
          (call $step)
          (br_if $l (i32.lt_u
            (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 300))))
        (if (call $random (i32.const 2)) (then (call $exit (i32.const 0))))))
    """

@Suite struct HostileSocketTests {
    /// Guests that call anything, peers that send, read, stop, close and reset as they like, and tasks
    /// that are cancelled: nothing of it is left, and the loop serves others meanwhile.
    @Test func nothingIsLeftOfWildGuestsAndPeers() throws {
        let program = try program(wild)
        try onLoop { guests in
            let waits = (0..<60).map { seed in
                guests.loop.spawn { () async -> Bool in
                    do {
                        return try await meet(program, UInt64(seed + 1), guests)
                    } catch {
                        Issue.record(error)
                        return false
                    }
                }
            }
            for wait in waits { #expect(await wait.value) }
            let isOver = try await guests.eventually { guests.socketCount == 0 }
            #expect(isOver && guests.queuedByteCount == 0)
            #expect(guests.watchCount == 0)
        }
    }

    /// A run of the guest with two peers; whether it ended as it may.
    private func meet(
        _ program: GuestProgram, _ seed: UInt64, _ guests: GuestLoop
    ) async throws -> Bool {
        var limits = GuestSocketLimits()
        limits.closingTime = .milliseconds(20)
        limits.queuedBytes = 30_000
        limits.holdMark = 10_000
        let (near, first) = try guests.makeSocket(limits, isTCP: seed % 2 == 0)
        let (far, second) = try guests.makeSocket(limits, isTCP: seed % 4 < 2)
        near.pair(with: far)
        var world = WASI(arguments: (0..<seed).map { _ in "a" })
        world.streams = [near, far]
        let run = guests.loop.spawn { [world] in
            await program.run(in: world, limits: quiet(), on: guests)
        }
        let peers = [first, second].enumerated().map { index, peer in
            guests.loop.spawn { await annoy(peer, seed &* 31 &+ UInt64(index), guests.loop) }
        }
        for peer in peers { await peer.value }
        // A guest may wait for ever for a peer; here both are gone, but it may have ended its reading.
        if seed % 5 == 0 { run.cancel() }
        switch await run.value {
        case .exited: return true
        case .trapped(let trap): return trap.code == .interrupted
        default: return false
        }
    }

    private func annoy(_ peer: SocketPeer, _ seed: UInt64, _ loop: EventLoop) async {
        var choices = noise(40, seed: seed)[...]
        var buffer = [UInt8](repeating: 0, count: 20_000)
        while let choice = choices.popFirst() {
            do {
                switch choice % 16 {
                case 0..<6:
                    _ = try buffer.withUnsafeBytes {
                        try Kernel.send(
                            peer.number,
                            UnsafeRawBufferPointer(rebasing: $0[..<(Int(choice) * 70)]))
                    }
                case 6..<12:
                    _ = try buffer.withUnsafeMutableBytes { try Kernel.read(peer.number, $0) }
                case 12: try peer.endSending()
                case 13 where choice > 200: return try peer.reset()
                case 14 where choice > 200: return peer.close()
                default: try? await loop.sleep(for: .microseconds(Int(choice) * 10))
                }
            } catch let error as SystemError where error == .again {
            } catch {
                break
            }
        }
        peer.close()
    }

    /// As many subscriptions of one socket as are allowed cost a wait as much as one.
    @Test func manySubscriptionsOfOneSocket() throws {
        let program = try program(
            """
            (module
              (import "wasi_snapshot_preview1" "poll_oneoff"
                (func $poll (param i32 i32 i32 i32) (result i32)))
              (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
              (memory (export "memory") 32)
              (func (export "_start") (local $at i32)
                (loop $l
                  (i32.store8 offset=8 (local.get $at) (i32.const 1))
                  (i32.store offset=16 (local.get $at) (i32.const 3))
                  (local.set $at (i32.add (local.get $at) (i32.const 48)))
                  (br_if $l (i32.lt_u (local.get $at) (i32.const 786432))))
                (if (call $poll (i32.const 0) (i32.const 1000000) (i32.const 16384)
                  (i32.const 2000000)) (then (call $exit (i32.const -1))))
                (call $exit (i32.load (i32.const 2000000)))))
            """)
        let code = try onLoop { guests in
            let (socket, peer) = try guests.makeSocket()
            let run = guests.loop.spawn { [socket] in
                await program.run(in: world("", [socket]), limits: quiet(), on: guests).exitCode
            }
            try await guests.loop.sleep(for: .milliseconds(50))
            try await peer.send([1])
            return await run.value
        }
        #expect(code == 16384)
    }

    @Test func limitsThatMakeNoSenseAreCorrected() throws {
        let program = try socketProgram()
        try onLoop { guests in
            for (bytes, mark) in [(0, 0), (-5, 100), (100, -1), (10, .max), (1, 1)] {
                var limits = GuestSocketLimits()
                limits.queuedBytes = bytes
                limits.holdMark = mark
                let (near, source) = try guests.makeSocket(limits)
                let (far, sink) = try guests.makeSocket(limits)
                near.pair(with: far)
                let run = guests.loop.spawn { [near, far] in
                    await program.run(
                        in: world("relay", [near, far]), limits: quiet(), on: guests
                    ).exitCode
                }
                let sending = guests.loop.spawn { () async -> Void in
                    try? await source.send(noise(30_000))
                    source.close()
                }
                #expect(try await sink.receive() == noise(30_000))
                await sending.value
                #expect(await run.value == 0)
            }
        }
    }
}
