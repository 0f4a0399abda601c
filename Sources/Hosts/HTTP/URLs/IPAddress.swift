/// An address of IPv4 or IPv6, as text and as a number.
public struct IPAddress: Hashable, Sendable {
    /// The 128 bits; an IPv4 address has its 32 bits in `low`.
    let high: UInt64
    let low: UInt64
    public let isIPv4: Bool

    public init(v4 bits: UInt32) {
        high = 0
        low = UInt64(bits)
        isIPv4 = true
    }

    /// - Parameter groups: eight of 16 bits, else nil.
    public init?(v6 groups: [UInt16]) {
        guard groups.count == 8 else { return nil }
        var (high, low) = (UInt64(0), UInt64(0))
        for group in groups {
            high = high << 16 | low >> 48
            low = low << 16 | UInt64(group)
        }
        self.high = high
        self.low = low
        isIPv4 = false
    }

    /// Reads `127.0.0.1` or `::1`, without brackets, port and zone; nil for anything else.
    public init?(_ bytes: ArraySlice<UInt8>) {
        if bytes.contains(ASCII.colon) {
            guard let groups = Self.groups(bytes) else { return nil }
            self.init(v6: groups)
        } else {
            guard let bits = Self.quad(bytes) else { return nil }
            self.init(v4: bits)
        }
    }

    /// Four numbers of 0 to 255 without leading zeros (RFC 3986 3.2.2).
    private static func quad(_ bytes: ArraySlice<UInt8>) -> UInt32? {
        var bits: UInt32 = 0
        var part: UInt32 = 0
        var (digits, dots) = (0, 0)
        for byte in bytes {
            if byte == ASCII.dot {
                guard digits > 0, dots < 3 else { return nil }
                bits = bits << 8 | part
                (part, digits, dots) = (0, 0, dots &+ 1)
                continue
            }
            guard let digit = byte.digit, digits == 0 || part > 0 else { return nil }
            part = part &* 10 &+ UInt32(truncatingIfNeeded: digit)
            digits &+= 1
            guard part <= 255 else { return nil }
        }
        return digits > 0 && dots == 3 ? bits << 8 | part : nil
    }

    /// Groups around at most one `::`, the last two possibly as IPv4.
    private static func groups(_ bytes: ArraySlice<UInt8>) -> [UInt16]? {
        guard bytes.count <= 45 else { return nil }
        var front: [UInt16] = []
        var back: [UInt16]?
        var rest = bytes
        if rest.starts(with: [ASCII.colon, ASCII.colon]) {
            back = []
            rest = rest.dropFirst(2)
        }
        while !rest.isEmpty {
            let end = rest.firstIndex(of: ASCII.colon) ?? rest.endIndex
            let part = rest[rest.startIndex..<end]
            var found: [UInt16] = []
            if end == rest.endIndex, part.contains(ASCII.dot) {
                guard let bits = quad(part) else { return nil }
                found = [UInt16(truncatingIfNeeded: bits >> 16), UInt16(truncatingIfNeeded: bits)]
            } else {
                guard (1...4).contains(part.count) else { return nil }
                var value: UInt16 = 0
                for byte in part {
                    guard let digit = byte.hexDigit else { return nil }
                    value = value << 4 | UInt16(truncatingIfNeeded: digit)
                }
                found = [value]
            }
            if back != nil {
                back?.append(contentsOf: found)
            } else {
                front.append(contentsOf: found)
            }
            if end == rest.endIndex { break }
            rest = rest[(end &+ 1)...]
            if rest.first == ASCII.colon {
                guard back == nil else { return nil }
                back = []
                rest = rest.dropFirst()
            } else if rest.isEmpty {
                return nil
            }
        }
        guard let back else { return front.count == 8 ? front : nil }
        let missing = 8 - front.count - back.count
        guard missing >= 1 else { return nil }
        return front + [UInt16](repeating: 0, count: missing) + back
    }

    /// The address as text: IPv6 by RFC 5952, without brackets.
    public var bytes: [UInt8] {
        var bytes: [UInt8] = []
        if isIPv4 {
            for shift: UInt64 in [24, 16, 8, 0] {
                bytes.append(decimal: low >> shift & 0xff)
                if shift > 0 { bytes.append(ASCII.dot) }
            }
            return bytes
        }
        let groups = (0..<8).map { (index: UInt64) in
            (index < 4 ? high : low) >> (48 &- index % 4 &* 16) & 0xffff
        }
        // The longest run of at least two zero groups, the first of several.
        var (best, bestLength) = (8, 1)
        var index = 0
        while index < 8 {
            var length = 0
            while index + length < 8, groups[index + length] == 0 { length += 1 }
            if length > bestLength { (best, bestLength) = (index, length) }
            index += max(length, 1)
        }
        index = 0
        while index < 8 {
            if index == best {
                bytes.append(text: "::")
                index += bestLength
                continue
            }
            if index > 0, index != best + bestLength { bytes.append(ASCII.colon) }
            bytes.append(hexadecimal: groups[index])
            index += 1
        }
        return bytes
    }

    /// 127.0.0.0/8, ::1, and the former mapped into IPv6.
    public var isLoopback: Bool {
        let plain = unmapped
        return plain.isIPv4 ? plain.low >> 24 == 127 : high == 0 && low == 1
    }

    /// An IPv4 address that is mapped into IPv6 (`::ffff:a.b.c.d`), else the address itself.
    public var unmapped: IPAddress {
        guard !isIPv4, high == 0, low >> 32 == 0xffff else { return self }
        return IPAddress(v4: UInt32(truncatingIfNeeded: low))
    }
}

/// A range of addresses, as `192.168.0.0/16`, `fd00::/8` or one address.
public struct IPNetwork: Hashable, Sendable {
    public let address: IPAddress
    /// 0 to 32 or 128.
    public let prefix: Int

    /// Reads an address with an optional length; nil for anything else.
    public init?(_ bytes: ArraySlice<UInt8>) {
        let slash = bytes.firstIndex(of: ASCII.slash)
        guard let address = IPAddress(bytes[bytes.startIndex..<(slash ?? bytes.endIndex)]) else {
            return nil
        }
        let maximum = address.isIPv4 ? 32 : 128
        self.address = address
        guard let slash else {
            prefix = maximum
            return
        }
        guard let length = decimal(bytes[(slash + 1)...]), length <= UInt64(maximum) else {
            return nil
        }
        prefix = Int(truncatingIfNeeded: length)
    }

    /// Whether an address is in the range; mapped IPv4 addresses count as what they are.
    public func contains(_ other: IPAddress) -> Bool {
        let other = other.isIPv4 == address.isIPv4 ? other : other.unmapped
        guard other.isIPv4 == address.isIPv4 else { return false }
        if address.isIPv4 {
            return prefix == 0 || (address.low ^ other.low) >> UInt64(32 - prefix) == 0
        }
        let upper = min(prefix, 64)
        if upper > 0, (address.high ^ other.high) >> UInt64(64 - upper) != 0 { return false }
        return prefix <= 64 || (address.low ^ other.low) >> UInt64(128 - prefix) == 0
    }
}
