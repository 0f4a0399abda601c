import WasmSystem
import WasmdEventLoop

extension BrokerState {
    // MARK: Begin and end

    mutating func subscribe(
        _ patterns: [TopicPattern], _ options: SubscriptionOptions, _ permissions: TopicPermissions
    ) -> Result<AttachedSubscriber, BrokerError> {
        do throws(BrokerError) {
            return .success(try attach(patterns, options, permissions))
        } catch {
            return .failure(error)
        }
    }

    private mutating func attach(
        _ patterns: [TopicPattern], _ options: SubscriptionOptions, _ permissions: TopicPermissions
    ) throws(BrokerError) -> AttachedSubscriber {
        if isClosed { throw .ended(.closed) }
        guard !patterns.isEmpty else { throw .noPattern }
        for pattern in patterns {
            guard permissions.maySubscribe(to: pattern) else { throw .mayNotSubscribe(pattern) }
            if let topic = pattern.topic, topics[topic] == nil, self.options.dynamic == nil {
                throw .unknownTopic(topic)
            }
        }
        var options = options
        options.window = max(options.window, 1)
        options.queue = max(options.queue, 1)
        if !options.acknowledges { options.name = nil }
        lastSubscriber += 1
        if let name = options.name, let known = named[name] {
            guard known.attachment == nil else { throw .nameInUse(name) }
            known.attachment = lastSubscriber
            let isChanged =
                known.patterns != patterns || known.options.queue != options.queue
                || known.options.queueBytes != options.queueBytes
                || known.options.whenFull != options.whenFull
            known.patterns = patterns
            known.options = options
            known.permissions = permissions
            relink(known)
            removeUnwanted(known)
            if isChanged { writeSubscription(known) }
            return AttachedSubscriber(subscriber: known, attachment: lastSubscriber)
        }
        guard subscribers.count < self.options.limits.subscribers else {
            throw .full(limit: "subscribers")
        }
        let subscriber = Subscriber(lastSubscriber, patterns, options, permissions)
        subscriber.attachment = lastSubscriber
        subscriber.floor = lastSequence
        subscriber.last = lastSequence
        add(subscriber)
        writeSubscription(subscriber)
        if options.wantsRetained { pushRetained(subscriber) }
        return AttachedSubscriber(subscriber: subscriber, attachment: lastSubscriber)
    }

    mutating func add(_ subscriber: Subscriber) {
        subscribers[subscriber.number] = subscriber
        if let name = subscriber.options.name { named[name] = subscriber }
        relink(subscriber)
    }

    /// Enters the subscriber in the topics that it matches, and in no others.
    private mutating func relink(_ subscriber: Subscriber) {
        for topic in topics.values {
            let index = topic.subscribers.firstIndex { $0 === subscriber }
            let matches = subscriber.matches(topic.name)
            if let index, !matches { topic.subscribers.remove(at: index) }
            if index == nil, matches { topic.subscribers.append(subscriber) }
        }
    }

    /// Drops what waits and does not match any more.
    private mutating func removeUnwanted(_ subscriber: Subscriber) {
        for one in subscriber.waiting.removeAll() {
            if subscriber.matches(one.held.message.topic) {
                subscriber.waiting.append(one)
            } else {
                drop(one, of: subscriber, isKept: true)
            }
        }
    }

    private mutating func pushRetained(_ subscriber: Subscriber) {
        let values = topics.values.filter { subscriber.matches($0.name) }.compactMap(\.retained)
        for held in values.sorted(by: { $0.message.sequence < $1.message.sequence }) {
            push(held, to: subscriber)
        }
    }

    /// The client goes.
    mutating func detach(_ subscriber: Subscriber, _ attachment: UInt64) {
        guard subscriber.attachment == attachment else { return }
        subscriber.attachment = nil
        subscriber.onReady = nil
        if subscriber.isNamed, subscriber.end == nil {
            requeue(subscriber) { _ in true }
            wake(subscriber)
        } else {
            end(subscriber, .cancelled)
        }
    }

    /// Ends a subscription for good.
    mutating func end(_ subscriber: Subscriber, _ reason: SubscriptionEnd) {
        guard subscriber.end == nil else { return }
        subscriber.end = reason
        subscribers[subscriber.number] = nil
        for topic in topics.values { topic.subscribers.removeAll { $0 === subscriber } }
        let isKept = subscriber.isNamed && reason != .closed
        for one in subscriber.waiting.removeAll() { drop(one, of: subscriber, isKept: isKept) }
        for one in subscriber.taken { drop(one.waiting, of: subscriber, isKept: isKept) }
        subscriber.taken = []
        if let name = subscriber.options.name {
            named[name] = nil
            if isKept {
                journal.set(StoredKeys.subscription(name), nil)
                kick()
            }
        }
        wake(subscriber)
    }

    private mutating func drop(_ one: Subscriber.Waiting, of subscriber: Subscriber, isKept: Bool) {
        subscriber.bytes -= one.held.message.cost
        release(one.held, kept: isKept && !one.isRetained)
    }

    mutating func removeSubscription(named name: String) -> Bool {
        guard let subscriber = named[name] else { return false }
        end(subscriber, .cancelled)
        return true
    }

    // MARK: Messages

    /// Gives a message to a subscriber, which may be cut off by it.
    mutating func push(_ held: HeldMessage, to subscriber: Subscriber) {
        guard !subscriber.excludes(held.message.origin) else { return }
        let cost = held.message.cost
        // Where publishers are refused, what was admitted before is not lost.
        while subscriber.options.whenFull != .refuse, subscriber.isOver(adding: cost) {
            // A named subscription waits for a client, which will be told.
            guard subscriber.options.whenFull != .cutOff || subscriber.attachment == nil else {
                totals.cutOff &+= 1
                return end(subscriber, .tooSlow(limit: subscriber.options.queue))
            }
            guard let oldest = subscriber.waiting.popFirst() else {
                // All of the queue was taken and not acknowledged.
                subscriber.lost &+= 1
                totals.dropped &+= 1
                return
            }
            drop(oldest, of: subscriber, isKept: subscriber.isNamed)
            subscriber.lost &+= 1
            totals.dropped &+= 1
        }
        hold(held, keeps: subscriber.isNamed && !held.isRetained)
        subscriber.bytes += cost
        subscriber.last = max(subscriber.last, held.message.sequence)
        subscriber.waiting.append(
            Subscriber.Waiting(held: held, attempts: 0, isRetained: held.isRetained))
        if subscriber.taken.count < subscriber.options.window { wake(subscriber) }
    }

    /// Drops the oldest message that waits, or cuts the subscriber off.
    mutating func dropOldest(_ subscriber: Subscriber) {
        guard subscriber.options.whenFull == .drop else {
            totals.cutOff &+= 1
            return end(subscriber, .tooSlow(limit: subscriber.options.queue))
        }
        guard let oldest = subscriber.waiting.popFirst() else { return }
        drop(oldest, of: subscriber, isKept: subscriber.isNamed)
        subscriber.lost &+= 1
        totals.dropped &+= 1
    }

    mutating func take(
        _ subscriber: Subscriber, _ attachment: UInt64, now: UInt64
    ) -> Result<Delivery?, BrokerError> {
        if let end = subscriber.end { return .failure(.ended(end)) }
        guard subscriber.attachment == attachment else { return .failure(.ended(.cancelled)) }
        if !isStarted { requeue(subscriber) { $0.deadline <= now } }
        let options = subscriber.options
        guard subscriber.taken.count < options.window, var one = subscriber.waiting.popFirst()
        else { return .success(nil) }
        one.attempts += 1
        totals.delivered &+= 1
        if one.attempts > 1 { totals.redelivered &+= 1 }
        let delivery = Delivery(
            message: one.held.message, attempt: one.attempts, isRetained: one.isRetained,
            lost: subscriber.lost)
        subscriber.lost = 0
        guard options.acknowledges else {
            drop(one, of: subscriber, isKept: false)
            return .success(delivery)
        }
        let deadline = (LoopInstant(nanoseconds: now) + options.redeliveryTime).nanoseconds
        subscriber.taken.append(Subscriber.Taken(waiting: one, deadline: deadline))
        arm(deadline)
        return .success(delivery)
    }

    mutating func acknowledge(
        _ subscriber: Subscriber, _ attachment: UInt64, _ sequence: UInt64
    ) -> Bool {
        guard subscriber.attachment == attachment, subscriber.end == nil,
            let index = subscriber.taken.firstIndex(where: {
                $0.waiting.held.message.sequence == sequence
            })
        else { return false }
        let wasFull = subscriber.taken.count >= subscriber.options.window
        let one = subscriber.taken.remove(at: index).waiting
        drop(one, of: subscriber, isKept: subscriber.isNamed)
        if subscriber.isNamed {
            let floor = subscriber.firstOpen.map { $0 - 1 } ?? subscriber.last
            if floor > subscriber.floor {
                subscriber.floor = floor
                // The message is removed unless others need it; the place is what tells then.
                if one.held.isDurable { writeSubscription(subscriber) }
            }
        }
        if wasFull, !subscriber.waiting.isEmpty { wake(subscriber) }
        return true
    }

    // MARK: Redelivery

    /// Puts deliveries that were not acknowledged back to the front of the queue.
    private mutating func requeue(_ subscriber: Subscriber, _ isOver: (Subscriber.Taken) -> Bool) {
        let over = subscriber.taken.filter(isOver)
        guard !over.isEmpty else { return }
        subscriber.taken.removeAll(where: isOver)
        subscriber.waiting.prepend(
            over.map(\.waiting).sorted { $0.held.message.sequence < $1.held.message.sequence })
    }

    /// The earliest time at which a delivery is repeated.
    var nextDeadline: UInt64? {
        subscribers.values.lazy.flatMap(\.taken).map(\.deadline).min()
    }

    /// Repeats what was not acknowledged in time.
    ///
    /// - Parameter armed: the time for which the timer was set.
    mutating func redeliver(armed: UInt64, now: UInt64) {
        // An earlier timer was set after this one.
        guard armsTimer == armed else { return }
        armsTimer = nil
        for subscriber in subscribers.values {
            let before = subscriber.waiting.count
            requeue(subscriber) { $0.deadline <= now }
            if subscriber.waiting.count > before { wake(subscriber) }
        }
        if let next = nextDeadline { arm(next) }
    }

    // MARK: Waiting

    enum WaitOutcome: Sendable { case waits, ready, busy }

    private func isReady(_ subscriber: Subscriber, _ attachment: UInt64) -> Bool {
        subscriber.end != nil || subscriber.attachment != attachment
            || (!subscriber.waiting.isEmpty && subscriber.taken.count < subscriber.options.window)
    }

    mutating func wait(
        _ subscriber: Subscriber, _ attachment: UInt64, _ waiter: SubscriptionWaiter, now: UInt64
    ) -> WaitOutcome {
        if isReady(subscriber, attachment) { return .ready }
        guard subscriber.waiter == nil else { return .busy }
        subscriber.waiter = waiter
        return .waits
    }

    mutating func stopWaiting(_ subscriber: Subscriber, _ waiter: SubscriptionWaiter) {
        if subscriber.waiter === waiter { subscriber.waiter = nil }
    }

    mutating func setOnReady(
        _ subscriber: Subscriber, _ attachment: UInt64, _ body: (@Sendable () -> Void)?,
        now: UInt64
    ) {
        guard subscriber.attachment == attachment else { return }
        subscriber.onReady = body
        if let body, isReady(subscriber, attachment) { call(body) }
    }
}
