import Glibc

// The interfaces of the network and their addresses: rtnetlink(7). Nothing here changes them.
//
// Invariant: the address structure is the kernel's `sockaddr_nl`
// (a family of two bytes, two of padding, a port and groups of four each), and lives until the call returns.

/// An interface of the network: netdevice(7).
public struct NetworkInterface: Hashable, Sendable {
    public struct Address: Hashable, Sendable {
        /// Four or sixteen bytes.
        public var bytes: [UInt8]
        /// How many leading bits are equal for all hosts of the link.
        public var prefixLength: UInt8

        public init(bytes: [UInt8], prefixLength: UInt8) {
            self.bytes = bytes
            self.prefixLength = prefixLength
        }

        /// Whether another address has the same prefix.
        public func reaches(_ other: [UInt8]) -> Bool {
            guard other.count == bytes.count else { return false }
            var left = min(Int(prefixLength), bytes.count * 8)
            for (one, two) in zip(bytes, other) {
                if left <= 0 { return true }
                let mask: UInt8 = left >= 8 ? 0xff : ~(0xff >> UInt8(truncatingIfNeeded: left))
                if one & mask != two & mask { return false }
                left -= 8
            }
            return true
        }
    }

    /// Unique, and at least 1.
    public var index: UInt32
    /// Such as `eth0`.
    public var name: [UInt8]
    /// Whether it is switched on and connected.
    public var isRunning: Bool
    public var isLoopback: Bool
    /// Whether the interface says that it can send to groups.
    public var hasMulticast: Bool
    public var isPointToPoint: Bool
    /// Those that may be used: no IPv6 addresses that are still checked for duplicates.
    public var addresses: [Address]

    public init(
        index: UInt32, name: [UInt8], isRunning: Bool = true, isLoopback: Bool = false,
        hasMulticast: Bool = true, isPointToPoint: Bool = false, addresses: [Address] = []
    ) {
        self.index = index
        self.name = name
        self.isRunning = isRunning
        self.isLoopback = isLoopback
        self.hasMulticast = hasMulticast
        self.isPointToPoint = isPointToPoint
        self.addresses = addresses
    }
}

/// Lists the interfaces, and reports changes. Needs two descriptors, which are opened at once: a
/// process that restricts itself makes it before.
public final class InterfaceList: Sendable {
    private let queries: FileDescriptor
    /// -1 if there are no reports of changes.
    private let changes: Int32

    /// - Throws: if the kernel has no sockets of this family for the process.
    public init() throws(SystemError) {
        queries = FileDescriptor(owning: try Self.socket(groups: 0))
        // Link, IPv4 and IPv6 addresses: `RTMGRP_LINK` and others.
        changes = (try? Self.socket(groups: 0x1 | 0x10 | 0x100)) ?? -1
    }

    deinit { if changes >= 0 { try? Kernel.close(changes) } }

    private static func socket(groups: UInt32) throws(SystemError) -> Int32 {
        let socket = FileDescriptor(owning: try Kernel.makeSocket(AF_NETLINK, SOCK_RAW))
        // The family and padding, then the port, which the kernel chooses, and the groups.
        let name: (UInt32, UInt32, UInt32) = (UInt32(truncatingIfNeeded: AF_NETLINK), 0, groups)
        let number = socket.number
        _ = try unsafe withUnsafeBytes(of: name) { (bytes) throws(SystemError) -> Int32 in
            try retrying {
                unsafe bind(
                    number, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self),
                    socklen_t(bytes.count))
            }
        }
        return socket.release()
    }

    /// A descriptor that is ready to be read when something has changed; nil if the kernel does not
    /// report changes.
    public var changeDescriptor: Int32? { changes < 0 ? nil : changes }

    /// Discards the reports of changes.
    ///
    /// - Returns: whether there were any.
    public func takeChanges() -> Bool {
        guard changes >= 0 else { return false }
        var found = false
        // Each report is a message; more than this many are left for the next turn.
        for _ in 0..<256 {
            do throws(SystemError) {
                _ = try Self.receive(changes)
                found = true
            } catch {
                // Reports that were lost count as well.
                if error == .nobufs { found = true }
                if error != .nobufs { return found }
            }
        }
        return found
    }

    /// All interfaces, in the order of their indices. Takes two questions to the kernel.
    public func list() throws(SystemError) -> [NetworkInterface] {
        var interfaces: [UInt32: NetworkInterface] = [:]
        try ask(18) { type, body in
            if type == 16, let found = Self.interface(body) { interfaces[found.index] = found }
        }
        try ask(22) { type, body in
            guard type == 20, let (index, address) = Self.address(body) else { return }
            interfaces[index]?.addresses.append(address)
        }
        return interfaces.values.sorted { $0.index < $1.index }
    }

    private static let messageHead = 16
    private static let byteLimit = 65_536
    /// A machine with more interfaces or addresses than fit here gets a part of them.
    private static let messageLimit = 4096

    private static func receive(_ number: Int32) throws(SystemError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: byteLimit)
        let flags = Int32(truncatingIfNeeded: MSG_DONTWAIT)
        let count = try unsafe bytes.withUnsafeMutableBufferPointer {
            (room) throws(SystemError) -> Int in
            try retrying { unsafe recv(number, room.baseAddress, room.count, flags) }
        }
        bytes.removeLast(bytes.count - min(count, bytes.count))
        return bytes
    }

    /// Sends a question (`RTM_GETLINK`, `RTM_GETADDR`) and reports each part of the answer.
    private func ask(
        _ type: UInt16, _ report: (UInt16, ArraySlice<UInt8>) -> Void
    ) throws(SystemError) {
        let number = queries.number
        // What a question before has left.
        while (try? Self.receive(number)) != nil {}
        var request: [UInt8] = []
        func append(_ value: UInt32, _ count: Int) {
            for index in 0..<count {
                request.append(UInt8(truncatingIfNeeded: value >> UInt32(8 * index)))
            }
        }
        // Head, `NLM_F_REQUEST | NLM_F_DUMP`, then an `ifinfomsg` for any family.
        append(32, 4)
        append(UInt32(truncatingIfNeeded: type), 2)
        append(0x301, 2)
        append(1, 4)
        append(0, 4)
        request += [UInt8](repeating: 0, count: 16)
        let flags = Int32(truncatingIfNeeded: MSG_DONTWAIT)
        _ = try unsafe request.withUnsafeBufferPointer { (bytes) throws(SystemError) -> Int in
            try retrying { unsafe send(number, bytes.baseAddress, bytes.count, flags) }
        }
        for _ in 0..<Self.messageLimit {
            // The kernel has the answer ready when the question was sent.
            let bytes = try Self.receive(number)
            var rest = bytes[...]
            while rest.count >= Self.messageHead {
                let length = Int(rest.number(0, 4))
                guard length >= Self.messageHead, length <= rest.count else { break }
                let type = UInt16(truncatingIfNeeded: rest.number(4, 2))
                if type == 3 { return }
                let body = rest.dropFirst(Self.messageHead).prefix(length - Self.messageHead)
                if type == 2 {
                    let code = Int32(truncatingIfNeeded: body.number(0, 4))
                    throw SystemError(code: code == 0 ? EIO : 0 &- code)
                }
                report(type, body)
                rest = rest.dropFirst((length + 3) & ~3)
            }
        }
    }

    /// Calls `body` with each attribute after the first `head` bytes.
    private static func attributes(
        _ bytes: ArraySlice<UInt8>, head: Int, _ body: (UInt64, ArraySlice<UInt8>) -> Void
    ) {
        var rest = bytes.dropFirst(head)
        while rest.count >= 4 {
            let length = Int(rest.number(0, 2))
            guard length >= 4, length <= rest.count else { return }
            body(rest.number(2, 2) & 0x3fff, rest.dropFirst(4).prefix(length - 4))
            rest = rest.dropFirst((length + 3) & ~3)
        }
    }

    private static func interface(_ bytes: ArraySlice<UInt8>) -> NetworkInterface? {
        guard bytes.count >= 16 else { return nil }
        let flags = bytes.number(8, 4)
        var name: [UInt8] = []
        attributes(bytes, head: 16) { type, value in
            if type == 3 { name = Array(value.prefix { $0 != 0 }) }
        }
        // `IFF_UP` and `IFF_RUNNING`; then `IFF_LOOPBACK`, `IFF_MULTICAST`, `IFF_POINTOPOINT`.
        return NetworkInterface(
            index: UInt32(truncatingIfNeeded: bytes.number(4, 4)), name: name,
            isRunning: flags & 0x41 == 0x41, isLoopback: flags & 0x8 != 0,
            hasMulticast: flags & 0x1000 != 0, isPointToPoint: flags & 0x10 != 0)
    }

    private static func address(
        _ bytes: ArraySlice<UInt8>
    ) -> (UInt32, NetworkInterface.Address)? {
        guard bytes.count >= 8 else { return nil }
        let size = bytes.number(0, 1) == UInt64(AF_INET) ? 4 : 16
        var flags = bytes.number(2, 1)
        var (address, local): ([UInt8]?, [UInt8]?)
        attributes(bytes, head: 8) { type, value in
            switch type {
            case 1 where value.count == size: address = Array(value)
            case 2 where value.count == size: local = Array(value)
            case 8 where value.count >= 4: flags = value.number(0, 4)
            default: break
            }
        }
        // `IFA_F_TENTATIVE`, `IFA_F_DADFAILED`.
        guard flags & 0x48 == 0, let bytesOfAddress = local ?? address else { return nil }
        return (
            UInt32(truncatingIfNeeded: bytes.number(4, 4)),
            NetworkInterface.Address(
                bytes: bytesOfAddress, prefixLength: UInt8(truncatingIfNeeded: bytes.number(1, 1)))
        )
    }
}

extension ArraySlice<UInt8> {
    /// A number in the machine's order, which is that of all supported processors; 0 outside.
    fileprivate func number(_ start: Int, _ count: Int) -> UInt64 {
        guard start >= 0, count >= 0, self.count - start >= count else { return 0 }
        return dropFirst(start).prefix(count).reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}
