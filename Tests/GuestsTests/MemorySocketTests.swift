import Testing
import WasmInterpreter
import WasmWASI
import WasmdEventLoop

@testable import WasmdGuests

@Suite struct MemorySocketTests {
    @Test func aByteCancels() throws {
        let program = try socketProgram()
        let code = try onLoop { guests in
            let (socket, peer) = try guests.makeSocket()
            let (cancel, guestsEnd) = MemorySocket.makePair(on: guests)
            let run = guests.loop.spawn { [socket, guestsEnd] in
                await program.run(
                    in: world("echo", [socket, guestsEnd]), limits: quiet(), on: guests
                ).exitCode
            }
            try await peer.send([7])
            #expect(try await peer.receive(limit: 1) == [7])
            try await cancel.write([0])
            return await run.value
        }
        #expect(code == 0)
    }

    /// The application side of a relay is in memory.
    @Test func tasksUseTheOtherEnd() throws {
        let program = try socketProgram()
        let bytes = noise(300_000)
        try onLoop { guests in
            let (application, near) = MemorySocket.makePair(on: guests)
            let (far, sink) = try guests.makeSocket()
            near.pair(with: far)
            let run = guests.loop.spawn { [near, far] in
                await program.run(
                    in: world("relay", [near, far]), limits: quiet(), on: guests
                ).exitCode
            }
            let writing = guests.loop.spawn { () async -> Bool in
                do { try await application.write(bytes) } catch { return false }
                return true
            }
            #expect(try await guests.eventually { near.isHeldBack })
            #expect(application.queuedByteCount <= application.limits.queuedBytes)
            #expect(try await sink.receive(limit: bytes.count) == bytes)
            #expect(await writing.value)
            // Back, and the end.
            let sending = guests.loop.spawn { () async -> Void in
                try? await sink.send(bytes)
                sink.close()
            }
            var received: [UInt8] = []
            while true {
                let part = try await application.read()
                if part.isEmpty { break }
                received += part
            }
            #expect(received == bytes)
            await sending.value
            #expect(await run.value == 0)
            await #expect(throws: LoopError.closed) { try await application.write([1]) }
            #expect(guests.queuedByteCount == 0)
        }
    }

    @Test func twoGuestsAreConnected() throws {
        let program = try socketProgram()
        let bytes = noise(100_000)
        try onLoop { guests in
            let (application, first) = MemorySocket.makePair(on: guests)
            let (second, third) = MemorySocket.makePair(on: guests)
            let relay = guests.loop.spawn { [first, second] in
                await program.run(
                    in: world("relay", [first, second]), limits: quiet(), on: guests
                ).exitCode
            }
            let echo = guests.loop.spawn { [third] in
                await program.run(in: world("echo", [third]), limits: quiet(), on: guests).exitCode
            }
            let writing = guests.loop.spawn { () async -> Void in
                try? await application.write(bytes)
            }
            var received: [UInt8] = []
            while received.count < bytes.count { received += try await application.read(upTo: 999) }
            #expect(received == bytes)
            await writing.value
            application.endWriting()
            #expect(await relay.value == 0)
            #expect(await echo.value == 0)
        }
    }

    @Test func releasingAnEndEndsTheOther() throws {
        try onLoop { guests in
            var ends: (MemorySocket, MemorySocket)? = MemorySocket.makePair(on: guests)
            guard let kept = ends?.1, let first = ends?.0 else { return }
            try await first.write([1, 2])
            try await kept.write([3])
            #expect(guests.queuedByteCount == 3)
            let waiting = guests.loop.spawn { () async -> [UInt8]? in
                _ = try? await kept.read(upTo: 2)
                return try? await kept.read()
            }
            try await guests.loop.sleep(for: .milliseconds(2))
            _ = consume first
            ends = nil
            #expect(await waiting.value == [])
            #expect(kept.isHungUp && kept.writeFailure == .pipe)
            #expect(guests.queuedByteCount == 0)
        }
    }

    @Test func aNewPairReplacesTheFormerOne() throws {
        try onLoop { guests in
            let ends = (0..<3).map { _ in MemorySocket.makePair(on: guests) }
            let (one, two, three) = (ends[0].0, ends[1].0, ends[2].0)
            one.pair(with: two)
            try await one.write([UInt8](repeating: 1, count: 70_000))
            #expect(two.isHeldBack && !three.isHeldBack)
            one.pair(with: three)
            #expect(!two.isHeldBack && three.isHeldBack)
            one.pair(with: one)
            #expect(one.isHeldBack && !three.isHeldBack)
            try await ends[0].1.write([7])
            #expect(one.readableByteCount == nil)
            #expect(try await ends[0].1.read().count > 32_768)
            #expect(one.readableByteCount == 1)
        }
    }

    @Test func waitingCanBeCancelled() throws {
        try onLoop { guests in
            let (one, other) = MemorySocket.makePair(on: guests)
            let reading = guests.loop.spawn { () async -> LoopError? in
                do throws(LoopError) { _ = try await one.read() } catch { return error }
                return nil
            }
            try await guests.loop.sleep(for: .milliseconds(2))
            reading.cancel()
            #expect(await reading.value == .cancelled)
            try await other.write([5])
            #expect(try await one.read() == [5])
        }
    }
}

@Suite struct SocketPartTests {
    @Test func queuesKeepTheOrder() {
        var queue = ByteQueue()
        var expected: [UInt8] = []
        let bytes = noise(50_000)
        var next = 0
        for step in 0..<400 {
            let count = (step * 37) % 300
            bytes[next..<(next + count)].withUnsafeBytes { queue.append($0) }
            expected += bytes[next..<(next + count)]
            next = (next + count) % 49_000
            let dropped = (step * 53) % 290
            queue.drop(dropped)
            expected.removeFirst(min(dropped, expected.count))
            #expect(queue.count == expected.count && queue.withBytes { Array($0) } == expected)
        }
        queue.drop(.max)
        queue.drop(-1)
        #expect(queue.isEmpty)
    }

    @Test func delaysOfDampingGrow() {
        let damping = WriteDamping(.milliseconds(50)...Duration.seconds(30))
        var round: UInt64 = 0
        let start = LoopInstant(nanoseconds: 1_000_000_000)
        var told: [Int] = []
        for milliseconds in 0..<130_000
        where damping.report(at: start + .milliseconds(milliseconds), told: &round) {
            told.append(milliseconds)
        }
        #expect(
            told == [
                0, 50, 450, 3650, 29250, 59250, 89250, 119250,
            ])
        damping.reset()
        let again = [0, 49, 50].map {
            damping.report(at: start + .milliseconds($0), told: &round)
        }
        #expect(again == [true, false, true])
    }

    /// In each round the guest is told about all sockets.
    @Test func socketsAreReportedTogether() {
        let damping = WriteDamping(.milliseconds(50)...Duration.seconds(30))
        let start = LoopInstant(nanoseconds: 1_000_000_000)
        var (one, other): (UInt64, UInt64) = (0, 0)
        var rounds: [Int] = []
        for milliseconds in 0..<1000 {
            let now = start + .milliseconds(milliseconds)
            let first = damping.report(at: now, told: &one)
            let second = damping.report(at: now, told: &other)
            #expect(first == second)
            if first { rounds.append(milliseconds) }
        }
        #expect(rounds == [0, 50, 450])
        var late: UInt64 = 0
        #expect(damping.report(at: start + .milliseconds(1000), told: &late))
        #expect(!damping.report(at: start + .milliseconds(1001), told: &late))
    }
}
