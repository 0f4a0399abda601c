import WasmSystem

/// A socket that accepts connections.
public final class Listener: Sendable {
    /// How a listener is made.
    public struct Options: Sendable {
        /// Connections that wait to be accepted; the kernel limits it to `somaxconn`.
        public var backlog: Int32 = 1024
        /// Whether several listeners with this option, for example of other loops, share the
        /// connections to the same port: `SO_REUSEPORT`.
        public var sharesPort = false
        /// Whether small writes on connections are sent at once: `TCP_NODELAY`.
        public var hasNoDelay = true

        public init() {}
    }

    private let channel: Channel
    private let hasNoDelay: Bool
    /// The address that it listens on, with the port that the kernel chose.
    public let address: SystemAddress?

    /// Listens on an address; from any thread.
    ///
    /// - Throws: `EADDRINUSE`, `EACCES` and others of bind(2).
    public convenience init(
        _ address: SystemAddress, _ options: Options = Options(), on loop: EventLoop
    ) throws(SystemError) {
        let number = try Kernel.listen(
            address, backlog: options.backlog, sharesPort: options.sharesPort)
        try self.init(
            adopting: FileDescriptor(owning: number), options, on: loop)
    }

    /// Takes ownership of a socket that listens already, such as one of systemd, or a duplicate of
    /// another loop's.
    public init(
        adopting descriptor: consuming FileDescriptor, _ options: Options = Options(),
        on loop: EventLoop
    ) throws(SystemError) {
        let number = descriptor.number
        let flags = try Kernel.flags(number)
        if !flags.contains(.nonblock) { try Kernel.setFlags(number, flags.union(.nonblock)) }
        address = try Kernel.localAddress(number)
        if case .unix = address {
            hasNoDelay = false
        } else {
            hasNoDelay = options.hasNoDelay
            // Accepted sockets inherit it.
            try? Kernel.setKeepAlive(number)
        }
        channel = Channel(descriptor.release(), loop)
    }

    deinit { channel.close() }

    public var loop: EventLoop { channel.loop }

    /// The same socket for another loop: both accept connections, and each connection goes to one
    /// of them.
    public func shared(with loop: EventLoop) throws(SystemError) -> Listener {
        var options = Options()
        options.hasNoDelay = hasNoDelay
        let copy = try Kernel.duplicate(channel.descriptor)
        return try Listener(adopting: FileDescriptor(owning: copy), options, on: loop)
    }

    /// Waits for the next connection.
    ///
    /// Where the process or the system has no descriptor left, it waits for up to a second and
    /// tries again; connections wait in the kernel meanwhile. So this fails only with `.closed`,
    /// `.cancelled`, `.busy`, `.wrongLoop` and an error of the socket itself.
    public func accept() async throws(LoopError) -> ByteStream {
        var pause = Duration.milliseconds(5)
        while true {
            let number = try channel.opened()
            do throws(SystemError) {
                if channel.mayRead {
                    let accepted = try Kernel.acceptAtOnce(number)
                    if hasNoDelay { try? Kernel.setNoDelay(accepted) }
                    if loop.spendCall() { await loop.yield() }
                    return ByteStream(socket: accepted, on: loop)
                }
            } catch {
                switch error {
                case .again: channel.mayRead = false
                // The peer or its network has failed: accept(2).
                case .connaborted, .proto, .netdown, .hostunreach, .netunreach, .opnotsupp, .perm:
                    continue
                case .mfile, .nfile, .nobufs, .nomem:
                    try await loop.sleep(for: pause)
                    pause = min(pause * 2, .seconds(1))
                    continue
                default: throw .system(error)
                }
            }
            try await channel.ready(.reading)
        }
    }

    /// Stops listening; connections that wait are refused. From any thread.
    public func close() { channel.close() }
}
