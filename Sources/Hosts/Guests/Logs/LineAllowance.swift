/// How many bytes of lines a guest may write: a burst, and then so many a second.
///
/// Each line costs some bytes beside its own, since the host has work with each. What is longer than
/// the burst is taken when the burst is there, and paid for afterwards.
public struct LineAllowance: Sendable {
    public static let burst = 512 << 10
    public static let bytesPerSecond = 2 << 20
    /// What a line costs beside its bytes.
    public static let lineCost = 64

    /// Below zero after what was longer than the burst.
    private var left = Self.burst
    private var last: UInt64 = 0

    public init() {}

    /// Takes what is written, a line or several, at least one.
    public mutating func take(_ bytes: [UInt8], at now: UInt64) -> Duration? {
        take(bytes.count, lines: max(bytes.count { $0 == 0x0a }, 1), at: now)
    }

    /// Takes bytes from the allowance.
    ///
    /// - Parameters:
    ///   - lines: how many lines the bytes are.
    ///   - now: nanoseconds of a monotonic clock.
    /// - Returns: how long to wait before it is tried again; nil if the bytes were taken.
    public mutating func take(_ count: Int, lines: Int = 1, at now: UInt64) -> Duration? {
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
