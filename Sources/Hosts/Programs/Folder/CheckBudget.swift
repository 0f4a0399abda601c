/// Decides whether a folder may be examined again. Requests that come now and then examine it each
/// time; under load a fiftieth of one processor is spent, after the first fifth of a second of it.
struct CheckBudget: Sendable {
    /// Nanoseconds that may be spent.
    private var credit = Self.maximum
    private var lastTime: UInt64 = 0
    /// Nanoseconds of processor time of the last examination.
    private var cost: UInt64 = 0
    private var isRunning = false

    private static let maximum: UInt64 = 200_000_000
    private static let share: UInt64 = 50
    /// Nanoseconds that it costs to have a thread of the pool do it.
    private static let overhead: UInt64 = 50_000

    /// Whether to begin an examination.
    ///
    /// - Parameter now: nanoseconds of a clock that never goes back.
    mutating func begin(_ now: UInt64) -> Bool {
        if isRunning { return false }
        let earned = (now > lastTime ? now - lastTime : 0) / Self.share
        lastTime = now
        // An examination that costs more than the maximum must be possible at some time.
        credit = min(credit + min(earned, Self.maximum), max(Self.maximum, cost))
        guard credit >= cost else { return false }
        isRunning = true
        return true
    }

    /// Ends the examination that was begun.
    ///
    /// - Parameter cost: nanoseconds of processor time on the thread of the pool.
    mutating func end(cost: UInt64) {
        self.cost = min(cost, Self.maximum * Self.share) + Self.overhead
        credit -= min(credit, self.cost)
        isRunning = false
    }
}
