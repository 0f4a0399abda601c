import WasmdDocuments
import WasmdEventLoop
import WasmdGuests
import WasmdHTTP
import WasmdHTTPServer
import WasmdOperation

/// The operations of `BrokerSurface`.
struct TopicAdministration: Sendable {
    let broker: Broker
    let bridges: [MQTTBridge]
    let isStopping: @Sendable () -> Bool
    private let shared = SharedEvents()

    init(broker: Broker, bridges: [MQTTBridge], isStopping: @escaping @Sendable () -> Bool) {
        self.broker = broker
        self.bridges = bridges
        self.isStopping = isStopping
    }

    /// Messages that wait for one stream; then the oldest are dropped.
    private static let followLimit = 1000
    /// Messages that are sent at once.
    private static let batchLimit = 64

    @Sendable func list(_ request: RoutedRequest) async throws {
        let topics = broker.topics.map { topic in
            Document.object([
                .init("name", .string(topic.name.text)),
                .init("configured", .boolean(topic.isConfigured)),
                .init("durable", .boolean(topic.options.isDurable)),
                .init("queue_limit", .count(topic.options.queue)),
                .init("queued", .count(topic.queued)),
                .init("queued_bytes", .count(topic.queuedBytes)),
                .init("subscribers", .count(topic.subscribers)),
                .init("retained", .boolean(topic.hasRetained)),
                .init("published", .count(topic.published)),
                .init("published_bytes", .count(topic.publishedBytes)),
                .init("read", .count(topic.read)), .init("dropped", .count(topic.dropped)),
                .init("refused", .count(topic.refused)),
            ])
        }
        let totals = broker.totals
        try await request.respond(
            .object([
                .init("topics", .array(topics)), .init("messages", .count(totals.messages)),
                .init("bytes", .count(totals.bytes)),
                .init("subscribers", .count(totals.subscribers)),
                .init("published", .count(totals.published)),
                .init("delivered", .count(totals.delivered)),
                .init("redelivered", .count(totals.redelivered)),
                .init("dropped", .count(totals.dropped)), .init("refused", .count(totals.refused)),
                .init("cut_off", .count(totals.cutOff)),
                .init("bridges", .array(bridges.map(\.document))),
            ]))
    }

    private func topic(_ request: RoutedRequest) throws(APIFailure) -> TopicName {
        guard let text = try request.query("topic") else {
            throw APIFailure(.badRequest, "'topic' is missing")
        }
        guard let topic = TopicName(text) else {
            throw APIFailure(
                .badRequest,
                "'topic' must be 1 to \(TopicName.maximumSize) bytes without spaces, + and #")
        }
        return topic
    }

    @Sendable func publish(_ request: RoutedRequest) async throws {
        let topic = try topic(request)
        let isRetained = try request.query("retain") == "true"
        let limit = broker.messageLimit
        let body: [UInt8]
        do {
            body = try await request.request.body(limit: limit)
        } catch HTTPServerError.request(.bodyTooLarge) {
            throw failure(.messageTooLarge(limit + 1, limit: limit))
        }
        do throws(BrokerError) {
            try await broker.publish(body, to: topic, .init(isRetained: isRetained))
        } catch {
            throw failure(error)
        }
        try await request.response.respond(ResponseHead(.noContent))
    }

    @Sendable func read(_ request: RoutedRequest) async throws {
        let topic = try topic(request)
        let message: BrokerMessage?
        do throws(BrokerError) { message = try broker.read(topic) } catch { throw failure(error) }
        guard let message else {
            return try await request.response.respond(ResponseHead(.noContent))
        }
        try await respond(message, request)
    }

    @Sendable func lastValue(_ request: RoutedRequest) async throws {
        guard let message = broker.retained(try topic(request)) else {
            throw APIFailure(.notFound, "no value of this topic is kept")
        }
        try await respond(message, request)
    }

    private func respond(_ message: BrokerMessage, _ request: RoutedRequest) async throws {
        var head = ResponseHead(.ok)
        try head.fields.append("Content-Type", "application/octet-stream")
        try head.fields.append("Cache-Control", "no-store")
        try head.fields.append("Wasmd-Sequence", "\(message.sequence)")
        try await request.response.respond(head, message.payload)
    }

    private func failure(_ error: BrokerError) -> APIFailure {
        let status: Status
        var limit: String?
        switch error {
        case .unknownTopic: status = .notFound
        case .mayNotPublish, .mayNotRead, .mayNotSubscribe: status = .forbidden
        case .messageTooLarge: (status, limit) = (.contentTooLarge, "broker.limits.message")
        case .full(let name):
            let isQueue = name == "queue" || name == "subscriber_queue"
            (status, limit) = (.serviceUnavailable, "broker.\(isQueue ? "" : "limits.")\(name)")
        case .noPattern: status = .badRequest
        case .nameInUse, .busy: status = .conflict
        case .cancelled, .ended: status = .serviceUnavailable
        case .storage(.full): status = .insufficientStorage
        case .storage: status = .serviceUnavailable
        }
        var failure = APIFailure(status, "\(error)")
        failure.limit = limit
        return failure
    }

    // MARK: Following

    @Sendable func follow(_ request: RoutedRequest) async throws {
        let text = try request.query("topic") ?? "#"
        guard let pattern = TopicPattern(text) else {
            throw APIFailure(.badRequest, "'topic' is no topic or pattern")
        }
        var options = SubscriptionOptions()
        options.queue = Self.followLimit
        options.whenFull = .drop
        options.wantsRetained = try request.query("retained") == "true"
        let subscription: Subscription
        do throws(BrokerError) {
            subscription = try broker.subscribe([pattern], options)
        } catch {
            throw failure(error)
        }
        defer { subscription.cancel() }
        let events = try await request.response.events()
        try await events.follow(while: { !isStopping() }) { end in
            try await next(subscription, until: end, request.loop)
        } send: { first in
            var deliveries = [first]
            while deliveries.count < Self.batchLimit, let more = try subscription.nextNow() {
                deliveries.append(more)
            }
            let lost = deliveries.reduce(0) { $0 + $1.lost }
            if lost > 0 {
                let lost = JSONWriter.write(.object([.init("lost", .count(lost))]))
                try await events.send(ServerSentEvent(type: Array("lost".utf8), data: lost))
            }
            try await events.send(encoded: try deliveries.map(encoded))
        }
    }

    /// The event of a delivery, the same for all streams.
    private func encoded(_ delivery: Delivery) throws -> [UInt8] {
        // The default type of events is 'message'.
        let make = { ServerSentEvent(data: JSONWriter.write(Self.document(delivery))) }
        if !delivery.isRetained { return try shared.bytes(delivery.message.sequence, make) }
        var bytes: [UInt8] = []
        try ServerSentEventWriter.write(make(), to: &bytes)
        return bytes
    }

    /// The next message; nil if there is none for a while, or no more.
    private func next(
        _ subscription: Subscription, until end: LoopInstant, _ loop: EventLoop
    ) async throws -> Delivery? {
        if let delivery = try subscription.nextNow() { return delivery }
        return try await loop.withDeadline(end) {
            do throws(BrokerError) { return try await subscription.next() } catch {
                if error == .cancelled { return nil }
                throw error
            }
        }
    }

    private static func document(_ delivery: Delivery) -> Document {
        let message = delivery.message
        var members: [Document.Member] = [
            .init("topic", .string(message.topic.text)),
            .init("sequence", .count(message.sequence)),
            .init("time", .double(Double(message.time) * 1e-9)),
        ]
        if let text = String(validating: message.payload, as: UTF8.self) {
            members.append(.init("text", .string(text)))
        } else {
            let encoded = Base64.encode(message.payload)
            members.append(.init("base64", .string(String(decoding: encoded, as: UTF8.self))))
        }
        if delivery.isRetained { members.append(.init("retained", .boolean(true))) }
        if let origin = message.origin { members.append(.init("origin", .string(origin))) }
        return .object(members)
    }

    // MARK: Subscriptions

    @Sendable func subscriptions(_ request: RoutedRequest) async throws {
        let all = broker.subscriptions.map { one -> Document in
            var members: [Document.Member] = [
                .init("topics", .array(one.patterns.map { .string($0.text) })),
                .init("attached", .boolean(one.isAttached)),
                .init("acknowledges", .boolean(one.acknowledges)),
                .init("waiting", .count(one.waiting)),
                .init("unacknowledged", .count(one.unacknowledged)),
                .init("bytes", .count(one.bytes)),
            ]
            if let name = one.name { members.insert(.init("name", .string(name)), at: 0) }
            return .object(members)
        }
        try await request.respond(.object([.init("subscriptions", .array(all))]))
    }

    @Sendable func removeSubscription(_ request: RoutedRequest) async throws {
        guard let name = try request.query("name") else {
            throw APIFailure(.badRequest, "'name' is missing")
        }
        guard broker.removeSubscription(named: name) else {
            throw APIFailure(.notFound, "there is no subscription with this name")
        }
        try await request.response.respond(ResponseHead(.noContent))
    }
}

extension Document {
    static func count(_ number: some BinaryInteger) -> Document {
        .integer(Int64(clamping: number))
    }
}
