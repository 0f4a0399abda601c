import WasmdEventLoop

/// When a guest is told that it may write, so that one that asks for ever costs nothing.
///
/// Some guests (those of tokio, for example) ask in each `poll_oneoff` whether idle sockets are
/// writable, and would be told at once, for ever. They are told once; then again after the guest has
/// used one of the connections, or after a delay that becomes eight times as long each time: a guest
/// that was told and has not written has nothing to write.
///
/// Sockets of one guest share it: then the guest is told about all of them at the same time, and
/// wakes once.
final class WriteDamping {
    private let first: Duration
    private let last: Duration
    private var delay: Duration
    /// With twice the delay, 8,000 guests that had just begun took 6 % of a core.
    private static let growth = 8
    /// When the next round begins; nil for one that begins with the next question.
    private(set) var next: LoopInstant?
    /// In each round, each socket is reported once.
    private var round: UInt64 = 1

    init(_ delays: ClosedRange<Duration>) {
        first = max(delays.lowerBound, .milliseconds(1))
        last = max(delays.upperBound, first)
        delay = first
    }

    /// A connection was used: the guest is told at once.
    func reset() {
        next = nil
        delay = first
    }

    /// Whether the guest is told now about a socket.
    ///
    /// - Parameter told: the last round in which it was told, 0 for none.
    func report(at now: LoopInstant, told: inout UInt64) -> Bool {
        if let next, next > now {
            guard told != round else { return false }
        } else {
            round &+= 1
            next = now + delay
            delay = min(delay * Self.growth, last)
        }
        told = round
        return true
    }
}
