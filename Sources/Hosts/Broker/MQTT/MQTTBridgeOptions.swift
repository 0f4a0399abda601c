import WasmSystem
import WasmdEventLoop

/// What a bridge to a broker of MQTT does.
public struct MQTTBridgeOptions: Sendable {
    /// What the server publishes for the client when that is gone without a word: 3.1.2.5.
    public struct Will: Hashable, Sendable {
        public var topic: TopicName
        public var message: [UInt8]
        public var isRetained: Bool

        public init(topic: TopicName, message: [UInt8], isRetained: Bool = false) {
            self.topic = topic
            self.message = message
            self.isRetained = isRetained
        }
    }

    /// What happens when messages cannot be sent for so long that they are too many.
    public enum WhenFull: String, CaseIterable, Hashable, Sendable {
        /// Publishers get an error.
        case refuse
        /// The oldest ones are dropped.
        case drop
    }

    /// In logs and metrics, and of the subscription that keeps messages while there is no
    /// connection.
    public var name: String
    /// Makes a connection; called for each attempt.
    public var connect: @Sendable (EventLoop, LoopInstant) async throws -> ByteStream
    /// At most 65,535 bytes.
    public var client: [UInt8]
    public var user: [UInt8]?
    public var password: [UInt8]?
    /// Whether the server forgets the client's subscriptions and messages at the end of a
    /// connection.
    public var isClean = false
    /// Between two signs of life, from a second to 18 hours. Without an answer for one and a half
    /// of it, the connection is closed.
    public var keepAlive = Duration.seconds(30)
    public var will: Will?
    /// 1: messages arrive at least once. 0: they are lost with the connection.
    public var quality: UInt8 = 1
    /// Topics whose messages are sent to the server, and those that come from it; without the
    /// prefixes.
    public var out: [TopicPattern] = []
    public var into: [TopicPattern] = []
    /// What topics of this broker begin with, and those of the server.
    public var localPrefix: [UInt8] = []
    public var remotePrefix: [UInt8] = []
    /// Messages that wait for a connection.
    public var queue = 10_000
    public var queueBytes = 64 << 20
    public var whenFull = WhenFull.refuse
    /// Sent messages that the server has not acknowledged.
    public var window = 64
    /// Whether messages that came through another bridge are sent. Those of this bridge never are.
    public var forwards = false
    /// Bytes of a packet of the server.
    public var packetLimit = 1 << 20
    /// Time for a connection and its first packets, and for an acknowledgement.
    public var timeout = Duration.seconds(30)
    /// Before another attempt to connect: grows from the first to the second.
    public var pause = Duration.seconds(1)
    public var longestPause = Duration.seconds(60)
    /// How long the server has to close the connection after it was told that the client leaves.
    /// With 0 it is closed at once, which is enough if the kernel delivers the last bytes, and not if
    /// they pass a process that ends with the connection.
    public var leaveTime = Duration.zero

    public init(
        name: String, client: [UInt8],
        connect: @escaping @Sendable (EventLoop, LoopInstant) async throws -> ByteStream
    ) {
        self.name = name
        self.client = client
        self.connect = connect
    }

    /// Two patterns that would send messages in a circle: the server returns what it gets. Nil if
    /// there are none.
    public var loop: (out: TopicPattern, into: TopicPattern)? {
        for one in out {
            if let other = into.first(where: { $0.overlaps(one) }) { return (one, other) }
        }
        return nil
    }

    /// A topic or pattern with another prefix; nil if it has not the first.
    static func replacing(_ prefix: [UInt8], by other: [UInt8], in bytes: [UInt8]) -> [UInt8]? {
        bytes.starts(with: prefix) ? other + bytes.dropFirst(prefix.count) : nil
    }
}

/// What a bridge has done so far.
public struct MQTTBridgeStatistics: Sendable {
    public var isConnected = false
    /// Connections that the server has accepted.
    public var connections: UInt64 = 0
    /// Messages sent and acknowledged (or only sent, with quality 0), and messages received.
    public var sent: UInt64 = 0
    public var received: UInt64 = 0
    /// Messages of the server that this broker could not take.
    public var refused: UInt64 = 0
    /// Messages that were dropped because too many waited.
    public var dropped: UInt64 = 0
    /// Why there is no connection; nil if there is one.
    public var problem: String?

    public init() {}
}
