/// When a module is started that runs and ends: five fields as in crontab(5), in UTC.
///
/// `MINUTE HOUR DAY MONTH WEEKDAY`, each `*`, a number, a range `a-b`, a list with commas, and
/// steps as `*/5` or `a-b/2`; months and weekdays also as `jan` and `mon`; 7 is Sunday as well. If
/// both days are restricted, one of them is enough. Or `@hourly`, `@daily`, `@weekly`, `@monthly`,
/// `@yearly`.
public struct CronExpression: Sendable, Equatable, CustomStringConvertible {
    private let minutes: UInt64
    private let hours: UInt64
    private let days: UInt64
    private let months: UInt64
    private let weekdays: UInt64
    private let restrictsDays: Bool
    private let restrictsWeekdays: Bool
    public let description: String

    private static let words = [
        "@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *",
        "@weekly": "0 0 * * 0", "@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *",
        "@annually": "0 0 1 1 *",
    ]
    private static let monthNames = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ]
    private static let weekdayNames = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]

    /// Nil if it is no expression, or no day is one of it (`0 0 31 2 *`).
    public init?(_ text: String) {
        description = text
        let fields = (Self.words[text] ?? text).split { $0 == " " || $0 == "\t" }
        guard fields.count == 5,
            let minutes = Self.field(fields[0], 0...59),
            let hours = Self.field(fields[1], 0...23),
            let days = Self.field(fields[2], 1...31),
            let months = Self.field(fields[3], 1...12, Self.monthNames, first: 1),
            let weekdays = Self.field(fields[4], 0...7, Self.weekdayNames, first: 0)
        else { return nil }
        self.minutes = minutes
        self.hours = hours
        self.days = days
        self.months = months
        self.weekdays = weekdays >> 7 & 1 | weekdays & 0x7f
        restrictsDays = fields[2].first != "*"
        restrictsWeekdays = fields[4].first != "*"
        if next(after: 0) == nil { return nil }
    }

    /// The bits of the numbers that a field has.
    private static func field(
        _ text: Substring, _ range: ClosedRange<Int>, _ names: [String] = [], first: Int = 0
    ) -> UInt64? {
        func number(_ word: Substring) -> Int? {
            if let index = names.firstIndex(of: word.lowercased()) { return index + first }
            guard word.utf8.allSatisfy({ 0x30...0x39 ~= $0 }), word.utf8.count <= 2 else {
                return nil
            }
            return Int(word).flatMap { range.contains($0) ? $0 : nil }
        }
        var bits: UInt64 = 0
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let halves = part.split(separator: "/", omittingEmptySubsequences: false)
            guard let base = halves.first, halves.count <= 2 else { return nil }
            var step = 1
            if halves.count == 2 {
                guard halves[1].utf8.allSatisfy({ 0x30...0x39 ~= $0 }), halves[1].utf8.count <= 2,
                    let wanted = Int(halves[1]), wanted > 0
                else { return nil }
                step = wanted
            }
            var bounds = (range.lowerBound, range.upperBound)
            if base != "*" {
                let ends = base.split(separator: "-", omittingEmptySubsequences: false)
                guard ends.count <= 2, let low = ends.first.flatMap(number) else { return nil }
                if ends.count == 2 {
                    guard let high = number(ends[1]), high >= low else { return nil }
                    bounds = (low, high)
                } else {
                    // A step from one number on goes up to the end.
                    bounds = (low, halves.count == 2 ? range.upperBound : low)
                }
            }
            for value in stride(from: bounds.0, through: bounds.1, by: step) {
                bits |= 1 << UInt64(value)
            }
        }
        return bits
    }

    /// The next time after one.
    ///
    /// - Parameter time: seconds since 1970.
    /// - Returns: the beginning of a minute; nil if there is none within the next 28 years.
    public func next(after time: UInt64) -> UInt64? {
        let start = time / 60 + 1
        var day = start / 1440
        var minute = start % 1440
        for _ in 0..<(28 * 366) {
            if matches(day: day), let found = minuteOfDay(from: minute) {
                return (day * 1440 + found) * 60
            }
            day += 1
            minute = 0
        }
        return nil
    }

    private func minuteOfDay(from start: UInt64) -> UInt64? {
        (start..<1440).first { hours >> ($0 / 60) & 1 == 1 && minutes >> ($0 % 60) & 1 == 1 }
    }

    private func matches(day: UInt64) -> Bool {
        let (month, dayOfMonth) = Self.date(day)
        guard months >> month & 1 == 1 else { return false }
        // 1 January 1970 was a Thursday.
        let isWeekday = weekdays >> ((day + 4) % 7) & 1 == 1
        let isDay = days >> dayOfMonth & 1 == 1
        return restrictsDays && restrictsWeekdays ? isDay || isWeekday : isDay && isWeekday
    }

    /// Month and day of a day since 1970, by eras of 400 years that begin in March.
    private static func date(_ days: UInt64) -> (month: UInt64, day: UInt64) {
        let day = (days + 719_468) % 146_097
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365
        let dayOfYear = day - (365 * year + year / 4 - year / 100)
        let month = (5 * dayOfYear + 2) / 153
        return (month < 10 ? month + 3 : month - 9, dayOfYear - (153 * month + 2) / 5 + 1)
    }
}
