/// A date, a time of day, or both, with or without an offset from UTC.
///
/// Specification: TOML 1.0, "Offset Date-Time" to "Local Time"; RFC 3339.
public struct DateTime: Sendable, Equatable {
    /// A day of the Gregorian calendar: 0…9999, 1…12, 1…31.
    public struct Day: Sendable, Equatable {
        public var year: Int16
        public var month: UInt8
        public var day: UInt8

        public init(year: Int16, month: UInt8, day: UInt8) {
            self.year = year
            self.month = month
            self.day = day
        }
    }

    /// 00:00:00 to 23:59:59, and nanoseconds.
    public struct Time: Sendable, Equatable {
        public var hour: UInt8
        public var minute: UInt8
        public var second: UInt8
        public var nanosecond: UInt32

        public init(hour: UInt8, minute: UInt8, second: UInt8, nanosecond: UInt32 = 0) {
            self.hour = hour
            self.minute = minute
            self.second = second
            self.nanosecond = nanosecond
        }
    }

    public var day: Day?
    public var time: Time?
    /// Minutes east of UTC; nil for a local time.
    public var offset: Int16?

    public init(day: Day?, time: Time?, offset: Int16? = nil) {
        self.day = day
        self.time = time
        self.offset = offset
    }
}

extension DateTime: CustomStringConvertible {
    /// As RFC 3339 writes it: `1979-05-27T07:32:00.5Z`.
    public var description: String {
        var text = ""
        if let day {
            text += "\(digits(Int(day.year), 4))-\(digits(Int(day.month), 2))-"
            text += digits(Int(day.day), 2)
        }
        if let time {
            if day != nil { text += "T" }
            text += "\(digits(Int(time.hour), 2)):\(digits(Int(time.minute), 2)):"
            text += digits(Int(time.second), 2)
            if time.nanosecond > 0 {
                var fraction = digits(Int(time.nanosecond), 9)
                while fraction.hasSuffix("0") { fraction.removeLast() }
                text += "." + fraction
            }
        }
        if let offset {
            let minutes = Int(offset.magnitude)
            text +=
                offset == 0
                ? "Z"
                : (offset < 0 ? "-" : "+") + digits(minutes / 60, 2) + ":"
                    + digits(minutes % 60, 2)
        }
        return text
    }

    private func digits(_ value: Int, _ count: Int) -> String {
        let text = String(value)
        return String(repeating: "0", count: max(0, count - text.utf8.count)) + text
    }
}
