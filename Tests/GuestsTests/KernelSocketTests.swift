import Glibc
import Testing
import WasmInterpreter
import WasmSystem
import WasmWASI
import WasmdEventLoop

@testable import WasmdGuests

@Suite struct KernelSocketTests {
    /// The kernel takes little at a time, and the peer is slow: nothing is lost, doubled or moved.
    @Test(arguments: [false, true])
    func everyByteArrives(isTCP: Bool) throws {
        let program = try socketProgram()
        let bytes = noise(300_000)
        let (received, code, most) = try onLoop { guests in
            let (near, source) = try guests.makeSocket(isTCP: isTCP)
            let (far, sink) = try guests.makeSocket(isTCP: isTCP)
            near.pair(with: far)
            let run = guests.loop.spawn {
                await program.run(
                    in: world("relay", [near, far]), limits: quiet(), on: guests
                ).exitCode
            }
            let most = Peak()
            let sending = guests.loop.spawn { () async -> Void in
                for start in stride(from: 0, to: bytes.count, by: 50_000) {
                    try? await source.send(Array(bytes[start..<min(start + 50_000, bytes.count)]))
                    most.note(guests.queuedByteCount)
                }
                try? source.endSending()
            }
            let received = try await sink.receive(piece: 7000, pause: .microseconds(300))
            await sending.value
            return (received, await run.value, most.value)
        }
        #expect(received == bytes)
        #expect(code == 0)
        // The mark, and the piece of the guest that went beyond it.
        #expect(most <= (64 << 10) + 16384)
    }

    @Test func readabilityIsHeldBack() throws {
        let program = try socketProgram()
        let bytes = noise(400_000)
        let received = try onLoop { guests in
            let (near, source) = try guests.makeSocket()
            let (far, sink) = try guests.makeSocket()
            near.pair(with: far)
            let run = guests.loop.spawn {
                await program.run(in: world("relay", [near, far]), limits: quiet(), on: guests)
            }
            let sending = guests.loop.spawn { () async -> Void in
                try? await source.send(bytes)
                try? source.endSending()
            }
            #expect(try await guests.eventually { near.isHeldBack })
            #expect(near.readableByteCount == nil && !far.isHeldBack)
            let before = far.queuedByteCount
            #expect(before >= 64 << 10 && before <= (64 << 10) + 16384)
            // Nothing is read meanwhile, and nobody spins.
            let passes = guests.loop.passCount
            try await guests.loop.sleep(for: .milliseconds(50))
            #expect(far.queuedByteCount == before)
            // The source's peer looks every 200 microseconds.
            #expect(guests.loop.passCount - passes < 1000)
            let received = try await sink.receive()
            await sending.value
            _ = await run.value
            #expect(guests.queuedByteCount == 0)
            return received
        }
        #expect(received == bytes)
    }

    /// A guest that writes for ever waits, and its memory is bounded; the end of the peer is the
    /// error of the next write.
    @Test(arguments: [false, true])
    func aFullQueueSuspendsTheGuest(isReset: Bool) throws {
        let program = try socketProgram()
        let code = try onLoop { guests in
            var limits = GuestSocketLimits()
            limits.queuedBytes = 100_000
            let (socket, peer) = try guests.makeSocket(limits, isTCP: isReset)
            let run = guests.loop.spawn { [socket] in
                await program.run(in: world("pour", [socket]), limits: quiet(), on: guests).exitCode
            }
            #expect(try await guests.eventually { socket.queuedByteCount == 100_000 })
            let passes = guests.loop.passCount
            try await guests.loop.sleep(for: .milliseconds(50))
            // Windows of TCP may grow meanwhile.
            #expect(socket.queuedByteCount <= 100_000 && socket.queuedByteCount > 0)
            #expect(guests.loop.passCount - passes < 30)
            // It continues when there is room.
            #expect(
                try await peer.receive(limit: 400_000) == Array(repeating: 0x78, count: 400_000))
            #expect(try await guests.eventually { socket.queuedByteCount > 32 << 10 })
            if isReset { try peer.reset() } else { peer.close() }
            let code = await run.value
            #expect(try await guests.eventually { socket.isClosed })
            #expect(guests.queuedByteCount == 0 && guests.socketCount == 0)
            return code
        }
        #expect(code == SocketProgramExit.failedWrite)
    }

    @Test func allSocketsTogetherAreBounded() throws {
        let program = try socketProgram()
        try onLoop { guests in
            guests.queuedByteLimit = 300_000
            let ends = try (0..<8).map { _ in try guests.makeSocket() }
            let runs = ends.map { end in
                guests.loop.spawn {
                    await program.run(in: world("pour", [end.0]), limits: quiet(), on: guests)
                }
            }
            #expect(try await guests.eventually { guests.queuedByteCount >= 300_000 })
            try await guests.loop.sleep(for: .milliseconds(20))
            #expect(guests.queuedByteCount <= 300_000 + 8 * 16384)
            // Each goes on as its peer reads.
            for (_, peer) in ends {
                #expect(try await peer.receive(limit: 400_000).count == 400_000)
            }
            for run in runs { run.cancel() }
            for run in runs { #expect(await run.value.trapCode == .interrupted) }
        }
    }

    @Test func cancellingEndsAGuestWhoseQueueIsFull() throws {
        let program = try socketProgram()
        let (code, received) = try onLoop { guests in
            let (socket, peer) = try guests.makeSocket()
            let run = guests.loop.spawn { [socket] in
                await program.run(in: world("pour", [socket]), limits: quiet(), on: guests).trapCode
            }
            #expect(
                try await guests.eventually { socket.queuedByteCount == socket.limits.queuedBytes })
            run.cancel()
            let code = await run.value
            // What it has written is sent all the same.
            #expect(!socket.isClosed)
            let received = try await peer.receive()
            try await socket.closed()
            return (code, received.count)
        }
        #expect(code == .interrupted)
        #expect(received >= 256 << 10)
    }

    @Test func closingHasALimitOfTime() throws {
        let program = try socketProgram()
        try onLoop { guests in
            var limits = GuestSocketLimits()
            limits.closingTime = .milliseconds(30)
            let (socket, peer) = try guests.makeSocket(limits, isTCP: true)
            let run = guests.loop.spawn { [socket] in
                await program.run(in: world("pour", [socket]), limits: quiet(), on: guests)
            }
            #expect(
                try await guests.eventually { socket.queuedByteCount == socket.limits.queuedBytes })
            run.cancel()
            _ = await run.value
            try await socket.closed()
            #expect(guests.queuedByteCount == 0 && guests.socketCount == 0)
            // The peer does not take it for a complete answer.
            await #expect(throws: SystemError.connreset) { try await peer.receive() }
        }
    }

    @Test func oneMoreThanFitsIsRefusedByName() throws {
        try onLoop { guests in
            guests.socketLimit = 2
            var kept = try (0..<2).map { _ in try guests.makeSocket() }
            #expect(throws: GuestSocketError.tooManySockets(limit: 2)) { try guests.makeSocket() }
            kept.removeLast()
            #expect(guests.socketCount == 1)
            kept.append(try guests.makeSocket())
            #expect(guests.socketCount == 2)
            kept = []
            #expect(guests.socketCount == 0)
        }
    }

    @Test func aGuestThatAsksForEverIsToldAtIntervals() throws {
        let program = try socketProgram()
        try onLoop { guests in
            var limits = GuestSocketLimits()
            limits.writableDelays = .milliseconds(20)...Duration.seconds(10)
            let (socket, peer) = try guests.makeSocket(limits)
            let run = guests.loop.spawn { [socket] in
                await program.run(in: world("eager", [socket]), limits: quiet(), on: guests)
                    .exitCode
            }
            let passes = guests.loop.passCount
            try await guests.loop.sleep(for: .milliseconds(400))
            // Told after 0, 20 and 180 ms.
            #expect(guests.loop.passCount - passes < 30)
            for round in 0..<5 as Range<UInt8> {
                try await peer.send([round])
                #expect(try await peer.receive(limit: 1) == [round])
            }
            try peer.endSending()
            #expect(await run.value == 0)
        }
    }

    /// An urgent byte is left out, and reading stops before it; what follows arrives all the same.
    @Test func urgentBytesStopNothing() throws {
        let received = try onLoop { guests in
            let (socket, peer) = try guests.makeSocket(isTCP: true)
            for round in 0..<3 as Range<UInt8> {
                try await peer.send([round, round])
                var urgent: UInt8 = 99
                Glibc.send(peer.number, &urgent, 1, Int32(truncatingIfNeeded: MSG_OOB))
                try await peer.send([round])
            }
            var received: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 100)
            _ = try await guests.eventually {
                while socket.poll(isReading: true) != nil {
                    guard
                        let count = buffer.withUnsafeMutableBytes({ try? socket.read(into: $0) })
                    else { break }
                    received += buffer[..<count]
                }
                return received.count >= 9
            }
            return received
        }
        #expect(received.filter { $0 != 99 } == [0, 0, 0, 1, 1, 1, 2, 2, 2])
    }

    /// Sockets that are left when the loop ends, also those that still send, are closed with it.
    @Test func socketsEndAfterTheLoop() throws {
        var (left, peers): (KernelSocket?, [Int32]) = try onLoop { guests in
            let (left, first) = try guests.makeSocket()
            let (closing, second) = try guests.makeSocket()
            let bytes = noise(100_000)
            _ = bytes.withUnsafeBytes { try? closing.write($0) }
            closing.close()
            #expect(!closing.isClosed)
            let peers = [first.number, second.number]
            (first.number, second.number) = (-1, -1)
            return (left, peers)
        }
        #expect(left?.isClosed == false)
        left = nil
        var buffer = [UInt8](repeating: 0, count: 200_000)
        for peer in peers {
            // The end, after some bytes of the second.
            while try buffer.withUnsafeMutableBytes({ try Kernel.read(peer, $0) }) > 0 {}
            try Kernel.close(peer)
        }
    }

    @Test func socketsOfMessagesAreRefused() throws {
        try onLoop { guests in
            let made = Glibc.socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
            #expect(throws: SystemError.opnotsupp) {
                try KernelSocket(adopting: FileDescriptor(owning: made), on: guests)
            }
            #expect(guests.socketCount == 0)
        }
    }

    @Test func watchesEndWithTheirGuests() throws {
        let text = """
            (module
              (import "wasi_snapshot_preview1" "fd_read"
                (func $read (param i32 i32 i32 i32) (result i32)))
              (memory (export "memory") 1)
              (func (export "_start")
                (i32.store (i32.const 0) (i32.const 64))
                (i32.store (i32.const 4) (i32.const 1))
                (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))))
            """
        let program = try program(text)
        try onLoop { guests in
            for _ in 0..<5 {
                let (near, far) = try Kernel.makeSocketPair(isNonblocking: false)
                var world = WASI()
                world.standardInput = .descriptor(near)
                let run = guests.loop.spawn { [world] in
                    await program.run(in: world, on: guests).exitCode
                }
                #expect(try await guests.eventually { guests.watchCount == 1 })
                try Kernel.close(far)
                #expect(await run.value == 0)
                try Kernel.close(near)
                #expect(guests.watchCount == 0)
            }
        }
    }
}

/// The largest value so far.
private final class Peak: @unchecked Sendable {
    private(set) var value = 0
    func note(_ other: Int) { value = max(value, other) }
}
