import Testing
import WasmInterpreter
import WasmSystem
import WasmWASI
import WasmdEventLoop
import WasmdGuests

@testable import WasmdWATM

/// Guests that fail cost their connection only.
@Suite struct FaultTests {
    /// The outcome of a guest that is dialed through; the application sends a byte, and closes
    /// after `closing`, if that is not nil.
    private func outcome(
        of guest: GuestText, _ change: (inout TransportOptions) -> Void = { _ in },
        closing: Duration? = nil
    ) throws -> (TransportOutcome, seconds: Double) {
        var options = quiet()
        options.limits.stopTime = .milliseconds(300)
        change(&options)
        let transport = try guest.transport(options)
        return try onLoop { guests in
            let server = try TestServer.echo(on: guests.loop)
            let outcomes = Outcomes()
            var settings = TransportService.Options()
            settings.ended = { outcomes.add($0.outcome) }
            let service = TransportService([transport], .dial, to: server.address, settings)
            let listener = try Listener(.ipv4([127, 0, 0, 1], port: 0), on: guests.loop)
            let address = try #require(listener.address)
            guests.loop.spawn { try? await service.serve(listener, on: guests) }
            let client = try await ByteStream.connect(to: address, on: guests.loop)
            let began = LoopInstant.now
            try await client.write([1])
            if let closing {
                try await guests.loop.sleep(for: closing)
                client.close()
            } else {
                _ = try await client.read(count: .max)
            }
            #expect(try await guests.eventually { service.statistics.live == 0 })
            let time = LoopInstant.now.since(began)
            #expect(try await guests.eventually { guests.socketCount == 0 })
            #expect(service.statistics.accepted == 1)
            listener.close()
            let parts = time.components
            return (
                try #require(outcomes.last),
                Double(parts.seconds) + Double(parts.attoseconds) / 1e18
            )
        }
    }

    @Test func aTrap() throws {
        var guest = GuestText()
        guest.worker = "(unreachable)"
        let (outcome, _) = try outcome(of: guest)
        guard case .trapped(let text) = outcome else {
            Issue.record("\(outcome)")
            return
        }
        #expect(text.contains("unreachable"))
    }

    @Test func trapsWhileItStartsOrConnects() throws {
        var guest = GuestText()
        guest.initialise = "(unreachable)"
        #expect(try outcome(of: guest).0.name == "trapped")
        guest = GuestText()
        guest.dial = "(unreachable)"
        #expect(try outcome(of: guest).0.name == "trapped")
    }

    @Test func errorsThatFunctionsReturn() throws {
        var guest = GuestText()
        guest.initialise = "(i32.const -28)"
        #expect("\(try outcome(of: guest).0)" == "_water_init returned -28 (EINVAL)")
        guest = GuestText()
        guest.dial = "(i32.const -65)"
        #expect("\(try outcome(of: guest).0)" == "_water_dial returned -65 (EPROTO)")
        guest = GuestText()
        guest.worker = "(i32.const -29)"
        #expect("\(try outcome(of: guest).0)" == "_water_worker returned -29 (EIO)")
    }

    /// Only descriptors of connections that the guest has made count: not the caller's, not a number
    /// that it invents.
    @Test(arguments: ["(local.get 0)", "(i32.const 77)", "(i32.const 0)", "(i32.const 2147483647)"])
    func foreignDescriptors(number: String) throws {
        var guest = GuestText()
        guest.dial = "(global.set $other (call $host_dial)) \(number)"
        #expect(try outcome(of: guest).0.name == "foreign-descriptor")
    }

    @Test func exits() throws {
        var guest = GuestText()
        guest.worker = "(call $exit (i32.const 7)) (unreachable)"
        guard case .exited(7) = try outcome(of: guest).0 else {
            Issue.record("another outcome")
            return
        }
    }

    /// Closes everything that it may have, and more.
    @Test func closesDescriptorsThatItDoesNotOwn() throws {
        var guest = GuestText()
        guest.worker = """
            (local $i i32)
            (loop $next
              (drop (call $close (local.get $i)))
              (local.set $i (i32.add (local.get $i) (i32.const 1)))
              (br_if $next (i32.lt_u (local.get $i) (i32.const 200))))
            (i32.const 0)
            """
        #expect(try outcome(of: guest).0.name == "ended")
    }

    /// A guest that computes for ever is stopped when its peer has gone.
    @Test func anEndlessWorkerIsStoppedWhenThePeerGoes() throws {
        var guest = GuestText()
        guest.worker = "(loop $l (br $l)) (i32.const 0)"
        let (outcome, seconds) = try outcome(of: guest, closing: .milliseconds(50))
        #expect(outcome.name == "stopped")
        #expect(seconds < 8)
    }

    /// And one that waits for something else for ever.
    @Test func aWorkerThatDoesNotLookIsStoppedToo() throws {
        var guest = GuestText()
        guest.worker = """
            (call $subscribe (i32.const 0) (global.get $cancel))
            (drop (call $poll (i32.const 0) (i32.const 256) (i32.const 1) (i32.const 512)))
            (loop $l (br $l)) (i32.const 0)
            """
        #expect(try outcome(of: guest, closing: .milliseconds(50)).0.name == "stopped")
    }

    @Test func startingIsLimited() throws {
        var guest = GuestText()
        guest.dial = "(loop $l (br $l)) (i32.const 0)"
        let (outcome, _) = try outcome(of: guest) { $0.limits.startTime = .milliseconds(50) }
        guard case .limit("time") = outcome else {
            Issue.record("\(outcome)")
            return
        }
    }

    @Test func workIsLimited() throws {
        var guest = GuestText()
        guest.worker = "(loop $l (br $l)) (i32.const 0)"
        let (outcome, _) = try outcome(of: guest) { $0.limits.fuel = 100_000 }
        guard case .limit("fuel") = outcome else {
            Issue.record("\(outcome)")
            return
        }
        let (byTime, _) = try self.outcome(of: guest) { $0.limits.time = .milliseconds(50) }
        #expect(byTime.name == "limit")
    }

    @Test func descriptorsAreLimited() throws {
        var guest = GuestText()
        guest.dial = """
            (local $i i32)
            (loop $next
              (local.set $i (call $host_dial))
              (br_if $next (i32.ge_s (local.get $i) (i32.const 0))))
            (local.get $i)
            """
        let (outcome, _) = try outcome(of: guest) { $0.limits.descriptors = 10 }
        #expect("\(outcome)".contains("-8 (EBADF"))
    }

    /// A guest that dials in a role that connects to nothing.
    @Test func aRoleWithoutDialer() throws {
        var guest = GuestText()
        guest.accept = "(call $host_dial)"
        let transport = try guest.transport()
        try onLoop { guests in
            let listener = try Listener(.ipv4([127, 0, 0, 1], port: 0), on: guests.loop)
            let address = try #require(listener.address)
            _ = try await ByteStream.connect(to: address, on: guests.loop)
            do {
                _ = try await transport.accept(from: listener, on: guests)
                Issue.record("it was accepted")
            } catch TransportError.notConnected(let outcome) {
                #expect("\(outcome)" == "_water_accept returned -43 (ENODEV)")
            }
        }
    }

    /// A reset of either side ends the other.
    @Test func resets() throws {
        let transport = try GuestText().transport()
        try onLoop { guests in
            let server = try TestServer(on: guests.loop) { stream in
                _ = try await stream.read(count: 1)
                try Kernel.setResetsOnClose(stream.descriptor)
                stream.close()
            }
            let connection = try await transport.dial(server.address, on: guests)
            try await connection.write([1])
            _ = try? await connection.read(count: .max)
            #expect(try await connection.outcome().isClean)
            #expect(try await guests.eventually { guests.socketCount == 0 })
        }
    }
}

/// Outcomes that closures collect.
private final class Outcomes: @unchecked Sendable {
    // Used by one loop.
    private(set) var last: TransportOutcome?
    func add(_ outcome: TransportOutcome?) { last = outcome }
}
