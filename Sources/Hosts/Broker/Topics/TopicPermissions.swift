/// What a client may do with which topics.
public struct TopicPermissions: Hashable, Sendable {
    /// Topics that it may publish to.
    public var publishing: [TopicPattern]
    /// Topics that it may read and subscribe to.
    public var subscribing: [TopicPattern]

    public init(publishing: [TopicPattern], subscribing: [TopicPattern]) {
        self.publishing = publishing
        self.subscribing = subscribing
    }

    /// For parts of the process itself.
    public static let all = TopicPermissions(publishing: [.all], subscribing: [.all])
    public static let none = TopicPermissions(publishing: [], subscribing: [])

    public func mayPublish(to topic: TopicName) -> Bool {
        publishing.contains { $0.matches(topic) }
    }

    public func mayRead(_ topic: TopicName) -> Bool {
        subscribing.contains { $0.matches(topic) }
    }

    /// Whether all topics of a pattern may be subscribed to, or the permitted part of it is what
    /// the subscription gets: a pattern is allowed if it overlaps a permitted one, and each message
    /// is checked.
    public func maySubscribe(to pattern: TopicPattern) -> Bool {
        subscribing.contains { $0.overlaps(pattern) }
    }
}
