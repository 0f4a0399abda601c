/// A value that was published to a topic.
public struct BrokerMessage: Sendable {
    /// Bytes that a message counts beside those of topic and payload.
    public static let overhead = 128

    public let topic: TopicName
    public let payload: [UInt8]
    /// Higher for later messages of the broker, whatever their topics; also after a restart, for
    /// durable ones.
    public let sequence: UInt64
    /// Nanoseconds since 1970.
    public let time: UInt64
    /// The bridge through which it came; nil if a client of this broker has published it.
    public let origin: String?
    /// Whether its publisher wanted it to be kept as the last value.
    public let isRetained: Bool

    var cost: Int { payload.count + topic.bytes.count + Self.overhead }
}

/// A message as a subscriber gets it.
public struct Delivery: Sendable {
    public let message: BrokerMessage
    /// 1 at first; higher if it was delivered before and not acknowledged.
    public let attempt: Int
    /// Whether it is the last value of before the subscription.
    public let isRetained: Bool
    /// Messages that were dropped before this one because the subscription's queue was full.
    public let lost: UInt64
}

/// A message that is kept, by its holders: the queue of its topic and subscribers. Used under the
/// broker's lock.
final class HeldMessage {
    let message: BrokerMessage
    /// Whether it is in the store.
    let isDurable: Bool
    let isRetained: Bool
    /// All holders, and those for which it stays in the store.
    var holders = 0
    var keepers = 0

    init(_ message: BrokerMessage, isDurable: Bool, isRetained: Bool = false) {
        self.message = message
        self.isDurable = isDurable
        self.isRetained = isRetained
    }
}
