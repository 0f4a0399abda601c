extension SHA256 {
    /// The 32 bytes of a hash.
    public struct Digest: Hashable, Sendable {
        /// The bytes as numbers, the first byte in the highest bits of the first number.
        let words: InlineArray<4, UInt64>

        init(_ words: InlineArray<4, UInt64>) { self.words = words }

        /// A digest from its 32 bytes; nil for another count.
        public init?(bytes: Span<UInt8>) {
            guard bytes.count == 32 else { return nil }
            words = InlineArray { word in
                var value: UInt64 = 0
                for index in 0..<8 { value = value &<< 8 | UInt64(bytes[word * 8 + index]) }
                return value
            }
        }

        /// A digest from its 64 hexadecimal digits, small or capital; nil for anything else.
        public init?(hex: some StringProtocol) {
            var words = InlineArray<4, UInt64>(repeating: 0)
            var count = 0
            for byte in hex.utf8 {
                let digit: UInt8
                switch byte {
                case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte &- UInt8(ascii: "0")
                case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte &- UInt8(ascii: "a") &+ 10
                case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte &- UInt8(ascii: "A") &+ 10
                default: return nil
                }
                guard count < 64 else { return nil }
                words[count / 16] = words[count / 16] &<< 4 | UInt64(digit)
                count += 1
            }
            guard count == 64 else { return nil }
            self.words = words
        }

        /// The 32 bytes.
        public var bytes: [UInt8] {
            (0..<32).map { index in
                UInt8(truncatingIfNeeded: words[index / 8] &>> UInt64(56 - index % 8 * 8))
            }
        }

        /// Compares in a time that does not depend on the bytes.
        public static func == (one: Digest, other: Digest) -> Bool {
            var difference: UInt64 = 0
            for index in 0..<4 { difference |= one.words[index] ^ other.words[index] }
            return difference == 0
        }

        public func hash(into hasher: inout Hasher) {
            for index in 0..<4 { hasher.combine(words[index]) }
        }
    }
}

extension SHA256.Digest: Comparable {
    /// The order of the bytes, which is that of the hexadecimal digits.
    public static func < (one: Self, other: Self) -> Bool {
        for index in 0..<4 where one.words[index] != other.words[index] {
            return one.words[index] < other.words[index]
        }
        return false
    }
}

extension SHA256.Digest: CustomStringConvertible {
    /// 64 small hexadecimal digits.
    public var description: String {
        let digits = (0..<64).map { index in
            let digit = UInt8(
                truncatingIfNeeded: words[index / 16] &>> UInt64(60 - index % 16 * 4) & 15)
            return digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
        }
        return String(decoding: digits, as: UTF8.self)
    }
}
