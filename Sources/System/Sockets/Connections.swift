import Glibc

// Making sockets: listening ones, connecting ones, pairs.
//
// Invariant: the buffer for two descriptors has two `Int32`.

extension Kernel {
    /// A socket that listens on `address`: socket(2), bind(2), listen(2). It is nonblocking, so
    /// that no thread waits for a connection that another process has taken.
    ///
    /// The file of a unix socket without a listener is replaced: a killed server leaves one.
    ///
    /// - Parameters:
    ///   - backlog: the most connections that wait to be accepted; the kernel limits it to
    ///     `somaxconn`.
    ///   - sharesPort: whether other sockets with this option may listen on the same port, and the
    ///     kernel distributes connections among them: socket(7), `SO_REUSEPORT`.
    ///   - isFirst: whether the port must be free, and is shared only with later sockets. Otherwise
    ///     a socket that shares its port also joins those of another process of the same user.
    public static func listen(
        _ address: SystemAddress, backlog: Int32 = 128, sharesPort: Bool = false,
        isFirst: Bool = false
    ) throws(SystemError) -> Int32 {
        guard case .unix(let path) = address else {
            return try bound(address, backlog, sharesPort: sharesPort, isFirst: isFirst)
        }
        do throws(SystemError) {
            return try bound(address, backlog)
        } catch .addrinuse {
            let file = CString(path: path)
            guard isAbandoned(address, file) else { throw .addrinuse }
            try unsafe unlink(file)
            return try bound(address, backlog)
        }
    }

    private static func bound(
        _ address: SystemAddress, _ backlog: Int32, sharesPort: Bool = false, isFirst: Bool = false
    ) throws(SystemError) -> Int32 {
        // Checks the address before anything is opened.
        try unsafe address.withName { (_, _) throws(SystemError) in }
        let socket = FileDescriptor(owning: try makeSocket(address.family, SOCK_STREAM))
        if address.family != AF_UNIX {
            // Without it, a server cannot be restarted while old connections are being closed.
            try setOption(socket.number, SOL_SOCKET, SO_REUSEADDR, 1)
        }
        let number = socket.number
        if sharesPort, !isFirst { try setOption(number, SOL_SOCKET, SO_REUSEPORT, 1) }
        try unsafe address.withName { (name, size) throws(SystemError) in
            try retrying { unsafe bind(number, name, size) }
        }
        if sharesPort, isFirst { try setOption(number, SOL_SOCKET, SO_REUSEPORT, 1) }
        try retrying { Glibc.listen(number, backlog) }
        return socket.release()
    }

    /// Whether there is a socket at the path that no process has open. Tested with a socket of
    /// another type, which a listening server does not notice.
    private static func isAbandoned(_ address: SystemAddress, _ path: CString) -> Bool {
        // Other files refuse connections as well.
        guard unsafe (try? status(path, followsLink: false))?.kind == .socket,
            let made = try? makeSocket(AF_UNIX, SOCK_DGRAM)
        else { return false }
        defer { try? close(made) }
        do throws(SystemError) {
            try unsafe address.withName { (name, size) throws(SystemError) in
                try checking { unsafe Glibc.connect(made, name, size) }
            }
            return false
        } catch {
            return error == .connrefused
        }
    }

    /// A nonblocking socket, under a number above those of the standard streams.
    static func makeSocket(
        _ family: Int32, _ type: __socket_type, protocol: Int32 = 0
    ) throws(SystemError) -> Int32 {
        let type = type.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue
        return try aboveStandardStreams(
            try retrying { socket(family, Int32(bitPattern: type), `protocol`) })
    }

    /// A nonblocking socket that begins to connect to `address`: connect(2). When it is ready for
    /// writing, `pendingError` tells whether it is connected.
    public static func connect(_ address: SystemAddress) throws(SystemError) -> Int32 {
        try unsafe address.withName { (_, _) throws(SystemError) in }
        let socket = FileDescriptor(owning: try makeSocket(address.family, SOCK_STREAM))
        let number = socket.number
        do throws(SystemError) {
            try unsafe address.withName { (name, size) throws(SystemError) in
                try checking { unsafe Glibc.connect(number, name, size) }
            }
        } catch {
            // An interrupted call continues by itself, as a nonblocking one does.
            guard error == .inprogress || error == .intr else { throw error }
        }
        return socket.release()
    }

    /// The address that connections to an address would come from; nil if it is of no known family.
    /// Nothing is sent.
    ///
    /// - Throws: `ENETUNREACH` and others if there is no way to it.
    public static func sourceAddress(
        for address: SystemAddress
    ) throws(SystemError) -> SystemAddress? {
        let socket = FileDescriptor(owning: try makeSocket(address.family, SOCK_DGRAM))
        let number = socket.number
        try unsafe address.withName { (name, size) throws(SystemError) in
            try checking { unsafe Glibc.connect(number, name, size) }
        }
        return try localAddress(number)
    }

    /// Two unix sockets that are connected with each other: socketpair(2).
    public static func makeSocketPair(
        isNonblocking: Bool = true
    ) throws(SystemError) -> (Int32, Int32) {
        var ends: (Int32, Int32) = (-1, -1)
        let type =
            SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue
            | (isNonblocking ? SOCK_NONBLOCK.rawValue : 0)
        let result = unsafe withUnsafeMutableBytes(of: &ends) { bytes -> Int32 in
            guard let start = bytes.baseAddress else { return -1 }
            return unsafe socketpair(
                AF_UNIX, Int32(bitPattern: type), 0, start.assumingMemoryBound(to: Int32.self))
        }
        guard result == 0 else { throw .ofLastCall }
        let moved = try aboveStandardStreams(ends)
        return (moved.read, moved.write)
    }
}
