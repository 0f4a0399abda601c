/// What the runs of a scope took so far; for metrics. Sums wrap around at 2^64.
public struct RunTotals: Sendable {
    /// Runs that ended.
    public private(set) var runs: UInt64 = 0
    /// Those that were refused before they began; not among `runs`.
    public private(set) var refused: UInt64 = 0
    /// Units of fuel.
    public private(set) var fuel: UInt64 = 0
    /// Nanoseconds in which guests and the host functions that they called computed.
    public private(set) var computingTime: UInt64 = 0
    /// Nanoseconds from the begin of runs to their end.
    public private(set) var duration: UInt64 = 0
    /// Nanoseconds in which runs waited for a place.
    public private(set) var queueTime: UInt64 = 0
    /// Bytes of standard input that guests read.
    public private(set) var bytesIn: UInt64 = 0
    /// Bytes of standard output that guests wrote.
    public private(set) var bytesOut: UInt64 = 0
    /// Bytes of standard error that guests wrote.
    public private(set) var logBytes: UInt64 = 0

    private var outcomes = InlineArray<8, UInt64>(repeating: 0)
    private var limits = InlineArray<12, UInt64>(repeating: 0)

    public init() {}

    /// Runs that ended in this way.
    public func count(of kind: RunOutcome.Kind) -> UInt64 { outcomes[Int(kind.rawValue)] }

    /// How often a limit ended a run, or refused it.
    public func count(of limit: RunLimit) -> UInt64 { limits[Int(limit.rawValue)] }

    /// Runs that did not succeed: all but those that returned or ended with 0.
    public var failures: UInt64 { runs &- count(of: .succeeded) }

    /// Nanoseconds in which guests waited, or others had their turn.
    public var waitingTime: UInt64 { duration > computingTime ? duration - computingTime : 0 }

    mutating func add(_ record: borrowing RunRecord) {
        runs &+= 1
        outcomes[Int(record.outcome.kind.rawValue)] &+= 1
        if case .limit(let limit, _) = record.outcome { limits[Int(limit.rawValue)] &+= 1 }
        fuel &+= record.fuel
        computingTime &+= record.computingTime
        duration &+= record.duration
        queueTime &+= record.queueTime
        bytesIn &+= record.bytesIn
        bytesOut &+= record.bytesOut
        logBytes &+= record.logBytes
    }

    mutating func addRefusal(_ limit: RunLimit?) {
        refused &+= 1
        if let limit { limits[Int(limit.rawValue)] &+= 1 }
    }
}
