import WasmdEventLoop

/// When a guest is told that it may write, so that one that asks for ever costs nothing.
///
/// Some guests (those of tokio, for example) ask in each `poll_oneoff` whether an idle socket is
/// writable, and would be told at once, for ever. They are told once; then again after the guest has
/// used the connection, or after a delay that doubles each time.
struct WriteDamping {
    private let first: Duration
    private let last: Duration
    private var delay: Duration
    /// When the guest is told again; nil if at once.
    private(set) var next: LoopInstant?

    init(_ delays: ClosedRange<Duration>) {
        first = max(delays.lowerBound, .milliseconds(1))
        last = max(delays.upperBound, first)
        delay = first
    }

    /// The connection was used: the guest is told at once.
    mutating func reset() {
        next = nil
        delay = first
    }

    /// Whether the guest is told now; the next time is then later.
    mutating func report(at now: LoopInstant) -> Bool {
        if let next, next > now { return false }
        next = now + delay
        delay = min(delay * 2, last)
        return true
    }
}
