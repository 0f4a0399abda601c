/// Percent encoding (RFC 3986 2.1) of bytes; what they mean is up to others.
public enum PercentCoding {
    /// Resolves `%XX`; nil if a percent sign is not followed by two digits.
    public static func decode(_ bytes: some Collection<UInt8>) -> [UInt8]? {
        decode(bytes, plusIsSpace: false, isStrict: true)
    }

    /// Resolves `%XX` and `+` as forms and queries have them; a percent sign without two digits
    /// stays.
    public static func decodeForm(_ bytes: some Collection<UInt8>) -> [UInt8] {
        decode(bytes, plusIsSpace: true, isStrict: false) ?? []
    }

    /// Resolves `%XX` of unreserved characters, in one pass; all else stays as it is, also what is
    /// malformed. Nil if there is none.
    static func decodeUnreserved(_ bytes: ArraySlice<UInt8>) -> [UInt8]? {
        var decoded: [UInt8] = []
        decoded.reserveCapacity(bytes.count)
        var index = bytes.startIndex
        while index < bytes.endIndex {
            let byte = bytes[index]
            if byte == ASCII.percent, bytes.endIndex &- index > 2,
                let high = bytes[index &+ 1].hexDigit, let low = bytes[index &+ 2].hexDigit
            {
                if ByteSet.unreserved.contains(high << 4 | low) {
                    decoded.append(high << 4 | low)
                } else {
                    decoded.append(contentsOf: bytes[index...(index &+ 2)])
                }
                index &+= 3
            } else {
                decoded.append(byte)
                index &+= 1
            }
        }
        return decoded.count < bytes.count ? decoded : nil
    }

    private static func decode(
        _ bytes: some Collection<UInt8>, plusIsSpace: Bool, isStrict: Bool
    ) -> [UInt8]? {
        var decoded: [UInt8] = []
        decoded.reserveCapacity(bytes.count)
        var index = bytes.startIndex
        while index < bytes.endIndex {
            let byte = bytes[index]
            bytes.formIndex(after: &index)
            if byte == ASCII.percent {
                if index < bytes.endIndex, let high = bytes[index].hexDigit {
                    let second = bytes.index(after: index)
                    if second < bytes.endIndex, let low = bytes[second].hexDigit {
                        decoded.append(high << 4 | low)
                        index = bytes.index(after: second)
                        continue
                    }
                }
                if isStrict { return nil }
            }
            decoded.append(plusIsSpace && byte == 0x2b ? ASCII.space : byte)
        }
        return decoded
    }

    /// Encodes all bytes but unreserved characters: the result fits anywhere in a URL.
    public static func encode(_ bytes: some Collection<UInt8>) -> [UInt8] {
        encode(bytes, keeping: .unreserved)
    }

    /// Encodes a path: its slashes stay, and what RFC 3986 allows in segments.
    public static func encode(path bytes: some Collection<UInt8>) -> [UInt8] {
        encode(bytes, keeping: .path, alsoKeeping: ASCII.slash)
    }

    /// Encodes bytes outside of a set; a percent sign is always encoded.
    static func encode(
        _ bytes: some Collection<UInt8>, keeping kept: ByteSet, alsoKeeping other: UInt8? = nil
    ) -> [UInt8] {
        var encoded: [UInt8] = []
        encoded.reserveCapacity(bytes.count)
        for byte in bytes {
            if byte != ASCII.percent, kept.contains(byte) || byte == other {
                encoded.append(byte)
            } else {
                encoded.append(ASCII.percent)
                encoded.append(Self.digit(byte >> 4))
                encoded.append(Self.digit(byte & 15))
            }
        }
        return encoded
    }

    /// Digits are in upper case, as RFC 3986 normalises them.
    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? value &+ 0x30 : value &+ 0x37
    }
}
