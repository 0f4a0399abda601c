import WasmSystem
import WasmdEventLoop

/// A datagram that came.
struct IncomingPacket: Sendable {
    var bytes: [UInt8]
    var sender: SystemAddress
    /// Whether it was sent to the group, not to this host.
    var isToGroup: Bool
    var interface: UInt32

    var isIPv6: Bool { if case .ipv6 = sender { true } else { false } }

    var senderBytes: [UInt8] {
        switch sender {
        case .ipv4(let bytes, _), .ipv6(let bytes, _): bytes
        case .unix: []
        }
    }
}

/// A datagram to send.
struct OutgoingPacket: Hashable, Sendable {
    enum Destination: Hashable, Sendable {
        case group(isIPv6: Bool)
        case host(SystemAddress)
    }

    var bytes: [UInt8]
    var interface: UInt32
    var destination: Destination
}

/// The port and the groups of multicast DNS: RFC 6762, section 3.
enum MulticastGroup {
    static let port: UInt16 = 5353
    static let ipv4: [UInt8] = [224, 0, 0, 251]
    static let ipv6: [UInt8] = [0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xfb]

    static func address(isIPv6: Bool, port: UInt16 = port) -> SystemAddress {
        isIPv6 ? .ipv6(ipv6, port: port) : .ipv4(ipv4, port: port)
    }
}

/// A generator of delays, whose sequence a test can repeat: SplitMix64.
struct DelayGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var word = state
        word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
        return word ^ (word >> 31)
    }

    /// A number of milliseconds in the range.
    mutating func milliseconds(_ range: ClosedRange<Int64>) -> Duration {
        .milliseconds(Int64.random(in: range, using: &self))
    }
}

/// How often something may be done: a number of times at once, and then so many a second.
struct RateBucket: Sendable {
    private let perSecond: UInt64
    private let burst: UInt64
    private var tokens: UInt64
    private var last = LoopInstant(nanoseconds: 0)

    init(perSecond: UInt64, burst: UInt64) {
        self.perSecond = perSecond
        self.burst = burst
        tokens = burst
    }

    /// - Returns: whether it may be done now; then it counts as done.
    mutating func take(at now: LoopInstant) -> Bool {
        let passed = now > last ? now.nanoseconds - last.nanoseconds : 0
        let span = 1_000_000_000 / max(perSecond, 1)
        let more = passed / span
        if more > 0 {
            tokens = min(burst, tokens &+ min(more, burst))
            last = more >= burst ? now : LoopInstant(nanoseconds: last.nanoseconds &+ more &* span)
        }
        guard tokens > 0 else { return false }
        tokens -= 1
        return true
    }
}
