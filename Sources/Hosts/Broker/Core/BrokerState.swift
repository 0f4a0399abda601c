import WasmSystem
import WasmdStorage

/// Everything that a broker knows; used under its lock.
struct BrokerState {
    var options: Broker.Options
    let isStored: Bool
    var topics: [TopicName: Topic] = [:]
    var subscribers: [UInt64: Subscriber] = [:]
    var named: [String: Subscriber] = [:]
    var lastSubscriber: UInt64 = 0
    var lastSequence: UInt64 = 0
    /// Topics of reserved shares, and how many these may have.
    var reservedTopics = 0
    var reservedRoom = 0
    /// Messages that have holders, and their bytes.
    var messages = 0
    var bytes = 0
    var totals = Broker.Totals()
    var isClosed = false
    var isStarted = false
    /// When the redelivery timer fires; nil if it is not set.
    var armsTimer: UInt64?
    /// What is to be written.
    var journal = Journal()
    private var effects = BrokerEffects()
    private var hasEffects = false

    init(_ options: Broker.Options, isStored: Bool) {
        self.options = options
        self.isStored = isStored
        setTopics()
    }

    // MARK: Effects

    mutating func takeEffects() -> BrokerEffects? {
        guard hasEffects else { return nil }
        hasEffects = false
        defer { effects = BrokerEffects() }
        return effects
    }

    /// Calls a closure when the lock is released.
    mutating func call(_ body: @escaping @Sendable () -> Void) {
        effects.calls.append(body)
        hasEffects = true
    }

    mutating func wake(_ subscriber: Subscriber) {
        if let waiter = subscriber.waiter {
            subscriber.waiter = nil
            effects.waiters.append(waiter)
            hasEffects = true
        }
        if let onReady = subscriber.onReady { call(onReady) }
    }

    /// Sets the redelivery timer unless it fires before.
    mutating func arm(_ time: UInt64) {
        guard isStarted, armsTimer.map({ time < $0 }) ?? true else { return }
        armsTimer = time
        effects.timer = time
        hasEffects = true
    }

    /// Lets the journal be written, if nobody does.
    mutating func kick() {
        guard isStarted, journal.begins() else { return }
        effects.drains = true
        hasEffects = true
    }

    // MARK: Topics

    private mutating func setTopics() {
        for (name, chosen) in options.topics {
            let topic = topics[name] ?? Topic(name, chosen, isConfigured: true)
            topic.options = chosen
            topic.isConfigured = true
            leaveShare(topic)
            if topics[name] == nil { insert(topic) }
        }
        for topic in topics.values where topic.isConfigured && options.topics[topic.name] == nil {
            topic.isConfigured = false
            if let dynamic = options.dynamic { topic.options = dynamic }
            if topic.isIdle { remove(topic) }
        }
    }

    mutating func setOptions(_ options: Broker.Options) {
        self.options = options
        setTopics()
        for topic in topics.values { trim(topic) }
    }

    mutating func insert(_ topic: Topic) {
        topics[topic.name] = topic
        topic.subscribers = subscribers.values.filter { $0.matches(topic.name) }
            .sorted { $0.number < $1.number }
    }

    // MARK: Holding

    mutating func hold(_ held: HeldMessage, keeps: Bool) {
        if held.holders == 0 {
            messages += 1
            bytes += held.message.cost
        }
        held.holders += 1
        if keeps { held.keepers += 1 }
    }

    /// - Parameter kept: whether the holder has kept the message in the store.
    mutating func release(_ held: HeldMessage, kept: Bool) {
        held.holders -= 1
        if held.holders == 0 {
            messages -= 1
            bytes -= held.message.cost
        }
        guard kept else { return }
        held.keepers -= 1
        guard held.isDurable, held.keepers == 0 else { return }
        journal.set(StoredKeys.message(held.message), nil)
        guard let topic = topics[held.message.topic] else { return }
        topic.stored -= 1
        if topic.stored == 0, topic.hasPlace {
            topic.hasPlace = false
            journal.set(StoredKeys.queue(topic.name), nil)
        }
    }

    /// Drops the oldest messages of a queue until it is within its limits.
    mutating func trim(_ topic: Topic) {
        while topic.queue.count > topic.options.queue || topic.queueBytes > topic.options.queueBytes
        {
            guard dropOldest(topic) else { break }
        }
        kick()
    }

    /// False if the queue is empty.
    mutating func dropOldest(_ topic: Topic) -> Bool {
        guard takeFirst(topic) != nil else { return false }
        topic.dropped &+= 1
        totals.dropped &+= 1
        return true
    }

    private mutating func takeFirst(_ topic: Topic) -> HeldMessage? {
        guard let held = topic.queue.popFirst() else { return nil }
        topic.queueBytes -= held.message.cost
        release(held, kept: true)
        if held.isDurable, held.keepers > 0 {
            // Others need it: the queue's place says that it was taken.
            topic.hasPlace = true
            journal.set(StoredKeys.queue(topic.name), StoredKeys.number(held.message.sequence))
        }
        return held
    }

    // MARK: Publishing

    mutating func publish(
        _ payload: [UInt8], _ name: TopicName, _ publication: Broker.Publication,
        _ permissions: TopicPermissions, time: UInt64,
        _ completion: @escaping @Sendable (BrokerError?) -> Void
    ) {
        do throws(BrokerError) {
            if isClosed { throw .ended(.closed) }
            guard permissions.mayPublish(to: name) else { throw .mayNotPublish(name) }
            let topic = try topic(name, publication.share)
            do throws(BrokerError) {
                try admit(payload, topic)
            } catch {
                topic.refused &+= 1
                throw error
            }
            lastSequence += 1
            let retains = publication.isRetained || topic.options.retains
            let held = HeldMessage(
                BrokerMessage(
                    topic: name, payload: payload, sequence: lastSequence, time: time,
                    origin: publication.origin, isRetained: publication.isRetained),
                isDurable: isStored && topic.options.isDurable)
            guard held.isDurable else {
                deliver(held, topic, retains: retains)
                return call { completion(nil) }
            }
            topic.stored += 1
            topic.writing += 1
            topic.writingBytes += held.message.cost
            // Counts while it is written.
            hold(held, keeps: true)
            journal.add(
                Journal.Writing(
                    held: held, topic: topic, retains: retains, completion: completion))
            kick()
        } catch {
            totals.refused &+= 1
            call { completion(error) }
        }
    }

    /// Checks the limits for a message, and makes room where that is what the topic wants.
    private mutating func admit(_ payload: [UInt8], _ topic: Topic) throws(BrokerError) {
        let isDurable = isStored && topic.options.isDurable
        let limit = min(options.limits.messageBytes, isDurable ? StoredKeys.payloadLimit : .max)
        guard payload.count <= limit else {
            throw .messageTooLarge(payload.count, limit: limit)
        }
        let cost = payload.count + topic.name.bytes.count + BrokerMessage.overhead
        if topic.options.whenFull == .refuse, topic.options.queue > 0, topic.isOver(adding: cost) {
            throw .full(limit: "queue")
        }
        for subscriber in topic.subscribers
        where subscriber.options.whenFull == .refuse && subscriber.isOver(adding: cost) {
            throw .full(limit: "subscriber_queue")
        }
        while messages >= options.limits.messages || bytes + cost > options.limits.bytes {
            let limit = messages >= options.limits.messages ? Limit.messages : .bytes
            guard makeRoom(for: topic, limit) else { throw .full(limit: limit.rawValue) }
        }
    }

    /// Gives an accepted message to queue and subscribers.
    mutating func deliver(_ held: HeldMessage, _ topic: Topic, retains: Bool) {
        topic.published &+= 1
        topic.publishedBytes &+= UInt64(held.message.payload.count)
        totals.published &+= 1
        hold(held, keeps: true)
        defer { release(held, kept: true) }
        if retains { retain(held, topic) }
        if topic.options.queue > 0 {
            while topic.queue.count >= topic.options.queue
                || topic.queueBytes + held.message.cost > topic.options.queueBytes
            {
                guard dropOldest(topic) else { break }
            }
            hold(held, keeps: true)
            topic.queue.append(held)
            topic.queueBytes += held.message.cost
        }
        for subscriber in topic.subscribers { push(held, to: subscriber) }
    }

    private mutating func retain(_ held: HeldMessage, _ topic: Topic) {
        if let old = topic.retained { release(old, kept: false) }
        topic.retained = nil
        if !held.isDurable, topic.hasStoredValue {
            // The topic was durable once: its old value must not come back.
            topic.hasStoredValue = false
            journal.set(StoredKeys.retained(topic.name), nil)
            kick()
        }
        guard !held.message.payload.isEmpty else { return }
        let kept = HeldMessage(held.message, isDurable: false, isRetained: true)
        hold(kept, keeps: false)
        topic.retained = kept
    }

    // MARK: Reading

    mutating func read(
        _ name: TopicName, _ permissions: TopicPermissions
    ) -> Result<BrokerMessage?, BrokerError> {
        guard permissions.mayRead(name) else { return .failure(.mayNotRead(name)) }
        guard let topic = topics[name] else {
            return options.dynamic == nil ? .failure(.unknownTopic(name)) : .success(nil)
        }
        guard let held = takeFirst(topic) else { return .success(nil) }
        topic.read &+= 1
        kick()
        return .success(held.message)
    }

    mutating func close() {
        isClosed = true
        for subscriber in subscribers.values { end(subscriber, .closed) }
    }
}
