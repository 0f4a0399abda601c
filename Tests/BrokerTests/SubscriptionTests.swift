import Synchronization
import Testing
import WasmdBroker
import WasmdEventLoop

/// A value that closures of any thread set.
final class Latest<Value: Sendable>: Sendable {
    private let stored: Mutex<Value>
    init(_ value: Value) { stored = Mutex(value) }
    var value: Value {
        get { stored.withLock { $0 } }
        set { stored.withLock { $0 = newValue } }
    }
}

@Suite struct SubscriptionTests {
    private var acknowledging: SubscriptionOptions {
        var options = SubscriptionOptions()
        options.acknowledges = true
        return options
    }

    @Test func eachSubscriberGetsEachMessage() throws {
        let broker = Broker()
        let one = try broker.subscribe([TopicPattern(.alert)])
        let two = try broker.subscribe([.all])
        try broker.publishNow("a", to: .alert)
        try broker.publishNow("t", to: .telemetry)
        #expect(try one.nextNow()?.text == "a")
        #expect(try one.nextNow() == nil)
        #expect(try two.nextNow()?.text == "a")
        #expect(try two.nextNow()?.text == "t")
        // The queue has them, too.
        #expect(try broker.readText(.alert) == "a")
    }

    @Test func severalPatternsDeliverOnce() throws {
        let broker = Broker()
        let one = try broker.subscribe([TopicPattern(.alert), .all])
        try broker.publishNow("a", to: .alert)
        #expect(one.count == 1)
    }

    @Test func aTaskWaitsForTheNext() throws {
        let broker = Broker()
        let loop = try EventLoop()
        let text = try loop.run { loop in
            broker.start(on: loop)
            let subscription = try broker.subscribe([.all])
            let waiting = loop.spawn { try? await subscription.next().text }
            try await loop.sleep(for: .milliseconds(5))
            try await broker.publish(Array("x".utf8), to: .alert)
            return await waiting.value
        }
        #expect(text == "x")
    }

    @Test func aWaitCanBeCancelledAndIsForOneTask() throws {
        let broker = Broker()
        let loop = try EventLoop()
        try loop.run { loop in
            let subscription = try broker.subscribe([.all])
            let waiting = loop.spawn { () -> BrokerError? in
                do throws(BrokerError) { _ = try await subscription.next() } catch { return error }
                return nil
            }
            try await loop.sleep(for: .milliseconds(5))
            await #expect(throws: BrokerError.busy) { try await subscription.next() }
            waiting.cancel()
            #expect(await waiting.value == .cancelled)
            try broker.publishNow("x", to: .alert)
            #expect(try await subscription.next().text == "x")
        }
    }

    @Test func readyIsTold() throws {
        let broker = Broker()
        let subscription = try broker.subscribe([.all])
        let count = Latest(0)
        subscription.onReady { count.value += 1 }
        #expect(count.value == 0)
        try broker.publishNow("x", to: .alert)
        #expect(count.value == 1)
        subscription.onReady { count.value += 10 }
        #expect(count.value == 11)
        broker.close()
        #expect(count.value == 21)
    }

    @Test func theLastValueComesFirst() throws {
        let broker = Broker()
        try broker.publishNow("last", to: .alert, .init(isRetained: true))
        let subscription = try broker.subscribe([.all])
        let delivery = try #require(try subscription.nextNow())
        #expect(delivery.isRetained)
        #expect(delivery.text == "last")
        try broker.publishNow("now", to: .alert, .init(isRetained: true))
        #expect(try subscription.nextNow()?.isRetained == false)
        var options = SubscriptionOptions()
        options.wantsRetained = false
        #expect(try broker.subscribe([.all], options).nextNow() == nil)
    }

    @Test func aSubscriberThatHangsIsCutOffAndTold() throws {
        let broker = Broker()
        var options = SubscriptionOptions()
        options.queue = 3
        let hanging = try broker.subscribe([.all], options)
        let other = try broker.subscribe([.all])
        for number in 0..<4 { try broker.publishNow("\(number)", to: .alert) }
        #expect(throws: BrokerError.ended(.tooSlow(limit: 3))) { try hanging.nextNow() }
        #expect(other.count == 4)
        #expect(broker.totals.cutOff == 1)
        #expect(broker.totals.subscribers == 1)
    }

    @Test func bytesOfASubscriberAreLimited() throws {
        let broker = Broker()
        var options = SubscriptionOptions()
        options.queueBytes = 1000
        let hanging = try broker.subscribe([.all], options)
        let text = String(repeating: "x", count: 500)
        try broker.publishNow(text, to: .alert)
        try broker.publishNow(text, to: .alert)
        #expect(throws: BrokerError.ended(.tooSlow(limit: 1000))) { try hanging.nextNow() }
    }

    @Test func droppedMessagesAreCounted() throws {
        let broker = Broker()
        var options = SubscriptionOptions()
        options.queue = 2
        options.whenFull = .drop
        let slow = try broker.subscribe([.all], options)
        for number in 0..<5 { try broker.publishNow("\(number)", to: .alert) }
        let first = try #require(try slow.nextNow())
        #expect(first.text == "3")
        #expect(first.lost == 3)
        #expect(try slow.nextNow()?.lost == 0)
    }

    @Test func publishersCanBeRefusedForASubscriber() throws {
        let broker = Broker()
        var options = acknowledging
        options.queue = 2
        options.whenFull = .refuse
        let subscription = try broker.subscribe([.all], options)
        for number in 0..<2 { try broker.publishNow("\(number)", to: .alert) }
        #expect(throws: BrokerError.full(limit: "subscriber_queue")) {
            try broker.publishNow("2", to: .alert)
        }
        let first = try #require(try subscription.nextNow())
        #expect(throws: BrokerError.full(limit: "subscriber_queue")) {
            try broker.publishNow("2", to: .alert)
        }
        #expect(subscription.acknowledge(first))
        try broker.publishNow("2", to: .alert)
    }

    @Test func subscribersAreLimited() throws {
        var options = Broker.Options()
        options.limits.subscribers = 1
        let broker = Broker(options)
        var first: Subscription? = try broker.subscribe([.all])
        #expect(throws: BrokerError.full(limit: "subscribers")) { try broker.subscribe([.all]) }
        #expect(try first?.nextNow() == nil)
        first = nil
        _ = try broker.subscribe([.all])
    }

    // MARK: Acknowledgement

    @Test func whatIsNotAcknowledgedIsDeliveredAgain() throws {
        let broker = Broker()
        let loop = try EventLoop()
        try loop.run { [acknowledging] loop in
            broker.start(on: loop)
            var options = acknowledging
            options.redeliveryTime = .milliseconds(20)
            let subscription = try broker.subscribe([.all], options)
            for text in ["a", "b", "c"] { try broker.publishNow(text, to: .alert) }
            let first = try await subscription.next()
            let second = try await subscription.next()
            #expect(first.text == "a" && second.text == "b")
            #expect(subscription.acknowledge(second))
            #expect(!subscription.acknowledge(second))
            #expect(try await subscription.next().text == "c")
            let again = try await subscription.next()
            #expect(again.text == "a" && again.attempt == 2)
            subscription.acknowledge(again)
            let last = try await subscription.next()
            #expect(last.text == "c" && last.attempt == 2)
            subscription.acknowledge(last)
            #expect(subscription.count == 0)
            #expect(broker.totals.redelivered == 2)
        }
    }

    @Test func theWindowLimitsWhatIsOpen() throws {
        let broker = Broker()
        var options = acknowledging
        options.window = 2
        let subscription = try broker.subscribe([.all], options)
        for number in 0..<4 { try broker.publishNow("\(number)", to: .alert) }
        let first = try #require(try subscription.nextNow())
        _ = try subscription.nextNow()
        #expect(try subscription.nextNow() == nil)
        let ready = Latest(0)
        subscription.onReady { ready.value += 1 }
        subscription.acknowledge(first)
        #expect(ready.value == 1)
        #expect(try subscription.nextNow()?.text == "2")
    }

    @Test func aNamedSubscriptionKeepsMessages() throws {
        let broker = Broker()
        var options = acknowledging
        options.name = "sink"
        var client: Subscription? = try broker.subscribe([.all], options)
        #expect(throws: BrokerError.nameInUse("sink")) { try broker.subscribe([.all], options) }
        try broker.publishNow("a", to: .alert)
        #expect(try client?.nextNow()?.text == "a")
        client = nil
        try broker.publishNow("b", to: .alert)
        let next = try broker.subscribe([.all], options)
        let again = try #require(try next.nextNow())
        #expect(again.text == "a" && again.attempt == 2)
        #expect(next.acknowledge(again))
        #expect(try next.nextNow()?.text == "b")
        // An attachment that is over does nothing any more.
        #expect(broker.removeSubscription(named: "sink"))
        #expect(throws: BrokerError.ended(.cancelled)) { try next.nextNow() }
        #expect(!broker.removeSubscription(named: "sink"))
    }

    @Test func aNamedSubscriptionWithNewPatterns() throws {
        let broker = Broker()
        var options = acknowledging
        options.name = "sink"
        var client: Subscription? = try broker.subscribe([.all], options)
        try broker.publishNow("a", to: .alert)
        try broker.publishNow("t", to: .telemetry)
        #expect(client?.count == 2)
        client = nil
        let next = try broker.subscribe([TopicPattern(.telemetry)], options)
        #expect(try next.nextNow()?.text == "t")
        try broker.publishNow("b", to: .alert)
        #expect(try next.nextNow() == nil)
    }

    @Test func aNamedSubscriptionWithoutClientDropsTheOldest() throws {
        let broker = Broker()
        var options = acknowledging
        options.name = "sink"
        options.queue = 2
        var client: Subscription? = try broker.subscribe([.all], options)
        #expect(client?.count == 0)
        client = nil
        for number in 0..<5 { try broker.publishNow("\(number)", to: .alert) }
        let next = try broker.subscribe([.all], options)
        let first = try #require(try next.nextNow())
        #expect(first.text == "3" && first.lost == 3)
    }

    @Test func originsCanBeLeftOut() throws {
        let broker = Broker()
        var options = SubscriptionOptions()
        options.excludedOrigin = "site"
        let one = try broker.subscribe([.all], options)
        options.excludedOrigin = ""
        let two = try broker.subscribe([.all], options)
        try broker.publishNow("a", to: .alert, .init(origin: "site"))
        try broker.publishNow("b", to: .alert, .init(origin: "other"))
        try broker.publishNow("c", to: .alert)
        #expect(try one.nextNow()?.text == "b")
        #expect(try two.nextNow()?.text == "c")
    }

    @Test func nothingStaysAfterTheLastHolder() throws {
        let broker = Broker()
        var subscription: Subscription? = try broker.subscribe([.all], acknowledging)
        for number in 0..<100 { try broker.publishNow("\(number)", to: .alert) }
        _ = try subscription?.nextNow()
        #expect(broker.totals.messages == 100)
        while try broker.read(.alert) != nil {}
        #expect(broker.totals.messages == 100)
        subscription = nil
        #expect(broker.totals.messages == 0)
        #expect(broker.totals.bytes == 0)
    }
}
