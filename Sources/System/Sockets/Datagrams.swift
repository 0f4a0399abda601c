import Glibc

// Sockets that carry single messages: udp(7), and multicast of ip(7) and ipv6(7). No call waits.
//
// Invariant: a buffer, a list of one buffer and a name live until the call returns.

extension Kernel {
    /// A socket for messages, bound to `address`: socket(2), bind(2). It does not wait.
    ///
    /// - Parameter sharesPort: whether other sockets that say so may be bound to the same port; a
    ///   multicast message reaches each of them: socket(7), `SO_REUSEADDR` and `SO_REUSEPORT`.
    public static func bindDatagrams(
        _ address: SystemAddress, sharesPort: Bool = false
    ) throws(SystemError) -> Int32 {
        try unsafe address.withName { (_, _) throws(SystemError) in }
        let socket = FileDescriptor(owning: try makeSocket(address.family, SOCK_DGRAM))
        let number = socket.number
        if sharesPort {
            try setOption(number, SOL_SOCKET, SO_REUSEADDR, 1)
            try setOption(number, SOL_SOCKET, SO_REUSEPORT, 1)
        }
        if case .ipv6 = address {
            // Else a socket of IPv4 could not have the same port.
            try setOption(number, Int32(truncatingIfNeeded: IPPROTO_IPV6), IPV6_V6ONLY, 1)
        }
        try unsafe address.withName { (name, size) throws(SystemError) in
            try retrying { unsafe bind(number, name, size) }
        }
        return socket.release()
    }

    /// A socket for messages that are sent to `address` and received from it only: connect(2).
    public static func connectDatagrams(_ address: SystemAddress) throws(SystemError) -> Int32 {
        try unsafe address.withName { (_, _) throws(SystemError) in }
        let socket = FileDescriptor(owning: try makeSocket(address.family, SOCK_DGRAM))
        let number = socket.number
        try unsafe address.withName { (name, size) throws(SystemError) in
            try retrying { unsafe Glibc.connect(number, name, size) }
        }
        return socket.release()
    }

    /// A socket for echo requests to `address` and their answers: icmp(7). The kernel sets the
    /// identifier and the checksum.
    ///
    /// - Throws: `EACCES` if the process's group is not in `net.ipv4.ping_group_range`, `EINVAL` for
    ///   an address that is not of IPv4.
    public static func connectEcho(_ address: SystemAddress) throws(SystemError) -> Int32 {
        guard case .ipv4 = address else { throw .inval }
        let socket = FileDescriptor(
            owning: try makeSocket(
                AF_INET, SOCK_DGRAM, protocol: Int32(truncatingIfNeeded: IPPROTO_ICMP)))
        let number = socket.number
        try unsafe address.withName { (name, size) throws(SystemError) in
            try retrying { unsafe Glibc.connect(number, name, size) }
        }
        return socket.release()
    }

    /// Sends one message: sendto(2).
    ///
    /// - Parameter address: nil for where the socket is connected to.
    /// - Throws: `EMSGSIZE` if it is too long, `EAGAIN` if it does not fit now; also errors of earlier
    ///   messages, such as `ECONNREFUSED`.
    public static func sendDatagram(
        _ descriptor: Int32, _ buffer: UnsafeRawBufferPointer, to address: SystemAddress? = nil
    ) throws(SystemError) {
        let options =
            Int32(truncatingIfNeeded: MSG_NOSIGNAL) | Int32(truncatingIfNeeded: MSG_DONTWAIT)
        guard let address else {
            try retrying {
                unsafe Glibc.send(descriptor, buffer.baseAddress, buffer.count, options)
            }
            return
        }
        try unsafe address.withName { (name, size) throws(SystemError) in
            try retrying {
                unsafe sendto(descriptor, buffer.baseAddress, buffer.count, options, name, size)
            }
        }
    }

    /// Receives one message: recvmsg(2). `isTruncated` says that it was longer than the buffer.
    ///
    /// - Returns: a nil address for a sender of no known family.
    /// - Throws: `EAGAIN` if there is none.
    public static func receiveDatagram(
        _ descriptor: Int32, _ buffer: UnsafeMutableRawBufferPointer
    ) throws(SystemError) -> (byteCount: Int, sender: SystemAddress?, isTruncated: Bool) {
        var count = 0
        var isTruncated = false
        var vector = unsafe BufferVector(buffer)
        let sender = try unsafe withUnsafeMutablePointer(to: &vector) {
            (vector) throws(SystemError) in
            try unsafe SystemAddress { name, size in
                var message = unsafe msghdr()
                unsafe message.msg_iov = unsafe vector
                unsafe message.msg_iovlen = 1
                unsafe message.msg_name = UnsafeMutableRawPointer(name)
                unsafe message.msg_namelen = unsafe size.pointee
                repeat {
                    count = unsafe recvmsg(
                        descriptor, &message, Int32(truncatingIfNeeded: MSG_DONTWAIT))
                } while count < 0 && errno == EINTR
                guard count >= 0 else { return -1 }
                unsafe size.pointee = unsafe message.msg_namelen
                isTruncated = unsafe message.msg_flags & Int32(truncatingIfNeeded: MSG_TRUNC) != 0
                return 0
            }
        }
        return (count, sender, isTruncated)
    }

    /// Receives messages of a multicast group, on one interface: `IP_ADD_MEMBERSHIP`,
    /// `IPV6_ADD_MEMBERSHIP`.
    ///
    /// - Parameters:
    ///   - group: its port is ignored.
    ///   - interface: its index; 0 lets the kernel choose by its routes.
    public static func join(
        _ descriptor: Int32, group: SystemAddress, interface: UInt32 = 0
    ) throws(SystemError) {
        try setMembership(
            descriptor, group, interface, IP_ADD_MEMBERSHIP, IPV6_ADD_MEMBERSHIP)
    }

    /// Ends `join`.
    public static func leave(
        _ descriptor: Int32, group: SystemAddress, interface: UInt32 = 0
    ) throws(SystemError) {
        try setMembership(
            descriptor, group, interface, IP_DROP_MEMBERSHIP, IPV6_DROP_MEMBERSHIP)
    }

    private static func setMembership(
        _ descriptor: Int32, _ group: SystemAddress, _ interface: UInt32, _ ipv4: Int32,
        _ ipv6: Int32
    ) throws(SystemError) {
        switch group {
        case .ipv4(let bytes, _):
            guard bytes.count == 4 else { throw .inval }
            var request = ip_mreqn()
            unsafe withUnsafeMutableBytes(of: &request.imr_multiaddr) {
                unsafe $0.copyBytes(from: bytes)
            }
            request.imr_ifindex = Int32(truncatingIfNeeded: interface)
            try setOption(descriptor, ipLevel, ipv4, bytesOf: request)
        case .ipv6(let bytes, _):
            guard bytes.count == 16 else { throw .inval }
            var request = ipv6_mreq()
            unsafe withUnsafeMutableBytes(of: &request.ipv6mr_multiaddr) {
                unsafe $0.copyBytes(from: bytes)
            }
            request.ipv6mr_interface = interface
            try setOption(descriptor, ipv6Level, ipv6, bytesOf: request)
        case .unix: throw .afnosupport
        }
    }

    private static var ipLevel: Int32 { Int32(truncatingIfNeeded: IPPROTO_IP) }
    private static var ipv6Level: Int32 { Int32(truncatingIfNeeded: IPPROTO_IPV6) }

    /// How multicast messages leave a socket.
    ///
    /// - Parameters:
    ///   - isIPv6: the family of the socket.
    ///   - interface: its index; 0 lets the kernel choose.
    ///   - hops: routers that a message may pass; 1 stays in the local network.
    ///   - loopsBack: whether members on this machine receive it too.
    public static func setMulticast(
        _ descriptor: Int32, isIPv6: Bool, interface: UInt32, hops: UInt8, loopsBack: Bool
    ) throws(SystemError) {
        if isIPv6 {
            let index = Int32(truncatingIfNeeded: interface)
            try setOption(descriptor, ipv6Level, IPV6_MULTICAST_IF, index)
            try setOption(
                descriptor, ipv6Level, IPV6_MULTICAST_HOPS, Int32(truncatingIfNeeded: hops))
            try setOption(descriptor, ipv6Level, IPV6_MULTICAST_LOOP, loopsBack ? 1 : 0)
            return
        }
        var request = ip_mreqn()
        request.imr_ifindex = Int32(truncatingIfNeeded: interface)
        try setOption(descriptor, ipLevel, IP_MULTICAST_IF, bytesOf: request)
        try setOption(descriptor, ipLevel, IP_MULTICAST_TTL, Int32(truncatingIfNeeded: hops))
        try setOption(descriptor, ipLevel, IP_MULTICAST_LOOP, loopsBack ? 1 : 0)
    }

    private static func setOption<Value>(
        _ descriptor: Int32, _ level: Int32, _ name: Int32, bytesOf value: Value
    ) throws(SystemError) {
        try unsafe withUnsafeBytes(of: value) { (bytes) throws(SystemError) in
            let size = socklen_t(truncatingIfNeeded: bytes.count)
            try retrying { unsafe setsockopt(descriptor, level, name, bytes.baseAddress, size) }
        }
    }

    /// The index of a network interface by its name, such as `eth0`; nil if there is none:
    /// if_nametoindex(3).
    public static func interfaceIndex(_ name: CString) -> UInt32? {
        let index = unsafe if_nametoindex(name)
        return index == 0 ? nil : index
    }

    /// Whether a process on this machine may send broadcasts with the socket: `SO_BROADCAST`.
    public static func allowBroadcasts(_ descriptor: Int32) throws(SystemError) {
        try setOption(descriptor, SOL_SOCKET, SO_BROADCAST, 1)
    }
}
