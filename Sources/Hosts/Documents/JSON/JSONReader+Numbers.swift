extension JSONReader {
    /// Reads the number at the position; nil if more digits may follow.
    @inline(__always)
    mutating func number(_ bytes: [UInt8]) throws(JSONError) -> Document? {
        let start = position
        var at = start
        let end = bytes.count
        let isNegative = bytes[at] == UInt8(ascii: "-")
        if isNegative { at += 1 }
        let first = at
        var significand: UInt64 = 0
        while at < end, bytes[at].isDigit {
            significand = significand &* 10 &+ UInt64(bytes[at] &- UInt8(ascii: "0"))
            at += 1
        }
        // 18 digits fit; the rest is looked at again.
        if at < end, at - first <= 18, at > first,
            bytes[first] != UInt8(ascii: "0") || at - first == 1
        {
            let byte = bytes[at]
            if !byte.continuesNumber {
                if !isNegative {
                    position = at
                    return .integer(Int64(bitPattern: significand))
                }
                if significand > 0 {
                    position = at
                    return .integer(0 &- Int64(bitPattern: significand))
                }
            } else if byte == UInt8(ascii: ".") {
                let whole = at - first
                at += 1
                let fraction = at
                while at < end, bytes[at].isDigit {
                    significand = significand &* 10 &+ UInt64(bytes[at] &- UInt8(ascii: "0"))
                    at += 1
                }
                let count = at - fraction
                if at < end, count > 0, whole + count <= 18, !bytes[at].continuesNumber,
                    let value = DecimalScan.decimal(significand, fractionDigits: count)
                {
                    position = at
                    return .double(isNegative ? -value : value)
                }
            }
        }
        return try longNumber(bytes)
    }

    /// Reads a number with all that can be in it.
    @inline(never)
    private mutating func longNumber(_ bytes: [UInt8]) throws(JSONError) -> Document? {
        let start = position
        var scan = DecimalScan(start: start)
        let isWellFormed = scan.run(bytes)
        if scan.at - start > options.limits.numberBytes {
            throw error(.limit(.numberBytes, options.limits.numberBytes), at: start)
        }
        if scan.at == bytes.count, !isComplete { return nil }
        guard isWellFormed else {
            throw error(
                scan.at == bytes.count ? .unexpectedEnd : .malformedNumber, at: scan.at)
        }
        position = scan.at
        if scan.isInteger, let integer = scan.integer(bytes) { return integer }
        guard let value = scan.double(bytes), value.isFinite else {
            throw error(.numberOutOfRange, at: start)
        }
        return .double(value)
    }
}

/// Where the parts of a decimal number are.
struct DecimalScan {
    let start: Int
    private(set) var at: Int
    private(set) var isInteger = true
    private var exponent = 0
    private var significand: UInt64 = 0
    private var digits = 0

    init(start: Int) {
        self.start = start
        at = start
    }

    /// Goes over the number; false where its form is broken, which is at `at`.
    mutating func run(_ bytes: [UInt8]) -> Bool {
        if byte(bytes) == UInt8(ascii: "-") { at += 1 }
        let first = at
        take(bytes)
        guard at > first else { return false }
        if at - first > 1, bytes[first] == UInt8(ascii: "0") {
            at = first + 1
            return false
        }
        if byte(bytes) == UInt8(ascii: ".") {
            isInteger = false
            at += 1
            let fraction = at
            take(bytes)
            guard at > fraction else { return false }
            exponent = fraction - at
        }
        if let letter = byte(bytes), letter | 0x20 == UInt8(ascii: "e") {
            isInteger = false
            at += 1
            let sign = byte(bytes)
            if sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") { at += 1 }
            let power = at
            var value = 0
            while let digit = byte(bytes), digit.isDigit {
                value = min(value &* 10 &+ Int(digit &- UInt8(ascii: "0")), 1_000_000)
                at += 1
            }
            guard at > power else { return false }
            exponent += sign == UInt8(ascii: "-") ? -value : value
        }
        return true
    }

    private func byte(_ bytes: [UInt8]) -> UInt8? { at < bytes.count ? bytes[at] : nil }

    private mutating func take(_ bytes: [UInt8]) {
        while at < bytes.count, bytes[at].isDigit {
            if digits < 19 {
                significand = significand &* 10 &+ UInt64(bytes[at] &- UInt8(ascii: "0"))
            }
            // Zeros in front do not count.
            if significand > 0 { digits += 1 }
            at += 1
        }
    }

    /// The integer if it has 64 bits; nil for `-0` too.
    func integer(_ bytes: [UInt8]) -> Document? {
        let text = bytes[start..<at]
        guard digits <= 20, let string = String(validating: text, as: UTF8.self) else { return nil }
        if let value = Int64(string) {
            return value == 0 && text.first == UInt8(ascii: "-") ? nil : .integer(value)
        }
        return UInt64(string).map { .unsigned($0) }
    }

    /// The nearest double.
    func double(_ bytes: [UInt8]) -> Double? {
        let isNegative = bytes[start] == UInt8(ascii: "-")
        // Both numbers are exact, so their quotient or product is rounded once.
        if digits <= 19, significand < 1 << 53, exponent.magnitude <= 22 {
            let power = Self.powers[Int(exponent.magnitude)]
            let value =
                exponent < 0 ? Double(significand) / power : Double(significand) * power
            return isNegative ? -value : value
        }
        return String(validating: bytes[start..<at], as: UTF8.self).flatMap { Double($0) }
    }

    /// The double nearest to `significand` / 10 ^ `fractionDigits`; nil if one division does not
    /// give it.
    @inline(__always)
    static func decimal(_ significand: UInt64, fractionDigits: Int) -> Double? {
        guard significand < 1 << 53, fractionDigits <= 22 else { return nil }
        return Double(significand) / powers[fractionDigits]
    }

    private static let powers: [Double] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
        1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
    ]
}

extension UInt8 {
    /// Whether a number goes on with this after its first digits.
    @inline(__always)
    fileprivate var continuesNumber: Bool {
        self == UInt8(ascii: ".") || self | 0x20 == UInt8(ascii: "e")
    }
}
