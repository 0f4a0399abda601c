import WasmdGuests

/// What a service does now.
public enum ServiceState: Sendable {
    /// It waits for others, or for its turn.
    case waiting
    case running
    /// Its listener accepts; a service without one is ready when it runs.
    case ready
    /// It has failed, and is started again after a pause.
    case pausing
    /// It has ended, and is not started again.
    case ended
    /// It has failed, and is not started again.
    case failed

    public var name: String {
        switch self {
        case .waiting: "waiting"
        case .running: "running"
        case .ready: "ready"
        case .pausing: "pausing"
        case .ended: "ended"
        case .failed: "failed"
        }
    }
}

/// A service, as others see it.
public struct ServiceStatus: Sendable {
    public var name: String
    public var state = ServiceState.waiting
    /// Starts so far.
    public var starts: UInt64 = 0
    public var failures: UInt64 = 0
    /// Nanoseconds since 1970 when it was started last; nil before.
    public var startTime: UInt64?
    /// Seconds since 1970 when its schedule starts it next; nil without one.
    public var nextStart: UInt64?
    /// How it ended last.
    public var outcome: String?
    /// Requests that it sent, and those that were refused.
    public var requests: UInt64 = 0
    public var refusedRequests: UInt64 = 0

    init(name: String) { self.name = name }

    /// Adds the requests of a run.
    mutating func add(_ run: GuestHTTP?) {
        guard let counts = run?.counts else { return }
        requests &+= counts.sent
        refusedRequests &+= counts.refused
    }
}

/// What happens to a service, for messages.
public enum ServiceEvent: Sendable {
    case started
    case ready
    /// It has ended by itself.
    case ended
    /// With what happened, and when it is started again.
    case failed(reason: String, restart: Duration?)
    /// It goes on; a request of it has no response.
    case requestFailed(String)
}
