/// Keys and values of a broker's records in a store (docs/broker.md).
///
/// | key | value |
/// |---|---|
/// | `broker/m/TOPIC` NUL, sequence (8 bytes, most significant first) | as below |
/// | `broker/r/TOPIC` | the last value: sequence, time, flags, length of the origin, origin, payload |
/// | `broker/q/TOPIC` | sequence: what is not above it was taken from the queue |
/// | `broker/s/NAME` | sequence up to which all was acknowledged, messages and bytes of its queue, what happens when that is full, patterns |
enum StoredKeys {
    /// The most bytes of a payload: what is left of a record's value.
    static let payloadLimit = 65_000

    static let prefix = Array("broker/".utf8)
    static let messages = Array("broker/m/".utf8)
    static let retained = Array("broker/r/".utf8)
    static let queues = Array("broker/q/".utf8)
    static let subscriptions = Array("broker/s/".utf8)

    static func message(_ message: BrokerMessage) -> [UInt8] {
        messages + message.topic.bytes + [0] + number(message.sequence)
    }

    static func retained(_ topic: TopicName) -> [UInt8] { retained + topic.bytes }
    static func queue(_ topic: TopicName) -> [UInt8] { queues + topic.bytes }
    static func subscription(_ name: String) -> [UInt8] { subscriptions + Array(name.utf8) }

    /// Eight bytes, most significant first, so that keys sort by number.
    static func number(_ number: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: number >> UInt64(56 - 8 * $0)) }
    }

    static func number(_ bytes: some Collection<UInt8>) -> UInt64? {
        guard bytes.count == 8 else { return nil }
        return bytes.reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// The largest sequence that is read: what follows it can be counted for ever.
    static let largestSequence = UInt64.max >> 2

    static func sequence(_ bytes: some Collection<UInt8>) -> UInt64? {
        number(bytes).flatMap { $0 <= largestSequence ? $0 : nil }
    }

    /// A message as a value. The flag 1: its publisher wanted it to be the last value.
    static func value(_ message: BrokerMessage) -> [UInt8] {
        let origin = Array((message.origin ?? "").utf8.prefix(255))
        return number(message.sequence) + number(message.time)
            + [message.isRetained ? 1 : 0, UInt8(truncatingIfNeeded: origin.count)]
            + origin + message.payload
    }

    static func message(_ topic: TopicName, _ value: [UInt8]) -> BrokerMessage? {
        guard value.count >= 18, let sequence = Self.sequence(value[..<8]),
            let time = number(value[8..<16])
        else { return nil }
        let end = 18 + Int(value[17])
        guard end <= value.count else { return nil }
        let origin = value[18..<end]
        return BrokerMessage(
            topic: topic, payload: Array(value[end...]), sequence: sequence, time: time,
            origin: origin.isEmpty ? nil : String(decoding: origin, as: UTF8.self),
            isRetained: value[16] & 1 != 0)
    }

    private static let policies: [SubscriptionOptions.WhenFull] = [.cutOff, .drop, .refuse]

    /// A named subscription as a value; patterns end with a line feed.
    static func value(_ subscriber: Subscriber) -> [UInt8] {
        let options = subscriber.options
        let policy = policies.firstIndex(of: options.whenFull) ?? 0
        var value =
            number(subscriber.floor) + number(UInt64(clamping: options.queue))
            + number(UInt64(clamping: options.queueBytes)) + [UInt8(truncatingIfNeeded: policy)]
        for pattern in subscriber.patterns { value += pattern.bytes + [0x0a] }
        return value
    }

    /// The subscription of a value, with a number that it gets.
    static func subscriber(
        _ name: String, _ value: [UInt8], _ newNumber: UInt64
    ) -> Subscriber? {
        guard value.count >= 25, let floor = sequence(value[..<8]),
            let queue = number(value[8..<16]),
            let bytes = number(value[16..<24]), policies.indices.contains(Int(value[24]))
        else { return nil }
        var options = SubscriptionOptions()
        options.name = name
        options.acknowledges = true
        options.queue = max(Int(clamping: queue), 1)
        options.queueBytes = Int(clamping: bytes)
        options.whenFull = policies[Int(value[24])]
        let patterns = value[25...].split(separator: 0x0a).compactMap { TopicPattern($0) }
        let subscriber = Subscriber(newNumber, patterns, options, .all)
        subscriber.floor = floor
        subscriber.last = floor
        return subscriber
    }
}
