/// When a module that has ended is started again.
public struct RestartPolicy: Sendable, Equatable {
    public enum Mode: String, Sendable, CaseIterable {
        /// Whenever it has ended.
        case always
        /// When it has failed.
        case onFailure = "on-failure"
        case never
    }

    public var mode = Mode.onFailure
    /// How often in succession; nil for no limit.
    public var limit: Int? = 100
    /// The pause before the first restart; each is twice the one before.
    public var firstPause = Duration.milliseconds(500)
    /// The longest pause.
    public var longestPause = Duration.seconds(30)
    /// After so long a run the next pause is the first one again.
    public var resetTime = Duration.seconds(300)

    public init() {}
}

/// The restarts of one module.
struct RestartCounter: Sendable {
    private let policy: RestartPolicy
    /// Restarts in succession.
    private(set) var count = 0
    private var pause: Duration

    init(_ policy: RestartPolicy) {
        self.policy = policy
        pause = policy.firstPause
    }

    /// How long to wait until the next start; nil if there is none.
    mutating func next(hasFailed: Bool, after time: Duration) -> Duration? {
        switch policy.mode {
        case .always: break
        case .onFailure: guard hasFailed else { return nil }
        case .never: return nil
        }
        if time >= policy.resetTime {
            count = 0
            pause = policy.firstPause
        }
        if let limit = policy.limit, count >= limit { return nil }
        count += 1
        let current = min(pause, policy.longestPause)
        pause = min(pause * 2, policy.longestPause)
        return current
    }

    /// Begins anew, because somebody asked for a start.
    mutating func reset() { self = RestartCounter(policy) }
}
