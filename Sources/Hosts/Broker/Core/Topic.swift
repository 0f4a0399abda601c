/// A topic: used under the broker's lock.
final class Topic: @unchecked Sendable {
    let name: TopicName
    var options: TopicOptions
    var isConfigured: Bool
    /// In which it counts; nil for one that nobody made, or that anybody may make.
    var share: TopicShare?
    var queue = FIFO<HeldMessage>()
    var queueBytes = 0
    var retained: HeldMessage?
    /// Subscribers whose patterns match, in the order of their numbers.
    var subscribers: [Subscriber] = []
    /// Messages that are being written, which the queue will get.
    var writing = 0
    var writingBytes = 0
    /// Messages of it in the store, and whether that has the place of the queue.
    var stored = 0
    var hasPlace = false
    /// Whether the store has a last value of it.
    var hasStoredValue = false

    // Counters.
    var published: UInt64 = 0
    var publishedBytes: UInt64 = 0
    var read: UInt64 = 0
    var dropped: UInt64 = 0
    var refused: UInt64 = 0

    init(_ name: TopicName, _ options: TopicOptions, isConfigured: Bool) {
        self.name = name
        self.options = options
        self.isConfigured = isConfigured
    }

    /// Whether nothing is lost if the topic is forgotten.
    var isIdle: Bool { queue.isEmpty && retained == nil && stored == 0 }

    /// Whether one more message of a size goes over the queue's limits.
    func isOver(adding cost: Int) -> Bool {
        queue.count + writing >= options.queue
            || queueBytes + writingBytes + cost > options.queueBytes
    }
}

/// What a broker knows of a topic.
public struct TopicStatistics: Sendable {
    public let name: TopicName
    public let options: TopicOptions
    /// Whether the configuration names it.
    public let isConfigured: Bool
    /// Messages that wait to be read, and their bytes.
    public let queued: Int
    public let queuedBytes: Int
    public let subscribers: Int
    public let hasRetained: Bool
    /// Messages that were published so far, taken by `read`, dropped because the queue was full,
    /// and refused.
    public let published: UInt64
    public let publishedBytes: UInt64
    public let read: UInt64
    public let dropped: UInt64
    public let refused: UInt64

    init(_ topic: Topic) {
        name = topic.name
        options = topic.options
        isConfigured = topic.isConfigured
        queued = topic.queue.count
        queuedBytes = topic.queueBytes
        subscribers = topic.subscribers.count
        hasRetained = topic.retained != nil
        published = topic.published
        publishedBytes = topic.publishedBytes
        read = topic.read
        dropped = topic.dropped
        refused = topic.refused
    }
}

extension Broker {
    /// All topics, by name.
    public var topics: [TopicStatistics] {
        let all = state.withLock { state in state.topics.values.map { TopicStatistics($0) } }
        return all.sorted { $0.name.bytes.lexicographicallyPrecedes($1.name.bytes) }
    }

    /// A topic; nil if there is none.
    public func topic(_ name: TopicName) -> TopicStatistics? {
        state.withLock { state in state.topics[name].map { TopicStatistics($0) } }
    }

    /// What a broker holds and did.
    public struct Totals: Sendable {
        public var topics = 0
        public var subscribers = 0
        /// Messages that are kept, each counted once, and their bytes with `overhead`.
        public var messages = 0
        public var bytes = 0
        /// Messages that were published, to topics that are gone too.
        public var published: UInt64 = 0
        /// Messages given to subscribers, repeated ones among them.
        public var delivered: UInt64 = 0
        /// Messages that were delivered once more.
        public var redelivered: UInt64 = 0
        /// Messages dropped because a queue was full, publications refused, subscribers cut off.
        public var dropped: UInt64 = 0
        public var refused: UInt64 = 0
        public var cutOff: UInt64 = 0
        /// Changes that wait to be written.
        public var unwritten = 0
    }

    public var totals: Totals {
        state.withLock { state in
            var totals = state.totals
            totals.topics = state.topics.count
            totals.subscribers = state.subscribers.count
            totals.messages = state.messages
            totals.bytes = state.bytes
            totals.unwritten = state.journal.count
            return totals
        }
    }
}
