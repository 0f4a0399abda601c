/// Times as JavaScript writes them: `2026-01-02T03:04:05.678Z`.
public enum ISOTime {
    /// - Parameter milliseconds: since 1970.
    public static func text(_ milliseconds: Int64) -> String {
        let clamped = min(max(milliseconds, 0), 253_402_300_799_999)
        let (days, rest) = clamped.quotientAndRemainder(dividingBy: 86_400_000)
        let (year, month, day) = date(days)
        let second = rest / 1000
        return "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))"
            + "T\(padded(second / 3600, 2)):\(padded(second / 60 % 60, 2)):\(padded(second % 60, 2))"
            + ".\(padded(rest % 1000, 3))Z"
    }

    private static func padded(_ number: Int64, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }

    /// The day of the Gregorian calendar: years begin in March, so that a leap day is the last.
    private static func date(_ days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let month = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * month + 2) / 5 + 1
        let calendarMonth = month < 10 ? month + 3 : month - 9
        return (yearOfEra + era * 400 + (calendarMonth <= 2 ? 1 : 0), calendarMonth, day)
    }

    /// Reads `YYYY-MM-DD`, also with `THH:MM`, seconds, a fraction, and `Z` or an offset as `+02:00`;
    /// nil for anything else. Without an offset it is UTC.
    ///
    /// - Returns: milliseconds since 1970.
    public static func milliseconds(_ text: String) -> Int64? {
        var reader = Reader(bytes: Array(text.utf8))
        guard let year = reader.number(4), reader.take("-"), let month = reader.number(2),
            (1...12).contains(month), reader.take("-"), let day = reader.number(2),
            (1...31).contains(day)
        else { return nil }
        let date = days(year, month, day) * 86_400_000
        if reader.isAtEnd { return date }
        guard reader.take("T") || reader.take(" "), let hour = reader.number(2), hour < 24,
            reader.take(":"), let minute = reader.number(2), minute < 60
        else { return nil }
        var time = (hour * 60 + minute) * 60_000
        if reader.take(":") {
            guard let second = reader.number(2), second < 61 else { return nil }
            time += second * 1000
            if reader.take(".") {
                guard let fraction = reader.fraction() else { return nil }
                time += fraction
            }
        }
        if reader.isAtEnd || reader.take("Z") && reader.isAtEnd { return date + time }
        let isEast = reader.take("+")
        guard isEast || reader.take("-"), let hours = reader.number(2), hours < 24 else {
            return nil
        }
        _ = reader.take(":")
        guard let minutes = reader.number(2), minutes < 60, reader.isAtEnd else { return nil }
        let offset = (hours * 60 + minutes) * 60_000
        return date + time - (isEast ? offset : -offset)
    }

    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    private struct Reader {
        let bytes: [UInt8]
        var at = 0

        var isAtEnd: Bool { at == bytes.count }

        mutating func take(_ character: Unicode.Scalar) -> Bool {
            guard at < bytes.count, Unicode.Scalar(bytes[at]) == character else { return false }
            at += 1
            return true
        }

        mutating func digit() -> Int64? {
            guard at < bytes.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[at])
            else { return nil }
            at += 1
            return Int64(bytes[at - 1] - UInt8(ascii: "0"))
        }

        mutating func number(_ width: Int) -> Int64? {
            var number: Int64 = 0
            for _ in 0..<width {
                guard let digit = digit() else { return nil }
                number = number * 10 + digit
            }
            return number
        }

        /// Milliseconds of a fraction of a second; digits after the third are passed over.
        mutating func fraction() -> Int64? {
            guard var value = digit().map({ $0 * 100 }) else { return nil }
            var weight: Int64 = 10
            while let digit = digit() {
                value += digit * weight
                weight /= 10
            }
            return value
        }
    }
}
