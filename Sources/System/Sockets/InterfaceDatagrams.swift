import Glibc

// Messages whose interface is known and chosen, for multicast: `IP_PKTINFO` of ip(7) and
// `IPV6_PKTINFO` of ipv6(7). No call waits.
//
// Invariants: a control message is laid out as the kernel's `cmsghdr` (its length of eight bytes,
// level and type of four each, then the content); ranges of it that are read are inside of what the
// kernel says it has filled. Buffers, names and control messages live until the call returns.

extension Kernel {
    /// A message that came, with the way that it took.
    public struct InterfaceDatagram: Sendable {
        /// How many bytes of the buffer were filled.
        public var byteCount: Int
        /// Nil for a sender of no known family.
        public var sender: SystemAddress?
        /// Where it was sent to: four or sixteen bytes, a group for multicast; empty if the kernel
        /// does not report it.
        public var destination: [UInt8]
        /// The index of the interface on which it came; 0 if the kernel does not report it.
        public var interface: UInt32
        /// Whether it was longer than the buffer.
        public var isTruncated: Bool
    }

    private static let controlHead = 16
    private static let controlRoom = 256
    // Constants of the kernel that Swift does not import from headers, the same on all
    // architectures.
    private static let ipPacketInfo: Int32 = 8
    private static let ipMulticastAll: Int32 = 49
    private static let ipv6ReceivePacketInfo: Int32 = 49
    private static let ipv6PacketInfo: Int32 = 50
    private static let ipv6MulticastAll: Int32 = 29
    private static let ipv4Level: Int32 = 0
    private static let ipv6LevelNumber: Int32 = 41

    /// Makes a socket report the interface and the destination of each message, and not receive
    /// what is meant for groups that only other sockets have joined.
    public static func reportInterfaces(
        _ descriptor: Int32, isIPv6: Bool
    ) throws(SystemError) {
        if isIPv6 {
            try setOption(descriptor, ipv6LevelNumber, ipv6ReceivePacketInfo, 1)
            // Since Linux 4.20; without it more messages come, which the receiver ignores.
            try? setOption(descriptor, ipv6LevelNumber, ipv6MulticastAll, 0)
        } else {
            try setOption(descriptor, ipv4Level, ipPacketInfo, 1)
            try? setOption(descriptor, ipv4Level, ipMulticastAll, 0)
        }
    }

    /// Receives one message and the way that it took: recvmsg(2).
    ///
    /// - Throws: `EAGAIN` if there is none.
    public static func receiveInterfaceDatagram(
        _ descriptor: Int32, _ buffer: UnsafeMutableRawBufferPointer
    ) throws(SystemError) -> InterfaceDatagram {
        var result = InterfaceDatagram(
            byteCount: 0, sender: nil, destination: [], interface: 0, isTruncated: false)
        var control = [UInt8](repeating: 0, count: controlRoom)
        var filled = 0
        var vector = unsafe BufferVector(buffer)
        result.sender = try unsafe withUnsafeMutablePointer(to: &vector) {
            (vector) throws(SystemError) in
            try unsafe control.withUnsafeMutableBufferPointer { (control) throws(SystemError) in
                try unsafe SystemAddress { name, size in
                    var message = unsafe msghdr()
                    unsafe message.msg_iov = unsafe vector
                    unsafe message.msg_iovlen = 1
                    unsafe message.msg_name = UnsafeMutableRawPointer(name)
                    unsafe message.msg_namelen = unsafe size.pointee
                    unsafe message.msg_control = UnsafeMutableRawPointer(control.baseAddress)
                    unsafe message.msg_controllen = numericCast(control.count)
                    var count = 0
                    repeat {
                        count = unsafe recvmsg(
                            descriptor, &message, Int32(truncatingIfNeeded: MSG_DONTWAIT))
                    } while count < 0 && errno == EINTR
                    guard count >= 0 else { return -1 }
                    unsafe size.pointee = unsafe message.msg_namelen
                    let cut = Int32(truncatingIfNeeded: MSG_TRUNC)
                    result.isTruncated = unsafe message.msg_flags & cut != 0
                    result.byteCount = min(count, buffer.count)
                    filled = unsafe min(Int(clamping: message.msg_controllen), control.count)
                    return 0
                }
            }
        }
        take(control[..<filled], &result)
        return result
    }

    private static func take(_ control: ArraySlice<UInt8>, _ result: inout InterfaceDatagram) {
        func number(_ start: Int, _ count: Int) -> UInt64 {
            control[start..<start + count].reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }
        func word(_ start: Int) -> UInt32 { UInt32(truncatingIfNeeded: number(start, 4)) }
        var at = 0
        while control.count - at >= controlHead {
            let length = Int(clamping: number(at, 8))
            guard length >= controlHead, length <= control.count - at else { break }
            let level = Int32(bitPattern: word(at + 8))
            let type = Int32(bitPattern: word(at + 12))
            let content = at + controlHead
            let count = length - controlHead
            if level == ipv4Level, type == ipPacketInfo, count >= 12 {
                // The interface, the local address, the destination.
                result.interface = word(content)
                result.destination = Array(control[content + 8..<content + 12])
            } else if level == ipv6LevelNumber, type == ipv6PacketInfo, count >= 20 {
                result.destination = Array(control[content..<content + 16])
                result.interface = word(content + 16)
            }
            at += (length + 7) & ~7
        }
    }

    /// Sends one message by a given interface: sendmsg(2). The kernel chooses the source address
    /// among those of the interface.
    ///
    /// - Throws: `EMSGSIZE` if it is too long, `EAGAIN` if it does not fit now, `ENETUNREACH` if the
    ///   interface has no address, `ENODEV` if it is gone.
    public static func sendInterfaceDatagram(
        _ descriptor: Int32, _ bytes: [UInt8], to address: SystemAddress, interface: UInt32
    ) throws(SystemError) {
        var control: [UInt8] = []
        func append(_ number: UInt64, _ count: Int) {
            for index in 0..<count {
                control.append(UInt8(truncatingIfNeeded: number >> UInt64(8 * index)))
            }
        }
        switch address {
        case .ipv4:
            append(UInt64(controlHead + 12), 8)
            append(UInt64(UInt32(bitPattern: ipv4Level)), 4)
            append(UInt64(UInt32(bitPattern: ipPacketInfo)), 4)
            append(UInt64(interface), 4)
            append(0, 8)
        case .ipv6:
            append(UInt64(controlHead + 20), 8)
            append(UInt64(UInt32(bitPattern: ipv6LevelNumber)), 4)
            append(UInt64(UInt32(bitPattern: ipv6PacketInfo)), 4)
            append(0, 8)
            append(0, 8)
            append(UInt64(interface), 4)
        case .unix: throw .afnosupport
        }
        while control.count % 8 != 0 { control.append(0) }
        let flags =
            Int32(truncatingIfNeeded: MSG_NOSIGNAL) | Int32(truncatingIfNeeded: MSG_DONTWAIT)
        var bytes = bytes
        try unsafe address.withName { (name, size) throws(SystemError) in
            try unsafe bytes.withUnsafeMutableBufferPointer { (bytes) throws(SystemError) in
                try unsafe control.withUnsafeMutableBufferPointer {
                    (control) throws(SystemError) in
                    var vector = unsafe BufferVector(UnsafeMutableRawBufferPointer(bytes))
                    try unsafe withUnsafeMutablePointer(to: &vector) {
                        (vector) throws(SystemError) in
                        var message = unsafe msghdr()
                        unsafe message.msg_iov = unsafe vector
                        unsafe message.msg_iovlen = 1
                        unsafe message.msg_name = UnsafeMutableRawPointer(mutating: name)
                        unsafe message.msg_namelen = size
                        unsafe message.msg_control =
                            UnsafeMutableRawPointer(control.baseAddress)
                        unsafe message.msg_controllen = numericCast(control.count)
                        try retrying { unsafe sendmsg(descriptor, &message, flags) }
                    }
                }
            }
        }
    }
}
