/// A host with an optional port, as in `Host` and in URLs (RFC 3986 3.2), without user information.
public struct Authority: Equatable, Sendable {
    public enum Host: Hashable, Sendable {
        /// A registered name: not empty, in lower case, without percent encoding and final dot.
        case name([UInt8])
        case address(IPAddress)

        /// As resolvers take it: the name, or the address without brackets.
        public var bytes: [UInt8] {
            switch self {
            case .name(let name): name
            case .address(let address): address.bytes
            }
        }
    }

    public let host: Host
    /// 0 to 65535.
    public let port: UInt16?

    /// Reads `host`, `host:port`, `[v6]` or `[v6]:port`; nil for anything else.
    public init?(_ bytes: ArraySlice<UInt8>) {
        guard let (hostBytes, port) = Self.split(bytes), !hostBytes.isEmpty else { return nil }
        self.port = port
        if hostBytes.first == 0x5b {
            guard let address = IPAddress(hostBytes.dropFirst().dropLast()), !address.isIPv4 else {
                return nil
            }
            host = .address(address)
            return
        }
        if let address = IPAddress(hostBytes) {
            host = .address(address)
            return
        }
        guard
            var name = hostBytes.contains(ASCII.percent)
                ? PercentCoding.decode(hostBytes) : Array(hostBytes),
            name.allSatisfy({ !Self.isForbidden($0) })
        else { return nil }
        if name.last == ASCII.dot { name.removeLast() }
        guard !name.isEmpty else { return nil }
        host = .name(name.map(\.lowercase))
    }

    /// Whether no name may have the byte: controls, a blank, and what separates parts of a URL.
    @inline(__always)
    private static func isForbidden(_ byte: UInt8) -> Bool {
        switch byte {
        case 0...0x20, 0x23, 0x25, 0x2f, 0x3a, 0x3f, 0x40, 0x5b, 0x5c, 0x5d, 0x7f: true
        default: false
        }
    }

    public init(host: Host, port: UInt16? = nil) {
        self.host = host
        self.port = port
    }

    /// Whether a range holds an authority. Allocates nothing for plain names and IPv4 addresses.
    static func isValid(_ bytes: [UInt8], _ range: Range<Int>) -> Bool {
        isPlain(bytes.span, range) || Authority(bytes[range]) != nil
    }

    /// Whether a range holds a name without percent encoding, and perhaps a port.
    private static func isPlain(_ bytes: borrowing Span<UInt8>, _ range: Range<Int>) -> Bool {
        var index = range.lowerBound
        while index < range.upperBound, ByteSet.name.contains(bytes[index]) {
            if bytes[index] == ASCII.percent { return false }
            index &+= 1
        }
        // A lone dot would be an empty name.
        if index == range.lowerBound || bytes[range.lowerBound] == ASCII.dot { return false }
        if index == range.upperBound { return true }
        guard bytes[index] == ASCII.colon, range.upperBound &- index <= 6 else { return false }
        var port = 0
        index &+= 1
        while index < range.upperBound {
            guard let digit = bytes[index].digit else { return false }
            port = port &* 10 &+ Int(digit)
            index &+= 1
        }
        return port <= 65_535
    }

    /// The host with its brackets, and the port. A colon without digits after it is no port.
    private static func split(_ bytes: ArraySlice<UInt8>) -> (ArraySlice<UInt8>, UInt16?)? {
        var end = bytes.endIndex
        if bytes.first == 0x5b {
            guard let bracket = bytes.firstIndex(of: 0x5d) else { return nil }
            end = bracket &+ 1
        } else {
            end = bytes.firstIndex { !ByteSet.name.contains($0) } ?? bytes.endIndex
        }
        let host = bytes[bytes.startIndex..<end]
        if end == bytes.endIndex { return (host, nil) }
        guard bytes[end] == ASCII.colon else { return nil }
        let digits = bytes[(end &+ 1)...]
        if digits.isEmpty { return (host, nil) }
        guard digits.count <= 5, let number = decimal(digits),
            let port = UInt16(exactly: number)
        else { return nil }
        return (host, port)
    }

    /// The host as it is written in a URL: with brackets around IPv6.
    public var hostBytes: [UInt8] {
        switch host {
        case .name(let name): PercentCoding.encode(name, keeping: .name)
        case .address(let address):
            address.isIPv4 ? address.bytes : [0x5b] + address.bytes + [0x5d]
        }
    }

    /// Host and port as they are written.
    public var bytes: [UInt8] {
        var bytes = hostBytes
        if let port {
            bytes.append(ASCII.colon)
            bytes.append(decimal: UInt64(port))
        }
        return bytes
    }
}
