/// Sizes and durations as people write them: a number and a unit.
public enum Quantity {
    /// The largest size, 64 PiB: no machine has so much, and sums and products of limits fit into an
    /// `Int`.
    public static let largestSize: UInt64 = 1 << 56

    /// Bytes: `4096`, `64KiB`, `1.5G`; what is above the largest size counts as that. Nil if it is not
    /// a size or above 2^64 - 1.
    public static func bytes(_ text: String) -> UInt64? {
        value(text, units: byteUnits).map { min($0, largestSize) }
    }

    /// Nanoseconds: `500ms`, `2s`, `1.5m`, `3` (seconds). Nil if it is not a duration, is zero or
    /// above 2^63 - 1, which is 292 years.
    public static func nanoseconds(_ text: String) -> Int64? {
        guard let value = value(text, units: timeUnits), value > 0 else { return nil }
        return Int64(exactly: value)
    }

    /// A plain number, `_` allowed between digits: `1_000_000`.
    public static func count(_ text: String) -> UInt64? {
        guard text.utf8.last.map(isDigit) == true, text.utf8.first.map(isDigit) == true else {
            return nil
        }
        var value: UInt64 = 0
        for byte in text.utf8 where byte != UInt8(ascii: "_") {
            guard isDigit(byte), let next = append(byte, to: value) else { return nil }
            value = next
        }
        return value
    }

    private static let byteUnits: [(String, UInt64)] = [
        ("", 1), ("B", 1),
        ("K", 1 << 10), ("M", 1 << 20), ("G", 1 << 30), ("T", 1 << 40),
        ("KIB", 1 << 10), ("MIB", 1 << 20), ("GIB", 1 << 30), ("TIB", 1 << 40),
        ("KB", 1000), ("MB", 1_000_000), ("GB", 1_000_000_000), ("TB", 1_000_000_000_000),
    ]

    private static let timeUnits: [(String, UInt64)] = [
        ("", 1_000_000_000), ("NS", 1), ("US", 1000), ("MS", 1_000_000), ("S", 1_000_000_000),
        ("M", 60_000_000_000), ("MIN", 60_000_000_000), ("H", 3_600_000_000_000),
    ]

    /// `digits[.digits]unit`, exactly: fractions of the smallest unit are dropped.
    private static func value(_ text: String, units: [(String, UInt64)]) -> UInt64? {
        let bytes = Array(text.utf8)
        let whole = bytes.prefix { isDigit($0) }
        guard !whole.isEmpty else { return nil }
        var rest = bytes[whole.endIndex...]
        var fraction: ArraySlice<UInt8> = []
        if rest.first == UInt8(ascii: ".") {
            fraction = rest.dropFirst().prefix { isDigit($0) }
            guard !fraction.isEmpty else { return nil }
            rest = rest[fraction.endIndex...]
        }
        let unitName = String(decoding: rest, as: UTF8.self).uppercased()
        guard let unit = units.first(where: { $0.0 == unitName })?.1 else { return nil }

        var total: UInt64 = 0
        for digit in whole {
            guard let next = append(digit, to: total) else { return nil }
            total = next
        }
        let (scaled, overflow) = total.multipliedReportingOverflow(by: unit)
        guard !overflow else { return nil }
        // Digit by digit from the right, in integers: unit * 0.abc = (unit*a + (unit*b +
        // ...)/10)/10
        var part: UInt64 = 0
        for digit in fraction.prefix(6).reversed() {
            part = (part + unit * UInt64(digit - UInt8(ascii: "0"))) / 10
        }
        let (sum, carry) = scaled.addingReportingOverflow(part)
        return carry ? nil : sum
    }

    private static func append(_ digit: UInt8, to value: UInt64) -> UInt64? {
        let (shifted, overflow) = value.multipliedReportingOverflow(by: 10)
        let (sum, carry) = shifted.addingReportingOverflow(UInt64(digit &- UInt8(ascii: "0")))
        return overflow || carry ? nil : sum
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        UInt8(ascii: "0") <= byte && byte <= UInt8(ascii: "9")
    }
}
