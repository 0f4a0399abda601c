import Testing
import WasmInterpreter
import WasmSystem
import WasmWASI
import WasmdEventLoop
import WasmdGuests

@testable import WasmdWATM

/// An address at which nobody listens, and that nobody is given who asks for any port: Linux takes
/// those from 32,768 on.
private func unusedAddress(on loop: EventLoop) async -> SystemAddress {
    while true {
        let address = SystemAddress.ipv4([127, 0, 0, 1], port: .random(in: 20_000..<32_000))
        if (try? await ByteStream.connect(to: address, on: loop)) == nil { return address }
    }
}

/// v1 and its preview.
@Suite struct OtherVersionsTests {
    /// A guest of v1 that copies; its text as it is or with another dialer.
    private func v1(_ dial: String = "(call $water_dial_fixed)") -> String {
        GuestText().text
            .replacing("host_dial", with: "water_dial_fixed")
            .replacing("host_accept", with: "water_accept")
            .replacing(
                "(import \"env\" \"pull_config\" (func $pull_config (result i32)))", with: ""
            )
            .replacing(
                "(import \"env\" \"host_defer\" (func $host_defer))",
                with: """
                    (import "env" "water_dial" (func $water_dial (param i32 i32 i32 i32) (result i32)))
                    """
            )
            .replacing(
                "(func (export \"_water_v0\"))",
                with: """
                    (data (i32.const 1024) "tcp")
                    (data (i32.const 1040) "localhost:")
                    (data (i32.const 1064) "\\00\\04\\00\\00\\03\\00\\00\\00\\10\\04\\00\\00\\0a\\00\\00\\00\\a0\\04\\00\\00\\05\\00\\00\\00")
                    (func (export "watm_dial_fixed_v1") (param i32) (result i32)
                      (global.set $caller (local.get 0))
                      (global.set $other (call $water_dial
                        (i32.const 1064) (i32.const 1) (i32.const 1072) (i32.const 2)))
                      (global.get $other))
                    """
            )
            .replacing("_water_init", with: "watm_init_v1")
            .replacing("_water_dial", with: "watm_dial_v1")
            .replacing("_water_accept", with: "watm_accept_v1")
            .replacing("_water_associate", with: "watm_associate_v1")
            .replacing("_water_cancel_with", with: "watm_ctrlpipe_v1")
            .replacing("_water_worker", with: "watm_start_v1")
    }

    @Test func dialingWithV1() throws {
        let transport = try Transport(module(v1()), quiet())
        #expect(transport.version == .v1)
        #expect(transport.report.roles == [.dial, .listen, .relay])
        try onLoop { guests in
            let server = try TestServer.echo(on: guests.loop)
            let connection = try await transport.dial(server.address, on: guests)
            try await connection.write([1, 2, 3])
            #expect(try await connection.read(count: 3) == [1, 2, 3])
        }
    }

    /// The guest chooses `localhost:` and the five digits at 1184, if that is allowed.
    @Test(arguments: [true, false])
    func theGuestChoosesAnAddress(isAllowed: Bool) throws {
        let text = v1()
        try onLoop { guests in
            // A port of five digits.
            var server = try TestServer.echo(on: guests.loop)
            while (server.listener.address?.port ?? 0) < 10_000 {
                server = try TestServer.echo(on: guests.loop)
            }
            let port = try #require(server.listener.address?.port)
            let guest = text.replacing(
                "(data (i32.const 1024) \"tcp\")",
                with: "(data (i32.const 1024) \"tcp\") (data (i32.const 1184) \"\(port)\")")
            var options = quiet()
            if isAllowed { options.addresses.allow("localhost:\(port)") }
            options.resolver = Resolver.ofSystem()
            let transport = try Transport(module(guest), options)
            guard isAllowed else {
                do {
                    _ = try await transport.dial(nil, on: guests)
                    Issue.record("it was connected")
                } catch TransportError.notConnected(.unreachable(let reason)) {
                    #expect(reason.contains("not allowed to connect to localhost:\(port)"))
                }
                return
            }
            let connection = try await transport.dial(nil, on: guests)
            try await connection.write([7])
            #expect(try await connection.read(count: 1) == [7])
        }
    }

    /// The place `127.0.0.1:port` as a guest of the preview encodes it, as a text of data.
    private func place(_ port: UInt16) -> String {
        "\\09\\00\\00\\00\\00\\00\\00\\00" + "127.0.0.1"
            + [port & 0xff, port >> 8].map { byte in
                let digits = String(byte, radix: 16)
                return "\\" + (digits.utf8.count < 2 ? "0" : "") + digits
            }.joined() + "\\00\\00" + "\\00\\00\\00\\00\\00\\00\\00\\00"
    }

    private func preview(_ port: UInt16) -> String {
        """
        (module
          (import "env" "connect_tcp" (func $connect (param i32 i32) (result i32)))
          (import "env" "create_listen" (func $listen (param i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_write"
            (func $write (param i32 i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_read"
            (func $read (param i32 i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "sock_accept"
            (func $accept (param i32 i32 i32) (result i32)))
          (memory (export "memory") 1)
          (data (i32.const 0) "\(place(port))")
          (global $inbound (mut i32) (i32.const -1))
          (global $remote (mut i32) (i32.const -1))
          (global (export "_water_v1") i32 (i32.const 0))
          (func $copy (param $from i32) (param $to i32) (result i64)
            (i32.store (i32.const 600) (i32.const 1024))
            (i32.store (i32.const 604) (i32.const 16384))
            (if (call $read (local.get $from) (i32.const 600) (i32.const 1) (i32.const 608))
              (then (unreachable)))
            (i32.store (i32.const 604) (i32.load (i32.const 608)))
            (if (call $write (local.get $to) (i32.const 600) (i32.const 1) (i32.const 612))
              (then (unreachable)))
            (i64.extend_i32_u (i32.load (i32.const 608))))
          (func (export "_water_init"))
          (func (export "_water_set_inbound") (param i32) (global.set $inbound (local.get 0)))
          (func (export "_water_dial")
            (global.set $remote (call $connect (i32.const 0) (i32.const 29))))
          (func (export "_water_read") (result i64)
            (call $copy (global.get $remote) (global.get $inbound)))
          (func (export "_water_write") (param i64) (result i64)
            (call $copy (global.get $inbound) (global.get $remote)))
          ;; accepts one connection and sends back what comes
          (func (export "v1_listen") (local $listener i32)
            (local.set $listener (call $listen (i32.const 0) (i32.const 29)))
            (if (i32.lt_s (local.get $listener) (i32.const 0)) (then (unreachable)))
            (if (call $accept (local.get $listener) (i32.const 0) (i32.const 700))
              (then (unreachable)))
            (loop $next
              (br_if $next (i64.ne (i64.const 0)
                (call $copy (i32.load (i32.const 700)) (i32.load (i32.const 700))))))))
        """
    }

    @Test func dialingWithThePreview() throws {
        try onLoop { guests in
            let server = try TestServer.echo(on: guests.loop)
            let port = try #require(server.listener.address?.port)
            var options = quiet()
            options.addresses.allow("127.0.0.1:\(port)")
            let transport = try Transport(module(preview(port)), options)
            #expect(transport.report.roles == [.dial, .run])
            let data = noise(40_000)
            let connection = try await transport.dial(nil, on: guests)
            let writing = guests.loop.spawn { (try? await connection.write(data)) != nil }
            #expect(try await connection.read(count: data.count) == data)
            #expect(await writing.value)
            // The host's remote takes the place of the guest's choice, and needs no permission.
            let other = try Transport(module(preview(1)), quiet())
            let second = try await other.dial(server.address, on: guests)
            try await second.write([5])
            #expect(try await second.read(count: 1) == [5])
        }
    }

    /// Whatever the host waits for, cancelling ends the connection, and so does its limit of time: a
    /// guest that is idle, one that does not read what it is given, and one that gives less than it
    /// says.
    @Test(
        arguments: [
            ("(func (export \"unused\"))", ""),
            (
                "(func (export \"_water_write\") (param i64) (result i64) (local.get 0))",
                "_water_write"
            ),
            ("(func (export \"_water_read\") (result i64) (i64.const 1))", "_water_read"),
        ], [false, true])
    func aPreviewThatWaitsCanBeEnded(function: (text: String, name: String), isLate: Bool) throws {
        let text = preview(1)
            .replacing("(export \"\(function.name)\")", with: "")
            .replacing("(func $copy", with: "\(function.text) (func $copy")
        var options = quiet()
        if isLate { options.limits.time = .milliseconds(50) }
        let transport = try Transport(module(text), options)
        try onLoop { guests in
            let server = try TestServer.echo(on: guests.loop)
            let connection = try await transport.dial(server.address, on: guests)
            // More than the queue to the guest holds.
            let writing = guests.loop.spawn {
                guard !function.name.isEmpty else { return }
                try? await connection.write(noise(1_000_000))
            }
            if !isLate {
                try await guests.loop.sleep(for: .milliseconds(20))
                connection.close()
            }
            let outcome = try await connection.outcome()
            #expect("\(outcome)" == "\(isLate ? TransportOutcome.limit("time") : .cancelled)")
            await writing.value
        }
    }

    /// The variant with a descriptor to read from and one to write to.
    @Test func twoDescriptorsInbound() throws {
        let text = preview(1)
            .replacing(
                "(param i32) (global.set $inbound (local.get 0)))",
                with: """
                    (param i32 i32)
                      (if (i32.eq (local.get 0) (local.get 1)) (then (unreachable)))
                      (global.set $inbound (local.get 0)) (global.set $writer (local.get 1)))
                    """
            )
            .replacing(
                "(global $remote", with: "(global $writer (mut i32) (i32.const -1)) (global $remote"
            )
            .replacing(
                "(global.get $remote) (global.get $inbound)",
                with: "(global.get $remote) (global.get $writer)")
        let transport = try Transport(module(text), quiet())
        #expect(transport.report.warnings.isEmpty)
        try onLoop { guests in
            let server = try TestServer.echo(on: guests.loop)
            let connection = try await transport.dial(server.address, on: guests)
            try await connection.write([1, 2, 3])
            #expect(try await connection.read(count: 3) == [1, 2, 3])
            connection.close()
        }
    }

    @Test func runningAnEntry() throws {
        try onLoop { guests in
            let address = await unusedAddress(on: guests.loop)
            let port = try #require(address.port)
            var options = quiet()
            options.addresses.allow("127.0.0.1:\(port)")
            let transport = try Transport(module(preview(port)), options)
            let running = guests.loop.spawn { try? await transport.run(on: guests).name }
            var client: ByteStream?
            for _ in 0..<500 where client == nil {
                client = try? await ByteStream.connect(to: address, on: guests.loop)
                try await guests.loop.sleep(for: .milliseconds(2))
            }
            let stream = try #require(client)
            try await stream.write([1, 2, 3])
            #expect(try await stream.read(count: 3) == [1, 2, 3])
            stream.close()
            #expect(await running.value == "ended")
            #expect(try await guests.eventually { guests.socketCount == 0 })
        }
    }

    /// A guest that has waited by `poll_oneoff`, as those of tokio do, does not wait in `sock_accept`
    /// for a second connection.
    @Test func whoPollsDoesNotWaitInAccept() throws {
        try onLoop { guests in
            let address = await unusedAddress(on: guests.loop)
            let port = try #require(address.port)
            let text = preview(port)
                .replacing(
                    "(memory (export",
                    with: """
                        (import "wasi_snapshot_preview1" "poll_oneoff"
                          (func $poll (param i32 i32 i32 i32) (result i32)))
                        (memory (export
                        """
                )
                .replacing(
                    "(if (call $accept (local.get $listener) (i32.const 0) (i32.const 700))",
                    with: """
                        (i32.store8 (i32.const 808) (i32.const 1))
                        (i32.store (i32.const 816) (local.get $listener))
                        (drop
                          (call $poll (i32.const 800) (i32.const 900) (i32.const 1) (i32.const 960)))
                        (if (call $accept (local.get $listener) (i32.const 0) (i32.const 700))
                          (then (unreachable)))
                        ;; 6 is EAGAIN
                        (if (i32.ne (i32.const 6)
                            (call $accept (local.get $listener) (i32.const 0) (i32.const 704)))
                        """)
            var options = quiet()
            options.addresses.allow("127.0.0.1:\(port)")
            let transport = try Transport(module(text), options)
            let running = guests.loop.spawn { try? await transport.run(on: guests).name }
            var client: ByteStream?
            for _ in 0..<500 where client == nil {
                client = try? await ByteStream.connect(to: address, on: guests.loop)
                try await guests.loop.sleep(for: .milliseconds(2))
            }
            let stream = try #require(client)
            try await stream.write([7])
            #expect(try await stream.read(count: 1) == [7])
            stream.close()
            #expect(await running.value == "ended")
        }
    }

    @Test func anEntryIsNotAllowedWhatNobodyNamed() throws {
        let transport = try Transport(module(preview(1)), quiet())
        try onLoop { guests in
            let outcome = try await transport.run(on: guests)
            #expect(outcome.name == "trapped")
            #expect("\(outcome)".contains("not allowed to listen at 127.0.0.1:1"))
        }
    }

    @Test func cancellingTheTaskStopsAnEntry() throws {
        let text = preview(1).replacing(
            "(local.set $listener (call $listen",
            with: "(loop $l (br $l)) (local.set $listener (call $listen")
        let transport = try Transport(module(text), quiet())
        try onLoop { guests in
            let running = guests.loop.spawn { try? await transport.run(on: guests).name }
            try await guests.loop.sleep(for: .milliseconds(30))
            running.cancel()
            #expect(await running.value == "cancelled")
        }
    }
}
