// Invariant: buffers are passed to one call of the kernel at a time.

import WasmSystem

/// A socket of UDP.
///
/// One task receives and one sends at a time, on the socket's loop. It is closed when its last
/// reference is released.
public final class DatagramSocket: Sendable {
    /// A message that was received.
    public struct Message: Sendable {
        public var bytes: [UInt8]
        /// Nil if the kernel does not report it.
        public var sender: SystemAddress?
        /// Whether the message was longer than the limit.
        public var isTruncated: Bool
    }

    private let channel: Channel

    /// A socket that is bound to an address; port 0 lets the kernel choose one.
    ///
    /// - Parameter sharesPort: whether other sockets may be bound to the same port: for multicast.
    public init(
        boundTo address: SystemAddress, sharesPort: Bool = false, on loop: EventLoop
    ) throws(SystemError) {
        channel = Channel(try Kernel.bindDatagrams(address, sharesPort: sharesPort), loop)
    }

    /// A socket that sends to one address, and receives only from it. Errors of the network, such
    /// as `ECONNREFUSED`, are reported.
    public init(connectedTo address: SystemAddress, on loop: EventLoop) throws(SystemError) {
        channel = Channel(try Kernel.connectDatagrams(address), loop)
    }

    /// A socket for echo requests of ICMP to an address of IPv4, and their answers: messages are
    /// those of RFC 792.
    ///
    /// - Throws: `EACCES` if the system does not let the process do that.
    public init(echoTo address: SystemAddress, on loop: EventLoop) throws(SystemError) {
        channel = Channel(try Kernel.connectEcho(address), loop)
    }

    deinit { channel.close() }

    public var loop: EventLoop { channel.loop }

    /// When waits end with `LoopError.timedOut`.
    public var deadline: LoopInstant {
        get { channel.deadline }
        set { if loop.isCurrent { channel.setDeadline(newValue) } }
    }

    public var localAddress: SystemAddress? {
        channel.isOpen ? (try? Kernel.localAddress(channel.descriptor)) ?? nil : nil
    }

    /// Waits for a message.
    ///
    /// - Parameter limit: longer messages are cut.
    /// - Throws: `.system` also for errors of earlier messages: `ECONNREFUSED`.
    public func receive(limit: Int = 65_535) async throws(LoopError) -> Message {
        while true {
            if let message = try tryReceive(limit: limit) {
                if loop.spendCall() { await loop.yield() }
                return message
            }
            try await channel.ready(.reading)
        }
    }

    /// The same without waiting; nil if there is none.
    public func tryReceive(limit: Int = 65_535) throws(LoopError) -> Message? {
        let number = try channel.opened()
        guard channel.mayRead else { return nil }
        var sender: SystemAddress?
        var isTruncated = false
        do throws(SystemError) {
            let bytes = try unsafe withUnsafeTemporaryAllocation(
                byteCount: max(min(limit, 65_535), 1), alignment: 1
            ) { (room) throws(SystemError) in
                let result = try unsafe Kernel.receiveDatagram(number, room)
                (sender, isTruncated) = (result.sender, result.isTruncated)
                return unsafe [UInt8](room[..<min(result.byteCount, room.count)])
            }
            return Message(bytes: bytes, sender: sender, isTruncated: isTruncated)
        } catch .again {
            channel.mayRead = false
            return nil
        } catch {
            throw .system(error)
        }
    }

    /// Sends a message.
    ///
    /// - Parameter address: nil for the one that the socket is connected to.
    /// - Throws: `.system` with `EMSGSIZE` if it is too long.
    public func send(_ bytes: [UInt8], to address: SystemAddress? = nil) async throws(LoopError) {
        while true {
            let number = try channel.opened()
            do throws(SystemError) {
                try unsafe bytes.withUnsafeBufferPointer { (bytes) throws(SystemError) in
                    try unsafe Kernel.sendDatagram(
                        number, UnsafeRawBufferPointer(bytes), to: address)
                }
                if loop.spendCall() { await loop.yield() }
                return
            } catch {
                guard error == .again else { throw .system(error) }
                channel.mayWrite = false
            }
            try await channel.ready(.writing)
        }
    }

    /// Sends a message without waiting; false if there is no room for it now.
    ///
    /// - Throws: as `send`.
    public func trySend(
        _ bytes: UnsafeRawBufferPointer, to address: SystemAddress? = nil
    ) throws(LoopError) -> Bool {
        let number = try channel.opened()
        do throws(SystemError) {
            try unsafe Kernel.sendDatagram(number, bytes, to: address)
            return true
        } catch .again {
            return false
        } catch {
            throw .system(error)
        }
    }

    /// Takes ownership of a bound socket, which does not block.
    public init(adopting descriptor: consuming FileDescriptor, on loop: EventLoop) {
        channel = Channel(descriptor.release(), loop)
    }

    /// Receives messages of a multicast group too; the socket is bound to the group's port.
    ///
    /// - Parameter interface: its index; 0 lets the kernel choose.
    public func join(_ group: SystemAddress, interface: UInt32 = 0) throws(LoopError) {
        let number = try channel.opened()
        try system { () throws(SystemError) in
            try Kernel.join(number, group: group, interface: interface)
        }
    }

    /// Ends `join`.
    public func leave(_ group: SystemAddress, interface: UInt32 = 0) throws(LoopError) {
        let number = try channel.opened()
        try system { () throws(SystemError) in
            try Kernel.leave(number, group: group, interface: interface)
        }
    }

    /// How multicast messages are sent.
    ///
    /// - Parameters:
    ///   - interface: its index; 0 lets the kernel choose.
    ///   - hops: routers that a message may pass; 1 stays in the local network.
    ///   - loopsBack: whether members on this machine receive it too.
    public func setMulticast(
        interface: UInt32 = 0, hops: UInt8 = 1, loopsBack: Bool = true
    ) throws(LoopError) {
        let number = try channel.opened()
        var isIPv6 = false
        if case .ipv6 = localAddress { isIPv6 = true }
        try system { () throws(SystemError) in
            try Kernel.setMulticast(
                number, isIPv6: isIPv6, interface: interface, hops: hops, loopsBack: loopsBack)
        }
    }

    /// Closes the socket now. From any thread.
    public func close() { channel.close() }
}
