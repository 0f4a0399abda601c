/// A subscription as the broker keeps it: used under the broker's lock.
final class Subscriber: @unchecked Sendable {
    struct Waiting {
        let held: HeldMessage
        var attempts: Int
        let isRetained: Bool
    }

    struct Taken {
        var waiting: Waiting
        /// When it is delivered again.
        var deadline: UInt64
    }

    let number: UInt64
    var patterns: [TopicPattern]
    var options: SubscriptionOptions
    var permissions: TopicPermissions
    var waiting = FIFO<Waiting>()
    /// Deliveries that were not acknowledged, in the order in which they were made.
    var taken: [Taken] = []
    var bytes = 0
    /// Messages dropped since the last delivery.
    var lost: UInt64 = 0
    var end: SubscriptionEnd?
    var waiter: SubscriptionWaiter?
    var onReady: (@Sendable () -> Void)?
    /// The client that is attached; nil for none. Another number for each.
    var attachment: UInt64?
    /// All messages up to this one were acknowledged, or never concerned it.
    var floor: UInt64 = 0
    /// The last message that it got.
    var last: UInt64 = 0

    init(
        _ number: UInt64, _ patterns: [TopicPattern], _ options: SubscriptionOptions,
        _ permissions: TopicPermissions
    ) {
        self.number = number
        self.patterns = patterns
        self.options = options
        self.permissions = permissions
    }

    var count: Int { waiting.count + taken.count }
    var isNamed: Bool { options.name != nil }

    func matches(_ topic: TopicName) -> Bool {
        patterns.contains { $0.matches(topic) } && permissions.mayRead(topic)
    }

    func isOver(adding cost: Int) -> Bool {
        count >= options.queue || bytes + cost > options.queueBytes
    }

    /// Whether it does not want messages of an origin.
    func excludes(_ origin: String?) -> Bool {
        guard let origin, let excluded = options.excludedOrigin else { return false }
        return excluded.isEmpty || excluded.utf8.elementsEqual(origin.utf8)
    }

    /// The oldest message that was not acknowledged.
    var firstOpen: UInt64? {
        let taken = taken.lazy.filter { !$0.waiting.isRetained }
            .map(\.waiting.held.message.sequence).min()
        let waiting = waiting.first.flatMap { $0.isRetained ? nil : $0.held.message.sequence }
        return [taken, waiting].compactMap { $0 }.min()
    }
}

/// A subscription with the number of the client that is attached to it.
struct AttachedSubscriber: Sendable {
    let subscriber: Subscriber
    let attachment: UInt64
}

/// What a broker knows of a subscription.
public struct SubscriptionStatistics: Sendable {
    /// Nil for one that ends with its client.
    public let name: String?
    public let patterns: [TopicPattern]
    public let isAttached: Bool
    public let acknowledges: Bool
    /// Messages that wait to be taken, and those that were taken and not acknowledged.
    public let waiting: Int
    public let unacknowledged: Int
    public let bytes: Int
}

extension Broker {
    /// All subscriptions, in the order in which they were made.
    public var subscriptions: [SubscriptionStatistics] {
        state.withLock { state in
            state.subscribers.values.sorted { $0.number < $1.number }.map {
                SubscriptionStatistics(
                    name: $0.options.name, patterns: $0.patterns,
                    isAttached: $0.attachment != nil, acknowledges: $0.options.acknowledges,
                    waiting: $0.waiting.count, unacknowledged: $0.taken.count, bytes: $0.bytes)
            }
        }
    }
}
