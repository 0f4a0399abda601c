/// The order and the times of attempts to connect to a host with several addresses, as a value: the
/// caller connects, and reports what happened.
///
///     var race = ConnectionRace(addresses)
///     while true {
///         switch race.next(at: .now) {
///         case .connect(let index, let address): ... begin it
///         case .wait(let time):
///             ... until then, or until an attempt ends: race.failed(index, at: .now)
///         case .over: ... all have failed
///         }
///     }
///
/// Families take turns, the first being that of the first address. An attempt begins 250 ms after
/// the one before it, or at once when that has failed.
///
/// Specification: RFC 8305, sections 4, 5 and 8.
public struct ConnectionRace: Sendable {
    public enum Step: Hashable, Sendable {
        case connect(index: Int, HostAddress)
        /// Nothing to do before this time; `never` while all attempts are under way.
        case wait(LoopInstant)
        /// All attempts have failed.
        case over
    }

    /// In the order in which they are tried.
    public private(set) var addresses: [HostAddress]
    /// Between 10 ms and 2 s: RFC 8305, section 8.
    public let delay: Duration
    private var begun = 0
    private var running: Set<Int> = []
    private var nextTime: LoopInstant?

    public init(_ addresses: [HostAddress], delay: Duration = .milliseconds(250)) {
        self.addresses = Self.interleaved(addresses)
        self.delay = min(max(delay, .milliseconds(10)), .seconds(2))
    }

    /// The addresses with families taking turns, without repetitions.
    public static func interleaved(_ addresses: [HostAddress]) -> [HostAddress] {
        var known: Set<HostAddress> = []
        let unique = addresses.filter { known.insert($0).inserted }
        guard let first = unique.first else { return [] }
        let own = unique.filter { $0.isIPv6 == first.isIPv6 }
        let other = unique.filter { $0.isIPv6 != first.isIPv6 }
        var result: [HostAddress] = []
        for index in 0..<max(own.count, other.count) {
            if index < own.count { result.append(own[index]) }
            if index < other.count { result.append(other[index]) }
        }
        return result
    }

    /// Adds addresses that were found later, after those that were begun.
    public mutating func add(_ more: [HostAddress]) {
        let tried = Array(addresses[..<begun])
        var rest = addresses[begun...] + more.filter { !addresses.contains($0) }
        // The family that was not tried last comes first.
        if let last = tried.last, let index = rest.firstIndex(where: { $0.isIPv6 != last.isIPv6 }) {
            rest.insert(rest.remove(at: index), at: rest.startIndex)
        }
        addresses = tried + Self.interleaved(Array(rest))
    }

    public mutating func next(at now: LoopInstant) -> Step {
        guard begun < addresses.count else { return running.isEmpty ? .over : .wait(.never) }
        if let nextTime, nextTime > now, !running.isEmpty { return .wait(nextTime) }
        let index = begun
        begun += 1
        running.insert(index)
        nextTime = now + delay
        return .connect(index: index, addresses[index])
    }

    /// Reports that an attempt has failed: the next one begins at once.
    public mutating func failed(_ index: Int, at now: LoopInstant) {
        // Only a failure of the newest attempt makes the next one begin earlier.
        if running.remove(index) != nil, index == begun - 1 { nextTime = now }
    }
}
