import WasmSystem
import WasmdDocuments

/// When a deployment runs by itself: `{"every": SECONDS}` or `{"cron": "MINUTE HOUR DAY MONTH
/// WEEKDAY"}`, in UTC.
enum Schedule: Sendable {
    case every(seconds: Int64)
    case cron(Cron)

    static let longest: Int64 = 366 * 86_400

    init(_ document: Document) throws(WorkflowFault) {
        if let seconds = document["every"]?.integerValue {
            guard (1...Self.longest).contains(seconds) else {
                throw WorkflowFault(
                    "'workflow.schedule.every' must be 1 to \(Self.longest) seconds")
            }
            self = .every(seconds: seconds)
        } else if let text = document["cron"]?.stringValue {
            guard let cron = Cron(text) else {
                throw WorkflowFault(
                    "'workflow.schedule.cron' must be five fields: minute hour day month weekday")
            }
            self = .cron(cron)
        } else {
            throw WorkflowFault("'workflow.schedule' needs 'every', in seconds, or 'cron'")
        }
    }

    /// Whether it is time.
    ///
    /// - Parameters:
    ///   - now: seconds since 1970.
    ///   - last: when it ran last, or when it was seen first.
    func isDue(_ now: Int64, last: Int64) -> Bool {
        switch self {
        case .every(let seconds): now - last >= seconds
        // Once in a minute.
        case .cron(let cron): now / 60 > last / 60 && cron.matches(now)
        }
    }
}

/// Five fields as in crontab(5): `*`, numbers, ranges, lists and steps. If day and weekday are both
/// restricted, one of them suffices.
struct Cron: Sendable {
    private var minutes: Set<Int>
    private var hours: Set<Int>
    private var days: Set<Int>
    private var months: Set<Int>
    private var weekdays: Set<Int>
    private var isDayFree: Bool
    private var isWeekdayFree: Bool

    init?(_ text: String) {
        guard text.utf8.count <= 256 else { return nil }
        let fields = text.split(separator: " ")
        guard fields.count == 5, let minutes = Self.field(fields[0], 0...59),
            let hours = Self.field(fields[1], 0...23), let days = Self.field(fields[2], 1...31),
            let months = Self.field(fields[3], 1...12),
            let weekdays = Self.field(fields[4], 0...7)
        else { return nil }
        self.minutes = minutes
        self.hours = hours
        self.days = days
        self.months = months
        // Sunday is 0 and 7.
        self.weekdays = weekdays.contains(7) ? weekdays.union([0]) : weekdays
        isDayFree = fields[2] == "*"
        isWeekdayFree = fields[4] == "*"
    }

    private static func field(_ text: Substring, _ range: ClosedRange<Int>) -> Set<Int>? {
        var values: Set<Int> = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let words = part.split(separator: "/", omittingEmptySubsequences: false)
            guard let first = words.first, words.count <= 2 else { return nil }
            var step = 1
            if words.count == 2 {
                guard let number = Int(words[1]), (1...range.upperBound + 1).contains(number) else {
                    return nil
                }
                step = number
            }
            let bounds: ClosedRange<Int>
            if first == "*" {
                bounds = range
            } else {
                let ends = first.split(separator: "-", omittingEmptySubsequences: false)
                    .map { Int($0) }
                guard let low = ends.first ?? nil, range.contains(low) else { return nil }
                switch ends.count {
                case 1: bounds = low...(words.count == 2 ? range.upperBound : low)
                case 2:
                    guard let high = ends[1], range.contains(high), low <= high else { return nil }
                    bounds = low...high
                default: return nil
                }
            }
            values.formUnion(stride(from: bounds.lowerBound, through: bounds.upperBound, by: step))
        }
        return values.isEmpty ? nil : values
    }

    /// Whether a time is one of it.
    ///
    /// - Parameter seconds: since 1970.
    func matches(_ seconds: Int64) -> Bool {
        let day = seconds >= 0 ? seconds / 86_400 : (seconds - 86_399) / 86_400
        let rest = Int(clamping: seconds - day * 86_400)
        guard minutes.contains(rest / 60 % 60), hours.contains(rest / 3600) else { return false }
        let (month, date) = Self.date(day)
        guard months.contains(month) else { return false }
        // 1970 began on a Thursday.
        let weekday = Int(clamping: ((day + 4) % 7 + 7) % 7)
        let isDay = days.contains(date)
        let isWeekday = weekdays.contains(weekday)
        if isDayFree { return isWeekday }
        return isWeekdayFree ? isDay : isDay || isWeekday
    }

    /// Month and day of a day since 1970, in the Gregorian calendar.
    private static func date(_ day: Int64) -> (month: Int, day: Int) {
        let shifted = day + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let ofEra = shifted - era * 146_097
        let year = (ofEra - ofEra / 1460 + ofEra / 36_524 - ofEra / 146_096) / 365
        let ofYear = ofEra - (365 * year + year / 4 - year / 100)
        let shiftedMonth = (5 * ofYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (
            Int(clamping: month), Int(clamping: ofYear - (153 * shiftedMonth + 2) / 5 + 1)
        )
    }
}
