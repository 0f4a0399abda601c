import Glibc

@testable import WasmInterpreter
@testable import WasmWASI

/// The host's side of connections on loopback.
enum HostSocket {
    /// A listening socket, and the port.
    static func listen() throws -> (Int32, UInt16) {
        let number = try System.listen(.ipv4([127, 0, 0, 1], port: 0))
        var address = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = getsockname(number, $0, &size)
            }
        }
        // As an embedder would have it.
        _ = fcntl(number, F_SETFL, 0)
        return (number, UInt16(bigEndian: address.sin_port))
    }

    /// A connection to the port; -1 if nobody listens there.
    static func connect(_ port: UInt16) -> Int32 {
        let number = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        address.sin_port = port.bigEndian
        let answer = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(number, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard answer == 0 else {
            close(number)
            return -1
        }
        return number
    }

    /// Two sockets that are connected with each other.
    static func pair(_ type: __socket_type = SOCK_STREAM) -> (Int32, Int32) {
        var pair: [Int32] = [0, 0]
        socketpair(AF_UNIX, Int32(type.rawValue), 0, &pair)
        return (pair[0], pair[1])
    }
}

extension TestGuest {
    func accept(_ flags: Fdflags = [], from fd: UInt32 = 3) throws -> UInt32 {
        try waiting { try guest.sock_accept(memory, fd, UInt32(flags.rawValue), 64, caller) }
        return load(64)
    }

    func receive(
        _ fd: UInt32, _ count: Int, _ flags: Riflags = []
    ) throws -> (String, UInt16) {
        let target = room(count)
        let vectors = vectors([(target, UInt32(count))])
        try waiting {
            try guest.sock_recv(
                memory, fd, vectors.0, vectors.1, UInt32(flags.rawValue), 64, 68, caller)
        }
        return (String(decoding: bytes(target, load(64)), as: UTF8.self), load(68))
    }

    func send(_ fd: UInt32, _ text: String) throws -> UInt32 {
        let vectors = vectors([place(text)])
        try waiting { try guest.sock_send(memory, fd, vectors.0, vectors.1, 0, 64, caller) }
        return load(64)
    }
}

/// A thread beside the test's own, which may block.
final class Background {
    private var thread = pthread_t()

    private final class Body: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    init(_ body: @escaping @Sendable () -> Void) {
        let argument = Unmanaged.passRetained(Body(body)).toOpaque()
        let answer = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            }, argument)
        precondition(answer == 0, "no thread")
    }

    /// What it has used of a processor, in nanoseconds.
    var processorTime: Int {
        var clock = clockid_t()
        var time = timespec()
        pthread_getcpuclockid(thread, &clock)
        clock_gettime(clock, &time)
        return time.tv_sec * 1_000_000_000 + time.tv_nsec
    }

    /// Waits until the thread has ended.
    func join() { pthread_join(thread, nil) }

    /// Runs `body` while another thread first waits and then runs `after`.
    static func during<Result>(
        milliseconds: UInt32 = 20, _ after: @escaping @Sendable () -> Void,
        _ body: () throws -> Result
    ) rethrows -> Result {
        let thread = Background {
            usleep(milliseconds * 1000)
            after()
        }
        defer { thread.join() }
        return try body()
    }
}

/// Waits until `condition`, for some seconds at most; false if it never holds.
func eventually(_ condition: () throws -> Bool) rethrows -> Bool {
    for _ in 0..<5000 {
        if try condition() { return true }
        usleep(2000)
    }
    return false
}
