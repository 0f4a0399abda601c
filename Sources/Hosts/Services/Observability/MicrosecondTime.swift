import WasmSystem
import WasmdOperation

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
