/// What a service says about itself: strings of bytes, usually `key=value`.
///
/// Specification: RFC 6763, section 6.
public struct TextRecord: Hashable, Sendable {
    /// Up to 255 bytes each.
    public private(set) var strings: [[UInt8]]

    /// Longest record, with the lengths of its strings.
    public static let byteLimit = 8000

    /// - Returns: nil if a string is longer than 255 bytes, or all together than `byteLimit`.
    public init?(strings: [[UInt8]]) {
        guard strings.allSatisfy({ $0.count <= 255 }) else { return nil }
        guard strings.reduce(0, { $0 + $1.count + 1 }) <= Self.byteLimit else { return nil }
        self.strings = strings
    }

    /// A record without strings.
    public init() { strings = [] }

    /// - Returns: nil if a string would be too long, or a key is empty or has a `=`.
    public init?(_ pairs: KeyValuePairs<String, String>) {
        var strings: [[UInt8]] = []
        for (key, value) in pairs {
            guard !key.isEmpty, !key.utf8.contains(UInt8(ascii: "=")) else { return nil }
            strings.append(Array(key.utf8) + [UInt8(ascii: "=")] + Array(value.utf8))
        }
        self.init(strings: strings)
    }

    /// The value of a key, whose ASCII letters may be of either case; the first one counts. Nil if
    /// there is none; empty for a key without a value.
    public subscript(key: String) -> [UInt8]? {
        let wanted = key.utf8.map(Self.small)
        for string in strings {
            let end = string.firstIndex(of: UInt8(ascii: "=")) ?? string.endIndex
            // A string that begins with the sign has no key, and is ignored.
            guard end > 0, string[..<end].map(Self.small) == wanted else { continue }
            return Array(string[end...].dropFirst())
        }
        return nil
    }

    /// The same with another value at the key, in the old place, or at the end; the record itself
    /// if it would become too long.
    func setting(_ key: String, to value: [UInt8]) -> TextRecord {
        let string = Array(key.utf8) + [UInt8(ascii: "=")] + value
        let head = (Array(key.utf8) + [UInt8(ascii: "=")]).map(Self.small)
        var strings = strings
        if let index = strings.firstIndex(where: { $0.map(Self.small).starts(with: head) }) {
            strings[index] = string
        } else {
            strings.append(string)
        }
        return TextRecord(strings: strings) ?? self
    }

    private static func small(_ byte: UInt8) -> UInt8 {
        byte &- 0x41 < 26 ? byte | 0x20 : byte
    }

    /// As it is sent; a record without strings has an empty one: section 6.1.
    var bytes: [UInt8] {
        if strings.isEmpty { return [0] }
        return strings.flatMap { [UInt8(truncatingIfNeeded: $0.count)] + $0 }
    }

    /// Reads what was sent. Empty strings are left out; what follows a wrong length is ignored.
    init(bytes: [UInt8]) {
        var strings: [[UInt8]] = []
        var rest = bytes.prefix(Self.byteLimit)
        while let length = rest.popFirst() {
            guard rest.count >= Int(length) else { break }
            if length > 0 { strings.append(Array(rest.prefix(Int(length)))) }
            rest = rest.dropFirst(Int(length))
        }
        self.strings = strings
    }
}
