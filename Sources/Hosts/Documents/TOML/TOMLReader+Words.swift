extension TOMLReader {
    /// Reads a boolean, a number, a date or a time.
    mutating func word() throws(TOMLError) -> Document {
        let start = at
        if let date = try dateTime() { return date }
        while let byte = peek(), byte.isWord { at += 1 }
        let word = bytes[start..<at]
        switch String(decoding: word.prefix(6), as: UTF8.self) {
        case "true": return .boolean(true)
        case "false": return .boolean(false)
        case "inf", "+inf": return .double(.infinity)
        case "-inf": return .double(-.infinity)
        case "nan", "+nan": return .double(.nan)
        case "-nan": return .double(-Double.nan)
        default: break
        }
        if word.isEmpty { throw error(.expected("a value"), at: start) }
        guard word.count <= 1024 else { throw error(.malformedNumber, at: start) }
        return try number(Array(word), start)
    }

    private func number(_ word: [UInt8], _ start: Int) throws(TOMLError) -> Document {
        if word.count > 2, word[0] == UInt8(ascii: "0") {
            let radix: Int? =
                switch word[1] {
                case UInt8(ascii: "x"): 16
                case UInt8(ascii: "o"): 8
                case UInt8(ascii: "b"): 2
                default: nil
                }
            if let radix { return try integer(word[2...], radix, start) }
        }
        let isSigned = word[0] == UInt8(ascii: "+") || word[0] == UInt8(ascii: "-")
        // What is left without underscores has JSON's form.
        guard let plain = withoutUnderscores(word[(isSigned ? 1 : 0)...]) else {
            throw error(.malformedNumber, at: start)
        }
        let text = word[0] == UInt8(ascii: "-") ? [word[0]] + plain : plain
        guard plain.first?.isDigit == true else {
            throw error(.malformedNumber, at: start)
        }
        var scan = DecimalScan(start: 0)
        guard scan.run(text), scan.at == text.count else {
            throw error(.malformedNumber, at: start)
        }
        if scan.isInteger {
            guard let value = Int64(String(decoding: text, as: UTF8.self)) else {
                throw error(.integerOutOfRange, at: start)
            }
            return .integer(value)
        }
        guard let value = scan.double(text) else { throw error(.malformedNumber, at: start) }
        return .double(value)
    }

    private func integer(
        _ word: ArraySlice<UInt8>, _ radix: Int, _ start: Int
    ) throws(TOMLError) -> Document {
        guard let digits = withoutUnderscores(word, radix),
            digits.allSatisfy({ $0.hexDigit.map { Int($0) < radix } ?? false })
        else { throw error(.malformedNumber, at: start) }
        guard let value = Int64(String(decoding: digits, as: UTF8.self), radix: radix) else {
            throw error(.integerOutOfRange, at: start)
        }
        return .integer(value)
    }

    /// The bytes without underscores, each of which stands between digits; nil if one does not.
    private func withoutUnderscores(
        _ word: ArraySlice<UInt8>, _ radix: Int = 10
    ) -> [UInt8]? {
        func isDigit(_ byte: UInt8) -> Bool { byte.hexDigit.map { Int($0) < radix } ?? false }
        var result: [UInt8] = []
        for index in word.indices {
            guard word[index] == UInt8(ascii: "_") else {
                result.append(word[index])
                continue
            }
            guard index > word.startIndex, index + 1 < word.endIndex, isDigit(word[index - 1]),
                isDigit(word[index + 1])
            else { return nil }
        }
        return result.isEmpty ? nil : result
    }

    // MARK: Dates

    /// Reads what begins as a date or a time; nil if nothing does.
    private mutating func dateTime() throws(TOMLError) -> Document? {
        let start = at
        if number(at, 4) != nil, byte(at + 4) == UInt8(ascii: "-"), byte(at + 5)?.isDigit == true {
            let day = try day(start)
            guard let separator = peek(), number(at + 1, 2) != nil,
                separator | 0x20 == UInt8(ascii: "t") || separator == 0x20,
                byte(at + 3) == UInt8(ascii: ":") || separator != 0x20
            else {
                return .dateTime(DateTime(day: day, time: nil))
            }
            at += 1
            let time = try time(start)
            return .dateTime(DateTime(day: day, time: time, offset: try offset(start)))
        }
        if number(at, 2) != nil, byte(at + 2) == UInt8(ascii: ":") {
            return .dateTime(DateTime(day: nil, time: try time(start)))
        }
        return nil
    }

    private mutating func day(_ start: Int) throws(TOMLError) -> DateTime.Day {
        guard let year = number(at, 4), let month = number(at + 5, 2),
            byte(at + 7) == UInt8(ascii: "-"), let day = number(at + 8, 2),
            (1...12).contains(month), day >= 1, day <= Self.days(month, year)
        else { throw error(.malformedDate, at: start) }
        at += 10
        return DateTime.Day(
            year: Int16(truncatingIfNeeded: year), month: UInt8(truncatingIfNeeded: month),
            day: UInt8(truncatingIfNeeded: day))
    }

    private static func days(_ month: Int, _ year: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    private mutating func time(_ start: Int) throws(TOMLError) -> DateTime.Time {
        guard let hour = number(at, 2), byte(at + 2) == UInt8(ascii: ":"),
            let minute = number(at + 3, 2), byte(at + 5) == UInt8(ascii: ":"),
            let second = number(at + 6, 2), hour < 24, minute < 60, second < 60
        else { throw error(.malformedDate, at: start) }
        at += 8
        var nanosecond = 0
        if peek() == UInt8(ascii: ".") {
            at += 1
            let first = at
            var unit = 100_000_000
            // Digits after the ninth are cut off.
            while let byte = peek(), byte.isDigit {
                nanosecond += Int(byte - UInt8(ascii: "0")) * unit
                unit /= 10
                at += 1
            }
            if at == first { throw error(.malformedDate, at: start) }
        }
        return DateTime.Time(
            hour: UInt8(truncatingIfNeeded: hour), minute: UInt8(truncatingIfNeeded: minute),
            second: UInt8(truncatingIfNeeded: second),
            nanosecond: UInt32(truncatingIfNeeded: nanosecond))
    }

    private mutating func offset(_ start: Int) throws(TOMLError) -> Int16? {
        guard let sign = peek() else { return nil }
        if sign | 0x20 == UInt8(ascii: "z") {
            at += 1
            return 0
        }
        guard sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") else { return nil }
        guard let hours = number(at + 1, 2), byte(at + 3) == UInt8(ascii: ":"),
            let minutes = number(at + 4, 2), hours < 24, minutes < 60
        else { throw error(.malformedDate, at: start) }
        at += 6
        let total = Int16(truncatingIfNeeded: hours * 60 + minutes)
        return sign == UInt8(ascii: "-") ? -total : total
    }

    private func byte(_ index: Int) -> UInt8? { index < bytes.count ? bytes[index] : nil }

    /// The number of so many digits at a place.
    private func number(_ index: Int, _ digits: Int) -> Int? {
        guard index + digits <= bytes.count else { return nil }
        var value = 0
        for byte in bytes[index..<index + digits] {
            guard byte.isDigit else { return nil }
            value = value * 10 + Int(byte - UInt8(ascii: "0"))
        }
        return value
    }
}

extension UInt8 {
    /// What numbers and names of values consist of.
    fileprivate var isWord: Bool {
        isDigit || (self | 0x20) &- UInt8(ascii: "a") < 26 || self == UInt8(ascii: "_")
            || self == UInt8(ascii: "-") || self == UInt8(ascii: "+") || self == UInt8(ascii: ".")
    }
}
