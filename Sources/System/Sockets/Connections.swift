import Glibc

// Making sockets: those that listen, those that connect, pairs.
//
// Invariant: two descriptors have the room of two `Int32`.

extension Kernel {
    /// A socket that listens on `address`: socket(2), bind(2), listen(2). It does not wait, so that a
    /// connection that somebody else takes first keeps no thread.
    ///
    /// The file of a unix socket on which nobody listens any more is replaced: a server that was
    /// killed leaves it.
    ///
    /// - Parameters:
    ///   - backlog: connections that wait to be accepted; the kernel cuts it to `somaxconn`.
    ///   - sharesPort: whether other sockets that say so may listen on the same port, and the kernel
    ///     spreads connections among them: socket(7), `SO_REUSEPORT`.
    public static func listen(
        _ address: SystemAddress, backlog: Int32 = 128, sharesPort: Bool = false
    ) throws(SystemError) -> Int32 {
        guard case .unix(let path) = address else {
            return try bound(address, backlog, sharesPort: sharesPort)
        }
        do throws(SystemError) {
            return try bound(address, backlog, sharesPort: false)
        } catch .addrinuse {
            let file = CString(path: path)
            guard isAbandoned(address, file) else { throw .addrinuse }
            try unlink(file)
            return try bound(address, backlog, sharesPort: false)
        }
    }

    private static func bound(
        _ address: SystemAddress, _ backlog: Int32, sharesPort: Bool
    ) throws(SystemError) -> Int32 {
        // Before anything is opened: the address may be none.
        try address.withName { (_, _) throws(SystemError) in }
        let socket = FileDescriptor(owning: try makeSocket(address.family, SOCK_STREAM))
        if address.family != AF_UNIX {
            // Without it, a server cannot be started again while old connections fade.
            try setOption(socket.number, SOL_SOCKET, SO_REUSEADDR, 1)
        }
        if sharesPort { try setOption(socket.number, SOL_SOCKET, SO_REUSEPORT, 1) }
        let number = socket.number
        try address.withName { (name, size) throws(SystemError) in
            try retrying { bind(number, name, size) }
        }
        try retrying { Glibc.listen(number, backlog) }
        return socket.release()
    }

    /// Whether there is a socket at the path, and no process has it open. Asked by a socket of another
    /// type, which a server that listens does not notice.
    private static func isAbandoned(_ address: SystemAddress, _ path: CString) -> Bool {
        // A file that is no socket refuses connections as well.
        guard (try? status(path, followsLink: false))?.kind == .socket,
            let made = try? makeSocket(AF_UNIX, SOCK_DGRAM)
        else { return false }
        defer { try? close(made) }
        do throws(SystemError) {
            try address.withName { (name, size) throws(SystemError) in
                try checking { Glibc.connect(made, name, size) }
            }
            return false
        } catch {
            return error == .connrefused
        }
    }

    /// A socket that does not wait, under a number that is none of a standard stream.
    static func makeSocket(
        _ family: Int32, _ type: __socket_type
    ) throws(SystemError) -> Int32 {
        let type = type.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue
        return try aboveStandardStreams(
            try retrying { socket(family, Int32(bitPattern: type), 0) })
    }

    /// A socket that does not wait and begins to connect to `address`: connect(2). When it is ready to
    /// be written, `pendingError` says whether it is connected.
    public static func connect(_ address: SystemAddress) throws(SystemError) -> Int32 {
        try address.withName { (_, _) throws(SystemError) in }
        let socket = FileDescriptor(owning: try makeSocket(address.family, SOCK_STREAM))
        let number = socket.number
        do throws(SystemError) {
            try address.withName { (name, size) throws(SystemError) in
                try checking { Glibc.connect(number, name, size) }
            }
        } catch {
            // A call that was interrupted goes on by itself as one that does not wait does.
            guard error == .inprogress || error == .intr else { throw error }
        }
        return socket.release()
    }

    /// Two unix sockets that are connected with each other: socketpair(2).
    public static func makeSocketPair(
        isNonblocking: Bool = true
    ) throws(SystemError) -> (Int32, Int32) {
        var ends: (Int32, Int32) = (-1, -1)
        let type =
            SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue
            | (isNonblocking ? SOCK_NONBLOCK.rawValue : 0)
        let result = withUnsafeMutableBytes(of: &ends) { bytes -> Int32 in
            guard let start = bytes.baseAddress else { return -1 }
            return socketpair(
                AF_UNIX, Int32(bitPattern: type), 0, start.assumingMemoryBound(to: Int32.self))
        }
        guard result == 0 else { throw .ofLastCall }
        let moved = try aboveStandardStreams(ends)
        return (moved.read, moved.write)
    }
}
