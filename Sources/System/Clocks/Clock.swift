import Glibc

/// A clock of the system: clock_gettime(2).
public enum SystemClock: Hashable, Sendable {
    /// The time of day: nanoseconds since 1970. It can be set.
    case realtime
    /// Never goes back; stops while the machine is suspended.
    case monotonic
    /// Processor time of the process.
    case processCPUTime
    /// Processor time of the running thread.
    case threadCPUTime

    @inlinable
    @inline(__always)
    public var identifier: clockid_t {
        switch self {
        case .realtime: CLOCK_REALTIME
        case .monotonic: CLOCK_MONOTONIC
        case .processCPUTime: CLOCK_PROCESS_CPUTIME_ID
        case .threadCPUTime: CLOCK_THREAD_CPUTIME_ID
        }
    }

    /// Nanoseconds on the clock. The first two cost some 20 ns.
    ///
    /// - Throws: `EINVAL` for a clock that the system does not have.
    @inlinable
    @inline(__always)
    public func time() throws(SystemError) -> UInt64 {
        var time = timespec()
        guard unsafe clock_gettime(identifier, &time) == 0 else { throw .ofLastCall }
        return time.nanoseconds
    }

    /// Nanoseconds between two times that the clock can tell apart; at least 1: clock_getres(2).
    public func resolution() throws(SystemError) -> UInt64 {
        var time = timespec()
        guard unsafe clock_getres(identifier, &time) == 0 else { throw .ofLastCall }
        return max(time.nanoseconds, 1)
    }

    /// Nanoseconds of a clock that every Linux has; 0 if the call fails.
    @inlinable
    @inline(__always)
    public var now: UInt64 {
        var time = timespec()
        unsafe clock_gettime(identifier, &time)
        return time.nanoseconds
    }

    /// Lets the thread sleep until the monotonic clock shows `end`, also if signals arrive:
    /// clock_nanosleep(2).
    public static func sleep(until end: UInt64) {
        var end = timespec(nanoseconds: end)
        while unsafe clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, nil) == EINTR {}
    }
}

extension timespec {
    @inlinable
    init(nanoseconds: UInt64) {
        self.init(
            tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
    }

    /// Nanoseconds since the clock's zero; times before it are 0.
    @inlinable
    @inline(__always)
    public var nanoseconds: UInt64 {
        UInt64(clamping: tv_sec) &* 1_000_000_000 &+ UInt64(clamping: tv_nsec)
    }
}

extension Duration {
    /// Nanoseconds, rounded down, from 0 to `limit`, which is at most `Int64.max`.
    ///
    /// `components` traps for durations of more seconds than an `Int64` has, which the difference of
    /// two instants may be.
    package func nanoseconds(atMost limit: UInt64) -> UInt64 {
        guard self > .zero else { return 0 }
        guard self < .nanoseconds(Int64(clamping: limit)) else { return limit }
        let (seconds, attoseconds) = components
        return UInt64(truncatingIfNeeded: seconds) &* 1_000_000_000
            &+ UInt64(truncatingIfNeeded: attoseconds / 1_000_000_000)
    }

    /// Nanoseconds, from 0 to those of an hour: for intervals of which an hour is as good as more.
    package var boundedNanoseconds: UInt64 { nanoseconds(atMost: 3_600_000_000_000) }
}
