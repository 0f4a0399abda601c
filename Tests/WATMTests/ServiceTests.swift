import Testing
import WasmInterpreter
import WasmSystem
import WasmWASI
import WasmdEventLoop
import WasmdGuests

@testable import WasmdWATM

@Suite struct ServiceTests {
    /// A client's bytes through a service, and back from a server that echoes.
    private func echoed(
        _ chain: [Transport], _ role: TransportRole, _ data: [UInt8], on guests: GuestLoop
    ) async throws -> [UInt8] {
        let server = try TestServer.echo(on: guests.loop)
        return try await through(
            TransportService(chain, role, to: server.address), data, on: guests)
    }

    private func through(
        _ service: TransportService, _ data: [UInt8], on guests: GuestLoop
    ) async throws -> [UInt8] {
        let listener = try Listener(.ipv4([127, 0, 0, 1], port: 0), on: guests.loop)
        let address = try #require(listener.address)
        guests.loop.spawn { try? await service.serve(listener, on: guests) }
        let client = try await ByteStream.connect(to: address, on: guests.loop)
        let writing = guests.loop.spawn { (try? await client.write(data)) != nil }
        let result = try await client.read(count: data.count)
        #expect(await writing.value)
        client.close()
        #expect(try await guests.eventually { service.statistics.live == 0 })
        #expect(service.statistics.ended == 1)
        #expect(service.statistics.bytesForth == UInt64(data.count))
        #expect(service.statistics.bytesBack == UInt64(data.count))
        listener.close()
        return result
    }

    /// Adds a number to each byte on the way from the caller, and takes it away on the way back.
    private func shifting(by number: Int) -> GuestText {
        var guest = GuestText()
        guest.worker = GuestText.copying
            .replacing(
                "(call $copy (global.get $caller)",
                with: "(call $shift (i32.const \(number)) (global.get $caller)"
            )
            .replacing(
                "(call $copy (global.get $other)",
                with: "(call $shift (i32.const \(-number)) (global.get $other)")
        guest.others = """
            (func $shift (param $by i32) (param $from i32) (param $to i32) (result i32)
              (local $errno i32) (local $i i32) (local $end i32)
              (i32.store (i32.const 600) (i32.const 65536))
              (i32.store (i32.const 604) (i32.const 16384))
              (local.set $errno
                (call $read (local.get $from) (i32.const 600) (i32.const 1) (i32.const 608)))
              (if (i32.eq (local.get $errno) (i32.const 6)) (then (return (i32.const 1))))
              (if (local.get $errno) (then (return (i32.const 0))))
              (if (i32.eqz (i32.load (i32.const 608))) (then (return (i32.const 0))))
              (local.set $i (i32.const 65536))
              (local.set $end (i32.add (local.get $i) (i32.load (i32.const 608))))
              (loop $next
                (i32.store8 (local.get $i)
                  (i32.add (i32.load8_u (local.get $i)) (local.get $by)))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if $next (i32.lt_u (local.get $i) (local.get $end))))
              (i32.store (i32.const 604) (i32.load (i32.const 608)))
              (i32.eqz (call $write (local.get $to) (i32.const 600) (i32.const 1) (i32.const 612))))
            """
        return guest
    }

    @Test(arguments: [TransportRole.dial, .listen, .relay])
    func roles(role: TransportRole) throws {
        let transport = try GuestText().transport()
        let data = noise(100_000)
        #expect(try onLoop { try await echoed([transport], role, data, on: $0) } == data)
    }

    /// The first transport is that of the side in clear, in each role.
    @Test(arguments: [TransportRole.dial, .listen, .relay])
    func chains(role: TransportRole) throws {
        let chain = try [1, 3, 7].map { try shifting(by: $0).transport() }
        let data = noise(50_000)
        #expect(try onLoop { try await echoed(chain, role, data, on: $0) } == data)
    }

    @Test func aChainTransformsInItsOrder() throws {
        let chain = try [1, 3].map { try shifting(by: $0).transport() }
        try onLoop { guests in
            let server = try TestServer(on: guests.loop) { stream in
                let got = try await stream.read(count: 3)
                try await stream.write(got == [14, 24, 34] ? [4, 4, 4] : [0, 0, 0])
            }
            let service = TransportService(chain, .dial, to: server.address)
            let (own, clear) = MemorySocket.makePair(on: guests)
            guests.loop.spawn { _ = await service.serve(clear, peer: "test", on: guests) }
            try await own.write([10, 20, 30])
            #expect(try await own.read() == [0, 0, 0])
            own.close()
            #expect(try await guests.eventually { service.statistics.live == 0 })
        }
    }

    /// If any of a chain fails, all end.
    @Test func aFaultInAChainEndsIt() throws {
        var broken = GuestText()
        broken.worker = "(unreachable)"
        let chain = [try GuestText().transport(), try broken.transport()]
        try onLoop { guests in
            let server = try TestServer.echo(on: guests.loop)
            let service = TransportService(chain, .dial, to: server.address)
            let (own, clear) = MemorySocket.makePair(on: guests)
            let serving = guests.loop.spawn {
                await service.serve(clear, peer: "test", on: guests)
            }
            #expect(try await own.read().isEmpty)
            let summary = try #require(await serving.value)
            #expect(summary.outcome?.name == "trapped")
            #expect(try await guests.eventually { guests.socketCount == 0 })
        }
    }

    /// New connections get the new transport, old ones keep theirs.
    @Test func replacing() throws {
        let first = try shifting(by: 1).transport()
        let second = try shifting(by: 2).transport()
        try onLoop { guests in
            let server = try TestServer(on: guests.loop) { stream in
                while true {
                    let got = try await stream.read(count: 1)
                    if got.isEmpty { return }
                    // What arrived, seen from the other side.
                    try await stream.write([got[0] &* 2])
                }
            }
            let service = TransportService([first], .dial, to: server.address)
            func open() -> MemorySocket {
                let (own, clear) = MemorySocket.makePair(on: guests)
                guests.loop.spawn { _ = await service.serve(clear, peer: "test", on: guests) }
                return own
            }
            let old = open()
            try await old.write([10])
            #expect(try await old.read() == [21])
            service.replace([second])
            let new = open()
            try await new.write([10])
            #expect(try await new.read() == [22])
            try await old.write([20])
            #expect(try await old.read() == [41])
            service.cancelAll()
            #expect(try await guests.eventually { service.statistics.live == 0 })
            #expect(service.statistics.replacements == 1)
        }
    }

    @Test func connectionsAreLimited() throws {
        let transport = try GuestText().transport()
        let lines = Lines()
        try onLoop { guests in
            let server = try TestServer.echo(on: guests.loop)
            var options = TransportService.Options()
            options.connectionLimit = 2
            options.refused = { lines.add($0) }
            let service = TransportService([transport], .dial, to: server.address, options)
            let listener = try Listener(.ipv4([127, 0, 0, 1], port: 0), on: guests.loop)
            let address = try #require(listener.address)
            guests.loop.spawn { try? await service.serve(listener, on: guests) }
            var clients: [ByteStream] = []
            for _ in 0..<2 {
                let client = try await ByteStream.connect(to: address, on: guests.loop)
                try await client.write([1])
                #expect(try await client.read(count: 1) == [1])
                clients.append(client)
            }
            let third = try await ByteStream.connect(to: address, on: guests.loop)
            #expect(try await third.read(count: 1).isEmpty)
            #expect(service.statistics.refused == 1)
            #expect(await service.connections().map(\.number) == [1, 2])
            #expect(service.ages.count == 2)
            #expect(await service.connections(limit: 1).map(\.bytesForth) == [1])
            clients[0].close()
            #expect(try await guests.eventually { service.statistics.live == 1 })
            // The bytes of open connections are counted as well, each second.
            #expect(try await guests.eventually { service.statistics.bytesForth == 2 })
            #expect(await !service.cancel(1))
            #expect(await service.cancel(2))
            #expect(try await clients[1].read(count: 1).isEmpty)
            #expect(try await guests.eventually { service.statistics.live == 0 })
            #expect(service.ages.isEmpty)
            service.connectionLimit = 1
            let fourth = try await ByteStream.connect(to: address, on: guests.loop)
            try await fourth.write([1])
            #expect(try await fourth.read(count: 1) == [1])
        }
        #expect(lines.all.count == 1)
    }

    /// Many connections leave no socket and no task.
    @Test func nothingIsLeft() throws {
        let transport = try GuestText().transport()
        try onLoop { guests in
            let server = try TestServer.echo(on: guests.loop)
            let service = TransportService([transport], .dial, to: server.address)
            let listener = try Listener(.ipv4([127, 0, 0, 1], port: 0), on: guests.loop)
            let address = try #require(listener.address)
            guests.loop.spawn { try? await service.serve(listener, on: guests) }
            for _ in 0..<5 {
                var clients: [ByteStream] = []
                for _ in 0..<20 {
                    let client = try await ByteStream.connect(to: address, on: guests.loop)
                    try await client.write([1, 2])
                    clients.append(client)
                }
                for client in clients { #expect(try await client.read(count: 2) == [1, 2]) }
                for client in clients { client.close() }
            }
            #expect(try await guests.eventually { service.statistics.ended == 100 })
            #expect(try await guests.eventually { guests.socketCount == 0 })
            #expect(guests.queuedByteCount == 0)
        }
    }

    @Test func cancellingEndsWorkers() throws {
        var endless = GuestText()
        endless.worker = "(loop $l (br $l)) (i32.const 0)"
        var options = quiet()
        options.limits.stopTime = .milliseconds(100)
        let chain = try endless.transport(options)
        try onLoop { guests in
            let server = try TestServer.echo(on: guests.loop)
            let service = TransportService([chain], .dial, to: server.address)
            let (own, clear) = MemorySocket.makePair(on: guests)
            let serving = guests.loop.spawn {
                await service.serve(clear, peer: "test", on: guests)
            }
            try await guests.loop.sleep(for: .milliseconds(50))
            service.cancelAll()
            #expect(await serving.value?.outcome?.name == "cancelled")
            withExtendedLifetime(own) {}
        }
    }
}

extension String {
    func replacing(_ target: String, with replacement: String) -> String {
        var result = ""
        var rest = self[...]
        while let range = rest.firstRange(of: target) {
            result += rest[..<range.lowerBound] + replacement
            rest = rest[range.upperBound...]
        }
        return result + rest
    }
}
