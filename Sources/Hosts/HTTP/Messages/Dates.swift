/// A time in HTTP's form: seconds since 1970-01-01T00:00:00Z, from year 1 to year 9999.
public struct HTTPDate: Comparable, Hashable, Sendable {
    public let seconds: Int64

    /// - Parameter seconds: since the epoch; times outside of the years 1 to 9999 become the
    ///   nearest in them.
    public init(seconds: Int64) {
        self.seconds = min(max(seconds, -62_135_596_800), 253_402_300_799)
    }

    public static func < (left: HTTPDate, right: HTTPDate) -> Bool { left.seconds < right.seconds }

    /// Reads a date in one of the three forms of RFC 9110 5.6.7; nil for anything else. The name of
    /// the day is checked for its form, not against the date.
    ///
    /// - Parameter now: decides the century of a year of two digits: at most 50 years ahead.
    public init?(_ bytes: ArraySlice<UInt8>, now: HTTPDate) {
        var reader = DateReader(rest: bytes)
        guard let seconds = reader.date(now: now) else { return nil }
        self.init(seconds: seconds)
    }

    /// Appends the date as IMF-fixdate: `Sun, 06 Nov 1994 08:49:37 GMT`, 29 bytes.
    public func append(to bytes: inout [UInt8]) {
        let days = (seconds >= 0 ? seconds : seconds - 86_399) / 86_400
        let second = Int(seconds - days * 86_400)
        let date = CivilDate(days: days)
        bytes.append(text: Self.dayName(Int((days % 7 + 11) % 7)))
        bytes.append(text: ", ")
        bytes.append(twoDigits: date.day)
        bytes.append(ASCII.space)
        bytes.append(text: Self.monthName(date.month))
        bytes.append(ASCII.space)
        bytes.append(twoDigits: date.year / 100)
        bytes.append(twoDigits: date.year)
        bytes.append(ASCII.space)
        bytes.append(twoDigits: second / 3600)
        bytes.append(ASCII.colon)
        bytes.append(twoDigits: second / 60 % 60)
        bytes.append(ASCII.colon)
        bytes.append(twoDigits: second % 60)
        bytes.append(text: " GMT")
    }

    /// The date as IMF-fixdate.
    public var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(29)
        append(to: &bytes)
        return bytes
    }

    /// The day of the week, from Sunday as 0.
    private static func dayName(_ day: Int) -> StaticString {
        switch day {
        case 0: "Sun"
        case 1: "Mon"
        case 2: "Tue"
        case 3: "Wed"
        case 4: "Thu"
        case 5: "Fri"
        default: "Sat"
        }
    }

    fileprivate static func monthName(_ month: Int) -> StaticString {
        switch month {
        case 1: "Jan"
        case 2: "Feb"
        case 3: "Mar"
        case 4: "Apr"
        case 5: "May"
        case 6: "Jun"
        case 7: "Jul"
        case 8: "Aug"
        case 9: "Sep"
        case 10: "Oct"
        case 11: "Nov"
        default: "Dec"
        }
    }
}

/// A day of the proleptic Gregorian calendar, by the algorithms of eras of 400 years.
struct CivilDate {
    let year: Int
    let month: Int
    let day: Int

    /// - Parameter days: since 1970-01-01.
    init(days: Int64) {
        let shifted = Int(days) + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    /// The days since 1970-01-01 of a date with a month of 1 to 12 and a day of 1 to 31.
    static func days(year: Int, month: Int, day: Int) -> Int64 {
        let year = month <= 2 ? year - 1 : year
        let era = (year >= 0 ? year : year - 399) / 400
        let yearOfEra = year - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return Int64(era * 146_097 + dayOfEra - 719_468)
    }
}

/// Reads the three forms of dates.
private struct DateReader {
    var rest: ArraySlice<UInt8>

    mutating func date(now: HTTPDate) -> Int64? {
        guard let name = letters(), name.count >= 3 else { return nil }
        if accept(ASCII.comma) {
            guard accept(ASCII.space) else { return nil }
            // `06 Nov 1994` of IMF-fixdate, or `06-Nov-94` of RFC 850.
            guard let day = digits(2) else { return nil }
            let isOld = rest.first == ASCII.minus
            let separator = isOld ? ASCII.minus : ASCII.space
            guard Self.isDay(name, isLong: isOld) else { return nil }
            guard accept(separator), let month = month(), accept(separator) else { return nil }
            guard var year = digits(isOld ? 2 : 4), accept(ASCII.space) else { return nil }
            if isOld { year = Self.fullYear(year, now: now) }
            guard let time = time(), rest.equals(" GMT") else { return nil }
            return Self.seconds(year, month, day, time)
        }
        // `Sun Nov  6 08:49:37 1994` of asctime.
        guard Self.isDay(name, isLong: false), accept(ASCII.space), let month = month(),
            accept(ASCII.space), let day = accept(ASCII.space) ? digits(1) : digits(2),
            accept(ASCII.space), let time = time(), accept(ASCII.space), let year = digits(4),
            rest.isEmpty
        else { return nil }
        return Self.seconds(year, month, day, time)
    }

    private static func isDay(_ name: ArraySlice<UInt8>, isLong: Bool) -> Bool {
        let short: [StaticString] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        let long: [StaticString] = [
            "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday",
        ]
        return (isLong ? long : short).contains { name.equals($0) }
    }

    /// The year of the last two digits that is at most 50 years ahead.
    private static func fullYear(_ year: Int, now: HTTPDate) -> Int {
        let current = CivilDate(days: now.seconds / 86_400).year
        let candidate = current / 100 * 100 + year
        return candidate > current + 50 ? candidate - 100 : candidate
    }

    private static func seconds(_ year: Int, _ month: Int, _ day: Int, _ time: Int) -> Int64? {
        guard year >= 1, day >= 1 else { return nil }
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        let length =
            switch month {
            case 2: isLeap ? 29 : 28
            case 4, 6, 9, 11: 30
            default: 31
            }
        guard day <= length else { return nil }
        return CivilDate.days(year: year, month: month, day: day) * 86_400 + Int64(time)
    }

    /// Seconds since midnight; a second of 60 is the one before it.
    private mutating func time() -> Int? {
        guard let hour = digits(2), accept(ASCII.colon), let minute = digits(2),
            accept(ASCII.colon), let second = digits(2), hour < 24, minute < 60, second <= 60
        else { return nil }
        return hour * 3600 + minute * 60 + min(second, 59)
    }

    private mutating func month() -> Int? {
        guard let name = letters() else { return nil }
        return (1...12).first { name.equals(HTTPDate.monthName($0)) }
    }

    private mutating func letters() -> ArraySlice<UInt8>? {
        let end = rest.firstIndex { $0.lowercase &- 0x61 >= 26 } ?? rest.endIndex
        let word = rest[rest.startIndex..<end]
        rest = rest[end...]
        return word.isEmpty ? nil : word
    }

    private mutating func digits(_ count: Int) -> Int? {
        var value = 0
        for _ in 0..<count {
            guard let digit = rest.first?.digit else { return nil }
            value = value * 10 + Int(digit)
            rest.removeFirst()
        }
        return value
    }

    private mutating func accept(_ byte: UInt8) -> Bool {
        guard rest.first == byte else { return false }
        rest.removeFirst()
        return true
    }
}
