import Synchronization

/// How many runs of a scope there may be at one time.
public struct RunPlaces: Hashable, Sendable {
    /// Runs that have a place.
    public var running: Int
    /// Runs that wait for one; more are refused.
    public var waiting: Int

    public init(running: Int = .max, waiting: Int = .max) {
        self.running = max(running, 0)
        self.waiting = max(waiting, 0)
    }
}

/// A set of runs with common limits and totals: those of a module, of an account (a token or a
/// tenant), or all.
///
/// A scope belongs to one `RunQueue`. Make it once, and keep it as long as the module or account
/// exists: totals are lost with it. All methods may be called on any thread.
public final class RunScope: Sendable {
    public enum Kind: Sendable {
        case total
        case module
        case account
    }

    public let kind: Kind
    /// For people: a module's name or digest, an account's name.
    public let name: String
    private let settings: Mutex<Settings>
    private let sums = Mutex(RunTotals())

    private struct Settings {
        var places: RunPlaces
        var limits: RunLimits?
    }

    // Changed under the queue's lock; atomic, so that others may read them.
    let running = Atomic(0)
    let waiting = Atomic(0)
    private let most: Atomic<Int>
    private let mostWaiting: Atomic<Int>
    private let hasLimits: Atomic<Bool>

    public init(
        _ kind: Kind, _ name: String, places: RunPlaces = RunPlaces(), limits: RunLimits? = nil
    ) {
        self.kind = kind
        self.name = name
        settings = Mutex(Settings(places: places, limits: limits))
        most = Atomic(places.running)
        mostWaiting = Atomic(places.waiting)
        hasLimits = Atomic(limits != nil)
    }

    /// The limits of each run of the scope; nil for none besides those of the run.
    public var limits: RunLimits? {
        get { settings.withLock { $0.limits } }
        set {
            settings.withLock { settings in
                settings.limits = newValue
                hasLimits.store(newValue != nil, ordering: .relaxed)
            }
        }
    }

    /// Lowers the limits of a run to those of the scope.
    func lower(_ limits: inout RunLimits) {
        guard hasLimits.load(ordering: .relaxed), let own = self.limits else { return }
        limits = limits.lowered(to: own)
    }

    /// How many runs there may be. After raising it, call `RunQueue.update()`.
    public var places: RunPlaces {
        get { settings.withLock { $0.places } }
        set {
            settings.withLock { $0.places = newValue }
            most.store(newValue.running, ordering: .relaxed)
            mostWaiting.store(newValue.waiting, ordering: .relaxed)
        }
    }

    /// Runs that have a place now.
    public var runningCount: Int { running.load(ordering: .relaxed) }
    /// Runs that wait for a place now.
    public var waitingCount: Int { waiting.load(ordering: .relaxed) }
    /// What all runs so far took.
    public var totals: RunTotals { sums.withLock { $0 } }

    func add(_ record: borrowing RunRecord) { sums.withLock { $0.add(record) } }
    func addRefusal(_ limit: RunLimit?) { sums.withLock { $0.addRefusal(limit) } }

    /// Whether one more run would be refused now: to refuse a request before its body is read.
    public var isFull: Bool { !hasPlace && !mayWait }

    var hasPlace: Bool {
        running.load(ordering: .relaxed) < most.load(ordering: .relaxed)
    }
    var mayWait: Bool {
        waiting.load(ordering: .relaxed) < mostWaiting.load(ordering: .relaxed)
    }
    var runningLimit: Int { most.load(ordering: .relaxed) }
    var waitingLimit: Int { mostWaiting.load(ordering: .relaxed) }
}
