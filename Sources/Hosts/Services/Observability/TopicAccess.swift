/// The topics that a module may publish, and those that it may read and subscribe.
///
/// A pattern is a topic, in which `*` stands for any number of characters.
public struct TopicAccess: Sendable, Equatable {
    public var publish: [String]
    public var subscribe: [String]

    public init(publish: [String], subscribe: [String]) {
        self.publish = publish
        self.subscribe = subscribe
    }

    public static let all = TopicAccess(publish: ["*"], subscribe: ["*"])
    public static let none = TopicAccess(publish: [], subscribe: [])

    public func mayPublish(_ topic: String) -> Bool { Self.matches(publish, topic) }
    public func maySubscribe(_ topic: String) -> Bool { Self.matches(subscribe, topic) }

    private static func matches(_ patterns: [String], _ topic: String) -> Bool {
        patterns.contains { Self.matches(Array($0.utf8), Array(topic.utf8)) }
    }

    /// In time proportional to the product of the lengths at most.
    private static func matches(_ pattern: [UInt8], _ text: [UInt8]) -> Bool {
        var (at, place) = (0, 0)
        var star: (pattern: Int, text: Int)?
        while at < text.count {
            if place < pattern.count, pattern[place] == 0x2a {
                star = (place, at)
                place += 1
            } else if place < pattern.count, pattern[place] == text[at] {
                place += 1
                at += 1
            } else if let known = star {
                place = known.pattern + 1
                at = known.text + 1
                star = (known.pattern, at)
            } else {
                return false
            }
        }
        return pattern[place...].allSatisfy { $0 == 0x2a }
    }
}
