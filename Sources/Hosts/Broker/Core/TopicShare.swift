// Soundness: everything but `limit` is used under the broker's lock.

import Synchronization

/// The topics that a client, or a group of clients, may make. A topic counts for as long as the
/// broker has it; one that holds no message and has no last value gives way to the next one that
/// the same clients make.
///
/// A share is used with one broker.
public final class TopicShare: @unchecked Sendable {
    /// The name of the limit in `BrokerError.full`.
    public let name: String
    /// Of which this one is a part: a topic counts in both.
    let whole: TopicShare?
    /// Whether there is room beside `BrokerLimits.topics`: what other clients have made does not
    /// take it.
    let isReserved: Bool
    private let most: Atomic<Int>
    /// Topics that count now.
    var count = 0
    /// What the broker has added for it to the topics that are possible.
    var reserved = 0

    public init(
        _ name: String, limit: Int, of whole: TopicShare? = nil, isReserved: Bool = false
    ) {
        self.name = name
        self.whole = whole
        self.isReserved = isReserved
        most = Atomic(max(limit, 0))
    }

    /// Topics at most. A lower limit leaves those that are there.
    public var limit: Int {
        get { most.load(ordering: .relaxed) }
        set { most.store(max(newValue, 0), ordering: .relaxed) }
    }

    /// This share, or the first one of which it is a part, that has no room.
    var full: TopicShare? { count >= limit ? self : whole?.full }

    /// Called for each topic when there is no room: allocates nothing.
    func contains(_ topic: Topic) -> Bool {
        var share = topic.share
        while let one = share {
            if one === self { return true }
            share = one.whole
        }
        return false
    }

    func add(_ number: Int) {
        count += number
        whole?.add(number)
    }
}

extension BrokerState {
    /// The topic for a publication; makes it if clients may.
    mutating func topic(_ name: TopicName, _ share: TopicShare?) throws(BrokerError) -> Topic {
        if let topic = topics[name] { return topic }
        guard let dynamic = options.dynamic else { throw .unknownTopic(name) }
        try makeRoomForTopic(share)
        let topic = Topic(name, dynamic, isConfigured: false)
        topic.share = share
        share?.add(1)
        if share?.isReserved == true { reservedTopics += 1 }
        insert(topic)
        return topic
    }

    private mutating func makeRoomForTopic(_ share: TopicShare?) throws(BrokerError) {
        while let full = share?.full {
            guard forgetIdle(where: { full.contains($0) }) else {
                throw .full(limit: full.name)
            }
        }
        if let share, share.isReserved {
            reservedRoom += share.limit - share.reserved
            share.reserved = share.limit
            guard topics.count >= options.limits.topics + reservedRoom else { return }
            guard forgetIdle(where: { _ in true }) else { throw .full(limit: "topics") }
        } else {
            guard topics.count - reservedTopics >= options.limits.topics else { return }
            guard forgetIdle(where: { $0.share?.isReserved != true }) else {
                throw .full(limit: "topics")
            }
        }
    }

    /// Forgets a topic of which nothing is known but its counters; false if there is none.
    private mutating func forgetIdle(where isWanted: (Topic) -> Bool) -> Bool {
        let idle = topics.values.first { !$0.isConfigured && $0.isIdle && isWanted($0) }
        guard let idle else { return false }
        remove(idle)
        return true
    }

    mutating func remove(_ topic: Topic) {
        topics[topic.name] = nil
        leaveShare(topic)
    }

    /// The topic counts for nobody from now on.
    mutating func leaveShare(_ topic: Topic) {
        guard let share = topic.share else { return }
        topic.share = nil
        share.add(-1)
        if share.isReserved { reservedTopics -= 1 }
    }
}
