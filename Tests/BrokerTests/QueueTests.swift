import Testing
import WasmdBroker

extension TopicName {
    static let alert = known("alert")
    static let telemetry = known("telemetry")

    static func known(_ text: String) -> TopicName {
        guard let name = TopicName(text) else { fatalError("no name: \(text)") }
        return name
    }
}

extension Broker {
    /// Publishes a text to a topic that is not durable.
    func publishNow(
        _ text: String, to topic: TopicName, _ publication: Publication = Publication(),
        as permissions: TopicPermissions = .all
    ) throws {
        let result = Latest<BrokerError?>(nil)
        publish(Array(text.utf8), to: topic, publication, as: permissions) { result.value = $0 }
        if let error = result.value { throw error }
    }

    func readText(_ topic: TopicName) throws -> String? {
        try read(topic).map { String(decoding: $0.payload, as: UTF8.self) }
    }
}

extension Delivery {
    var text: String { String(decoding: message.payload, as: UTF8.self) }
}

@Suite struct QueueTests {
    @Test func readTakesTheOldest() throws {
        let broker = Broker()
        for text in ["one", "two", ""] { try broker.publishNow(text, to: .alert) }
        #expect(try broker.readText(.alert) == "one")
        #expect(try broker.readText(.alert) == "two")
        #expect(try broker.readText(.alert) == "")
        #expect(try broker.readText(.alert) == nil)
        #expect(broker.totals.messages == 0)
        #expect(broker.totals.bytes == 0)
    }

    @Test func topicsAreApart() throws {
        let broker = Broker()
        try broker.publishNow("a", to: .alert)
        try broker.publishNow("t", to: .telemetry)
        #expect(try broker.readText(.telemetry) == "t")
        #expect(try broker.readText(.alert) == "a")
    }

    @Test func configuredTopicsOnly() throws {
        var options = Broker.Options()
        options.dynamic = nil
        options.topics[.alert] = TopicOptions()
        let broker = Broker(options)
        #expect(try broker.readText(.alert) == nil)
        #expect(throws: BrokerError.unknownTopic(.telemetry)) { try broker.read(.telemetry) }
        #expect(throws: BrokerError.unknownTopic(.telemetry)) {
            try broker.publishNow("x", to: .telemetry)
        }
        #expect(throws: BrokerError.unknownTopic(.telemetry)) {
            try broker.subscribe([TopicPattern(.telemetry)])
        }
        #expect(broker.totals.refused == 1)
    }

    @Test func aTopicThatIsNotThereYetIsEmpty() throws {
        let broker = Broker()
        #expect(try broker.read(.alert) == nil)
        #expect(broker.topics.isEmpty)
    }

    @Test func fullQueueDropsTheOldest() throws {
        var options = Broker.Options()
        options.dynamic?.queue = 3
        let broker = Broker(options)
        for number in 1...5 { try broker.publishNow("\(number)", to: .alert) }
        #expect(try broker.readText(.alert) == "3")
        #expect(broker.topic(.alert)?.dropped == 2)
        #expect(broker.totals.dropped == 2)
    }

    @Test func fullQueueRefuses() throws {
        var options = Broker.Options()
        options.dynamic?.queue = 2
        options.dynamic?.whenFull = .refuse
        let broker = Broker(options)
        for number in 1...2 { try broker.publishNow("\(number)", to: .alert) }
        #expect(throws: BrokerError.full(limit: "queue")) { try broker.publishNow("3", to: .alert) }
        #expect(try broker.readText(.alert) == "1")
        try broker.publishNow("3", to: .alert)
        #expect(broker.topic(.alert)?.refused == 1)
    }

    @Test func bytesOfAQueueAreLimited() throws {
        var options = Broker.Options()
        options.dynamic?.queueBytes = 1000
        let broker = Broker(options)
        let text = String(repeating: "x", count: 200)
        for _ in 0..<10 { try broker.publishNow(text, to: .alert) }
        let topic = try #require(broker.topic(.alert))
        #expect(topic.queued == 3)
        #expect(topic.queuedBytes == 3 * (200 + 5 + BrokerMessage.overhead))
        #expect(topic.dropped == 7)
    }

    @Test func messagesHaveALimit() throws {
        var options = Broker.Options()
        options.limits.messageBytes = 10
        let broker = Broker(options)
        try broker.publishNow("0123456789", to: .alert)
        #expect(throws: BrokerError.messageTooLarge(11, limit: 10)) {
            try broker.publishNow("0123456789x", to: .alert)
        }
    }

    @Test func aTopicThatFloodsLosesItsOwnMessages() throws {
        var options = Broker.Options()
        options.limits.messages = 10
        let broker = Broker(options)
        try broker.publishNow("kept", to: .alert)
        for number in 0..<100 { try broker.publishNow("\(number)", to: .telemetry) }
        #expect(broker.totals.messages == 10)
        #expect(try broker.readText(.alert) == "kept")
        #expect(try broker.readText(.telemetry) == "91")
    }

    /// Messages of those who have the most make room for those who have little.
    @Test(arguments: [true, false]) func manyTopicsTakeNobodysRoom(refuses: Bool) throws {
        var options = Broker.Options()
        options.limits.messages = 100
        options.dynamic?.queue = 50
        var refusing = TopicOptions()
        refusing.whenFull = .refuse
        if refuses { options.topics[.telemetry] = refusing }
        let broker = Broker(options)
        try broker.publishNow("kept", to: .alert)
        let flood = (0..<10).compactMap { TopicName("flood/\($0)") }
        for number in 0..<1000 { try broker.publishNow("x", to: flood[number % 10]) }
        // Nothing of these topics is there that could be dropped.
        for number in 0..<5 { try broker.publishNow("\(number)", to: .telemetry) }
        for number in 0..<1000 { try broker.publishNow("x", to: flood[number % 10]) }
        #expect(broker.totals.messages == 100)
        #expect(try broker.readText(.alert) == "kept")
        for number in 0..<5 { #expect(try broker.readText(.telemetry) == "\(number)") }
    }

    @Test func configuredTopicsLoseNothingToOthers() throws {
        var options = Broker.Options()
        options.limits.messages = 10
        options.topics[.alert] = TopicOptions()
        let broker = Broker(options)
        for number in 0..<10 { try broker.publishNow("\(number)", to: .alert) }
        #expect(throws: BrokerError.full(limit: "messages")) {
            try broker.publishNow("x", to: .telemetry)
        }
        // Its own publisher drops its oldest.
        try broker.publishNow("10", to: .alert)
        #expect(try broker.readText(.alert) == "1")
    }

    /// A subscriber that takes nothing and holds the most drops messages, or is cut off.
    @Test(arguments: [SubscriptionOptions.WhenFull.drop, .cutOff])
    func aSubscriberThatHoldsMost(whenFull: SubscriptionOptions.WhenFull) throws {
        var options = Broker.Options()
        options.limits.messages = 50
        options.dynamic?.queue = 0
        let broker = Broker(options)
        var wanted = SubscriptionOptions()
        wanted.whenFull = whenFull
        let greedy = try broker.subscribe([TopicPattern(.telemetry)], wanted)
        let modest = try broker.subscribe([TopicPattern(.alert)], wanted)
        try broker.publishNow("first", to: .alert)
        for number in 0..<60 { try broker.publishNow("\(number)", to: .telemetry) }
        try broker.publishNow("second", to: .alert)
        #expect(broker.totals.messages <= 50)
        for text in ["first", "second"] {
            let delivery = try #require(try modest.nextNow())
            #expect(delivery.message.payload == Array(text.utf8))
            #expect(delivery.lost == 0)
        }
        if whenFull == .drop {
            #expect(try greedy.nextNow()?.lost == 12)
        } else {
            #expect(throws: BrokerError.ended(.tooSlow(limit: 1000))) { try greedy.nextNow() }
        }
    }

    @Test func bytesOfAllAreLimited() throws {
        var options = Broker.Options()
        options.limits.bytes = 2000
        options.dynamic?.whenFull = .refuse
        let broker = Broker(options)
        let text = String(repeating: "x", count: 800)
        for _ in 0..<2 { try broker.publishNow(text, to: .alert) }
        #expect(throws: BrokerError.full(limit: "bytes")) {
            try broker.publishNow(text, to: .alert)
        }
        #expect(broker.totals.bytes <= 2000)
    }

    /// Clients of a share make so many topics, and others go on.
    @Test func sharesOfTopics() throws {
        var options = Broker.Options()
        options.limits.topics = 6
        let broker = Broker(options)
        let port = TopicShare("port", limit: 3)
        let one = TopicShare("one", limit: 2, of: port)
        let two = TopicShare("two", limit: 2, of: port)
        let service = TopicShare("service", limit: 2, isReserved: true)
        func publish(_ topic: String, _ share: TopicShare?) throws -> String {
            do {
                try broker.publishNow("x", to: .known(topic), Broker.Publication(share: share))
                return "ok"
            } catch BrokerError.full(let limit) {
                return limit
            }
        }
        #expect(try publish("a1", one) == "ok")
        #expect(try publish("a2", one) == "ok")
        #expect(try publish("a3", one) == "one")
        // A topic that is there is anybody's.
        #expect(try publish("a1", two) == "ok")
        #expect(try publish("b1", two) == "ok")
        #expect(try publish("b2", two) == "port")
        // The others of all.
        for topic in ["c1", "c2", "c3"] { #expect(try publish(topic, nil) == "ok") }
        #expect(try publish("c4", nil) == "topics")
        // Beside them.
        #expect(try publish("s1", service) == "ok")
        #expect(try publish("s2", service) == "ok")
        #expect(try publish("s3", service) == "service")
        #expect(try publish("c4", nil) == "topics")
        #expect(broker.totals.topics == 8)
        // A topic without messages makes room for those of its share, and for nobody beside.
        _ = try broker.read(.known("s1"))
        #expect(try publish("c4", nil) == "topics")
        #expect(try publish("a3", one) == "one")
        #expect(try publish("s3", service) == "ok")
        #expect(broker.topic(.known("s1")) == nil)
        for _ in 0..<2 { _ = try broker.read(.known("a1")) }
        #expect(try publish("b2", two) == "ok")
        #expect(broker.topic(.known("a1")) == nil)
        #expect(try publish("a3", one) == "port")
        // A configured topic counts for nobody.
        options.topics[.known("b1")] = TopicOptions()
        options.limits.topics = 7
        broker.setOptions(options)
        #expect(try publish("a3", one) == "ok")
        #expect(try publish("a4", one) == "one")
        // A limit may change.
        (one.limit, port.limit) = (3, 3)
        #expect(try publish("a4", one) == "port")
        port.limit = 4
        options.limits.topics = 8
        broker.setOptions(options)
        #expect(try publish("a4", one) == "ok")
    }

    /// What a share has room for is not more than once there, however often it is filled.
    @Test func sharesForgetWhatIsIdle() throws {
        let broker = Broker()
        let share = TopicShare("share", limit: 20, isReserved: true)
        for number in 0..<5000 {
            let topic = TopicName.known("t/\(number)")
            try broker.publishNow("x", to: topic, Broker.Publication(share: share))
            #expect(try broker.readText(topic) == "x")
        }
        #expect(broker.totals.topics == 20)
        #expect(broker.totals.messages == 0)
    }

    @Test func topicsAreLimitedAndIdleOnesMakeRoom() throws {
        var options = Broker.Options()
        options.limits.topics = 3
        let broker = Broker(options)
        let topics = (0..<5).compactMap { TopicName("t\($0)") }
        for topic in topics.prefix(3) { try broker.publishNow("x", to: topic) }
        #expect(throws: BrokerError.full(limit: "topics")) {
            try broker.publishNow("x", to: topics[3])
        }
        _ = try broker.read(topics[1])
        try broker.publishNow("x", to: topics[3])
        #expect(broker.topics.map(\.name.text) == ["t0", "t2", "t3"])
    }

    @Test func retainedValues() throws {
        let broker = Broker()
        try broker.publishNow("old", to: .alert, .init(isRetained: true))
        try broker.publishNow("new", to: .alert, .init(isRetained: true))
        try broker.publishNow("other", to: .alert)
        #expect(broker.retained(.alert)?.payload == Array("new".utf8))
        try broker.publishNow("", to: .alert, .init(isRetained: true))
        #expect(broker.retained(.alert) == nil)
    }

    @Test func permissionsByPattern() throws {
        let broker = Broker()
        let permissions = TopicPermissions(
            publishing: [try #require(TopicPattern("out/#"))],
            subscribing: [try #require(TopicPattern("in/+"))])
        let (out, inside) = (TopicName.known("out/a"), TopicName.known("in/a"))
        try broker.publishNow("x", to: out, as: permissions)
        #expect(throws: BrokerError.mayNotPublish(inside)) {
            try broker.publishNow("x", to: inside, as: permissions)
        }
        #expect(throws: BrokerError.mayNotRead(out)) { try broker.read(out, as: permissions) }
        try broker.publishNow("in", to: inside)
        #expect(try broker.read(inside, as: permissions) != nil)
        #expect(throws: BrokerError.mayNotSubscribe(TopicPattern(out))) {
            try broker.subscribe([TopicPattern(out)], as: permissions)
        }
        // Of a wide pattern, what is permitted.
        let all = try broker.subscribe([.all], as: permissions)
        try broker.publishNow("hidden", to: out)
        try broker.publishNow("seen", to: inside)
        #expect(try all.nextNow()?.text == "seen")
        #expect(try all.nextNow() == nil)
    }

    @Test func closedBroker() throws {
        let broker = Broker()
        let subscription = try broker.subscribe([.all])
        broker.close()
        #expect(throws: BrokerError.ended(.closed)) { try broker.publishNow("x", to: .alert) }
        #expect(throws: BrokerError.ended(.closed)) { try subscription.nextNow() }
    }

    @Test func newOptionsTrimQueues() throws {
        let broker = Broker()
        for number in 0..<10 { try broker.publishNow("\(number)", to: .alert) }
        var options = Broker.Options()
        options.topics[.alert] = {
            var topic = TopicOptions(); topic.queue = 2; return topic
        }()
        broker.setOptions(options)
        #expect(try broker.readText(.alert) == "8")
        #expect(broker.topic(.alert)?.isConfigured == true)
        broker.setOptions(Broker.Options())
        #expect(broker.topic(.alert)?.isConfigured == false)
    }
}
