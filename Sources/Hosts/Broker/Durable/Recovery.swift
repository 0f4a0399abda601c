import WasmdStorage

extension BrokerState {
    /// Reads what is in a store: queues, last values, named subscriptions and what they have not
    /// acknowledged. Records that are damaged are left out; the store reports them.
    mutating func recover(_ store: RecordStore) throws(BrokerError) {
        journal.isOn = true
        let snapshot = store.snapshot()
        try recoverSubscriptions(snapshot)
        let places = try Self.values(snapshot, StoredKeys.queues).compactMap {
            key, value -> (TopicName, UInt64)? in
            guard let topic = TopicName(key), let number = StoredKeys.sequence(value) else {
                return nil
            }
            return (topic, number)
        }
        let taken = Dictionary(places) { max($0, $1) }
        for number in taken.values { lastSequence = max(lastSequence, number) }
        for (key, value) in try Self.values(snapshot, StoredKeys.retained) {
            guard let name = TopicName(key), let message = StoredKeys.message(name, value) else {
                continue
            }
            let kept = HeldMessage(message, isDurable: false, isRetained: true)
            hold(kept, keeps: false)
            let topic = storedTopic(name)
            topic.retained = kept
            topic.hasStoredValue = true
            lastSequence = max(lastSequence, message.sequence)
        }
        try recoverMessages(snapshot, taken)
        for name in taken.keys {
            if let topic = topics[name], topic.stored > 0 {
                topic.hasPlace = true
            } else {
                journal.set(StoredKeys.queue(name), nil)
            }
        }
        for topic in topics.values { trim(topic) }
    }

    private mutating func recoverSubscriptions(
        _ snapshot: RecordSnapshot
    ) throws(BrokerError) {
        for (key, value) in try Self.values(snapshot, StoredKeys.subscriptions) {
            let name = String(decoding: key, as: UTF8.self)
            guard let subscriber = StoredKeys.subscriber(name, value, lastSubscriber + 1) else {
                continue
            }
            lastSubscriber += 1
            lastSequence = max(lastSequence, subscriber.floor)
            add(subscriber)
        }
    }

    private mutating func recoverMessages(
        _ snapshot: RecordSnapshot, _ taken: [TopicName: UInt64]
    ) throws(BrokerError) {
        var all: [HeldMessage] = []
        for (key, value) in try Self.values(snapshot, StoredKeys.messages) {
            guard let end = key.firstIndex(of: 0), let name = TopicName(key[..<end]),
                let message = StoredKeys.message(name, value)
            else { continue }
            all.append(HeldMessage(message, isDurable: true))
            lastSequence = max(lastSequence, message.sequence)
        }
        for held in all.sorted(by: { $0.message.sequence < $1.message.sequence }) {
            let (name, sequence) = (held.message.topic, held.message.sequence)
            let topic = storedTopic(name)
            topic.stored += 1
            hold(held, keeps: true)
            if topic.options.queue > 0, sequence > taken[name] ?? 0 {
                hold(held, keeps: true)
                topic.queue.append(held)
                topic.queueBytes += held.message.cost
            }
            for subscriber in topic.subscribers where sequence > subscriber.floor {
                push(held, to: subscriber)
            }
            release(held, kept: true)
        }
    }

    /// The topic of a stored message, which is there whatever the limits say now.
    private mutating func storedTopic(_ name: TopicName) -> Topic {
        if let topic = topics[name] { return topic }
        let topic = Topic(name, options.dynamic ?? TopicOptions(), isConfigured: false)
        insert(topic)
        return topic
    }

    /// The records below a prefix: the rest of the key, and the value.
    private static func values(
        _ snapshot: RecordSnapshot, _ prefix: [UInt8]
    ) throws(BrokerError) -> [(key: ArraySlice<UInt8>, value: [UInt8])] {
        var values: [(key: ArraySlice<UInt8>, value: [UInt8])] = []
        for key in snapshot.keys(prefix: prefix) {
            do throws(StorageError) {
                guard let record = try snapshot.getBlocking(key.key) else { continue }
                values.append((key.key[prefix.count...], record.value))
            } catch {
                guard case .damaged = error else { throw .storage(error) }
            }
        }
        return values
    }
}
