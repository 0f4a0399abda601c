import WasmSystem
import WasmdOperation

/// How many bytes of lines a guest may write: a burst, and then so many a second.
///
/// Each line costs some bytes beside its own, since the host has work with each. What is longer than
/// the burst is taken when the burst is there, and paid for afterwards.
struct LineAllowance: Sendable {
    static let burst = 512 << 10
    static let bytesPerSecond = 2 << 20
    /// What a line costs beside its bytes.
    static let lineCost = 64

    /// Below zero after what was longer than the burst.
    private var left = Self.burst
    private var last: UInt64 = 0

    /// Takes what is written, a line or several, at least one.
    mutating func take(_ bytes: [UInt8], at now: UInt64) -> Duration? {
        take(bytes.count, lines: max(bytes.count { $0 == 0x0a }, 1), at: now)
    }

    /// Takes bytes from the allowance.
    ///
    /// - Parameters:
    ///   - lines: how many lines the bytes are.
    ///   - now: nanoseconds of a monotonic clock.
    /// - Returns: how long to wait before it is tried again; nil if the bytes were taken.
    mutating func take(_ count: Int, lines: Int = 1, at now: UInt64) -> Duration? {
        let elapsed = now > last ? min(now - last, 1_000_000_000_000) : 0
        last = max(now, last)
        let regained = Int(clamping: elapsed / 1000) * Self.bytesPerSecond / 1_000_000
        left = min(left + regained, Self.burst)
        let bytes = min(max(count, 0), 1 << 40)
        let cost = bytes + min(max(lines, 0), 1 << 40) * Self.lineCost
        let wanted = min(cost, Self.burst)
        if wanted <= left {
            left -= cost
            return nil
        }
        let microseconds =
            (wanted - left) / Self.bytesPerSecond * 1_000_000
            + (wanted - left) % Self.bytesPerSecond * 1_000_000 / Self.bytesPerSecond
        return .microseconds(Int64(clamping: microseconds + 1000))
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
