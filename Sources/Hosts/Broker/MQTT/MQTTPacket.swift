/// A control packet of MQTT 3.1.1 (OASIS Standard, 29 October 2014), section 3.
enum MQTTPacket: Hashable, Sendable {
    case connect(MQTTConnect)
    /// The return code is 0 if the connection is accepted: 3.2.2.3.
    case connack(hasSession: Bool, code: UInt8)
    case publish(MQTTPublish)
    case puback(UInt16)
    case pubrec(UInt16)
    case pubrel(UInt16)
    case pubcomp(UInt16)
    case subscribe(UInt16, [MQTTFilter])
    /// For each filter the granted quality of service, or 0x80.
    case suback(UInt16, [UInt8])
    case unsubscribe(UInt16, [[UInt8]])
    case unsuback(UInt16)
    case pingreq, pingresp, disconnect

    /// The number in the first byte.
    var type: UInt8 {
        switch self {
        case .connect: 1
        case .connack: 2
        case .publish: 3
        case .puback: 4
        case .pubrec: 5
        case .pubrel: 6
        case .pubcomp: 7
        case .subscribe: 8
        case .suback: 9
        case .unsubscribe: 10
        case .unsuback: 11
        case .pingreq: 12
        case .pingresp: 13
        case .disconnect: 14
        }
    }
}

/// The content of CONNECT: 3.1.
struct MQTTConnect: Hashable, Sendable {
    struct Will: Hashable, Sendable {
        var topic: [UInt8]
        var message: [UInt8]
        var quality: UInt8 = 0
        var isRetained = false
    }

    var client: [UInt8]
    var isClean = true
    /// Seconds; 0 for none.
    var keepAlive: UInt16 = 0
    var will: Will?
    var user: [UInt8]?
    var password: [UInt8]?
}

/// The content of PUBLISH: 3.3.
struct MQTTPublish: Hashable, Sendable {
    var topic: [UInt8]
    var payload: [UInt8]
    /// 0, 1 or 2.
    var quality: UInt8 = 0
    var isRetained = false
    var isDuplicate = false
    /// 0 only for quality 0.
    var number: UInt16 = 0

    /// What it takes in memory, about.
    var byteCount: Int { topic.count + payload.count + 128 }
}

/// A filter of SUBSCRIBE with the quality of service that is wanted.
struct MQTTFilter: Hashable, Sendable {
    var pattern: [UInt8]
    var quality: UInt8
}

/// Why bytes are no packet: the connection must be closed (4.8).
enum MQTTFault: Error, Hashable, Sendable {
    /// A type that there is not.
    case type(UInt8)
    /// Flags of the first byte that the type does not have.
    case flags(type: UInt8)
    /// A remaining length of more than four bytes.
    case length
    case tooLarge(Int, limit: Int)
    /// The content does not have the form of its type.
    case content(type: UInt8)
    /// CONNECT of another protocol or version.
    case version(UInt8)
    /// A packet that the other side must not send now.
    case unexpected(type: UInt8)
    /// The server has refused the connection: 3.2.2.3.
    case refused(code: UInt8)
    /// The server has refused a filter.
    case filter([UInt8])
}

extension MQTTFault: CustomStringConvertible {
    var description: String {
        switch self {
        case .type(let type): "a packet of unknown type \(type)"
        case .flags(let type): "a packet of type \(type) with wrong flags"
        case .length: "a packet whose length is malformed"
        case .tooLarge(let size, let limit): "a packet of \(size) bytes; at most \(limit)"
        case .content(let type): "a malformed packet of type \(type)"
        case .version(let version): "version \(version) of the protocol"
        case .unexpected(let type): "an unexpected packet of type \(type)"
        case .refused(1): "the server does not speak MQTT 3.1.1"
        case .refused(2): "the server refuses the client's id"
        case .refused(3): "the server is unavailable"
        case .refused(4): "the server refuses user or password"
        case .refused(5): "the server refuses the client: not authorised"
        case .refused(let code): "the server refuses the connection with code \(code)"
        case .filter(let pattern):
            "the server refuses the subscription '\(String(decoding: pattern, as: UTF8.self))'"
        }
    }
}
