import WasmSystem
import WasmdEventLoop

/// An interface as the engine uses it: what it may say there, what it has to say, and what it has
/// heard.
final class Link {
    var interface: NetworkInterface
    /// The state of each claim to a name on this link.
    var claims: [ClaimID: Claim] = [:]
    /// Answers that are to be sent, for each family of addresses.
    var lanes: [Bool: Lane] = [:]
    /// Questions that say that more known answers follow.
    var truncated: [SystemAddress: TruncatedQuery] = [:]
    var cache = RecordCache()
    /// Questions that are asked.
    var asks: [DiscoveryMessage.Question: Ask] = [:]
    /// Not later than the next of them.
    var nextAsk = LoopInstant.never
    /// When questions for what is missing go out together.
    var batch = LoopInstant(nanoseconds: 0)
    /// Questions for what is missing: others wait for a second.
    var questions = RateBucket(perSecond: 64, burst: 128)
    /// The full names of services that are looked for and were named, and the hosts of those.
    var instances: Set<DomainName> = []
    var hosts: Set<DomainName> = []
    /// When services that lead to nothing were removed.
    var lastClearing: LoopInstant?
    /// Answers to single hosts, which an attacker could send to others.
    var unicasts = RateBucket(perSecond: 50, burst: 100)

    init(_ interface: NetworkInterface) {
        self.interface = interface
        setLanes()
    }

    func setLanes() {
        for isIPv6 in [false, true] {
            let has = interface.addresses.contains { ($0.bytes.count == 16) == isIPv6 }
            if !has { lanes[isIPv6] = nil } else if lanes[isIPv6] == nil { lanes[isIPv6] = Lane() }
        }
    }

    /// Whether an address is one of the link: RFC 6762, section 11.
    func reaches(_ address: [UInt8]) -> Bool {
        if address.count == 16, address[0] == 0xfe, address[1] & 0xc0 == 0x80 { return true }
        return interface.addresses.contains { $0.reaches(address) }
    }

    /// Messages to one group.
    struct Lane {
        /// When to send which record at the latest.
        var due: [ServiceRecord.Key: LoopInstant] = [:]
        /// When each was sent last.
        var sent: [ServiceRecord.Key: LoopInstant] = [:]
    }

    /// A question of which a part is still to come.
    struct TruncatedQuery {
        var records: [ServiceRecord.Key: ServiceRecord]
        var isIPv6: Bool
        var due: LoopInstant
        /// When to answer at the latest.
        var end: LoopInstant
    }
}

/// A question that is asked again and again, or a few times.
struct Ask: Sendable {
    var next: LoopInstant
    var interval = Duration.seconds(1)
    /// How often it is still asked; nil for always.
    var remaining: Int?
    /// Whether it is asked because an answer ends soon.
    var isRefresh = false
    /// How often it was asked.
    var count = 0
    var last = LoopInstant(nanoseconds: 0)
}

/// Whose name it is.
enum ClaimID: Hashable, Sendable {
    case host
    case service(Int)
}

/// The claim to a name on one link: RFC 6762, section 8.
struct Claim: Sendable {
    enum Phase: Hashable, Sendable {
        /// Asks whether somebody else has the name.
        case probing(sent: Int)
        /// Says that the name is taken.
        case announcing(sent: Int)
        case settled
    }

    var phase = Phase.probing(sent: 0)
    /// When the next step is due.
    var next: LoopInstant

    var isProbing: Bool { if case .probing = phase { true } else { false } }

    static let probeCount = 3
    static let probeInterval = Duration.milliseconds(250)
    static let announcements = 3
}
