import WasmSystem

/// The order in which the addresses of a host should be tried: RFC 6724, section 6, the rules about
/// reachability, scopes, labels, precedence and common prefixes.
///
/// Rules about deprecated and mobile addresses and tunnels need knowledge of interfaces, and are
/// left out.
public enum DestinationOrder {
    /// The addresses in order; the source of each is what the kernel would choose, which costs a
    /// socket and two calls each. No packet is sent.
    public static func sorted(_ addresses: [HostAddress]) -> [HostAddress] {
        guard addresses.count > 1 else { return addresses }
        let some = addresses.prefix(limit)
        return sorted(some.map { ($0, source(for: $0)) }) + addresses.dropFirst(limit)
    }

    /// More addresses than this are not sorted; they follow the others.
    private static let limit = 32

    /// The address that connections to `address` would come from; nil if it cannot be reached.
    static func source(for address: HostAddress) -> HostAddress? {
        // Any port: nothing is sent.
        guard let source = try? Kernel.sourceAddress(for: address.with(port: 53)) else {
            return nil
        }
        switch source {
        case .ipv4(let bytes, _): return .ipv4(bytes)
        case .ipv6(let bytes, _): return .ipv6(bytes)
        case .unix: return nil
        }
    }

    /// The addresses in order, by their sources; nil where there is none. Equal ones keep theirs.
    public static func sorted(
        _ pairs: [(address: HostAddress, source: HostAddress?)]
    ) -> [HostAddress] {
        let keys = pairs.enumerated().map { index, pair in
            (key: key(pair.address, pair.source), index: index)
        }
        return keys.sorted { one, other in
            for (left, right) in zip(one.key, other.key) where left != right {
                return left < right
            }
            return one.index < other.index
        }.map { pairs[$0.index].address }
    }

    /// Numbers in the order of the rules; smaller ones come first.
    private static func key(_ address: HostAddress, _ source: HostAddress?) -> [Int] {
        let destination = mapped(address)
        guard let source else { return [1] }
        let from = mapped(source)
        let (policy, own) = (policy(of: destination), Self.policy(of: from))
        return [
            0,  // Rule 1: what can be reached.
            scope(destination) == scope(from) ? 0 : 1,  // Rule 2
            policy.label == own.label ? 0 : 1,  // Rule 5
            -policy.precedence,  // Rule 6
            scope(destination),  // Rule 8
            // Rule 9, among addresses of IPv6 only.
            address.isIPv6 ? -commonPrefix(destination, from) : 0,
        ]
    }

    /// Sixteen bytes; an address of IPv4 as `::ffff:a.b.c.d`.
    private static func mapped(_ address: HostAddress) -> [UInt8] {
        switch address {
        case .ipv4(let bytes): [UInt8](repeating: 0, count: 10) + [0xff, 0xff] + bytes
        case .ipv6(let bytes): bytes
        }
    }

    /// The default table of RFC 6724, section 2.1; longer prefixes first.
    private static let policies: [(prefix: [UInt8], bits: Int, precedence: Int, label: Int)] = [
        ([UInt8](repeating: 0, count: 15) + [1], 128, 50, 0),
        ([UInt8](repeating: 0, count: 10) + [0xff, 0xff], 96, 35, 4),
        ([UInt8](repeating: 0, count: 12), 96, 1, 3),
        ([0x20, 0x01, 0, 0], 32, 5, 5),
        ([0x20, 0x02], 16, 30, 2),
        ([0x3f, 0xfe], 16, 1, 12),
        ([0xfe, 0xc0], 10, 1, 11),
        ([0xfc], 7, 3, 13),
    ]

    private static func policy(of bytes: [UInt8]) -> (precedence: Int, label: Int) {
        for entry in policies where commonPrefix(bytes, entry.prefix) >= entry.bits {
            return (entry.precedence, entry.label)
        }
        return (40, 1)
    }

    /// 2 for addresses of a link, 5 for those of a site, 14 for global ones; of multicast addresses
    /// what they say: section 3.1 and 3.2.
    private static func scope(_ bytes: [UInt8]) -> Int {
        guard bytes.count == 16 else { return 14 }
        if bytes[..<12].elementsEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]) {
            if bytes[12] == 127 || (bytes[12] == 169 && bytes[13] == 254) { return 2 }
            return 14
        }
        if bytes[0] == 0xff { return Int(bytes[1] & 0xf) }
        if bytes[0] == 0xfe, bytes[1] & 0xc0 == 0x80 { return 2 }
        if bytes[0] == 0xfe, bytes[1] & 0xc0 == 0xc0 { return 5 }
        if bytes.dropLast().allSatisfy({ $0 == 0 }), bytes[15] == 1 { return 2 }
        return 14
    }

    /// How many leading bits are equal.
    private static func commonPrefix(_ one: [UInt8], _ other: [UInt8]) -> Int {
        var count = 0
        for (left, right) in zip(one, other) {
            if left != right { return count + (left ^ right).leadingZeroBitCount }
            count += 8
        }
        return count
    }
}
