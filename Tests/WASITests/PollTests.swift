import Glibc
import Testing

@testable import WasmInterpreter
@testable import WasmWASI

@Suite struct PollTests {
    private let millisecond: UInt64 = 1_000_000

    @Test func clocks() throws {
        let test = try TestGuest(WASI())
        let start = ContinuousClock.now
        var events = try test.poll([
            .clock(7, 1, 30 * millisecond), .clock(8, 0, 60_000 * millisecond),
        ])
        #expect(events.map(\.userdata) == [7])
        #expect(events.map(\.error) == [.success])
        #expect(ContinuousClock.now - start >= .milliseconds(30))
        events = try test.poll([.clock(1, 0, 0), .clock(2, 1, 0)])
        #expect(events.map(\.userdata) == [1, 2])
        // Times that have passed.
        events = try test.poll([.clock(1, 0, 1, isAbsolute: true)])
        #expect(events.map(\.userdata) == [1])
        try test.guest.clock_time_get(test.memory, 0, 64)
        let soon = test.load(64, UInt64.self) + 20 * millisecond
        events = try test.poll([.clock(1, 0, soon, isAbsolute: true), .clock(2, 1, .max)])
        #expect(events.map(\.userdata) == [1])
        try test.guest.clock_time_get(test.memory, 0, 64)
        #expect(test.load(64, UInt64.self) >= soon)
    }

    @Test func malformed() throws {
        let test = try TestGuest(WASI())
        #expect(throws: Errno.inval) { try test.poll([]) }
        #expect(throws: Errno.inval) {
            try test.poll([.init(userdata: 1, tag: 3, body: [0, 0, 0, 0])])
        }
        let events = try test.poll([.clock(1, 2, 0), .clock(2, 3, 0), .clock(3, 99, 0)])
        #expect(events.map(\.error) == [.inval, .inval, .inval])
        #expect(throws: Errno.inval) {
            try test.guest.poll_oneoff(test.memory, 0, 0, .max, 16, .preview1, deadline: nil)
        }
    }

    @Test func streamsInMemory() throws {
        let folder = TestFolder()
        var wasi = WASI()
        wasi.folders = [.init(hostPath: folder.root, guestPath: "/")]
        wasi.standardInput = .bytes([1, 2, 3])
        wasi.standardOutput = .null
        let test = try TestGuest(wasi)
        let file = try test.open("file")
        let events = try test.poll([
            .read(1, 0), .write(2, 1), .read(3, 77), .write(4, 0), .read(5, file), .write(6, file),
            .clock(7, 1, 60_000 * millisecond),
        ])
        let byData = Dictionary(uniqueKeysWithValues: events.map { ($0.userdata, $0) })
        #expect(byData.keys.sorted() == [1, 2, 3, 4, 5, 6])
        #expect(byData[1]?.byteCount == 3)
        #expect(byData[2]?.error == .success)
        #expect(byData[3]?.error == .badf)
        #expect(byData[4]?.error == .badf)
        #expect(byData[5]?.byteCount == 6)
        #expect(byData[6]?.error == .badf)
        #expect(byData[1]?.type == .fdRead)
        #expect(byData[2]?.type == .fdWrite)
    }

    @Test func pipes() throws {
        let (reader, writer) = try System.makePipe()
        var wasi = WASI()
        wasi.standardInput = .descriptor(reader)
        wasi.standardOutput = .descriptor(writer)
        let test = try TestGuest(wasi)
        close(reader)
        close(writer)
        var events = try test.poll([.read(1, 0), .clock(2, 1, 10 * millisecond)])
        #expect(events.map(\.userdata) == [2])
        events = try test.poll([.read(1, 0), .write(2, 1)])
        #expect(events.map(\.userdata) == [2])
        _ = try test.write(1, ["12345"])
        // As long as there is something, every call says so.
        for _ in 0..<2 {
            events = try test.poll([.read(1, 0), .clock(2, 1, 60_000 * millisecond)])
            #expect(events.map(\.userdata) == [1])
            #expect(events.first?.byteCount == 5)
            #expect(events.first?.isHangup == false)
        }
        // Several for one descriptor are told apart.
        events = try test.poll([.read(1, 0), .read(3, 0), .write(4, 1), .write(5, 1)])
        #expect(events.map(\.userdata) == [1, 3, 4, 5])
        #expect(events.map(\.type) == [.fdRead, .fdRead, .fdWrite, .fdWrite])
        _ = try test.read(0)
        try test.guest.fd_close(1)
        events = try test.poll([.read(1, 0)])
        #expect(events.map(\.userdata) == [1])
        #expect(events.first?.isHangup == true)
    }

    @Test func deadline() throws {
        let test = try TestGuest(WASI())
        let start = ContinuousClock.now
        let trap = #expect(throws: Trap.self) {
            try test.poll([.clock(1, 1, .max)], deadline: start + .milliseconds(20))
        }
        #expect(trap?.code == .interrupted)
        #expect(ContinuousClock.now - start >= .milliseconds(20))
        // An event that is there comes before the deadline.
        #expect(try test.poll([.clock(1, 1, 0)], deadline: start).count == 1)
    }
}

@Suite struct SocketTests {
    /// A listening socket on loopback, and the port.
    private func listen() -> (Int32, UInt16) {
        let number = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = bind(number, $0, size)
                _ = Glibc.listen(number, 8)
                _ = getsockname(number, $0, &size)
            }
        }
        return (number, UInt16(bigEndian: address.sin_port))
    }

    private func connect(_ port: UInt16) -> Int32 {
        let number = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        address.sin_port = port.bigEndian
        withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = Glibc.connect(number, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        return number
    }

    private func accept(_ test: TestGuest, _ flags: Fdflags = []) throws(Errno) -> UInt32 {
        try test.guest.sock_accept(test.memory, 3, UInt32(flags.rawValue), 64)
        return test.load(64)
    }

    private func receive(
        _ test: TestGuest, _ fd: UInt32, _ count: Int, _ flags: Riflags = []
    ) throws(Errno) -> (String, UInt16) {
        let target = test.room(count)
        let vectors = test.vectors([(target, UInt32(count))])
        try test.guest.sock_recv(
            test.memory, fd, vectors.0, vectors.1, UInt32(flags.rawValue), 64, 68)
        return (String(decoding: test.bytes(target, test.load(64)), as: UTF8.self), test.load(68))
    }

    private func send(_ test: TestGuest, _ fd: UInt32, _ text: String) throws(Errno) -> UInt32 {
        let vectors = test.vectors([test.place(text)])
        try test.guest.sock_send(test.memory, fd, vectors.0, vectors.1, 0, 64)
        return test.load(64)
    }

    @Test func connections() throws {
        let (listener, port) = listen()
        var wasi = WASI()
        wasi.descriptors = [listener]
        let test = try TestGuest(wasi)
        close(listener)
        #expect(try test.fdstat(3).filetype == .socketStream)
        #expect(throws: Errno.badf) { try test.guest.fd_prestat_get(test.memory, 3, 64) }
        try test.guest.fd_fdstat_set_flags(3, UInt32(Fdflags.nonblock.rawValue))
        #expect(try test.fdstat(3).flags == .nonblock)
        #expect(throws: Errno.again) { try accept(test) }
        #expect(try test.poll([.read(1, 3), .clock(2, 1, 1_000_000)]).map(\.userdata) == [2])

        let client = connect(port)
        #expect(try test.poll([.read(1, 3)]).map(\.userdata) == [1])
        #expect(throws: Errno.inval) { try accept(test, .append) }
        let fd = try accept(test, .nonblock)
        #expect(fd == 4)
        #expect(try test.fdstat(fd).filetype == .socketStream)
        #expect(try test.fdstat(fd).flags == .nonblock)
        #expect(throws: Errno.again) { try receive(test, fd, 10) }
        #expect(throws: Errno.again) { try test.read(fd) }

        _ = Glibc.send(client, "hello", 5, 0)
        #expect(try test.poll([.read(1, fd)]).first?.byteCount == 5)
        #expect(try test.poll([.write(1, fd), .read(2, fd)]).map(\.userdata) == [1, 2])
        #expect(try receive(test, fd, 3, .recvPeek) == ("hel", 0))
        #expect(try receive(test, fd, 3) == ("hel", 0))
        #expect(try test.read(fd) == "lo")
        #expect(try send(test, fd, "answer") == 6)
        #expect(try test.write(fd, ["!", "?"]) == 2)
        var buffer = [UInt8](repeating: 0, count: 16)
        #expect(recv(client, &buffer, 16, 0) == 8)
        #expect(throws: Errno.inval) {
            try test.guest.sock_send(test.memory, fd, 0, 0, 1, 64)
        }
        #expect(throws: Errno.inval) {
            try test.guest.sock_recv(test.memory, fd, 0, 0, 4, 64, 68)
        }

        for how in [0, 4, 256] as [UInt32] {
            #expect(throws: Errno.inval) { try test.guest.sock_shutdown(fd, how) }
        }
        try test.guest.sock_shutdown(fd, UInt32(Sdflags.wr.rawValue))
        #expect(recv(client, &buffer, 16, 0) == 0)
        #expect(throws: Errno.pipe) { try send(test, fd, "x") }
        #expect(throws: Errno.pipe) { try test.write(fd, ["x"]) }
        close(client)
        let events = try test.poll([.read(1, fd)])
        #expect(events.first?.isHangup == true)
        #expect(try test.read(fd) == "")
    }

    @Test func datagrams() throws {
        var pair: [Int32] = [0, 0]
        #expect(socketpair(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0, &pair) == 0)
        var wasi = WASI()
        wasi.descriptors = [pair[0]]
        let test = try TestGuest(wasi)
        close(pair[0])
        #expect(try test.fdstat(3).filetype == .socketDgram)
        _ = Glibc.send(pair[1], "too long", 8, 0)
        #expect(try receive(test, 3, 3) == ("too", 1))
        close(pair[1])
    }

    @Test func notSockets() throws {
        let test = try TestGuest(TestFolder())
        for fd in [0, 1, 3] as [UInt32] {
            #expect(throws: Errno.notsock) {
                try test.guest.sock_accept(test.memory, fd, 0, 64)
            }
            #expect(throws: Errno.notsock) { try receive(test, fd, 1) }
            #expect(throws: Errno.notsock) { try send(test, fd, "") }
            #expect(throws: Errno.notsock) { try test.guest.sock_shutdown(fd, 1) }
        }
        #expect(throws: Errno.badf) { try test.guest.sock_shutdown(9, 1) }
        #expect(throws: Errno.badf) { try receive(test, 9, 1) }
    }
}
