/// Where a socket listens for connections.
///
///     wasi.listeners = [SocketAddress("127.0.0.1:8080")].compactMap(\.self)
///
/// Its text is `127.0.0.1:8080`, `[::1]:8080` or `unix:PATH`. Host names are not resolved, except
/// `localhost`, which is `127.0.0.1`.
public enum SocketAddress: Sendable {
    /// Four bytes and a port, 0 for one that the system chooses: see `WASIGuest.listeners`.
    case ipv4([UInt8], port: UInt16)
    /// Sixteen bytes and a port, 0 for one that the system chooses: see `WASIGuest.listeners`.
    case ipv6([UInt8], port: UInt16)
    /// A path without a file, or with a socket that has no listener; at most 107 bytes. The
    /// file is removed when the guest ends.
    case unix(path: String)
    /// The same for a path that need not be UTF-8.
    case unixBytes([UInt8])

    /// Nil if the text has none of the three forms.
    public init?(_ text: String) { self.init(Array(text.utf8)) }

    /// The same for a text whose path need not be UTF-8.
    public init?(_ text: [UInt8]) {
        let prefix = Array("unix:".utf8)
        if text.starts(with: prefix) {
            let path = Array(text.dropFirst(prefix.count))
            guard !path.isEmpty, !path.contains(0) else { return nil }
            if let text = String(validating: path, as: UTF8.self) {
                self = .unix(path: text)
            } else {
                self = .unixBytes(path)
            }
            return
        }
        guard let colon = text.lastIndex(of: 0x3a) else { return nil }
        let digits = text[(colon + 1)...]
        guard digits.allSatisfy({ (0x30...0x39).contains($0) }),
            let port = UInt16(String(decoding: digits, as: UTF8.self)),
            let host = String(validating: text[..<colon], as: UTF8.self)
        else { return nil }
        if host.utf8.first == 0x5b, host.utf8.last == 0x5d {
            guard let bytes = System.ipv6Bytes(String(host.dropFirst().dropLast())) else {
                return nil
            }
            self = .ipv6(bytes, port: port)
        } else {
            let name = host == "localhost" ? "127.0.0.1" : host
            guard let bytes = System.ipv4Bytes(name) else { return nil }
            self = .ipv4(bytes, port: port)
        }
    }

    /// The path of a unix socket; nil for others.
    package var path: [UInt8]? {
        switch self {
        case .ipv4, .ipv6: nil
        case .unix(let path): Array(path.utf8)
        case .unixBytes(let path): path
        }
    }

    /// The same address with the port that the system chose.
    func with(port: UInt16) -> SocketAddress {
        switch self {
        case .ipv4(let bytes, _): .ipv4(bytes, port: port)
        case .ipv6(let bytes, _): .ipv6(bytes, port: port)
        case .unix, .unixBytes: self
        }
    }
}

extension SocketAddress: Hashable {
    /// Paths are compared byte by byte.
    public static func == (a: SocketAddress, b: SocketAddress) -> Bool {
        switch (a, b) {
        case (.ipv4(let a, let aPort), .ipv4(let b, let bPort)): a == b && aPort == bPort
        case (.ipv6(let a, let aPort), .ipv6(let b, let bPort)): a == b && aPort == bPort
        default: a.path != nil && a.path == b.path
        }
    }

    public func hash(into hasher: inout Hasher) {
        switch self {
        case .ipv4(let bytes, let port), .ipv6(let bytes, let port):
            hasher.combine(bytes)
            hasher.combine(port)
        case .unix, .unixBytes: hasher.combine(path)
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
        case .unixBytes(let path): "unix:" + String(decoding: path, as: UTF8.self)
        }
    }
}
