import WasmdEventLoop

/// Decides which failures are told: a guest that repeats requests for ever must not fill a log.
struct FailureMessages: Sendable {
    /// The last ones that were told, the oldest first.
    private var told: [(text: String, time: LoopInstant)] = []

    /// How many are told in `period`.
    private static let limit = 8
    private static let period = Duration.seconds(8)
    private static let samePause = Duration.seconds(60)

    /// Whether a message is told now: at most eight in eight seconds, and one that is among the last
    /// eight at most once a minute.
    mutating func take(_ text: String, at time: LoopInstant) -> Bool {
        if let same = told.last(where: { $0.text == text }), time.since(same.time) < Self.samePause
        {
            return false
        }
        if told.count == Self.limit {
            guard time.since(told[0].time) >= Self.period else { return false }
            told.removeFirst()
        }
        told.append((text, time))
        return true
    }
}
