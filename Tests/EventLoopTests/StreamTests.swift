import Testing
import WasmSystem
import WasmdEventLoop

let loopback = SystemAddress.ipv4([127, 0, 0, 1], port: 0)

/// Reads until the end.
func readAll(_ stream: ByteStream) async throws -> [UInt8] {
    var all: [UInt8] = []
    var buffer = stream.loop.takeBuffer()
    while try await stream.read(into: &buffer) > 0 { all += buffer.take() }
    stream.loop.giveBack(buffer)
    return all
}

/// Reads what is there.
private func readSome(_ stream: ByteStream) async throws(LoopError) -> [UInt8] {
    var buffer = stream.loop.takeBuffer()
    _ = try await stream.read(into: &buffer)
    return buffer.take()
}

/// The error that a body throws.
func failure(_ body: () async throws(LoopError) -> Void) async -> LoopError? {
    do throws(LoopError) {
        try await body()
        return nil
    } catch {
        return error
    }
}

@Suite struct StreamTests {
    /// A connection of both ends, on one loop.
    private static func connected(_ loop: EventLoop) async throws -> (ByteStream, ByteStream) {
        let listener = try Listener(loopback, on: loop)
        let address = try #require(listener.address)
        let accepting = loop.spawn { try? await listener.accept() }
        let client = try await ByteStream.connect(to: address, on: loop)
        return (client, try #require(await accepting.value))
    }

    @Test func vanishedPeersAreNoticed() throws {
        let results = try onLoop { loop in
            let listener = try Listener(.ipv4([127, 0, 0, 1], port: 0), on: loop)
            let address = try #require(listener.address)
            let near = try await ByteStream.connect(to: address, on: loop)
            let far = try await listener.accept()
            return [Kernel.keepsAlive(near.descriptor), Kernel.keepsAlive(far.descriptor)]
        }
        #expect(results == [true, true])
    }

    @Test func bytesAndTheirEndArriveInBothDirections() throws {
        let texts = try onLoop { loop in
            let (client, server) = try await Self.connected(loop)
            try await client.write(Array("to the server".utf8))
            try client.finishWriting()
            let received = try await readAll(server)
            try await server.write(Array("and back".utf8))
            server.close()
            return (received, try await readAll(client))
        }
        #expect(texts.0 == Array("to the server".utf8))
        #expect(texts.1 == Array("and back".utf8))
    }

    @Test func addressesOfBothSidesAgree() throws {
        try onLoop { loop in
            let (client, server) = try await Self.connected(loop)
            #expect(client.peerAddress == server.localAddress)
            #expect(client.localAddress == server.peerAddress)
            #expect(client.peerAddress?.port != 0)
        }
    }

    @Test func writesWaitForASlowReader() throws {
        let bytes = (0..<4_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 9) }
        let received = try onLoop { loop in
            let (client, server) = try await Self.connected(loop)
            let writing = loop.spawn {
                try? await client.write(bytes)
                client.close()
            }
            try await loop.sleep(for: .milliseconds(5))
            let received = try await readAll(server)
            await writing.value
            return received
        }
        #expect(received == bytes)
    }

    @Test func piecesArriveInOrder() throws {
        let pieces = (0..<100).map { [UInt8](repeating: UInt8($0), count: $0 % 7 * 1000) }
        let received = try onLoop { loop in
            let (client, server) = try await Self.connected(loop)
            let writing = loop.spawn {
                try? await client.write(pieces)
                try? await client.write([])
                client.close()
            }
            let received = try await readAll(server)
            await writing.value
            return received
        }
        #expect(received == Array(pieces.joined()))
    }

    @Test func aSecondReaderIsRefused() throws {
        try onLoop { loop in
            let (one, other) = try ByteStream.pair(on: loop)
            let first = loop.spawn { try? await readAll(one) }
            await loop.yield()
            let refused = await failure { () throws(LoopError) in
                _ = try await readSome(one)
            }
            #expect(refused == .busy)
            // Writing is another direction.
            try await one.write([1])
            try await other.write([2])
            try other.finishWriting()
            #expect(await first.value == [2])
        }
    }

    @Test func closingEndsWaitsAndLaterCalls() throws {
        try onLoop { loop in
            let (one, other) = try ByteStream.pair(on: loop)
            let reading = loop.spawn {
                await failure { () throws(LoopError) in try await one.readable() }
            }
            await loop.yield()
            one.close()
            #expect(await reading.value == .closed)
            #expect(await failure { () throws(LoopError) in try await one.write([1]) } == .closed)
            one.close()
            #expect(loop.descriptorCount == 0)
            #expect(other.isOpen)
        }
    }

    @Test func cancellingEndsAReadAndLeavesTheStreamWell() throws {
        try onLoop { loop in
            let (one, other) = try ByteStream.pair(on: loop)
            let reading = loop.spawn {
                await failure { () throws(LoopError) in try await one.readable() }
            }
            await loop.yield()
            reading.cancel()
            #expect(await reading.value == .cancelled)
            try await other.write([7])
            other.close()
            #expect(try await readAll(one) == [7])
        }
    }

    @Test func deadlinesEndWaits() throws {
        try onLoop { loop in
            let (one, other) = try ByteStream.pair(on: loop)
            one.deadline = .after(.milliseconds(5))
            #expect(await failure { () throws(LoopError) in try await one.readable() } == .timedOut)
            // One that is over lets nothing wait, but what is there can be read.
            try await other.write([1])
            #expect(try await readSome(one) == [1])
            #expect(await failure { () throws(LoopError) in try await one.readable() } == .timedOut)
            // A later one, set while the timer of an earlier one runs.
            one.deadline = .after(.milliseconds(300))
            let reading = loop.spawn {
                await failure { () throws(LoopError) in try await one.readable() }
            }
            await loop.yield()
            one.deadline = .after(.seconds(1000))
            try await loop.sleep(for: .milliseconds(500))
            try await other.write([2])
            #expect(await reading.value == nil)
            // An earlier one, while somebody waits.
            #expect(try await readSome(one) == [2])
            let last = loop.spawn {
                await failure { () throws(LoopError) in try await one.readable() }
            }
            await loop.yield()
            one.deadline = .after(.milliseconds(5))
            #expect(await last.value == .timedOut)
        }
    }

    @Test func aWriteThatWaitsTimesOut() throws {
        try onLoop { loop in
            let (one, _other) = try ByteStream.pair(on: loop)
            one.deadline = .after(.milliseconds(10))
            let bytes = [UInt8](repeating: 1, count: 8_000_000)
            #expect(
                await failure { () throws(LoopError) in try await one.write(bytes) } == .timedOut)
            _ = _other.isOpen
        }
    }

    @Test func aWriteHasADeadlineOfItsOwn() throws {
        try onLoop { loop in
            let (one, other) = try ByteStream.pair(on: loop)
            let reading = loop.spawn {
                await failure { () throws(LoopError) in try await one.readable() }
            }
            await loop.yield()
            one.writeDeadline = .after(.milliseconds(10))
            let bytes = [UInt8](repeating: 1, count: 8_000_000)
            let writing = await failure { () throws(LoopError) in try await one.write(bytes) }
            #expect(writing == .timedOut)
            try await other.write([1])
            #expect(await reading.value == nil)
        }
    }

    @Test func aStreamThatNobodyHasIsClosed() throws {
        try onLoop { loop in
            var (one, other): (ByteStream?, ByteStream) = try ByteStream.pair(on: loop)
            _ = one?.isOpen
            one = nil
            #expect(try await readAll(other) == [])
        }
    }

    @Test func connectionsThatNobodyTakesAreRefused() throws {
        try onLoop { loop in
            let listener = try Listener(loopback, on: loop)
            let address = try #require(listener.address)
            listener.close()
            var refused: LoopError?
            // A process that is being started beside this test has a copy of it for a moment.
            for _ in 0..<5000 where refused == nil {
                refused = await failure { () throws(LoopError) in
                    _ = try await ByteStream.connect(to: address, on: loop)
                }
                if refused == nil { try await loop.sleep(for: .milliseconds(2)) }
            }
            #expect(refused == .system(.connrefused))
            let missing = await failure { () throws(LoopError) in
                _ = try await ByteStream.connect(to: .unix(Array("/nowhere/x".utf8)), on: loop)
            }
            #expect(missing == .system(.noent))
        }
    }

    @Test func unixSocketsConnect() throws {
        let path = Array("/tmp/wasmd-loop-\(CurrentProcess.identifier)".utf8)
        try onLoop { loop in
            let listener = try Listener(.unix(path), on: loop)
            let accepting = loop.spawn { try? await listener.accept() }
            let client = try await ByteStream.connect(to: .unix(path), on: loop)
            let server = try #require(await accepting.value)
            try await client.write([1, 2, 3])
            try client.finishWriting()
            #expect(try await readAll(server) == [1, 2, 3])
            #expect(listener.address == .unix(path))
        }
        try Kernel.unlink(CString(path: path))
    }

    @Test func loopsShareAPort() throws {
        let group = try LoopGroup(count: 2)
        let served = try group.run { loop in
            let first = try Listener(loopback, on: loop)
            let second = try first.shared(with: group.loops[1])
            let counter = Counter()
            let address = try #require(first.address)
            for listener in [first, second] {
                listener.loop.spawn {
                    while let stream = try? await listener.accept() {
                        counter.add()
                        try? await stream.write([1])
                    }
                }
            }
            for _ in 0..<50 {
                let client = try await ByteStream.connect(to: address, on: loop)
                #expect(try await readAll(client) == [1])
            }
            return counter.count
        }
        #expect(served == 50)
    }

    @Test func manyConnectionsAtOnce() throws {
        let sum = try onLoop { loop in
            let listener = try Listener(loopback, on: loop)
            let address = try #require(listener.address)
            loop.spawn {
                while let stream = try? await listener.accept() {
                    loop.spawn {
                        if let bytes = try? await readAll(stream) { try? await stream.write(bytes) }
                    }
                }
            }
            let clients = (0..<200).map { index in
                loop.spawn { () -> Int in
                    guard let stream = try? await ByteStream.connect(to: address, on: loop) else {
                        return 0
                    }
                    try? await stream.write([UInt8](repeating: 1, count: index))
                    try? stream.finishWriting()
                    return (try? await readAll(stream).count) ?? 0
                }
            }
            var sum = 0
            for client in clients { sum += await client.value }
            return sum
        }
        #expect(sum == 199 * 200 / 2)
    }

    @Test func aWaitingLoopDoesNotSpin() throws {
        let passes = try onLoop { loop in
            let (one, other) = try ByteStream.pair(on: loop)
            // Bytes that nobody reads, and an end that nobody looks at.
            try await other.write([1])
            other.close()
            try await one.readable()
            let before = loop.passCount
            try await loop.sleep(for: .milliseconds(50))
            return loop.passCount - before
        }
        #expect(passes < 5)
    }
}
