/// A time of day in UTC, with milliseconds: RFC 3339, as `2026-11-28T12:00:00.123Z`.
public struct Timestamp: Sendable, Equatable, CustomStringConvertible {
    /// Since 1970.
    public let nanoseconds: UInt64

    public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    public var description: String {
        let seconds = nanoseconds / 1_000_000_000
        let (year, month, day) = Self.date(days: seconds / 86_400)
        let second = seconds % 86_400
        func digits(_ value: UInt64, _ count: Int) -> String {
            let text = String(value)
            return String(repeating: "0", count: max(count - text.utf8.count, 0)) + text
        }
        return digits(year, 4) + "-" + digits(month, 2) + "-" + digits(day, 2) + "T"
            + digits(second / 3600, 2) + ":" + digits(second / 60 % 60, 2) + ":"
            + digits(second % 60, 2) + "." + digits(nanoseconds / 1_000_000 % 1000, 3) + "Z"
    }

    /// The date of a day since 1970, by eras of 400 years that begin in March.
    private static func date(days: UInt64) -> (year: UInt64, month: UInt64, day: UInt64) {
        let shifted = days + 719_468
        let era = shifted / 146_097
        let day = shifted % 146_097
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365
        let dayOfYear = day - (365 * year + year / 4 - year / 100)
        let month = (5 * dayOfYear + 2) / 153
        return (
            era * 400 + year + (month >= 10 ? 1 : 0), month < 10 ? month + 3 : month - 9,
            dayOfYear - (153 * month + 2) / 5 + 1
        )
    }
}
