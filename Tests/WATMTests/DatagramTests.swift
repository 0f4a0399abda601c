import Testing
import WasmInterpreter
import WasmSystem
import WasmWASI
import WasmdEventLoop
import WasmdGuests

@testable import WasmdWATM

/// Datagrams through transports, with sockets of the kernel.
@Suite struct DatagramTests {
    /// A guest that passes whole datagrams on, each byte changed by exclusive or; empty ones too.
    private func datagramGuest() -> GuestText {
        var guest = GuestText()
        guest.marker += " (global (export \"_water_datagrams\") i32 (i32.const 1))"
        guest.others = """
            (func $pass (param $from i32) (param $to i32) (result i32)
              (local $errno i32) (local $i i32)
              (i32.store (i32.const 600) (i32.const 65536))
              (i32.store (i32.const 604) (i32.const 65536))
              (local.set $errno
                (call $read (local.get $from) (i32.const 600) (i32.const 1) (i32.const 608)))
              (if (i32.eq (local.get $errno) (i32.const 6)) (then (return (i32.const 1))))
              (if (local.get $errno) (then (return (i32.const 0))))
              (local.set $i (i32.load (i32.const 608)))
              (i32.store (i32.const 604) (local.get $i))
              (block $end (loop $next
                (br_if $end (i32.eqz (local.get $i)))
                (local.set $i (i32.sub (local.get $i) (i32.const 1)))
                (i32.store8 offset=65536 (local.get $i)
                  (i32.xor (i32.load8_u offset=65536 (local.get $i)) (i32.const 0x55)))
                (br $next)))
              (i32.eqz
                (call $write (local.get $to) (i32.const 600) (i32.const 1) (i32.const 612))))
            """
        guest.worker = GuestText.copying
            .replacing("(call $copy (global.get $caller)", with: "(call $pass (global.get $caller)")
            .replacing("(call $copy (global.get $other)", with: "(call $pass (global.get $other)")
        return guest
    }

    /// A server of UDP that sends back what it gets, and counts it.
    private func echoServer(on loop: EventLoop) throws -> (DatagramSocket, TransportAddress) {
        let socket = try DatagramSocket(boundTo: .ipv4([127, 0, 0, 1], port: 0), on: loop)
        let address = try #require(socket.localAddress)
        loop.spawn {
            while let message = try? await socket.receive() {
                try? await socket.send(message.bytes, to: message.sender)
            }
        }
        return (socket, .datagrams(.address(address)))
    }

    /// A service that takes datagrams at an address of its own.
    private func serve(
        _ service: TransportService, on guests: GuestLoop
    ) throws -> (DatagramSocket, SystemAddress) {
        let socket = try DatagramSocket(boundTo: .ipv4([127, 0, 0, 1], port: 0), on: guests.loop)
        let address = try #require(socket.localAddress)
        guests.loop.spawn { try? await service.serve(socket, on: guests) }
        return (socket, address)
    }

    private static let sizes = [0, 1, 2, 3, 255, 256, 1400, 16_384, 16_385, 40_000, 65_507, 0, 7]

    /// Sends a datagram of each size, and expects each back.
    private func exchange(with address: SystemAddress, on loop: EventLoop) async throws {
        let client = try DatagramSocket(connectedTo: address, on: loop)
        client.deadline = .after(.seconds(60))
        for (index, size) in Self.sizes.enumerated() {
            let bytes = noise(size, seed: UInt64(index + 1))
            try await client.send(bytes)
            let answer = try await client.receive()
            #expect(answer.bytes == bytes, "a datagram of \(size) bytes")
        }
    }

    @Test(arguments: [TransportRole.dial, .listen, .relay], [1, 2])
    func wholeDatagrams(role: TransportRole, guestCount: Int) throws {
        let transport = try datagramGuest().transport()
        try onLoop { guests in
            let (server, remote) = try echoServer(on: guests.loop)
            let chain = Array(repeating: transport, count: guestCount)
            try Transport.checkDatagrams(
                chain, role, listensForDatagrams: true, to: remote, frames: false)
            let service = TransportService(chain, role, to: remote)
            let (socket, address) = try serve(service, on: guests)
            try await exchange(with: address, on: guests.loop)
            let counts = service.statistics
            #expect(counts.accepted == 1)
            // From the client and from the server, and to both.
            #expect(counts.datagramsReceived == UInt64(2 * Self.sizes.count))
            #expect(counts.datagramsSent == UInt64(2 * Self.sizes.count))
            #expect(counts.datagramsDropped == 0)
            socket.close()
            server.close()
            #expect(try await guests.eventually { service.statistics.live == 0 })
        }
    }

    /// A guest that knows streams only, at both ends of a stream.
    @Test func framedDatagrams() throws {
        let transport = try GuestText().transport()
        try onLoop { guests in
            let (server, remote) = try echoServer(on: guests.loop)
            var options = TransportService.Options()
            options.framesDatagrams = true
            let far = TransportService([transport], .listen, to: remote, options)
            let listener = try Listener(.ipv4([127, 0, 0, 1], port: 0), on: guests.loop)
            guests.loop.spawn { try? await far.serve(listener, on: guests) }
            let middle = TransportAddress.address(try #require(listener.address))
            let near = TransportService([transport], .dial, to: middle, options)
            let (socket, address) = try serve(near, on: guests)
            try await exchange(with: address, on: guests.loop)
            #expect(near.statistics.datagramsReceived == UInt64(Self.sizes.count))
            #expect(far.statistics.datagramsSent == UInt64(Self.sizes.count))
            #expect(near.statistics.datagramsDropped == 0)
            socket.close()
            server.close()
            listener.close()
            far.cancelAll()
            #expect(
                try await guests.eventually { near.statistics.live + far.statistics.live == 0 })
        }
    }

    /// Several peers at the same time have sessions of their own; those that say nothing are
    /// forgotten, and come back with a new one.
    @Test func peersThatVanish() throws {
        let transport = try datagramGuest().transport()
        try onLoop { guests in
            let (server, remote) = try echoServer(on: guests.loop)
            var options = TransportService.Options()
            // Longer than eight guests take to start: a peer that has no answer yet is forgotten
            // then as well.
            options.datagramIdleTime = .seconds(2)
            let service = TransportService([transport], .dial, to: remote, options)
            let (socket, address) = try serve(service, on: guests)
            let sockets = guests.socketCount
            for round in 1...2 {
                var clients: [DatagramSocket] = []
                for index in 0..<8 {
                    let client = try DatagramSocket(connectedTo: address, on: guests.loop)
                    client.deadline = .after(.seconds(60))
                    try await client.send([UInt8(index)])
                    clients.append(client)
                }
                for (index, client) in clients.enumerated() {
                    #expect(try await client.receive().bytes == [UInt8(index)])
                    client.close()
                }
                #expect(service.statistics.accepted == UInt64(8 * round))
                #expect(try await guests.eventually { service.statistics.live == 0 })
                #expect(guests.socketCount == sockets)
            }
            #expect(service.statistics.failed == 0)
            socket.close()
            server.close()
        }
    }

    /// There are no more sessions than the limit says: datagrams of further peers are dropped.
    @Test func peersAreLimited() throws {
        let transport = try datagramGuest().transport()
        try onLoop { guests in
            let (server, remote) = try echoServer(on: guests.loop)
            var options = TransportService.Options()
            options.connectionLimit = 2
            let told = MessageCount()
            options.refused = { _ in told.count += 1 }
            let service = TransportService([transport], .dial, to: remote, options)
            let (socket, address) = try serve(service, on: guests)
            var clients: [DatagramSocket] = []
            for _ in 0..<20 {
                let client = try DatagramSocket(connectedTo: address, on: guests.loop)
                try await client.send([1, 2, 3])
                clients.append(client)
            }
            #expect(try await guests.eventually { service.statistics.datagramsDropped == 18 })
            #expect(service.statistics.live == 2)
            #expect(service.statistics.refused == 18)
            // One message, however many there were.
            #expect(told.count == 1)
            socket.close()
            server.close()
        }
    }

    /// What a guest does not read is dropped beyond a limit.
    @Test func aFloodIsDropped() throws {
        var guest = datagramGuest()
        // Waits for its cancellation only.
        guest.worker = """
            (call $subscribe (i32.const 0) (global.get $cancel))
            (drop (call $poll (i32.const 0) (i32.const 256) (i32.const 1) (i32.const 512)))
            (i32.const -11)
            """
        let transport = try guest.transport()
        try onLoop { guests in
            let (server, remote) = try echoServer(on: guests.loop)
            let service = TransportService([transport], .dial, to: remote)
            let (socket, address) = try serve(service, on: guests)
            let client = try DatagramSocket(connectedTo: address, on: guests.loop)
            var sent: UInt64 = 0
            while service.statistics.datagramsDropped < 10, sent < 10_000 {
                try await client.send([UInt8](repeating: 1, count: 50_000))
                sent += 1
                await guests.loop.yieldToOthers()
            }
            #expect(service.statistics.datagramsDropped >= 10)
            #expect(guests.queuedByteCount > 0)
            #expect(guests.queuedByteCount <= 1 << 20)
            socket.close()
            server.close()
            #expect(try await guests.eventually { service.statistics.live == 0 })
            #expect(guests.queuedByteCount == 0)
        }
    }

    /// Nobody listens at the remote: the session goes on, and datagrams are lost.
    @Test func aRemoteThatIsNotThere() throws {
        let transport = try datagramGuest().transport()
        try onLoop { guests in
            let absent = try DatagramSocket(
                boundTo: .ipv4([127, 0, 0, 1], port: 0), on: guests.loop)
            let remote = try #require(absent.localAddress)
            absent.close()
            let service = TransportService([transport], .dial, to: .datagrams(.address(remote)))
            let (socket, address) = try serve(service, on: guests)
            let client = try DatagramSocket(connectedTo: address, on: guests.loop)
            for number in 0..<20 {
                try await client.send([UInt8(number)])
                try await guests.loop.sleep(for: .milliseconds(1))
            }
            #expect(try await guests.eventually { service.statistics.datagramsSent > 1 })
            #expect(service.statistics.live == 1)
            socket.close()
            #expect(try await guests.eventually { service.statistics.live == 0 })
            #expect(service.statistics.failed == 0)
        }
    }

    @Test func guestsOfStreamsAreRefused() throws {
        let stream = try GuestText().transport()
        let datagrams = try datagramGuest().transport()
        #expect(!stream.carriesDatagrams)
        #expect(datagrams.carriesDatagrams)
        let remote = try #require(TransportAddress("udp:127.0.0.1:9"))
        #expect(remote.carriesDatagrams)
        func isRefused(
            _ transport: Transport, _ role: TransportRole, listens: Bool,
            to remote: TransportAddress?, frames: Bool
        ) -> Bool {
            do throws(TransportError) {
                try Transport.checkDatagrams(
                    [transport], role, listensForDatagrams: listens, to: remote, frames: frames)
                return false
            } catch {
                return "\(error)".contains("_water_datagrams")
            }
        }
        let tcp = TransportAddress("127.0.0.1:9")
        #expect(isRefused(stream, .dial, listens: true, to: tcp, frames: false))
        #expect(!isRefused(stream, .dial, listens: true, to: tcp, frames: true))
        // What is transformed cannot be framed.
        #expect(isRefused(stream, .dial, listens: false, to: remote, frames: true))
        #expect(isRefused(stream, .listen, listens: true, to: tcp, frames: true))
        #expect(!isRefused(stream, .listen, listens: false, to: remote, frames: true))
        #expect(isRefused(stream, .relay, listens: true, to: tcp, frames: true))
        #expect(!isRefused(datagrams, .relay, listens: true, to: remote, frames: false))
    }

    /// Frames that are written and read in odd pieces.
    @Test func framesInPieces() throws {
        try onLoop { guests in
            let sent = Datagrams()
            let socket = GuestDatagrams(.framed, counts: DatagramCounts(), on: guests) { bytes in
                sent.all.append([UInt8](bytes))
                return true
            }
            let all = [[], [1], noise(300), noise(65_535, seed: 2), []]
            var stream: [UInt8] = []
            for bytes in all {
                stream += [UInt8(bytes.count >> 8), UInt8(bytes.count & 0xff)] + bytes
            }
            for piece in [1, 2, 3, 1000, 1 << 20] {
                sent.all = []
                var start = 0
                while start < stream.count {
                    let part = Array(stream[start..<min(start + piece, stream.count)])
                    start += try socket.writeNow(part)
                }
                #expect(sent.all == all)
                for bytes in all { #expect(socket.deliver(bytes)) }
                var back: [UInt8] = []
                while let bytes = try? socket.readNow(upTo: piece) { back += bytes }
                #expect(back == stream)
            }
            socket.close()
            #expect(guests.queuedByteCount == 0)
        }
    }

    @Test func addresses() {
        #expect(TransportAddress("udp:127.0.0.1:53")?.description == "udp:127.0.0.1:53")
        #expect(TransportAddress("udp:[::1]:53")?.description == "udp:[::1]:53")
        #expect(TransportAddress("udp:example.org:53")?.description == "udp:example.org:53")
        #expect(TransportAddress("udp:unix:/x") == nil)
        #expect(TransportAddress("udp:udp:127.0.0.1:53") == nil)
        #expect(TransportAddress("udp:") == nil)
    }

    // Used on one loop only.
    private final class MessageCount: @unchecked Sendable { var count = 0 }
    private final class Datagrams: @unchecked Sendable { var all: [[UInt8]] = [] }
}
