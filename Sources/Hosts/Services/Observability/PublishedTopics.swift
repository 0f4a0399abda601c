import Synchronization
import WasmdBroker

/// The topics that a service has published to, over all its runs: at most so many, because a broker
/// has a limited number of topics for all.
public final class PublishedTopics: Sendable {
    public let limit: Int
    private let names = Mutex<Set<TopicName>>([])

    public init(limit: Int) { self.limit = max(limit, 0) }

    /// Whether a message may go to a topic: to a known one, or to a new one if there is room.
    func admits(_ topic: TopicName) -> Bool {
        names.withLock { names in
            if names.contains(topic) { return true }
            guard names.count < limit else { return false }
            names.insert(topic)
            return true
        }
    }
}
