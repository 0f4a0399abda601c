/// Where a socket listens for connections.
///
///     wasi.listeners = [SocketAddress("127.0.0.1:8080")].compactMap(\.self)
///
/// Its text is `127.0.0.1:8080`, `[::1]:8080` or `unix:PATH`. Names of hosts are not looked up, but
/// `localhost` is `127.0.0.1`.
public enum SocketAddress: Sendable, Hashable {
    /// Four bytes and a port, 0 for one that the system chooses.
    case ipv4([UInt8], port: UInt16)
    /// Sixteen bytes and a port, 0 for one that the system chooses.
    case ipv6([UInt8], port: UInt16)
    /// A path at which nothing is yet; at most 107 bytes.
    case unix(path: String)

    /// Nil if the text is none of the three forms.
    public init?(_ text: String) {
        let prefix = "unix:"
        if text.hasPrefix(prefix) {
            let path = String(text.dropFirst(prefix.count))
            guard !path.isEmpty, !path.utf8.contains(0) else { return nil }
            self = .unix(path: path)
            return
        }
        guard let colon = text.lastIndex(of: ":") else { return nil }
        var host = text[..<colon]
        let digits = text[text.index(after: colon)...]
        guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(digits)
        else { return nil }
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
            guard let bytes = System.ipv6Bytes(String(host)) else { return nil }
            self = .ipv6(bytes, port: port)
        } else {
            let name = host == "localhost" ? "127.0.0.1" : String(host)
            guard let bytes = System.ipv4Bytes(name) else { return nil }
            self = .ipv4(bytes, port: port)
        }
    }
}

extension SocketAddress: CustomStringConvertible {
    public var description: String {
        switch self {
        case .ipv4(let bytes, let port):
            bytes.map(String.init).joined(separator: ".") + ":\(port)"
        case .ipv6(let bytes, let port): "[\(System.ipv6Text(bytes))]:\(port)"
        case .unix(let path): "unix:" + path
        }
    }
}
