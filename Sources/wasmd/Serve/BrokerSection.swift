import WasmWASI
import WasmdBroker
import WasmdDocuments
import WasmdOperation
import WasmdStorage

/// `[broker]`: topics, and the port at which clients exchange messages.
struct BrokerSection: Sendable, Equatable {
    /// Addresses of the wire protocol.
    var listen: [SocketAddress] = []
    /// How topics are kept that are not configured; those of `topics` and `[[broker.topic]]` as well,
    /// as far as they say nothing else.
    var standard = TopicOptions()
    /// Whether publishing makes topics.
    var isDynamic = true
    var topics: [TopicName: TopicOptions] = [:]
    var limits = BrokerLimits()
    /// What clients of the port may do.
    var wire = WireServer.Options()

    var bridges: [BridgeSection] = []

    init() {}

    init(_ table: SettingsTable) {
        listen = table.addresses("listen")
        Self.read(table, &standard)
        for name in table.texts("topics", expected: Self.name, { TopicName($0) }) ?? [] {
            topics[name] = standard
        }
        // Whoever lists the topics means these.
        isDynamic = table.boolean("dynamic") ?? topics.isEmpty
        for one in table.tables("topic") {
            var options = standard
            Self.read(one, &options)
            let name = one.text("name", expected: Self.name) { TopicName($0) }
            if !one.has("name") { one.complain("name", "is missing") }
            guard let name else { continue }
            if topics[name] != nil { one.complain("name", "'\(name)' is named twice") }
            topics[name] = options
        }
        wire.permissions.publishing = Self.patterns(table, "publish") ?? [.all]
        wire.permissions.subscribing = Self.patterns(table, "subscribe") ?? [.all]
        bridges = table.namedTables("bridges").map { BridgeSection($0.name, $0.table) }
        let bounds = table.table("limits")
        limits.messageBytes = Self.size(bounds, "message") ?? limits.messageBytes
        limits.bytes = Self.size(bounds, "bytes") ?? limits.bytes
        limits.messages = Self.count(bounds, "messages", 100_000_000) ?? limits.messages
        limits.topics = Self.count(bounds, "topics", 1_000_000) ?? limits.topics
        limits.subscribers = Self.count(bounds, "subscribers", 100_000) ?? limits.subscribers
        wire.connections = Self.count(bounds, "connections", 1_000_000) ?? wire.connections
        wire.topics = Self.count(bounds, "port_topics", 1_000_000) ?? max(limits.topics / 2, 1)
        wire.connectionTopics =
            Self.count(bounds, "connection_topics", 1_000_000)
            ?? min(wire.connectionTopics, wire.topics)
        wire.writeTime = bounds.duration("write_time") ?? wire.writeTime
        if topics.count > limits.topics {
            bounds.complain("topics", "there are \(topics.count) configured topics")
        }
    }

    private static let name = "a topic without spaces, + and #"

    private static func patterns(_ table: SettingsTable, _ key: String) -> [TopicPattern]? {
        table.texts(key, expected: "a topic, or a pattern such as sensors/+/state or out/#") {
            TopicPattern($0)
        }
    }

    /// The settings that one topic may have, or all.
    private static func read(_ table: SettingsTable, _ options: inout TopicOptions) {
        options.isDurable = table.boolean("durable") ?? options.isDurable
        options.retains = table.boolean("retain") ?? options.retains
        options.queue =
            table.integer("queue", in: 0...100_000_000).map { Int($0) } ?? options.queue
        options.queueBytes = size(table, "queue_bytes") ?? options.queueBytes
        options.whenFull =
            table.text("when_full", expected: "drop or refuse") {
                TopicOptions.WhenFull(rawValue: $0)
            } ?? options.whenFull
    }

    private static func size(_ table: SettingsTable, _ key: String) -> Int? {
        table.bytes(key).map { Int(clamping: min(max($0, 1), 1 << 40)) }
    }

    private static func count(_ table: SettingsTable, _ key: String, _ most: Int64) -> Int? {
        table.integer(key, in: 1...most).map { Int($0) }
    }

    /// Whether the broker makes connections.
    var connects: Bool { !bridges.isEmpty }

    var options: Broker.Options {
        var options = Broker.Options()
        options.limits = limits
        options.topics = topics
        options.dynamic = isDynamic ? standard : nil
        return options
    }

    /// The broker, with what is stored.
    func open(_ store: RecordStore) throws -> Broker {
        try Broker(options, store: store)
    }

    var facts: [SettingFact] {
        func text(_ patterns: [TopicPattern]) -> String {
            patterns.map(\.text).joined(separator: " ")
        }
        let names = topics.keys.map(\.text).sorted()
        let own = topics.filter { $0.value != standard }.map { "\($0.key) \($0.value)" }
        let facts: [(String, String, Bool)] = [
            ("listen", "\(listen)", false), ("topics", names.joined(separator: " "), true),
            ("topic", own.sorted().joined(separator: "\n"), true),
            ("bridges", bridges.map { "\($0)" }.joined(separator: "\n"), false),
            ("dynamic", "\(isDynamic)", true), ("durable", "\(standard.isDurable)", true),
            ("retain", "\(standard.retains)", true), ("queue", "\(standard.queue)", true),
            ("queue_bytes", "\(standard.queueBytes)", true),
            ("when_full", standard.whenFull.rawValue, true),
            ("publish", text(wire.permissions.publishing), true),
            ("subscribe", text(wire.permissions.subscribing), true),
            ("limits.message", "\(limits.messageBytes)", true),
            ("limits.messages", "\(limits.messages)", true),
            ("limits.bytes", "\(limits.bytes)", true), ("limits.topics", "\(limits.topics)", true),
            ("limits.subscribers", "\(limits.subscribers)", true),
            ("limits.connections", "\(wire.connections)", true),
            ("limits.port_topics", "\(wire.topics)", true),
            ("limits.connection_topics", "\(wire.connectionTopics)", true),
            ("limits.write_time", "\(wire.writeTime)", true),
        ]
        return facts.map { SettingFact("broker.\($0)", $1, isReloadable: $2) }
    }
}
