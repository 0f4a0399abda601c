import Glibc

// Calls on sockets. None waits: a call that would have to fails with `EAGAIN`.
//
// Invariant: the buffers of a vectored call are accessible for the duration of the call.

extension Kernel {
    /// Whether a socket carries single messages instead of a stream of bytes; false for other
    /// descriptors: socket(7), `SO_TYPE`.
    public static func carriesMessages(_ descriptor: Int32) -> Bool {
        option(descriptor, SOL_SOCKET, SO_TYPE) == Int32(bitPattern: SOCK_DGRAM.rawValue)
    }

    /// Takes the next connection of a listening socket, under a number above those of the standard
    /// streams: accept4(2).
    ///
    /// - Parameter isNonblocking: whether calls on the connection fail with `EAGAIN` instead of
    ///   waiting.
    /// - Throws: `EAGAIN` if there is none, also if the socket is blocking.
    public static func accept(
        _ descriptor: Int32, isNonblocking: Bool = false
    ) throws(SystemError) -> Int32 {
        // All processes with the socket share its flag `O_NONBLOCK`, so it cannot be used here.
        guard try isReady(descriptor, isReading: true) else { throw .again }
        let flags = SOCK_CLOEXEC.rawValue | (isNonblocking ? SOCK_NONBLOCK.rawValue : 0)
        return try aboveStandardStreams(
            try retrying { symbol_accept4(descriptor, nil, nil, Int32(bitPattern: flags)) })
    }

    /// The same for a socket that does not wait: one call of the kernel.
    ///
    /// - Throws: `EAGAIN` if there is none; `EMFILE`, `ENFILE`; `ECONNABORTED` if the peer gave up.
    public static func acceptAtOnce(_ descriptor: Int32) throws(SystemError) -> Int32 {
        let flags = Int32(bitPattern: SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        return try aboveStandardStreams(
            try retrying { symbol_accept4(descriptor, nil, nil, flags) })
    }

    /// Sends bytes of `buffer` without waiting; returns how many: send(2). A closed peer is `EPIPE`,
    /// without a signal.
    public static func send(
        _ descriptor: Int32, _ buffer: UnsafeRawBufferPointer
    ) throws(SystemError) -> Int {
        let options =
            Int32(truncatingIfNeeded: MSG_NOSIGNAL) | Int32(truncatingIfNeeded: MSG_DONTWAIT)
        return try retrying {
            unsafe Glibc.send(descriptor, buffer.baseAddress, buffer.count, options)
        }
    }

    /// Receives once, without waiting: recvmsg(2). `isTruncated` says that a message was longer than
    /// the buffers. 0 bytes of a stream are its end.
    public static func receive(
        _ descriptor: Int32, _ vectors: UnsafeBufferPointer<BufferVector>, peeks: Bool = false
    ) throws(SystemError) -> (byteCount: Int, isTruncated: Bool) {
        var options = Int32(truncatingIfNeeded: MSG_DONTWAIT)
        if peeks { options |= Int32(truncatingIfNeeded: MSG_PEEK) }
        var message = unsafe header(vectors)
        let count = try retrying { unsafe recvmsg(descriptor, &message, options) }
        return unsafe (count, message.msg_flags & Int32(truncatingIfNeeded: MSG_TRUNC) != 0)
    }

    /// Sends once, without waiting: sendmsg(2). A closed peer is `EPIPE`, without a signal.
    public static func send(
        _ descriptor: Int32, _ vectors: UnsafeBufferPointer<BufferVector>
    ) throws(SystemError) -> Int {
        var message = unsafe header(vectors)
        let options =
            Int32(truncatingIfNeeded: MSG_NOSIGNAL) | Int32(truncatingIfNeeded: MSG_DONTWAIT)
        return try retrying { unsafe sendmsg(descriptor, &message, options) }
    }

    /// Receives bytes that can be received again: recv(2) with `MSG_PEEK`, without waiting.
    public static func peek(
        _ descriptor: Int32, _ buffer: UnsafeMutableRawBufferPointer
    ) throws(SystemError) -> Int {
        let options =
            Int32(truncatingIfNeeded: MSG_PEEK) | Int32(truncatingIfNeeded: MSG_DONTWAIT)
        return try retrying { unsafe recv(descriptor, buffer.baseAddress, buffer.count, options) }
    }

    /// Lets `close` reset the connection and drop what was not sent, so that the peer does not take
    /// the end for a complete one: socket(7), `SO_LINGER` of 0 seconds.
    public static func setResetsOnClose(_ descriptor: Int32) throws(SystemError) {
        var value = linger(l_onoff: 1, l_linger: 0)
        let size = socklen_t(MemoryLayout<linger>.size)
        try retrying { unsafe setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &value, size) }
    }

    private static func header(_ vectors: UnsafeBufferPointer<BufferVector>) -> msghdr {
        var message = unsafe msghdr()
        unsafe message.msg_iov = unsafe UnsafeMutablePointer(mutating: vectors.baseAddress)
        unsafe message.msg_iovlen = numericCast(vectors.count)
        return unsafe message
    }

    /// Ends one direction of a connection, or both: shutdown(2).
    public static func shutdown(
        _ descriptor: Int32, reading: Bool, writing: Bool
    ) throws(SystemError) {
        guard reading || writing else { throw .inval }
        let how = reading && writing ? SHUT_RDWR : reading ? SHUT_RD : SHUT_WR
        try retrying { Glibc.shutdown(descriptor, Int32(truncatingIfNeeded: how)) }
    }

    /// The error that a socket keeps, such as why connecting failed; nil for none. Reading clears
    /// it: socket(7), `SO_ERROR`.
    public static func pendingError(_ descriptor: Int32) -> SystemError? {
        option(descriptor, SOL_SOCKET, SO_ERROR).flatMap { $0 == 0 ? nil : SystemError(code: $0) }
    }

    /// Sends small writes at once instead of collecting them: tcp(7), `TCP_NODELAY`.
    public static func setNoDelay(_ descriptor: Int32) throws(SystemError) {
        try setOption(descriptor, Int32(truncatingIfNeeded: IPPROTO_TCP), TCP_NODELAY, 1)
    }

    /// Limits how many bytes the kernel takes of a connection before it has sent them: more can be
    /// written only when fewer than half of them are left. Without this it takes megabytes, and says
    /// that a socket is writable only when a third of them is free again.
    ///
    /// TCP has an option for it, `TCP_NOTSENT_LOWAT` of tcp(7); of other sockets it limits the
    /// buffer, `SO_SNDBUF` of socket(7).
    public static func setUnsentLimit(_ descriptor: Int32, _ byteCount: Int32) throws(SystemError) {
        let tcp = Int32(truncatingIfNeeded: IPPROTO_TCP)
        do throws(SystemError) {
            try setOption(descriptor, tcp, TCP_NOTSENT_LOWAT, byteCount)
        } catch {
            try setOption(descriptor, SOL_SOCKET, SO_SNDBUF, byteCount)
        }
    }

    /// Makes the kernel test a connection that carries no bytes, so that one whose peer has vanished
    /// without an end fails with `ETIMEDOUT`: tcp(7), `SO_KEEPALIVE`.
    ///
    /// - Parameters:
    ///   - idle: seconds without bytes before the first test.
    ///   - interval: seconds between the tests, of which five without a reply are the end.
    public static func setKeepAlive(
        _ descriptor: Int32, idle: Int32 = 60, interval: Int32 = 15
    ) throws(SystemError) {
        let tcp = Int32(truncatingIfNeeded: IPPROTO_TCP)
        try setOption(descriptor, tcp, TCP_KEEPIDLE, max(idle, 1))
        try setOption(descriptor, tcp, TCP_KEEPINTVL, max(interval, 1))
        try setOption(descriptor, tcp, TCP_KEEPCNT, 5)
        try setOption(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1)
    }

    /// Whether `SO_KEEPALIVE` is set.
    public static func keepsAlive(_ descriptor: Int32) -> Bool {
        option(descriptor, SOL_SOCKET, SO_KEEPALIVE) == 1
    }

    /// The address that a socket is bound to: getsockname(2).
    public static func localAddress(_ descriptor: Int32) throws(SystemError) -> SystemAddress? {
        try unsafe SystemAddress { unsafe getsockname(descriptor, $0, $1) }
    }

    /// The address that a socket is connected to: getpeername(2).
    public static func peerAddress(_ descriptor: Int32) throws(SystemError) -> SystemAddress? {
        try unsafe SystemAddress { unsafe getpeername(descriptor, $0, $1) }
    }

    private static func option(_ descriptor: Int32, _ level: Int32, _ name: Int32) -> Int32? {
        var value: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        return unsafe getsockopt(descriptor, level, name, &value, &size) == 0 ? value : nil
    }

    static func setOption(
        _ descriptor: Int32, _ level: Int32, _ name: Int32, _ value: Int32
    ) throws(SystemError) {
        var value = value
        let size = socklen_t(MemoryLayout<Int32>.size)
        try retrying { unsafe setsockopt(descriptor, level, name, &value, size) }
    }
}
