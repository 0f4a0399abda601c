import Glibc

// Talking to systemd: sd_notify(3), sd_listen_fds(3).
//
// Invariant: the name of an address and the bytes of a message live until the call returns.

/// What the manager of services gave to this process and wants to hear from it; nothing if there is
/// none.
public final class ServiceManager: Sendable {
    /// A socket that is connected to the manager; nil if it does not listen.
    private let socket: Int32?
    /// How often the manager wants a sign of life, in microseconds; nil for never.
    public let watchdog: UInt64?

    /// Reads `NOTIFY_SOCKET` and `WATCHDOG_USEC`, and makes the socket: before the process restricts
    /// itself.
    public init() {
        socket = CurrentProcess.value(of: "NOTIFY_SOCKET").flatMap { try? Self.connect($0) }
        let owner = CurrentProcess.value(of: "WATCHDOG_PID").flatMap(Self.number)
        let isOurs = owner == nil || owner == UInt64(CurrentProcess.identifier)
        watchdog = isOurs ? CurrentProcess.value(of: "WATCHDOG_USEC").flatMap(Self.number) : nil
    }

    deinit { if let socket { try? Kernel.close(socket) } }

    /// Whether somebody listens.
    public var isThere: Bool { socket != nil }

    /// Sends lines such as `READY=1`. Waits for nothing; what cannot be sent is lost.
    public func send(_ lines: String...) {
        guard let socket else { return }
        let message = Array(lines.joined(separator: "\n").utf8)
        unsafe message.withUnsafeBytes { try? unsafe Kernel.sendDatagram(socket, $0) }
    }

    /// Sockets that the manager has opened for this process, in its order, with their names; none
    /// the second time that a child asks, since the variables name the process.
    public static func sockets() -> [(number: Int32, name: String)] {
        guard let owner = CurrentProcess.value(of: "LISTEN_PID").flatMap(number),
            owner == UInt64(CurrentProcess.identifier),
            let count = CurrentProcess.value(of: "LISTEN_FDS").flatMap(number), count <= 1024
        else { return [] }
        let names = (CurrentProcess.value(of: "LISTEN_FDNAMES") ?? [])
            .split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        var sockets: [(Int32, String)] = []
        for index in 0..<Int(count) {
            let number = Int32(3 + index)
            guard (try? Kernel.localAddress(number)) != nil else { continue }
            // Programs that this process starts do not get them, and no accept waits.
            guard (try? Kernel.prepareListener(number)) != nil else { continue }
            sockets.append((number, index < names.count ? names[index] : ""))
        }
        return sockets
    }

    private static func number(_ bytes: [UInt8]) -> UInt64? {
        UInt64(String(decoding: bytes, as: UTF8.self))
    }

    /// - Parameter path: with `@` in front for an abstract name.
    private static func connect(_ path: [UInt8]) throws(SystemError) -> Int32 {
        let isAbstract = path.first == UInt8(ascii: "@")
        guard isAbstract || path.first == UInt8(ascii: "/"), path.count > 1, !path.contains(0)
        else { throw .inval }
        let socket = FileDescriptor(
            owning: try Kernel.makeSocket(AF_UNIX, SOCK_DGRAM))
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        guard path.count < MemoryLayout.size(ofValue: name.sun_path) else { throw .nametoolong }
        unsafe withUnsafeMutableBytes(of: &name.sun_path) { bytes in
            unsafe bytes.copyBytes(from: path)
            if isAbstract { unsafe bytes[0] = 0 }
        }
        // The path's end counts in an abstract name.
        let size = socklen_t(MemoryLayout<sa_family_t>.size + path.count + (isAbstract ? 0 : 1))
        let number = socket.number
        try unsafe withUnsafeBytes(of: name) { (bytes) throws(SystemError) in
            guard let start = bytes.baseAddress else { throw .inval }
            try retrying {
                unsafe Glibc.connect(number, start.assumingMemoryBound(to: sockaddr.self), size)
            }
        }
        return socket.release()
    }
}

extension CurrentProcess {
    /// The value of a variable of the environment; nil if there is none.
    public static func value(of name: String) -> [UInt8]? {
        unsafe name.withCString { unsafe variable($0) }
    }
}

extension Kernel {
    /// Makes an inherited descriptor one that does not wait and is closed when a program is
    /// executed: fcntl(2).
    static func prepareListener(_ descriptor: Int32) throws(SystemError) {
        let flags = try retrying { fcntl(descriptor, F_GETFL) }
        try retrying { fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) }
        try retrying { fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
    }
}
