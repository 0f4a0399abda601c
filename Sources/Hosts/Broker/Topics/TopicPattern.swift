/// A set of topics: a name in which `+` stands for one level, and `#` at the end for any number of
/// levels (MQTT 3.1.1, 4.7.1). `sensors/+/state`, `sensors/#`, `#`.
///
/// A wildcard at the begin does not match names that begin with `$` (4.7.2).
public struct TopicPattern: Hashable, Sendable {
    /// The most bytes of a pattern.
    public static let maximumSize = TopicName.maximumSize
    /// The most levels of a pattern that has wildcards, which bounds the time of a match.
    public static let maximumLevels = 64

    public let bytes: [UInt8]
    /// The topic, if the pattern has no wildcard.
    public let topic: TopicName?

    /// All topics but those that begin with `$`.
    public static let all = TopicPattern(unchecked: [TopicName.hash])

    /// Nil if the bytes are no pattern.
    public init?(_ bytes: some Collection<UInt8>) {
        guard 1...Self.maximumSize ~= bytes.count, TopicName.isText(bytes) else { return nil }
        let bytes = Array(bytes)
        let levels = bytes.split(separator: TopicName.slash, omittingEmptySubsequences: false)
        for (index, level) in levels.enumerated() {
            if level.contains(TopicName.hash) {
                guard level.count == 1, index == levels.count - 1 else { return nil }
            }
            if level.contains(TopicName.plus), level.count != 1 { return nil }
        }
        self.init(unchecked: bytes)
        if topic == nil, levels.count > Self.maximumLevels { return nil }
    }

    public init?(_ text: String) { self.init(text.utf8) }

    /// The pattern of one topic.
    public init(_ topic: TopicName) {
        bytes = topic.bytes
        self.topic = topic
    }

    private init(unchecked bytes: [UInt8]) {
        self.bytes = bytes
        topic = TopicName(bytes)
    }

    public var text: String { String(decoding: bytes, as: UTF8.self) }

    /// Whether a topic is in the set. Time in proportion to the name.
    public func matches(_ name: TopicName) -> Bool {
        if let topic { return topic == name }
        if name.bytes.first == TopicName.dollar, bytes.first != TopicName.dollar { return false }
        var levels = LevelReader(name.bytes)
        var wanted = LevelReader(bytes)
        while let level = wanted.next() {
            if level.elementsEqual([TopicName.hash]) { return true }
            guard let found = levels.next() else { return false }
            if level.elementsEqual([TopicName.plus]) { continue }
            guard level == found else { return false }
        }
        return levels.isAtEnd
    }

    /// Whether there can be a topic that is in both sets.
    public func overlaps(_ other: TopicPattern) -> Bool {
        let isSystem = bytes.first == TopicName.dollar
        let isOtherSystem = other.bytes.first == TopicName.dollar
        if isSystem != isOtherSystem { return false }
        var left = LevelReader(bytes)
        var right = LevelReader(other.bytes)
        while true {
            let (one, two) = (left.next(), right.next())
            if let one, one.elementsEqual([TopicName.hash]) { return true }
            if let two, two.elementsEqual([TopicName.hash]) { return true }
            guard let one, let two else { return one == nil && two == nil }
            let isOpen =
                one.elementsEqual([TopicName.plus]) || two.elementsEqual([TopicName.plus])
            if !isOpen, one != two { return false }
        }
    }
}

extension TopicPattern: CustomStringConvertible {
    public var description: String { text }
}

/// The levels of a name or pattern, one after the other.
private struct LevelReader {
    private let bytes: [UInt8]
    private var position: Int? = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { position == nil }

    mutating func next() -> ArraySlice<UInt8>? {
        guard let start = position else { return nil }
        let end = bytes[start...].firstIndex(of: TopicName.slash) ?? bytes.count
        position = end < bytes.count ? end + 1 : nil
        return bytes[start..<end]
    }
}
