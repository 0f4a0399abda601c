import Testing
import WasmInterpreter
import WasmSystem
import WasmWASI
import WasmdEventLoop

@testable import WasmdGuests

/// A program that uses socket 3, with `check` to end with a number unless two values are equal.
private func socketCommand(_ body: String) throws -> GuestProgram {
    try program(
        """
        (module
          (import "wasi_snapshot_preview1" "fd_write"
            (func $write (param i32 i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_read"
            (func $read (param i32 i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_fdstat_get" (func $stat (param i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_filestat_get"
            (func $filestat (param i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_prestat_get"
            (func $prestat (param i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_fdstat_set_flags"
            (func $flags (param i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "sock_recv"
            (func $receive (param i32 i32 i32 i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "sock_send"
            (func $send (param i32 i32 i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "sock_shutdown"
            (func $shutdown (param i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "sock_accept"
            (func $accept (param i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
          (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
          (memory (export "memory") 32)
          (data (i32.const 0) "\\40\\00\\00\\00\\03\\00\\00\\00\\50\\00\\00\\00\\64\\00\\00\\00")
          (func $check (param $code i32) (param $value i32) (param $wanted i32)
            (if (i32.ne (local.get $value) (local.get $wanted))
              (then (call $exit (local.get $code)))))
          (func (export "_start") (local $i i32) \(body)))
        """)
}

@Suite struct SocketCallTests {
    /// Runs a program on a socket whose peer does what `peer` says; returns the exit code.
    private func run(
        _ body: String,
        _ peer: @escaping @Sendable (GuestLoop, SocketPeer) async throws -> Void
    ) throws -> UInt32? {
        let program = try socketCommand(body)
        return try onLoop { guests in
            let (socket, far) = try guests.makeSocket()
            let run = guests.loop.spawn { [socket] in
                await program.run(in: world("", [socket]), limits: quiet(), on: guests).exitCode
            }
            try await peer(guests, far)
            return await run.value
        }
    }

    /// Buffers of 3 and 100 bytes; peeked bytes stay.
    @Test func readingAndPeeking() throws {
        let code = try run(
            """
            (call $check (i32.const 1) (call $stat (i32.const 3) (i32.const 200)) (i32.const 0))
            (call $check (i32.const 2) (i32.load8_u (i32.const 200)) (i32.const 6))
            (call $check (i32.const 3) (call $filestat (i32.const 3) (i32.const 200)) (i32.const 0))
            (call $check (i32.const 4) (i32.load8_u (i32.const 216)) (i32.const 6))
            (call $check (i32.const 5) (call $prestat (i32.const 3) (i32.const 200)) (i32.const 8))
            (call $check (i32.const 6)
              (call $accept (i32.const 3) (i32.const 0) (i32.const 200)) (i32.const 28))
            ;; peek, then receive, then read what is left
            (call $check (i32.const 7) (call $receive (i32.const 3) (i32.const 0) (i32.const 2)
              (i32.const 1) (i32.const 200) (i32.const 204)) (i32.const 0))
            (call $check (i32.const 8) (i32.load (i32.const 200)) (i32.const 5))
            (call $check (i32.const 9) (i32.load8_u (i32.const 80)) (i32.const 0x64))
            (call $check (i32.const 10) (call $receive (i32.const 3) (i32.const 0) (i32.const 1)
              (i32.const 0) (i32.const 200) (i32.const 204)) (i32.const 0))
            (call $check (i32.const 11) (i32.load (i32.const 200)) (i32.const 3))
            (call $check (i32.const 12)
              (call $read (i32.const 3) (i32.const 0) (i32.const 2) (i32.const 200)) (i32.const 0))
            (call $check (i32.const 13) (i32.load (i32.const 200)) (i32.const 2))
            (call $check (i32.const 14) (i32.load8_u (i32.const 64)) (i32.const 0x64))
            ;; nonblocking: again, then the end
            (call $check (i32.const 15) (call $flags (i32.const 3) (i32.const 4)) (i32.const 0))
            (call $check (i32.const 16)
              (call $read (i32.const 3) (i32.const 0) (i32.const 2) (i32.const 200)) (i32.const 6))
            (call $check (i32.const 17) (call $stat (i32.const 3) (i32.const 200)) (i32.const 0))
            (call $check (i32.const 18) (i32.load16_u (i32.const 202)) (i32.const 4))
            (call $check (i32.const 19)
              (call $send (i32.const 3) (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 200))
              (i32.const 0))
            (call $check (i32.const 20) (i32.load (i32.const 200)) (i32.const 3))
            (call $check (i32.const 21) (call $flags (i32.const 3) (i32.const 0)) (i32.const 0))
            (call $check (i32.const 22)
              (call $read (i32.const 3) (i32.const 0) (i32.const 2) (i32.const 200)) (i32.const 0))
            (call $check (i32.const 23) (i32.load (i32.const 200)) (i32.const 0))
            """
        ) { _, peer in
            try await peer.send(Array("abcde".utf8))
            _ = try await peer.receive(limit: 3)
            try peer.endSending()
        }
        #expect(code == 0)
    }

    /// A megabyte, then the end, while the guest still waits for the peer.
    @Test func halfClosing() throws {
        let code = try run(
            """
            (call $check (i32.const 1) (call $flags (i32.const 3) (i32.const 4)) (i32.const 0))
            (i32.store (i32.const 4) (i32.const 100000))
            (loop $more
              (call $check (i32.const 2)
                (call $write (i32.const 3) (i32.const 0) (i32.const 1) (i32.const 0x20000))
                (i32.const 0))
              (call $check (i32.const 3) (i32.load (i32.const 0x20000)) (i32.const 100000))
              (local.set $i (i32.add (local.get $i) (i32.const 1)))
              (br_if $more (i32.lt_u (local.get $i) (i32.const 5))))
            (call $check (i32.const 4) (call $shutdown (i32.const 3) (i32.const 2)) (i32.const 0))
            (call $check (i32.const 5)
              (call $write (i32.const 3) (i32.const 0) (i32.const 1) (i32.const 0x20000))
              (i32.const 64))
            (call $check (i32.const 6) (call $flags (i32.const 3) (i32.const 0)) (i32.const 0))
            (call $check (i32.const 7)
              (call $read (i32.const 3) (i32.const 0) (i32.const 1) (i32.const 0x20000))
              (i32.const 0))
            (call $check (i32.const 8) (i32.load (i32.const 0x20000)) (i32.const 4))
            """
        ) { guests, peer in
            try await guests.loop.sleep(for: .milliseconds(10))
            #expect(try await peer.receive().count == 500_000)
            try await peer.send([1, 2, 3, 4])
        }
        #expect(code == 0)
    }

    /// The peer gets everything that was written before the guest closed the number.
    @Test func closing() throws {
        let code = try run(
            """
            (i32.store (i32.const 4) (i32.const 200000))
            (call $check (i32.const 2)
              (call $write (i32.const 3) (i32.const 0) (i32.const 1) (i32.const 0x40000))
              (i32.const 0))
            (call $check (i32.const 3) (call $close (i32.const 3)) (i32.const 0))
            (call $check (i32.const 4)
              (call $write (i32.const 3) (i32.const 0) (i32.const 1) (i32.const 0x40000))
              (i32.const 8))
            """
        ) { guests, peer in
            // Bytes that the guest does not read must not cost it its own.
            try await peer.send([1, 2, 3])
            try await guests.loop.sleep(for: .milliseconds(10))
            #expect(try await peer.receive().count == 200_000)
            peer.close()
            #expect(try await guests.eventually { guests.socketCount == 0 })
        }
        #expect(code == 0)
    }

    @Test func aReadingDirectionCanBeEnded() throws {
        let code = try run(
            """
            (call $check (i32.const 1) (call $shutdown (i32.const 3) (i32.const 1)) (i32.const 0))
            (call $check (i32.const 2)
              (call $read (i32.const 3) (i32.const 0) (i32.const 1) (i32.const 200)) (i32.const 0))
            (call $check (i32.const 3) (i32.load (i32.const 200)) (i32.const 0))
            (call $check (i32.const 4)
              (call $write (i32.const 3) (i32.const 0) (i32.const 1) (i32.const 200)) (i32.const 0))
            (call $check (i32.const 5) (call $shutdown (i32.const 3) (i32.const 3)) (i32.const 0))
            (call $check (i32.const 6) (call $shutdown (i32.const 3) (i32.const 0)) (i32.const 28))
            """
        ) { _, peer in
            let received = try await peer.receive()
            #expect(received.count == 3)
        }
        #expect(code == 0)
    }
}
