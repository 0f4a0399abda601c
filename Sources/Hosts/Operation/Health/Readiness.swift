import Synchronization

/// Whether a server wants requests, and why not.
public final class Readiness: Sendable {
    /// Why a server wants no requests.
    public enum Reason: String, Sendable, CaseIterable {
        case starting = "the server is starting"
        case draining = "the server is draining: POST /admin/drain was called"
        case stopping = "the server is stopping"
    }

    private let reasons = Mutex<Set<Reason>>([])
    private let checks = Mutex<[@Sendable () -> String?]>([])

    public init() {}

    /// Adds something that must be in order.
    ///
    /// - Parameter check: returns what is wrong, nil if nothing is; must not wait.
    public func add(_ check: @escaping @Sendable () -> String?) {
        checks.withLock { $0.append(check) }
    }

    public func set(_ reason: Reason, _ holds: Bool) {
        reasons.withLock { reasons in
            if holds { reasons.insert(reason) } else { reasons.remove(reason) }
        }
    }

    public func has(_ reason: Reason) -> Bool { reasons.withLock { $0.contains(reason) } }

    /// Why the server wants no requests; empty if it does.
    public var obstacles: [String] {
        let reasons = reasons.withLock { $0 }
        return Reason.allCases.filter(reasons.contains).map(\.rawValue)
            + checks.withLock { $0 }.compactMap { $0() }
    }
}
