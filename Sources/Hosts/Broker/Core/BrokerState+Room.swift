extension BrokerState {
    /// A limit of all messages together.
    enum Limit: String {
        case messages, bytes
    }

    /// Who loses a message.
    private enum Victim {
        case topic(Topic)
        case subscriber(Subscriber)
    }

    /// Drops a message of whoever has the most of those that may lose messages, so that a client that
    /// floods topics, or takes nothing, does not take the room of others.
    ///
    /// Others' messages are dropped from topics that clients made and whose queue drops, not from
    /// configured or durable ones; and from subscriptions that drop. A subscription that is to be
    /// cut off is.
    ///
    /// - Returns: whether something was dropped. Not that it is enough: a message may have other
    ///   holders.
    mutating func makeRoom(for topic: Topic, _ limit: Limit) -> Bool {
        let mayDrop = topic.options.whenFull == .drop
        let own = limit == .bytes ? topic.queueBytes : topic.queue.count
        let all = limit == .bytes ? bytes : messages
        // Nobody needs to be looked for if the topic itself has more than its part.
        if mayDrop, own > 0, own >= all / max(topics.count + subscribers.count, 1) {
            return dropOldest(topic)
        }
        var most = own
        var victim = mayDrop ? Victim.topic(topic) : nil
        for other in topics.values
        where !other.isConfigured && other.options.whenFull == .drop && !other.options.isDurable {
            let size = limit == .bytes ? other.queueBytes : other.queue.count
            if size > most { (most, victim) = (size, .topic(other)) }
        }
        for other in subscribers.values
        where !other.isNamed && other.options.whenFull != .refuse && !other.waiting.isEmpty {
            let size = limit == .bytes ? other.bytes : other.count
            if size > most { (most, victim) = (size, .subscriber(other)) }
        }
        switch victim {
        case .topic(let topic): return dropOldest(topic)
        case .subscriber(let subscriber):
            dropOldest(subscriber)
            return true
        case nil: return false
        }
    }
}
