import WasmSystem

/// A time on the monotonic clock, which loops measure deadlines by.
public struct LoopInstant: Comparable, Hashable, Sendable {
    /// Nanoseconds since the clock's zero.
    public var nanoseconds: UInt64

    @inlinable public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    /// The time now; some 20 ns.
    public static var now: LoopInstant { LoopInstant(nanoseconds: SystemClock.monotonic.now) }

    /// A time that is never reached.
    public static let never = LoopInstant(nanoseconds: .max)

    /// A time from now; negative durations are now, very long ones `never`.
    public static func after(_ duration: Duration) -> LoopInstant { now + duration }

    /// Saturates at the clock's zero and at `never`.
    public static func + (time: LoopInstant, duration: Duration) -> LoopInstant {
        // A longer time than two centuries is `never`.
        let limit: UInt64 = 8_589_934_592_000_000_000
        let span = duration.nanoseconds(atMost: limit)
        if span == limit { return .never }
        let (sum, overflow) = time.nanoseconds.addingReportingOverflow(span)
        return LoopInstant(nanoseconds: overflow ? .max : sum)
    }

    /// Saturates at `never`.
    @inlinable
    public func advanced(byNanoseconds count: UInt64) -> LoopInstant {
        let (sum, overflow) = nanoseconds.addingReportingOverflow(count)
        return LoopInstant(nanoseconds: overflow ? .max : sum)
    }

    /// The time from `other` to this one; 0 if that is later.
    public func since(_ other: LoopInstant) -> Duration {
        guard self > other else { return .zero }
        return .nanoseconds(Int64(clamping: nanoseconds - other.nanoseconds))
    }

    public static func < (one: LoopInstant, other: LoopInstant) -> Bool {
        one.nanoseconds < other.nanoseconds
    }
}
