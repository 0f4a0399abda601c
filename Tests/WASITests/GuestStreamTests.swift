import Glibc
import Synchronization
import Testing

@testable import WasmInterpreter
@testable import WasmWASI

/// Streams of the embedder that have nothing yet, and guests that wait for them.
@Suite struct GuestStreamTests {
    private func guest(
        _ input: MemoryPipe, _ output: MemoryPipe, _ driver: TestGuest.Driver = .thread
    ) throws -> TestGuest {
        var wasi = WASI()
        wasi.standardInput = .stream(input)
        wasi.standardOutput = .stream(output)
        return try TestGuest(wasi, driver)
    }

    @Test(arguments: TestGuest.Driver.allCases)
    func readingWaits(_ driver: TestGuest.Driver) throws {
        let input = MemoryPipe(), output = MemoryPipe()
        let test = try guest(input, output, driver)
        for text in ["first", "second"] {
            #expect(
                try Background.during({ _ = try? input.write(text.utf8) }) { try test.read(0) }
                    == text)
        }
        #expect(try Background.during({ input.closeWriting() }) { try test.read(0) } == "")
        #expect(try test.read(0) == "")
    }

    /// A guest that waits gets rid of everything, however small the pipe.
    @Test(arguments: TestGuest.Driver.allCases)
    func writingWaits(_ driver: TestGuest.Driver) throws {
        let input = MemoryPipe(), output = MemoryPipe(capacity: 10)
        let test = try guest(input, output, driver)
        let received = Mutex<[UInt8]>([])
        let thread = Background {
            while let bytes = output.readAll() {
                received.withLock { $0 += bytes }
                if bytes.isEmpty { usleep(500) }
            }
        }
        #expect(try test.write(1, ["many more than ten bytes, ", "in two parts"]) == 38)
        try test.guest.fd_close(1)
        thread.join()
        let text = received.withLock { String(decoding: $0, as: UTF8.self) }
        #expect(text == "many more than ten bytes, in two parts")
    }

    @Test(arguments: TestGuest.Driver.allCases)
    func polling(_ driver: TestGuest.Driver) throws {
        let input = MemoryPipe(), output = MemoryPipe(capacity: 4)
        let test = try guest(input, output, driver)
        var events = try test.poll([.read(1, 0), .write(2, 1)])
        #expect(events.map(\.userdata) == [2])
        #expect(events.first?.byteCount == 4)
        #expect(try test.write(1, ["full"]) == 4)
        events = try test.poll([.read(1, 0), .write(2, 1), .clock(3, 1, 1_000_000)])
        #expect(events.map(\.userdata) == [3])
        events = try Background.during({ _ = try? input.write([1, 2, 3]) }) {
            try test.poll([.read(1, 0), .write(2, 1)])
        }
        #expect(events.map(\.userdata) == [1])
        #expect(events.first?.byteCount == 3)
        events = try Background.during({ _ = output.readAll() }) { try test.poll([.write(2, 1)]) }
        #expect(events.map(\.userdata) == [2])
    }

    @Test func withoutWaiting() throws {
        let input = MemoryPipe(), output = MemoryPipe(capacity: 4)
        let test = try guest(input, output)
        for fd in [0, 1] as [UInt32] {
            try test.guest.fd_fdstat_set_flags(fd, UInt32(Fdflags.nonblock.rawValue))
        }
        #expect(throws: Errno.again) { try test.read(0) }
        #expect(try test.write(1, ["abcdef"]) == 4)
        #expect(throws: Errno.again) { try test.write(1, ["x"]) }
        output.closeReading()
        #expect(throws: Errno.pipe) { try test.write(1, ["x"]) }
        #expect(try test.poll([.write(2, 1)]).map(\.userdata) == [2])
        #expect(throws: Errno.badf) { try test.write(0, ["x"]) }
        #expect(throws: Errno.badf) { try test.read(1) }
    }

    @Test(arguments: TestGuest.Driver.allCases)
    func stopping(_ driver: TestGuest.Driver) throws {
        let test = try guest(MemoryPipe(), MemoryPipe(capacity: 1), driver)
        let handle = test.store.interruptHandle
        _ = try test.write(1, ["x"])
        for body in [{ _ = try test.read(0) }, { _ = try test.write(1, ["x"]) }] {
            let trap = Background.during({ handle.interrupt() }) {
                #expect(throws: Trap.self) { try body() }
            }
            #expect(trap?.code == .interrupted)
            test.store.deadline = .now + .milliseconds(10)
            let late = #expect(throws: Trap.self) { try body() }
            #expect(late?.code == .deadlineExceeded)
            test.store.deadline = nil
        }
    }

    /// A stream in both directions, as a number that the guest did not start with.
    @Test func insertedStreams() throws {
        let test = try TestGuest(WASI())
        let pipe = MemoryPipe()
        let both = try test.guest.insert(pipe)
        #expect(try test.write(both, ["echo"]) == 4)
        #expect(try test.read(both) == "echo")
        let reading = try test.guest.insert(pipe, .reading)
        #expect(throws: Errno.badf) { try test.write(reading, ["x"]) }
        try test.guest.fd_close(reading)
        #expect(throws: Errno.pipe) { try test.write(both, ["x"]) }
        #expect(throws: Errno.pipe) { try pipe.write([1]) }
    }

    /// Every byte comes out once and in order, whatever the sizes.
    @Test func pipesKeepOrder() throws {
        let pipe = MemoryPipe(capacity: 9000)
        var next: UInt8 = 0, expected: UInt8 = 0
        var size = 1
        for _ in 0..<400 {
            size = size * 7 % 5003
            let count = try pipe.write((0..<size).map { next &+ UInt8(truncatingIfNeeded: $0) })
            next &+= UInt8(truncatingIfNeeded: count)
            var buffer = [UInt8](repeating: 0, count: size * 3 % 4001 + 1)
            let got = (try? buffer.withUnsafeMutableBytes { try pipe.read(into: $0) }) ?? 0
            #expect(
                buffer[..<got].allSatisfy { byte in
                    defer { expected &+= 1 }
                    return byte == expected
                })
        }
        pipe.closeWriting()
        let rest = pipe.readAll() ?? []
        #expect(expected &+ UInt8(truncatingIfNeeded: rest.count) == next)
        #expect(pipe.readAll() == nil)
    }
}
