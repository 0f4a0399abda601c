import Testing
import WasmInterpreter
import WasmSystem
import WasmWASI
import WasmdEventLoop
import WasmdGuests

@testable import WasmdWATM

@Suite struct ConnectionTests {
    @Test func dialing() throws {
        let transport = try GuestText().transport()
        #expect(transport.isForked)
        try onLoop { guests in
            let server = try TestServer.echo(on: guests.loop)
            let connection = try await transport.dial(server.address, on: guests)
            try await connection.write(Array("hello".utf8))
            #expect(try await connection.read(count: 5) == Array("hello".utf8))
            connection.close()
            #expect(try await connection.outcome().name == "cancelled")
        }
    }

    @Test func accepting() throws {
        let transport = try GuestText().transport()
        try onLoop { guests in
            let listener = try Listener(.ipv4([127, 0, 0, 1], port: 0), on: guests.loop)
            let address = try #require(listener.address)
            let client = try await ByteStream.connect(to: address, on: guests.loop)
            let connection = try await transport.accept(from: listener, on: guests)
            try await client.write(Array("ping".utf8))
            #expect(try await connection.read(count: 4) == Array("ping".utf8))
            try await connection.write(Array("pong".utf8))
            #expect(try await client.read(count: 4) == Array("pong".utf8))
            client.close()
            #expect(try await connection.outcome().name == "ended")
        }
    }

    /// What a peer sends before it ends arrives, however slowly it is read.
    @Test func nothingIsLostAtTheEnd() throws {
        let transport = try GuestText().transport()
        let data = noise(1 << 20)
        try onLoop { guests in
            let server = try TestServer(on: guests.loop) { stream in
                try await stream.write(data)
                stream.close()
            }
            let connection = try await transport.dial(server.address, on: guests)
            try await guests.loop.sleep(for: .milliseconds(100))
            #expect(try await connection.read(count: data.count + 1) == data)
            #expect(try await connection.outcome().name == "ended")
        }
    }

    /// A reader that stalls holds the writer back, and loses nothing.
    @Test func aSlowReaderGetsEverything() throws {
        let transport = try GuestText().transport()
        let data = noise(2 << 20)
        try onLoop { guests in
            let server = try TestServer.echo(on: guests.loop)
            let connection = try await transport.dial(server.address, on: guests)
            let writing = guests.loop.spawn { (try? await connection.write(data)) != nil }
            try await guests.loop.sleep(for: .milliseconds(300))
            #expect(guests.queuedByteCount < 2 << 20)
            #expect(try await connection.read(count: data.count) == data)
            #expect(await writing.value)
        }
    }

    /// The guest would end both directions; the host lets the answer come.
    @Test func halvesEndByThemselves() throws {
        var options = quiet()
        options.keepsHalves = true
        let transport = try GuestText().transport(options)
        let data = noise(300_000)
        try onLoop { guests in
            let server = try TestServer(on: guests.loop) { stream in
                let all = try await stream.read(count: .max)
                try await stream.write(all)
                stream.close()
            }
            let connection = try await transport.dial(server.address, on: guests)
            try await connection.write(data)
            connection.finishWriting()
            #expect(try await connection.read(count: data.count + 1) == data)
            #expect(try await connection.outcome().name == "ended")
        }
    }

    @Test func withoutThatBothEnd() throws {
        let transport = try GuestText().transport()
        try onLoop { guests in
            let server = try TestServer(on: guests.loop) { stream in
                _ = try await stream.read(count: .max)
                try? await stream.write([1])
            }
            let connection = try await transport.dial(server.address, on: guests)
            connection.finishWriting()
            #expect(try await connection.read(count: 1).isEmpty)
            #expect(try await connection.outcome().name == "ended")
        }
    }

    @Test func theRemoteRefuses() throws {
        let transport = try GuestText().transport()
        try onLoop { guests in
            let listener = try Listener(.ipv4([127, 0, 0, 1], port: 0), on: guests.loop)
            let address = try #require(listener.address)
            listener.close()
            // A process that is being started beside this test has a copy of it for a moment.
            for _ in 0..<5000 {
                let isOpen = (try? await ByteStream.connect(to: address, on: guests.loop)) != nil
                guard isOpen else { break }
                try await guests.loop.sleep(for: .milliseconds(2))
            }
            do {
                _ = try await transport.dial(.address(address), on: guests)
                Issue.record("it was connected")
            } catch TransportError.notConnected(let outcome) {
                #expect(outcome.name == "unreachable")
            }
        }
    }

    // MARK: Configuration

    /// Reads four bytes of the configuration while it starts, and sends them first.
    private func configured(_ initialise: String) -> GuestText {
        var guest = GuestText()
        guest.initialise = initialise
        guest.worker = """
            (i32.store (i32.const 600) (i32.const 640))
            (i32.store (i32.const 604) (i32.const 4))
            (drop (call $write (global.get $caller) (i32.const 600) (i32.const 1) (i32.const 612)))
            \(GuestText.copying)
            """
        return guest
    }

    private let pulls = """
        (local $fd i32)
        (local.set $fd (call $pull_config))
        (if (i32.lt_s (local.get $fd) (i32.const 0)) (then (return (local.get $fd))))
        (i32.store (i32.const 600) (i32.const 640))
        (i32.store (i32.const 604) (i32.const 4))
        (if (call $read (local.get $fd) (i32.const 600) (i32.const 1) (i32.const 612))
          (then (return (i32.const -29))))
        (drop (call $close (local.get $fd)))
        (i32.const 0)
        """

    @Test func theConfigurationIsReadByEachInstance() throws {
        var options = quiet()
        options.configuration = Array("conf".utf8)
        let transport = try configured(pulls).transport(options)
        try onLoop { guests in
            let server = try TestServer.echo(on: guests.loop)
            for _ in 0..<3 {
                let connection = try await transport.dial(server.address, on: guests)
                #expect(try await connection.read(count: 4) == Array("conf".utf8))
            }
        }
    }

    @Test func withoutConfigurationPullingItIsRefused() throws {
        let transport = try configured(pulls).transport()
        try onLoop { guests in
            let server = try TestServer.echo(on: guests.loop)
            do {
                _ = try await transport.dial(server.address, on: guests)
                Issue.record("it was connected")
            } catch TransportError.notConnected(.failed(let function, let number)) {
                #expect(function == "_water_init")
                #expect(number.hasPrefix("-2 (EACCES"))
            }
        }
    }

    /// Two connections never share a key.
    @Test func randomBytesAtTheStartDiffer() throws {
        let transport = try configured(
            "(drop (call $random (i32.const 640) (i32.const 4))) (i32.const 0)"
        ).transport()
        // Forks of the state before.
        #expect(transport.isForked)
        let all = try onLoop { guests in
            let server = try TestServer.echo(on: guests.loop)
            var all: Set<[UInt8]> = []
            for _ in 0..<20 {
                let connection = try await transport.dial(server.address, on: guests)
                all.insert(try await connection.read(count: 4))
                connection.close()
            }
            return all
        }
        #expect(all.count == 20)
    }

    /// The functions of the interface, and those of WASI.
    @Test func callsAreTraced() throws {
        let lines = Lines()
        var options = quiet()
        options.trace = { lines.add($0) }
        let transport = try GuestText().transport(options)
        try onLoop { guests in
            let server = try TestServer.echo(on: guests.loop)
            let connection = try await transport.dial(server.address, on: guests)
            try await connection.write([1])
            _ = try await connection.read(count: 1)
            connection.close()
            _ = try await connection.outcome()
        }
        for part in ["_water_dial(3) returned 4", "host_dial() waits", "poll_oneoff", "cancelled"] {
            #expect(lines.all.contains { $0.contains(part) }, "\(part)")
        }
    }
}

/// Lines that closures collect.
final class Lines: @unchecked Sendable {
    // Used by one loop, and afterwards.
    private(set) var all: [String] = []
    func add(_ line: String) { all.append(line) }

    /// A guest that sleeps while it is initialised, as the published ones of Rust do, sleeps once for
    /// all connections; one that waits for a descriptor is initialised anew in each.
    @Test func aSleepIsPartOfTheStart() throws {
        var guest = GuestText()
        // One subscription: a clock, relative; type 0, monotonic, 2 ms.
        guest.initialise = """
            (i64.store (i32.const 0) (i64.const 9))
            (i32.store (i32.const 16) (i32.const 1))
            (i64.store (i32.const 24) (i64.const 2000000))
            (if (call $poll (i32.const 0) (i32.const 256) (i32.const 1) (i32.const 512))
              (then (return (i32.const -1))))
            (if (i32.ne (i32.load (i32.const 512)) (i32.const 1)) (then (return (i32.const -2))))
            (if (i64.ne (i64.load (i32.const 256)) (i64.const 9)) (then (return (i32.const -3))))
            ;; as before the start
            (memory.fill (i32.const 0) (i32.const 0) (i32.const 600))
            (i32.const 0)
            """
        #expect(try guest.transport().isForked)
        guest.initialise = """
            (i32.store8 (i32.const 8) (i32.const 1))
            (drop (call $poll (i32.const 0) (i32.const 256) (i32.const 1) (i32.const 512)))
            (i32.store8 (i32.const 8) (i32.const 0))
            (i32.const 0)
            """
        let waiting = try guest.transport()
        try onLoop { guests in
            let server = try TestServer.echo(on: guests.loop)
            let connection = try await waiting.dial(server.address, on: guests)
            try await connection.write([1, 2])
            #expect(try await connection.read(count: 2) == [1, 2])
        }
    }

    @Test func timeIsLimitedWithoutAThread() throws {
        var options = quiet()
        options.limits.time = .milliseconds(50)
        let transport = try GuestText().transport(options)
        try onLoop { guests in
            let server = try TestServer.echo(on: guests.loop)
            let connection = try await transport.dial(server.address, on: guests)
            guard case .limit("time") = try await connection.outcome() else {
                Issue.record("the connection did not end by its limit")
                return
            }
        }
    }
}
