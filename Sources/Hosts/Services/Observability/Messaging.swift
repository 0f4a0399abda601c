import WasmdBroker
import WasmdEventLoop

/// Where modules exchange messages by topic: behind `publish`, `read` and `subscribe` of
/// `hostobservability`.
///
/// Topics and messages are UTF-8; a topic has no blanks.
public protocol Messaging: Sendable {
    /// Sends a message; from a task of `loop`.
    ///
    /// - Parameter share: in which the topic counts if this makes it.
    func publish(
        topic: String, message: [UInt8], _ share: TopicShare?, on loop: EventLoop) async throws

    /// Takes the oldest message of a topic, as `TOPIC MESSAGE`, or `TOPIC empty`; from a task of
    /// `loop`. Waits for as long as there is no such topic.
    func read(topic: String, on loop: EventLoop) async throws -> [UInt8]

    /// Messages of a topic that are published from now on.
    func subscribe(topic: String, on loop: EventLoop) throws -> any MessageSubscription
}

/// Messages of a topic, for one subscriber.
public protocol MessageSubscription: Sendable {
    /// The next message, as `TOPIC MESSAGE`. Waits for it; from a task of the subscriber's loop.
    ///
    /// - Throws: `LoopError.cancelled`; why there will be no more messages.
    func next() async throws -> [UInt8]

    /// Ends the subscription.
    func end()
}

/// Why a message was not exchanged.
public enum MessagingError: Error, Sendable, Equatable {
    /// The server cannot be reached.
    case notReachable(String)
    /// The module may not publish or subscribe this topic.
    case notAllowed(topic: String)
    case malformedTopic(String)
    /// The host has no messages.
    case noMessages
    /// The broker refuses it, or has ended.
    case refused(String)
    /// The module has too many subscriptions.
    case tooManySubscriptions(limit: Int)
    /// Too many topics that the module has made hold messages.
    case tooManyTopics(limit: Int)
}

extension MessagingError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .notReachable(let reason): "the messaging layer cannot be reached: \(reason)"
        case .notAllowed(let topic):
            "the module may not use the topic '\(topic)': name it in 'publish' or 'subscribe' of "
                + "its service"
        case .noMessages:
            "this command has no messages; 'wasmd services' and 'wasmd serve' have them"
        case .malformedTopic(let topic): "'\(topic)' is no topic"
        case .refused(let reason): reason
        case .tooManySubscriptions(let limit):
            "the module has \(limit) subscriptions, which is the limit"
        case .tooManyTopics(let limit):
            "the module has made \(limit) topics that hold messages, which is the limit: 'topics' "
                + "of its service allows more"
        }
    }
}
