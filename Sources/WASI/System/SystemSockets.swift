import WasmSystem

// Calls on sockets. None waits: a call that would have to fails with `again`.
//
// Invariant: the buffers of a vectored call are accessible for the duration of the call.

extension System {
    /// Whether the socket carries a stream of bytes or single messages.
    static func socketType(_ descriptor: Int32) -> Filetype {
        Kernel.carriesMessages(descriptor) ? .socketDgram : .socketStream
    }

    /// Takes the next connection of a listening socket.
    static func accept(_ descriptor: Int32) throws(Errno) -> Int32 {
        try mapping { () throws(SystemError) in try Kernel.accept(descriptor) }
    }

    /// Receives once; `isTruncated` is set if a message was longer than the buffers.
    static func receive(
        _ descriptor: Int32, _ vectors: UnsafeBufferPointer<HostVector>, _ flags: Riflags
    ) throws(Errno) -> (byteCount: Int, isTruncated: Bool) {
        try mapping { () throws(SystemError) in
            try Kernel.receive(descriptor, vectors, peeks: flags.contains(.recvPeek))
        }
    }

    /// Sends once; a closed peer is `pipe`, without a signal.
    static func send(
        _ descriptor: Int32, _ vectors: UnsafeBufferPointer<HostVector>
    ) throws(Errno) -> Int {
        try mapping { () throws(SystemError) in try Kernel.send(descriptor, vectors) }
    }

    static func shutdown(_ descriptor: Int32, _ directions: Sdflags) throws(Errno) {
        let reads = directions == .all || directions == .rd
        try mapping { () throws(SystemError) in
            try Kernel.shutdown(descriptor, reading: reads, writing: directions != .rd)
        }
    }

    /// A socket that listens on `address`. It is nonblocking, so that no thread waits for a
    /// connection that another process has taken.
    ///
    /// The file of a unix socket without a listener is replaced: a killed server leaves one.
    static func listen(_ address: SocketAddress) throws(Errno) -> Int32 {
        let name: SystemAddress =
            switch address {
            case .ipv4(let bytes, let port): .ipv4(bytes, port: port)
            case .ipv6(let bytes, let port): .ipv6(bytes, port: port)
            case .unix, .unixBytes: .unix(address.path ?? [])
            }
        return try mapping { () throws(SystemError) in try Kernel.listen(name) }
    }

    /// The port that an internet socket is bound to; nil for others.
    static func port(of socket: Int32) -> UInt16? {
        (try? Kernel.localAddress(socket))??.port
    }

    /// The bytes of an address in text form; nil if it is malformed.
    static func ipv4Bytes(_ text: String) -> [UInt8]? { SystemAddress.ipv4Bytes(text) }
    static func ipv6Bytes(_ text: String) -> [UInt8]? { SystemAddress.ipv6Bytes(text) }

    static func ipv6Text(_ bytes: [UInt8]) -> String { SystemAddress.ipv6Text(bytes) }
}
