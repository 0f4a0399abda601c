import WasmSystem

/// The machine's own table of names and addresses: hosts(5).
public struct HostsFile: Sendable, Equatable {
    private var addresses: [DomainName: [HostAddress]] = [:]

    /// Lines and names that are read; more are ignored.
    private static let nameLimit = 100_000

    public init() {}

    /// Parses the bytes of `/etc/hosts`. Malformed lines are ignored, as is usual.
    public init(_ bytes: [UInt8]) {
        var count = 0
        for line in bytes.split(whereSeparator: { $0 == 0x0a }) {
            let words = line.prefix { $0 != UInt8(ascii: "#") }
                .split { $0 == 0x20 || $0 == 0x09 || $0 == 0x0d }
            guard let first = words.first,
                let address = HostAddress(String(decoding: first, as: UTF8.self))
            else { continue }
            for word in words.dropFirst() {
                guard let name = DomainName(String(decoding: word, as: UTF8.self)) else {
                    continue
                }
                count += 1
                if count > Self.nameLimit { return }
                if addresses[name]?.contains(address) != true {
                    addresses[name, default: []].append(address)
                }
            }
        }
    }

    /// The addresses of a name, in the order of the file. `localhost` and names that end with it
    /// are the loopback addresses, whatever the file contains: RFC 6761, section 6.3.
    public func addresses(of name: DomainName) -> [HostAddress]? {
        if let found = addresses[name] { return found }
        guard name.labels.last.map({ DomainName(labels: [$0]) == DomainName("localhost") }) == true
        else { return nil }
        return [.loopback6, .loopback4]
    }
}

/// An address of a host, without a port.
public enum HostAddress: Hashable, Sendable {
    case ipv4([UInt8])
    case ipv6([UInt8])

    public static let loopback4 = HostAddress.ipv4([127, 0, 0, 1])
    public static let loopback6 = HostAddress.ipv6([UInt8](repeating: 0, count: 15) + [1])

    /// Parses an address in its usual form: `127.0.0.1`, `::1`, also `[::1]`; nil for anything
    /// else.
    public init?(_ text: String) {
        let isBracketed =
            text.utf8.first == UInt8(ascii: "[") && text.utf8.last == UInt8(ascii: "]")
        let plain = isBracketed ? String(text.dropFirst().dropLast()) : text
        if !isBracketed, let bytes = SystemAddress.ipv4Bytes(plain) {
            self = .ipv4(bytes)
        } else if let bytes = SystemAddress.ipv6Bytes(plain) {
            self = .ipv6(bytes)
        } else {
            return nil
        }
    }

    /// - Returns: nil for another number of bytes than 4 or 16.
    public init?(bytes: [UInt8]) {
        switch bytes.count {
        case 4: self = .ipv4(bytes)
        case 16: self = .ipv6(bytes)
        default: return nil
        }
    }

    public var isIPv6: Bool { if case .ipv6 = self { true } else { false } }

    /// The address with a port.
    public func with(port: UInt16) -> SystemAddress {
        switch self {
        case .ipv4(let bytes): .ipv4(bytes, port: port)
        case .ipv6(let bytes): .ipv6(bytes, port: port)
        }
    }
}
