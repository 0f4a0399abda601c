/// Base64 with padding (RFC 4648, section 4).
public enum Base64 {
    public static func encode(_ bytes: some Collection<UInt8>) -> [UInt8] {
        var encoded: [UInt8] = []
        encoded.reserveCapacity((bytes.count + 2) / 3 * 4)
        var word: UInt32 = 0
        var count = 0
        for byte in bytes {
            word = word << 8 | UInt32(truncatingIfNeeded: byte)
            count += 1
            if count == 3 {
                for shift: UInt32 in [18, 12, 6, 0] { encoded.append(digit(word >> shift & 63)) }
                (word, count) = (0, 0)
            }
        }
        if count == 1 {
            encoded.append(digit(word >> 2))
            encoded.append(digit(word << 4 & 63))
            encoded.append(ASCII.equals)
            encoded.append(ASCII.equals)
        } else if count == 2 {
            encoded.append(digit(word >> 10))
            encoded.append(digit(word >> 4 & 63))
            encoded.append(digit(word << 2 & 63))
            encoded.append(ASCII.equals)
        }
        return encoded
    }

    /// Decodes; nil if there is any other character, the padding is wrong, or unused bits are set.
    public static func decode(_ bytes: some Collection<UInt8>) -> [UInt8]? {
        guard bytes.count % 4 == 0 else { return nil }
        var decoded: [UInt8] = []
        decoded.reserveCapacity(bytes.count / 4 * 3)
        var word: UInt32 = 0
        var (count, padding) = (0, 0)
        var isEnded = false
        for byte in bytes {
            if isEnded { return nil }
            if byte == ASCII.equals {
                padding += 1
            } else {
                guard padding == 0, let value = value(byte) else { return nil }
                word = word << 6 | value
                count += 1
            }
            guard count + padding == 4 else { continue }
            isEnded = padding > 0
            switch padding {
            case 0: break
            case 1: word <<= 6
            case 2: word <<= 12
            default: return nil
            }
            if padding == 1, word & 0xff != 0 { return nil }
            if padding == 2, word & 0xffff != 0 { return nil }
            decoded.append(UInt8(truncatingIfNeeded: word >> 16))
            if padding < 2 { decoded.append(UInt8(truncatingIfNeeded: word >> 8)) }
            if padding < 1 { decoded.append(UInt8(truncatingIfNeeded: word)) }
            (word, count, padding) = (0, 0, 0)
        }
        return decoded
    }

    private static func digit(_ value: UInt32) -> UInt8 {
        let byte = UInt8(truncatingIfNeeded: value)
        switch byte {
        case ..<26: return byte &+ 0x41
        case ..<52: return byte &+ 0x47
        case ..<62: return byte &- 4
        case 62: return 0x2b
        default: return 0x2f
        }
    }

    private static func value(_ byte: UInt8) -> UInt32? {
        let value: UInt8
        switch byte {
        case 0x41...0x5a: value = byte &- 0x41
        case 0x61...0x7a: value = byte &- 0x47
        case 0x30...0x39: value = byte &+ 4
        case 0x2b: value = 62
        case 0x2f: value = 63
        default: return nil
        }
        return UInt32(truncatingIfNeeded: value)
    }
}
