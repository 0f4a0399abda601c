/// The name of a topic: levels that are separated by `/`.
///
/// 1 to 255 bytes of UTF-8 without spaces, control characters, `+` and `#` (MQTT 3.1.1, 4.7, and
/// the wire protocol, which ends a name with a space). Compared byte by byte.
public struct TopicName: Hashable, Sendable {
    /// The most bytes of a name.
    public static let maximumSize = 255

    public let bytes: [UInt8]

    /// Nil if the bytes are no name.
    public init?(_ bytes: some Collection<UInt8>) {
        guard 1...Self.maximumSize ~= bytes.count, Self.isText(bytes),
            !bytes.contains(where: { $0 == Self.plus || $0 == Self.hash })
        else { return nil }
        self.bytes = Array(bytes)
    }

    public init?(_ text: String) { self.init(text.utf8) }

    /// The name as text: it is valid UTF-8.
    public var text: String { String(decoding: bytes, as: UTF8.self) }

    static let plus = UInt8(ascii: "+")
    static let hash = UInt8(ascii: "#")
    static let slash = UInt8(ascii: "/")
    static let dollar = UInt8(ascii: "$")

    /// Whether bytes can be in a name or in a pattern.
    static func isText(_ bytes: some Collection<UInt8>) -> Bool {
        guard !bytes.contains(where: { $0 <= 0x20 || $0 == 0x7f }) else { return false }
        // ASCII needs no further check.
        return bytes.allSatisfy { $0 < 0x80 } || String(validating: bytes, as: UTF8.self) != nil
    }
}

extension TopicName: CustomStringConvertible {
    public var description: String { text }
}
