import Glibc

// Calls of the operating system on sockets. None waits: where it would have to, it is `again`.
//
// Invariant: the buffers of a vectored call are accessible for the duration of the call.

extension System {
    /// Whether the socket carries a stream of bytes or single messages.
    static func socketType(_ descriptor: Int32) -> Filetype {
        var type: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        let answer = getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &size)
        let datagram = Int32(bitPattern: SOCK_DGRAM.rawValue)
        return answer == 0 && type == datagram ? .socketDgram : .socketStream
    }

    /// Takes the next connection of a listening socket.
    static func accept(_ descriptor: Int32) throws(Errno) -> Int32 {
        // The flag to ask for it belongs to everybody who has the socket.
        guard try isReady(descriptor, isReading: true) else { throw .again }
        let flags = Int32(bitPattern: SOCK_CLOEXEC.rawValue)
        return try aboveStandardStreams(
            try retrying { symbol_accept4(descriptor, nil, nil, flags) })
    }

    /// Receives once; `isTruncated` says that a message was longer than the buffers.
    static func receive(
        _ descriptor: Int32, _ vectors: UnsafeBufferPointer<HostVector>, _ flags: Riflags
    ) throws(Errno) -> (byteCount: Int, isTruncated: Bool) {
        var options = Int32(MSG_DONTWAIT)
        if flags.contains(.recvPeek) { options |= Int32(MSG_PEEK) }
        var message = header(vectors)
        let count = try retrying { recvmsg(descriptor, &message, options) }
        return (count, message.msg_flags & Int32(MSG_TRUNC) != 0)
    }

    /// Sends once; a closed peer is `pipe`, without a signal.
    static func send(
        _ descriptor: Int32, _ vectors: UnsafeBufferPointer<HostVector>
    ) throws(Errno) -> Int {
        var message = header(vectors)
        let options = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
        return try retrying { sendmsg(descriptor, &message, options) }
    }

    static func shutdown(_ descriptor: Int32, _ directions: Sdflags) throws(Errno) {
        let how =
            directions == .all ? SHUT_RDWR : directions == .rd ? SHUT_RD : SHUT_WR
        try retrying { Glibc.shutdown(descriptor, Int32(how)) }
    }

    private static func header(_ vectors: UnsafeBufferPointer<HostVector>) -> msghdr {
        var message = msghdr()
        message.msg_iov = UnsafeMutablePointer(mutating: vectors.baseAddress)
        message.msg_iovlen = numericCast(vectors.count)
        return message
    }
}
