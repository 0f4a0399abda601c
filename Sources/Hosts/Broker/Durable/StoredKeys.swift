/// Keys and values of a broker's records in a store (docs/broker.md).
///
/// | key | value |
/// |---|---|
/// | `broker/m/TOPIC` NUL, sequence (8 bytes, most significant first) | time, origin, payload |
/// | `broker/r/TOPIC` | sequence, and as above: the last value |
/// | `broker/q/TOPIC` | sequence: what is not above it was taken from the queue |
/// | `broker/s/NAME` | sequence up to which all was acknowledged, patterns |
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

    /// A message as a value: sequence, time, length of the origin, origin, payload.
    static func value(_ message: BrokerMessage) -> [UInt8] {
        let origin = Array((message.origin ?? "").utf8.prefix(255))
        return number(message.sequence) + number(message.time) + [
            UInt8(truncatingIfNeeded: origin.count)
        ]
            + origin + message.payload
    }

    static func message(_ topic: TopicName, _ value: [UInt8]) -> BrokerMessage? {
        guard value.count >= 17, let sequence = number(value[..<8]),
            let time = number(value[8..<16])
        else { return nil }
        let end = 17 + Int(value[16])
        guard end <= value.count else { return nil }
        let origin = value[17..<end]
        return BrokerMessage(
            topic: topic, payload: Array(value[end...]), sequence: sequence, time: time,
            origin: origin.isEmpty ? nil : String(decoding: origin, as: UTF8.self))
    }
}
