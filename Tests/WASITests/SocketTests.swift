import Glibc
import Testing

@testable import WasmInterpreter
@testable import WasmWASI

@Suite struct SocketTests {
    @Test(arguments: TestGuest.Driver.allCases)
    func connections(_ driver: TestGuest.Driver) throws {
        let (listener, port) = try HostSocket.listen()
        var wasi = WASI()
        wasi.descriptors = [listener]
        let test = try TestGuest(wasi, driver)
        close(listener)
        #expect(try test.fdstat(3).filetype == .socketStream)
        #expect(throws: Errno.badf) { try test.guest.fd_prestat_get(test.memory, 3, 64) }
        #expect(throws: Errno.badf) {
            try test.guest.fd_prestat_dir_name(test.memory, 3, 64, 64)
        }
        #expect(try test.fdstat(3).flags == [])
        try test.guest.fd_fdstat_set_flags(3, UInt32(Fdflags.nonblock.rawValue))
        #expect(try test.fdstat(3).flags == .nonblock)
        #expect(throws: Errno.again) { try test.accept() }
        #expect(try test.poll([.read(1, 3), .clock(2, 1, 1_000_000)]).map(\.userdata) == [2])

        let client = HostSocket.connect(port)
        // As long as there is a connection to accept, every call says so.
        for _ in 0..<2 { #expect(try test.poll([.read(1, 3)]).map(\.userdata) == [1]) }
        #expect(throws: Errno.inval) { try test.accept(.append) }
        let fd = try test.accept(.nonblock)
        #expect(fd == 4)
        #expect(throws: Errno.again) { try test.accept() }
        #expect(try test.poll([.read(1, 3), .clock(2, 1, 1_000_000)]).map(\.userdata) == [2])
        #expect(try test.fdstat(fd).filetype == .socketStream)
        #expect(try test.fdstat(fd).flags == .nonblock)
        #expect(throws: Errno.badf) { try test.guest.fd_prestat_get(test.memory, fd, 64) }
        #expect(throws: Errno.again) { try test.receive(fd, 10) }
        #expect(throws: Errno.again) { try test.read(fd) }

        _ = Glibc.send(client, "hello", 5, 0)
        for _ in 0..<2 { #expect(try test.poll([.read(1, fd)]).first?.byteCount == 5) }
        #expect(try test.poll([.write(1, fd), .read(2, fd)]).map(\.userdata) == [1, 2])
        #expect(try test.receive(fd, 3, .recvPeek) == ("hel", 0))
        #expect(try test.receive(fd, 3) == ("hel", 0))
        #expect(try test.read(fd) == "lo")
        #expect(try test.send(fd, "answer") == 6)
        #expect(try test.write(fd, ["!", "?"]) == 2)
        var buffer = [UInt8](repeating: 0, count: 16)
        // Two segments.
        #expect(recv(client, &buffer, 8, Int32(MSG_WAITALL)) == 8)
        #expect(throws: Errno.inval) {
            try test.guest.sock_send(test.memory, fd, 0, 0, 1, 64, test.caller)
        }
        #expect(throws: Errno.inval) {
            try test.guest.sock_recv(test.memory, fd, 0, 0, 4, 64, 68, test.caller)
        }

        for how in [0, 4, 256] as [UInt32] {
            #expect(throws: Errno.inval) { try test.guest.sock_shutdown(fd, how) }
        }
        try test.guest.sock_shutdown(fd, UInt32(Sdflags.wr.rawValue))
        #expect(recv(client, &buffer, 16, 0) == 0)
        #expect(throws: Errno.pipe) { try test.send(fd, "x") }
        #expect(throws: Errno.pipe) { try test.write(fd, ["x"]) }
        close(client)
        for _ in 0..<2 {
            let event = try test.poll([.read(1, fd)]).first
            #expect(event?.isHangup == true)
            #expect(event?.error == .success)
            #expect(try test.read(fd) == "")
            #expect(try test.receive(fd, 10) == ("", 0))
        }
    }

    @Test(arguments: TestGuest.Driver.allCases)
    func datagrams(_ driver: TestGuest.Driver) throws {
        let (near, far) = HostSocket.pair(SOCK_DGRAM)
        var wasi = WASI()
        wasi.descriptors = [near]
        let test = try TestGuest(wasi, driver)
        close(near)
        #expect(try test.fdstat(3).filetype == .socketDgram)
        _ = Glibc.send(far, "too long", 8, 0)
        #expect(try test.receive(3, 3) == ("too", 1))
        #expect(try test.send(3, "back") == 4)
        close(far)
    }

    @Test(arguments: TestGuest.Driver.allCases)
    func notSockets(_ driver: TestGuest.Driver) throws {
        let test = try TestGuest(TestFolder())
        for fd in [0, 1, 3] as [UInt32] {
            #expect(throws: Errno.notsock) { try test.accept(from: fd) }
            #expect(throws: Errno.notsock) { try test.receive(fd, 1) }
            #expect(throws: Errno.notsock) { try test.send(fd, "") }
            #expect(throws: Errno.notsock) { try test.guest.sock_shutdown(fd, 1) }
        }
        #expect(throws: Errno.badf) { try test.guest.sock_shutdown(9, 1) }
        #expect(throws: Errno.badf) { try test.receive(9, 1) }
    }

    @Test(arguments: TestGuest.Driver.allCases)
    func acceptedNumbersAreTheLowest(_ driver: TestGuest.Driver) throws {
        let (listener, port) = try HostSocket.listen()
        var wasi = WASI()
        wasi.descriptors = [listener]
        wasi.limits.descriptors = 6
        let test = try TestGuest(wasi, driver)
        close(listener)
        let clients = (0..<4).map { _ in HostSocket.connect(port) }
        try test.guest.fd_close(0)
        #expect(try test.accept() == 0)
        #expect(try test.accept() == 4)
        #expect(try test.fdstat(4).flags == [])
        #expect(try test.accept(.nonblock) == 5)
        #expect(throws: Errno.mfile) { try test.accept() }
        try test.guest.fd_close(4)
        #expect(try test.accept() == 4)
        for client in clients { close(client) }
    }

    /// The flag is the guest's own: it reaches neither the embedder nor other processes.
    @Test(arguments: TestGuest.Driver.allCases)
    func nonblockStaysWithTheGuest(_ driver: TestGuest.Driver) throws {
        let (near, far) = HostSocket.pair()
        defer {
            close(near)
            close(far)
        }
        let test = try TestGuest(WASI(), driver)
        let fd = try test.guest.insert(duplicating: near)
        try test.guest.fd_fdstat_set_flags(fd, UInt32(Fdflags.nonblock.rawValue))
        #expect(throws: Errno.again) { try test.read(fd) }
        #expect(fcntl(near, F_GETFL) & O_NONBLOCK == 0)
        // What the embedder chose is how it starts.
        _ = fcntl(near, F_SETFL, O_NONBLOCK)
        let other = try test.guest.insert(duplicating: near)
        #expect(try test.fdstat(other).flags == .nonblock)
        #expect(throws: Errno.again) { try test.read(other) }
        try test.guest.fd_fdstat_set_flags(other, 0)
        #expect(try test.fdstat(other).flags == [])
        let text = try Background.during({ _ = Glibc.send(far, "late", 4, 0) }) {
            try test.read(other)
        }
        #expect(text == "late")
    }

    /// Device and inode of an open file; nil for a number that is not open.
    private static func file(of number: Int32) -> [UInt64]? {
        var facts = stat()
        return fstat(number, &facts) == 0 ? [UInt64(facts.st_dev), UInt64(facts.st_ino)] : nil
    }

    @Test(arguments: TestGuest.Driver.allCases)
    func ownership(_ driver: TestGuest.Driver) throws {
        let test = try TestGuest(WASI(), driver)
        var pair = HostSocket.pair()
        let first = try test.guest.insert(owning: pair.0)
        #expect(first == 3)
        try test.guest.fd_close(first)
        var byte: UInt8 = 0
        #expect(recv(pair.1, &byte, 1, 0) == 0)
        close(pair.1)
        // Also what cannot be used belongs to the guest.
        let folder = TestFolder()
        let number = open(folder.path, O_RDONLY | O_DIRECTORY)
        let before = try #require(Self.file(of: number))
        #expect(throws: Errno.isdir) { try test.guest.insert(owning: number) }
        // Another test may have the number by now.
        #expect(Self.file(of: number) != before)
        #expect(throws: Errno.badf) { try test.guest.insert(duplicating: -1) }
        pair = HostSocket.pair()
        _ = try test.guest.insert(duplicating: pair.0)
        test.guest.closeAll()
        #expect(Glibc.send(pair.0, "x", 1, 0) == 1)
        #expect(recv(pair.1, &byte, 1, 0) == 1)
        close(pair.0)
        close(pair.1)
    }

    @Test(arguments: TestGuest.Driver.allCases)
    func listeners(_ driver: TestGuest.Driver) throws {
        let folder = TestFolder()
        var wasi = WASI()
        wasi.folders = [.init(hostPath: folder.root, guestPath: "/")]
        wasi.listeners = [
            .unix(path: folder.path + "/socket"),
            .ipv6(.init(repeating: 0, count: 15) + [1], port: 0),
        ]
        let test = try TestGuest(wasi, driver)
        // Behind the folders: C libraries stop at the first number that is none.
        for fd in [4, 5] as [UInt32] {
            #expect(try test.fdstat(fd).filetype == .socketStream)
            #expect(try test.fdstat(fd).flags == [])
            #expect(try test.fdstat(fd).base.contains(.sockAccept))
        }
        wasi.listeners.removeLast()
        #expect(throws: WASISetupError.listener(wasi.listeners[0], .addrinuse)) {
            try TestGuest(wasi, driver)
        }
        wasi.listeners = [.unix(path: String(repeating: "x", count: 200))]
        #expect(throws: WASISetupError.listener(wasi.listeners[0], .nametoolong)) {
            try TestGuest(wasi, driver)
        }
    }

    @Test func addresses() {
        let texts = ["127.0.0.1:80", "0.0.0.0:0", "[::1]:65535", "[2001:db8::7]:1", "unix:/a b"]
        for text in texts { #expect(SocketAddress(text)?.description == text) }
        #expect(SocketAddress("localhost:1") == .ipv4([127, 0, 0, 1], port: 1))
        #expect(SocketAddress("[::1]:2") == .ipv6(.init(repeating: 0, count: 15) + [1], port: 2))
        let wrong = [
            "", ":", ":80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1",
            "127.0.0.1:+1", "1.2.3:4", "::1:80", "[::1]", "[127.0.0.1]:80", "example.org:80",
            "unix:", "unix:a\0b", "127.0.0.1\0:80", "[]:1", "127.0.0.1: 80",
        ]
        for text in wrong { #expect(SocketAddress(text) == nil) }
    }
}
