import Synchronization
import WasmInterpreter

/// The source of a guest's time.
public enum ClockSource: Sendable {
    /// The host's clocks.
    case system
    case custom(any GuestClock)
}

/// A clock of the embedder.
public protocol GuestClock: AnyObject, Sendable {
    /// Nanoseconds on `clock` since its zero.
    func time(_ clock: ClockID) -> UInt64
    /// Nanoseconds between two times that `clock` can tell apart; at least 1.
    func resolution(_ clock: ClockID) -> UInt64
    /// Called when the guest waits only for this time to pass.
    func sleep(nanoseconds: UInt64)
}

/// A clock that advances only when the guest reads it or sleeps: every run sees the same times, and
/// sleeping takes no real time.
public final class VirtualClock: GuestClock {
    private let elapsed = Mutex<UInt64>(0)
    private let start: UInt64
    private let step: UInt64

    /// - Parameters:
    ///   - start: the first time of the real-time clock, in nanoseconds since 1970.
    ///   - step: nanoseconds that pass with each reading of a clock.
    public init(start: UInt64 = 0, step: UInt64 = 1000) {
        self.start = start
        self.step = step
    }

    public func time(_ clock: ClockID) -> UInt64 {
        let now = elapsed.withLock { elapsed in
            let now = elapsed
            elapsed &+= step
            return now
        }
        return clock == .realtime ? start &+ now : now
    }

    public func resolution(_ clock: ClockID) -> UInt64 { 1 }

    public func sleep(nanoseconds: UInt64) {
        elapsed.withLock { $0 = $0.saturatingAdding(nanoseconds) }
    }
}

extension ClockSource {
    @inline(__always)
    func time(_ clock: ClockID) throws(Errno) -> UInt64 {
        switch self {
        case .system: try System.time(clock)
        case .custom(let source): source.time(clock)
        }
    }
}

extension WASIGuest {
    func clock_res_get(_ memory: GuestMemory, _ id: UInt32, _ result: UInt32) throws(Errno) {
        guard let clock = ClockID(rawValue: id) else { throw .inval }
        let result = try memory.result64(result)
        switch self.clock {
        case .system: result.store(try System.resolution(clock))
        case .custom(let source): result.store(max(source.resolution(clock), 1))
        }
    }

    func clock_time_get(_ memory: GuestMemory, _ id: UInt32, _ result: UInt32) throws(Errno) {
        guard let clock = ClockID(rawValue: id) else { throw .inval }
        let result = try memory.result64(result)
        result.store(try self.clock.time(clock))
    }
}

extension UInt64 {
    /// The sum, or the largest value if it does not fit.
    func saturatingAdding(_ other: UInt64) -> UInt64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }

    /// The difference, or 0 if it would be negative.
    func saturatingSubtracting(_ other: UInt64) -> UInt64 { self > other ? self &- other : 0 }
}
