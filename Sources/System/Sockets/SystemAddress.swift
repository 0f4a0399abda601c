import Glibc

// Invariant: an address structure is passed to the kernel, or filled by it, with the size of its
// memory.

/// The address of a socket or of its peer: ip(7), ipv6(7), unix(7).
public enum SystemAddress: Hashable, Sendable {
    /// Four bytes, in network order.
    case ipv4([UInt8], port: UInt16)
    /// Sixteen bytes, in network order.
    case ipv6([UInt8], port: UInt16)
    /// The bytes of a path; empty for a socket without a name.
    case unix([UInt8])

    /// The port of an internet address; nil for others.
    public var port: UInt16? {
        switch self {
        case .ipv4(_, let port), .ipv6(_, let port): port
        case .unix: nil
        }
    }

    var family: Int32 {
        switch self {
        case .ipv4: AF_INET
        case .ipv6: AF_INET6
        case .unix: AF_UNIX
        }
    }

    /// Calls `body` with the kernel's form of the address.
    ///
    /// - Throws: `EINVAL` for a wrong number of bytes, an empty path or a NUL in it; `ENAMETOOLONG`
    ///   for a path of more than 107 bytes.
    @discardableResult
    func withName<Result>(
        _ body: (UnsafePointer<sockaddr>?, socklen_t) throws(SystemError) -> Result
    ) throws(SystemError) -> Result {
        switch self {
        case .ipv4(let bytes, let port):
            guard bytes.count == 4 else { throw .inval }
            var name = sockaddr_in()
            name.sin_family = sa_family_t(AF_INET)
            name.sin_port = port.bigEndian
            unsafe withUnsafeMutableBytes(of: &name.sin_addr) { unsafe $0.copyBytes(from: bytes) }
            return try unsafe Self.lend(name, body)
        case .ipv6(let bytes, let port):
            guard bytes.count == 16 else { throw .inval }
            var name = sockaddr_in6()
            name.sin6_family = sa_family_t(AF_INET6)
            name.sin6_port = port.bigEndian
            unsafe withUnsafeMutableBytes(of: &name.sin6_addr) { unsafe $0.copyBytes(from: bytes) }
            return try unsafe Self.lend(name, body)
        case .unix(let path):
            var name = sockaddr_un()
            name.sun_family = sa_family_t(AF_UNIX)
            let room = MemoryLayout.size(ofValue: name.sun_path)
            guard !path.isEmpty, !path.contains(0) else { throw .inval }
            guard path.count < room else { throw .nametoolong }
            unsafe withUnsafeMutableBytes(of: &name.sun_path) { unsafe $0.copyBytes(from: path) }
            return try unsafe Self.lend(name, body)
        }
    }

    private static func lend<Name, Result>(
        _ name: Name,
        _ body: (UnsafePointer<sockaddr>?, socklen_t) throws(SystemError) -> Result
    ) throws(SystemError) -> Result {
        try unsafe withUnsafeBytes(of: name) { (bytes) throws(SystemError) in
            try unsafe body(
                bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
        }
    }

    /// The address that `fill` writes; nil for other families.
    ///
    /// - Throws: the error of `fill`, if it returns -1.
    init?(
        _ fill: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32
    ) throws(SystemError) {
        var storage = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = unsafe withUnsafeMutableBytes(of: &storage) { bytes -> Int32 in
            guard let start = bytes.baseAddress else { return -1 }
            return unsafe fill(start.assumingMemoryBound(to: sockaddr.self), &size)
        }
        guard result >= 0 else { throw .ofLastCall }
        let bytes = unsafe withUnsafeBytes(of: &storage) { unsafe [UInt8]($0.prefix(Int(size))) }
        // Linux's structures: the family, then the port and the address, or the path.
        switch Int32(truncatingIfNeeded: storage.ss_family) {
        case AF_INET where bytes.count >= 8:
            self = .ipv4(Array(bytes[4..<8]), port: portNumber(bytes))
        case AF_INET6 where bytes.count >= 24:
            self = .ipv6(Array(bytes[8..<24]), port: portNumber(bytes))
        case AF_UNIX:
            let path = bytes.dropFirst(2)
            // A name that begins with a NUL is abstract, not a path.
            self = .unix(path.first == 0 ? [] : Array(path.prefix { $0 != 0 }))
        default: return nil
        }
    }
}

/// The port in a structure of an internet address.
private func portNumber(_ bytes: [UInt8]) -> UInt16 {
    UInt16(truncatingIfNeeded: bytes[2]) << 8 | UInt16(truncatingIfNeeded: bytes[3])
}

extension SystemAddress {
    /// The bytes of an address in text form, such as `127.0.0.1`; nil if it is malformed.
    public static func ipv4Bytes(_ text: String) -> [UInt8]? { bytes(text, AF_INET, 4) }

    /// The bytes of an address in text form, such as `::1`; nil if it is malformed.
    public static func ipv6Bytes(_ text: String) -> [UInt8]? { bytes(text, AF_INET6, 16) }

    private static func bytes(_ text: String, _ family: Int32, _ count: Int) -> [UInt8]? {
        guard !text.utf8.contains(0) else { return nil }
        var bytes = [UInt8](repeating: 0, count: count)
        return unsafe inet_pton(family, text, &bytes) == 1 ? bytes : nil
    }

    /// The text form of sixteen bytes; empty for another number of bytes.
    public static func ipv6Text(_ bytes: [UInt8]) -> String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        guard bytes.count == 16,
            unsafe inet_ntop(AF_INET6, bytes, &text, socklen_t(text.count)) != nil
        else { return "" }
        return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
