/// What the clients of a broker can take together, and each of them.
public struct BrokerLimits: Hashable, Sendable {
    /// Bytes of one message. Messages of durable topics have at most 65,000 in any case.
    public var messageBytes = 64 << 10
    /// Messages, and bytes that they take, of all topics and subscribers together. A message counts
    /// once, however many subscribers wait for it, with `BrokerMessage.overhead` bytes beside its
    /// own.
    public var messages = 1_000_000
    public var bytes = 256 << 20
    /// Topics, also those that are empty. Those of a reserved `TopicShare` are beside them.
    public var topics = 1000
    /// Subscriptions, also named ones that nobody is attached to.
    public var subscribers = 1000

    public init() {}
}

/// How one topic is kept.
public struct TopicOptions: Hashable, Sendable {
    /// What happens when a queue is full.
    public enum WhenFull: String, CaseIterable, Hashable, Sendable {
        /// The oldest message is dropped, and counted.
        case drop
        /// The new message is refused: its publisher gets `BrokerError.full`.
        case refuse
    }

    /// Messages of the queue that `read` takes from; 0 for none: then only subscribers get messages.
    public var queue = 1000
    /// Bytes of the messages in the queue.
    public var queueBytes = 8 << 20
    public var whenFull = WhenFull.drop
    /// Whether the last value is kept for new subscribers, whatever its publisher says.
    public var retains = false
    /// Whether messages survive the end of the process. Needs a store.
    public var isDurable = false

    public init() {}
}
