import WasmdStorage

/// Why a broker refuses an operation.
public enum BrokerError: Error, Hashable, Sendable {
    /// There is no such topic, and clients cannot make any.
    case unknownTopic(TopicName)
    /// The client may not publish to the topic.
    case mayNotPublish(TopicName)
    /// The client may not read the topic.
    case mayNotRead(TopicName)
    /// The client may not subscribe to any topic of the pattern.
    case mayNotSubscribe(TopicPattern)
    /// A subscription without a pattern.
    case noPattern
    /// The message has more bytes than the limit.
    case messageTooLarge(Int, limit: Int)
    /// A limit is reached, by the name of its setting.
    case full(limit: String)
    /// Another client is attached to the subscription with this name.
    case nameInUse(String)
    /// Another task waits for the same subscription.
    case busy
    /// The task was cancelled.
    case cancelled
    /// The subscription has ended.
    case ended(SubscriptionEnd)
    /// The message could not be stored.
    case storage(StorageError)
}

/// Why a subscription has ended.
public enum SubscriptionEnd: Hashable, Sendable {
    /// It was cancelled by its owner.
    case cancelled
    /// Its queue was full: the client did not take or acknowledge messages in time.
    case tooSlow(limit: Int)
    /// The broker was closed.
    case closed
}

extension BrokerError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .unknownTopic(let topic): "there is no topic '\(topic)'"
        case .mayNotPublish(let topic): "publishing to '\(topic)' is not allowed"
        case .mayNotRead(let topic): "reading '\(topic)' is not allowed"
        case .mayNotSubscribe(let pattern): "subscribing to '\(pattern)' is not allowed"
        case .noPattern: "a subscription needs a topic"
        case .messageTooLarge(let size, let limit):
            "a message of \(size) bytes; at most \(limit) are possible"
        case .full(let limit): "the limit '\(limit)' is reached"
        case .nameInUse(let name): "another client uses the subscription '\(name)'"
        case .busy: "another task waits for this subscription"
        case .cancelled: "cancelled"
        case .ended(let end): "\(end)"
        case .storage(let error): "not stored: \(error)"
        }
    }
}

extension SubscriptionEnd: CustomStringConvertible {
    public var description: String {
        switch self {
        case .cancelled: "the subscription was cancelled"
        case .tooSlow(let limit):
            "the subscription was cut off: more than its \(limit) messages or their bytes waited"
        case .closed: "the broker was closed"
        }
    }
}
