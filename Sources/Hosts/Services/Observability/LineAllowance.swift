import WasmSystem
import WasmdOperation

/// How many bytes of lines a guest may write: a burst, and then so many a second.
struct LineAllowance: Sendable {
    static let burst: UInt64 = 512 << 10
    static let bytesPerSecond: UInt64 = 2 << 20

    private var left = Self.burst
    private var last: UInt64 = 0

    /// Takes bytes from the allowance.
    ///
    /// - Parameter now: nanoseconds of a monotonic clock.
    /// - Returns: how long to wait before it is tried again; nil if the bytes were taken.
    mutating func take(_ count: Int, at now: UInt64) -> Duration? {
        let elapsed = now > last ? min(now - last, 1_000_000_000) : 0
        last = max(now, last)
        left = min(left + elapsed / 1000 * Self.bytesPerSecond / 1_000_000, Self.burst)
        // A line that is longer than the burst empties it.
        let wanted = min(UInt64(max(count, 0)), Self.burst)
        if wanted <= left {
            left -= wanted
            return nil
        }
        return .microseconds(Int64((wanted - left) * 1_000_000 / Self.bytesPerSecond + 1000))
    }
}

/// A time of day in UTC with microseconds: `2026-11-28T00:34:09.913531Z`.
struct MicrosecondTime: CustomStringConvertible {
    /// Since 1970.
    let nanoseconds: UInt64

    static var now: MicrosecondTime { MicrosecondTime(nanoseconds: SystemClock.realtime.now) }

    var description: String {
        // Milliseconds are those of `Timestamp`.
        let rest = String(nanoseconds / 1000 % 1000)
        let digits = String(repeating: "0", count: max(3 - rest.utf8.count, 0)) + rest
        return Timestamp(nanoseconds: nanoseconds).description.dropLast() + digits + "Z"
    }
}
