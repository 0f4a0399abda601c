import WasmdDocuments
import WasmdGuests
import WasmdOperation

extension Broker {
    /// Adds the families of metrics: to be called once.
    public func watch(_ registry: MetricRegistry) {
        func total(
            _ name: String, _ help: String, _ kind: MetricKind,
            _ read: @escaping @Sendable (Totals) -> Double
        ) {
            registry.collected(name, help, kind) { [self] in [MetricSample(read(totals))] }
        }
        total("wasmd_broker_messages", "Messages that are kept.", .gauge) { Double($0.messages) }
        total("wasmd_broker_bytes", "Bytes of messages that are kept.", .gauge) {
            Double($0.bytes)
        }
        total("wasmd_broker_subscribers", "Subscriptions.", .gauge) { Double($0.subscribers) }
        total("wasmd_broker_unwritten", "Changes that wait to be written.", .gauge) {
            Double($0.unwritten)
        }
        total("wasmd_broker_published_total", "Messages published.", .counter) {
            Double($0.published)
        }
        total("wasmd_broker_delivered_total", "Messages given to subscribers.", .counter) {
            Double($0.delivered)
        }
        total("wasmd_broker_redelivered_total", "Messages given once more.", .counter) {
            Double($0.redelivered)
        }
        total(
            "wasmd_broker_dropped_total", "Messages dropped because a queue was full.", .counter
        ) { Double($0.dropped) }
        total("wasmd_broker_refused_total", "Publications that were refused.", .counter) {
            Double($0.refused)
        }
        total(
            "wasmd_broker_cut_off_total", "Subscribers cut off because they were too slow.",
            .counter
        ) { Double($0.cutOff) }
        func perTopic(
            _ name: String, _ help: String, _ kind: MetricKind,
            _ read: @escaping @Sendable (TopicStatistics) -> Double
        ) {
            registry.collected(name, help, kind, labels: ["topic"]) { [self] in
                topics.map { MetricSample(read($0), $0.name.text) }
            }
        }
        perTopic("wasmd_topic_queued", "Messages that wait to be read.", .gauge) {
            Double($0.queued)
        }
        perTopic("wasmd_topic_subscribers", "Subscriptions of the topic.", .gauge) {
            Double($0.subscribers)
        }
        perTopic("wasmd_topic_published_total", "Messages published.", .counter) {
            Double($0.published)
        }
        perTopic("wasmd_topic_read_total", "Messages taken by read.", .counter) {
            Double($0.read)
        }
        perTopic("wasmd_topic_dropped_total", "Messages dropped by a full queue.", .counter) {
            Double($0.dropped)
        }
        perTopic("wasmd_topic_refused_total", "Publications that were refused.", .counter) {
            Double($0.refused)
        }
    }

    /// For the status of the server.
    ///
    /// - Parameter bridges: those of this broker.
    public func status(_ bridges: [MQTTBridge] = []) -> Document {
        let totals = totals
        var members: [Document.Member] = [
            .init("topics", .count(totals.topics)), .init("messages", .count(totals.messages)),
            .init("bytes", .count(totals.bytes)),
            .init("subscribers", .count(totals.subscribers)),
            .init("published", .count(totals.published)),
            .init("dropped", .count(totals.dropped)), .init("refused", .count(totals.refused)),
        ]
        if !bridges.isEmpty {
            members.append(.init("bridges", .array(bridges.map(\.document))))
        }
        return .object(members)
    }
}

extension WireServer {
    /// Adds the families of metrics: to be called once.
    public func watch(_ registry: MetricRegistry) {
        registry.collected("wasmd_wire_connections", "Connections of the wire port.", .gauge) {
            [self] in [MetricSample(statistics.connections)]
        }
        registry.collected(
            "wasmd_wire_connections_total", "Connections of the wire port.", .counter,
            labels: ["outcome"]
        ) { [self] in
            let counts = statistics
            return [
                MetricSample(counts.accepted, "accepted"), MetricSample(counts.refused, "refused"),
                MetricSample(counts.cutOff, "cut_off"),
            ]
        }
        registry.collected(
            "wasmd_wire_commands_total", "Commands of the wire port.", .counter,
            labels: ["outcome"]
        ) { [self] in
            let counts = statistics
            return [
                MetricSample(counts.commands, "done"), MetricSample(counts.ignored, "ignored"),
            ]
        }
    }
}

extension MQTTBridge {
    /// What operators see of it.
    var document: Document {
        let statistics = statistics
        var members: [Document.Member] = [
            .init("name", .string(options.name)),
            .init("connected", .boolean(statistics.isConnected)),
            .init("connections", .count(statistics.connections)),
            .init("sent", .count(statistics.sent)), .init("received", .count(statistics.received)),
            .init("refused", .count(statistics.refused)),
            .init("dropped", .count(statistics.dropped)),
        ]
        if let problem = statistics.problem {
            members.append(.init("problem", .string(HarmlessText.text(problem, atMost: 1000))))
        }
        return .object(members)
    }

    /// Adds the families of metrics of all bridges: to be called once.
    public static func watch(_ bridges: [MQTTBridge], _ registry: MetricRegistry) {
        guard !bridges.isEmpty else { return }
        func collect(
            _ name: String, _ help: String, _ kind: MetricKind,
            _ read: @escaping @Sendable (MQTTBridgeStatistics) -> UInt64
        ) {
            registry.collected(name, help, kind, labels: ["bridge"]) {
                bridges.map { MetricSample(read($0.statistics), $0.options.name) }
            }
        }
        collect("wasmd_bridge_connected", "1 if there is a connection, else 0.", .gauge) {
            $0.isConnected ? 1 : 0
        }
        registry.collected(
            "wasmd_bridge_problem", "1 for the reason why there is no connection.", .gauge,
            labels: ["bridge", "reason"]
        ) {
            bridges.compactMap { bridge in
                bridge.statistics.problem.map {
                    MetricSample(1, bridge.options.name, HarmlessText.text($0, atMost: 200))
                }
            }
        }
        collect("wasmd_bridge_connections_total", "Connections.", .counter) { $0.connections }
        collect("wasmd_bridge_sent_total", "Messages that were sent.", .counter) { $0.sent }
        collect("wasmd_bridge_received_total", "Messages that came.", .counter) { $0.received }
        collect(
            "wasmd_bridge_refused_total", "Messages that came and could not be taken.", .counter
        ) { $0.refused }
        collect("wasmd_bridge_dropped_total", "Messages that were never sent.", .counter) {
            $0.dropped
        }
    }
}
