/// Base64 with padding (RFC 4648, section 4).
public enum Base64 {
    public static func encode(_ bytes: some Collection<UInt8>) -> [UInt8] {
        if let array = bytes as? [UInt8] { return encode(array.span) }
        return encode(Array(bytes).span)
    }

    /// Decodes; nil if there is any other character, the padding is wrong, or unused bits are set.
    public static func decode(_ bytes: some Collection<UInt8>) -> [UInt8]? {
        if let array = bytes as? [UInt8] { return decode(array.span) }
        return decode(Array(bytes).span)
    }

    private static func encode(_ bytes: Span<UInt8>) -> [UInt8] {
        let whole = bytes.count / 3 * 3
        let rest = bytes.count - whole
        let count = whole / 3 * 4 + (rest > 0 ? 4 : 0)
        return [UInt8](capacity: count) { encoded in
            var index = 0
            while index < whole {
                let (first, second, third) = (
                    bytes[index], bytes[index &+ 1], bytes[index &+ 2]
                )
                encoded.append(digit(first >> 2))
                encoded.append(digit(first << 4 | second >> 4))
                encoded.append(digit(second << 2 | third >> 6))
                encoded.append(digit(third))
                index &+= 3
            }
            if rest == 0 { return }
            let (first, second) = (bytes[whole], rest == 2 ? bytes[whole &+ 1] : 0)
            encoded.append(digit(first >> 2))
            encoded.append(digit(first << 4 | second >> 4))
            encoded.append(rest == 2 ? digit(second << 2) : ASCII.equals)
            encoded.append(ASCII.equals)
        }
    }

    private static func decode(_ bytes: Span<UInt8>) -> [UInt8]? {
        guard bytes.count % 4 == 0 else { return nil }
        if bytes.isEmpty { return [] }
        let last = bytes.count - 4
        let padding =
            bytes[last &+ 3] != ASCII.equals ? 0 : bytes[last &+ 2] != ASCII.equals ? 1 : 2
        var isValid = true
        let decoded = [UInt8](capacity: bytes.count / 4 * 3) { decoded in
            let values = values.span
            var index = 0
            let whole = padding == 0 ? bytes.count : last
            // A value that is none has bits beyond the six: one look at all of them is enough.
            var seen: UInt8 = 0
            while index < whole {
                let first = values[Int(bytes[index])]
                let second = values[Int(bytes[index &+ 1])]
                let third = values[Int(bytes[index &+ 2])]
                let fourth = values[Int(bytes[index &+ 3])]
                seen |= first | second | third | fourth
                decoded.append(first << 2 | second >> 4)
                decoded.append(second << 4 | third >> 2)
                decoded.append(third << 6 | fourth)
                index &+= 4
            }
            if padding > 0 {
                let first = values[Int(bytes[last])]
                let second = values[Int(bytes[last &+ 1])]
                let third = padding == 1 ? values[Int(bytes[last &+ 2])] : 0
                seen |= first | second | third
                decoded.append(first << 2 | second >> 4)
                if padding == 1 { decoded.append(second << 4 | third >> 2) }
                if (padding == 1 ? third << 6 : second << 4) != 0 { isValid = false }
            }
            if seen > 63 { isValid = false }
        }
        return isValid ? decoded : nil
    }

    @inline(__always)
    private static func digit(_ value: UInt8) -> UInt8 {
        let byte = value & 63
        switch byte {
        case ..<26: return byte &+ 0x41
        case ..<52: return byte &+ 0x47
        case ..<62: return byte &- 4
        case 62: return 0x2b
        default: return 0x2f
        }
    }

    /// The value of each byte; 255 if it is no digit.
    private static let values: [UInt8] = (UInt8.min...UInt8.max).map { byte in
        switch byte {
        case 0x41...0x5a: byte &- 0x41
        case 0x61...0x7a: byte &- 0x47
        case 0x30...0x39: byte &+ 4
        case 0x2b: 62
        case 0x2f: 63
        default: 255
        }
    }
}
