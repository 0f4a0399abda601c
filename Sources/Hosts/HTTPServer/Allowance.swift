import WasmdEventLoop

/// How long a connection may still wait for its client. Bytes that are transferred give time back,
/// up to the initial time; only time that is spent waiting counts, so a slow handler does not
/// shorten its client's time.
struct Allowance {
    private let limit: UInt64
    private let nanosecondsOfByte: UInt64
    private var left: UInt64

    /// - Parameter limit: nanoseconds.
    init(_ limit: UInt64, minimumRate: Int) {
        self.limit = limit
        nanosecondsOfByte = 1_000_000_000 / UInt64(max(minimumRate, 1))
        left = self.limit
    }

    /// When a wait that begins at `time` must be over.
    func deadline(_ time: LoopInstant) -> LoopInstant {
        time.advanced(byNanoseconds: left)
    }

    /// Counts a wait, and the bytes that it transferred.
    mutating func spend(from start: LoopInstant, to end: LoopInstant, byteCount: Int) {
        let waited = end > start ? end.nanoseconds - start.nanoseconds : 0
        left -= min(left, waited)
        let (earned, overflow) = nanosecondsOfByte.multipliedReportingOverflow(
            by: UInt64(clamping: byteCount))
        let (sum, tooMuch) = left.addingReportingOverflow(overflow ? limit : earned)
        left = tooMuch ? limit : min(sum, limit)
    }
}
