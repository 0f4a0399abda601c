import WasmdEventLoop

/// Decides which failures are told: a guest that repeats a request for ever must not fill a log.
struct FailureMessages: Sendable {
    private var last: (text: String, time: LoopInstant)?

    private static let pause = Duration.seconds(1)
    private static let samePause = Duration.seconds(60)

    /// Whether a message is told now: at most one a second, and the same one at most once a minute.
    mutating func take(_ text: String, at time: LoopInstant) -> Bool {
        if let last, time.since(last.time) < (last.text == text ? Self.samePause : Self.pause) {
            return false
        }
        last = (text, time)
        return true
    }
}
