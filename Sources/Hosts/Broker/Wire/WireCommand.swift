/// A command of the wire protocol: what one read of a connection returned, since messages have no
/// frame.
///
/// | bytes | meaning |
/// |---|---|
/// | `TOPIC VALUE` | publishes the value, which may have spaces |
/// | `read TOPIC` | takes the oldest value: the answer is `TOPIC VALUE`, or `TOPIC empty` |
/// | anything else | nothing; the connection stays |
///
/// The end of a line after the topic of `read` does not count; in a value it does.
enum WireCommand: Hashable, Sendable {
    case publish(TopicName, [UInt8])
    case read(TopicName)

    static let word = Array("read".utf8)
    static let space = UInt8(ascii: " ")

    /// Nil if the bytes are no command. Time in proportion to their number.
    init?(_ bytes: ArraySlice<UInt8>) {
        guard let space = bytes.firstIndex(of: Self.space) else { return nil }
        let (first, rest) = (bytes[..<space], bytes[(space + 1)...])
        if first.elementsEqual(Self.word) {
            guard let topic = TopicName(Self.withoutLineEnd(rest)) else { return nil }
            self = .read(topic)
        } else {
            guard let topic = TopicName(first) else { return nil }
            self = .publish(topic, Array(rest))
        }
    }

    private static func withoutLineEnd(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var bytes = bytes
        if bytes.last == 0x0a { bytes.removeLast() }
        if bytes.last == 0x0d { bytes.removeLast() }
        return bytes
    }

    /// The answer to `read`.
    static func answer(_ topic: TopicName, _ value: [UInt8]?) -> [UInt8] {
        topic.bytes + [space] + (value ?? Array("empty".utf8))
    }
}
