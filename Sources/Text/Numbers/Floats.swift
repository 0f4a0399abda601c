/// How a binary floating-point format lays out its bits.
struct FloatFormat {
    /// Bits of the fraction, without the leading one.
    let fractionBits: Int
    let exponentBits: Int

    static let binary32 = FloatFormat(fractionBits: 23, exponentBits: 8)
    static let binary64 = FloatFormat(fractionBits: 52, exponentBits: 11)

    var bias: Int { 1 << (exponentBits - 1) - 1 }
    var signBit: UInt64 { 1 << UInt64(fractionBits + exponentBits) }
    var infinity: UInt64 { (1 << UInt64(exponentBits) - 1) << UInt64(fractionBits) }

    /// The nearest value of the format to `mantissa` · 2^`exponent`, ties to even, as bits without
    /// sign; nil beyond the largest finite value. `isSticky`: the true value is a little larger
    /// (less than one unit of the mantissa). Then the highest bit of the mantissa must be set.
    func round(_ mantissa: UInt64, exponent: Int, isSticky: Bool) -> UInt64? {
        guard mantissa != 0 else { return 0 }
        let zeros = mantissa.leadingZeroBitCount
        let normal = mantissa << UInt64(zeros)
        // The value is 1.xxx · 2^scale.
        let scale = exponent - zeros + 63
        if scale > bias { return nil }
        // Subnormal values keep fewer bits.
        let lost = max(0, 1 - bias - scale)
        let drop = 63 - fractionBits + lost
        if drop > 64 { return 0 }
        var kept = drop == 64 ? 0 : normal >> UInt64(drop)
        let rest = drop == 64 ? normal : normal << UInt64(64 - drop)
        let half: UInt64 = 1 << 63
        if rest > half || (rest == half && (isSticky || kept & 1 == 1)) { kept += 1 }
        // The leading one, or a carry into it, adds one to the exponent by itself.
        let bits = lost > 0 ? kept : kept + UInt64(scale + bias - 1) << UInt64(fractionBits)
        return bits < infinity ? bits : nil
    }
}

/// Reads the floating-point numbers of the text format, rounded exactly at any length.
///
/// Specification: 6.3.2 (floating-point).
struct FloatReader {
    let bytes: UnsafeBufferPointer<UInt8>

    /// The bits of the number in a token.
    ///
    /// - Throws: `malformedFloat`; `constantOutOfRange` where rounding gives infinity, or a NaN
    ///   payload is 0 or does not fit.
    func bits(_ token: Range<Int>, _ format: FloatFormat) throws(TextError) -> UInt64 {
        var start = token.lowerBound
        var sign: UInt64 = 0
        if start < token.upperBound, bytes[start] == 0x2b || bytes[start] == 0x2d {
            if bytes[start] == 0x2d { sign = format.signBit }
            start += 1
        }
        let body = start..<token.upperBound
        guard let first = body.isEmpty ? nil : bytes[start] else {
            throw TextError(.malformedFloat, token)
        }
        if first == 0x69, matches(body, "inf") { return sign | format.infinity }
        if first == 0x6e { return sign | (try nan(body, token, format)) }
        let isHexadecimal = body.count > 2 && first == 0x30 && bytes[start + 1] == 0x78
        let digits = try scan(body, token, isHexadecimal)
        let magnitude =
            isHexadecimal ? hexadecimal(digits, format) : decimal(digits, format)
        guard let magnitude else { throw TextError(.constantOutOfRange, token) }
        return sign | magnitude
    }

    private func matches(_ range: Range<Int>, _ text: StaticString) -> Bool {
        guard range.count == text.utf8CodeUnitCount else { return false }
        return text.withUTF8Buffer { $0.elementsEqual(bytes[range]) }
    }

    private func nan(
        _ body: Range<Int>, _ token: Range<Int>, _ format: FloatFormat
    ) throws(TextError) -> UInt64 {
        if matches(body, "nan") { return format.infinity | 1 << UInt64(format.fractionBits - 1) }
        let prefix = body.lowerBound + 4
        guard body.count > 6, matches(body.lowerBound..<prefix, "nan:"),
            bytes[prefix] == 0x30, bytes[prefix + 1] == 0x78
        else { throw TextError(.malformedFloat, token) }
        let payload: UInt64
        do {
            payload = try IntegerReader(bytes: bytes)
                .unsigned(prefix..<body.upperBound, width: format.fractionBits)
        } catch {
            let isRange = error.reason == .constantOutOfRange
            throw TextError(isRange ? .constantOutOfRange : .malformedFloat, token)
        }
        guard payload != 0 else { throw TextError(.constantOutOfRange, token) }
        return format.infinity | payload
    }

    /// A number as written: the significant digits, without the point, and the exponent.
    private struct Digits {
        /// The first digits from the first that is not zero, at most `kept`.
        var values: [UInt8] = []
        /// Of base 10 or 2: what the integer of `values` is to be multiplied with.
        var exponent = 0
        /// Whether a digit that is not zero was dropped.
        var isSticky = false
    }

    /// No decimal number needs more digits than 767 and "something follows" to be rounded.
    private static let kept = 800
    /// Exponents beyond it mean zero or infinity, for any number that fits into memory.
    private static let exponentLimit = 1 << 50

    private func scan(
        _ body: Range<Int>, _ token: Range<Int>, _ isHexadecimal: Bool
    ) throws(TextError) -> Digits {
        let radix: UInt8 = isHexadecimal ? 16 : 10
        let step = isHexadecimal ? 4 : 1
        var digits = Digits()
        var index = body.lowerBound + (isHexadecimal ? 2 : 0)
        var afterDigit = false
        var hasPoint = false
        scanning: while index < body.upperBound {
            let byte = bytes[index]
            if let digit = hexadecimalDigit(byte), digit < radix {
                afterDigit = true
                if digits.values.count < Self.kept {
                    if digit != 0 || !digits.values.isEmpty { digits.values.append(digit) }
                    if hasPoint { digits.exponent -= step }
                } else {
                    digits.isSticky = digits.isSticky || digit != 0
                    if !hasPoint { digits.exponent += step }
                }
            } else if byte == 0x5f, afterDigit {
                afterDigit = false
                guard index + 1 < body.upperBound,
                    let digit = hexadecimalDigit(bytes[index + 1]), digit < radix
                else { throw TextError(.malformedFloat, token) }
            } else if byte == 0x2e, afterDigit, !hasPoint {
                hasPoint = true
                if index + 1 < body.upperBound, bytes[index + 1] == 0x5f {
                    throw TextError(.malformedFloat, token)
                }
            } else {
                break scanning
            }
            index += 1
        }
        guard afterDigit else { throw TextError(.malformedFloat, token) }
        if index < body.upperBound {
            guard bytes[index] | 0x20 == (isHexadecimal ? 0x70 : 0x65) else {
                throw TextError(.malformedFloat, token)
            }
            digits.exponent += try exponent(index + 1..<body.upperBound, token)
        }
        return digits
    }

    private func exponent(_ range: Range<Int>, _ token: Range<Int>) throws(TextError) -> Int {
        var index = range.lowerBound
        var isNegative = false
        if index < range.upperBound, bytes[index] == 0x2b || bytes[index] == 0x2d {
            isNegative = bytes[index] == 0x2d
            index += 1
        }
        var value = 0
        var afterDigit = false
        while index < range.upperBound {
            let byte = bytes[index]
            if (0x30...0x39).contains(byte) {
                if value < Self.exponentLimit { value = value * 10 + Int(byte &- 0x30) }
                afterDigit = true
            } else if byte == 0x5f, afterDigit {
                afterDigit = false
            } else {
                throw TextError(.malformedFloat, token)
            }
            index += 1
        }
        guard afterDigit else { throw TextError(.malformedFloat, token) }
        return isNegative ? -value : value
    }

    private func hexadecimal(_ digits: Digits, _ format: FloatFormat) -> UInt64? {
        var mantissa: UInt64 = 0
        var exponent = digits.exponent
        var isSticky = digits.isSticky
        for digit in digits.values {
            if mantissa >> 60 == 0 {
                mantissa = mantissa << 4 | UInt64(digit)
            } else {
                exponent += 4
                isSticky = isSticky || digit != 0
            }
        }
        // A lower bit of a mantissa of 61 bits and more stands for all that follow.
        if isSticky { mantissa |= 1 }
        return format.round(mantissa, exponent: exponent, isSticky: isSticky)
    }

    private func decimal(_ digits: Digits, _ format: FloatFormat) -> UInt64? {
        guard !digits.values.isEmpty else { return 0 }
        let magnitude = digits.values.count + digits.exponent
        if magnitude > 310 { return nil }
        if magnitude < -400 { return 0 }
        // A following 1 stands for all digits that were dropped.
        let values = digits.isSticky ? digits.values + [1] : digits.values
        let exponent = digits.isSticky ? digits.exponent - 1 : digits.exponent
        var numerator = BigInteger(digits: values)
        var denominator = BigInteger(1)
        if exponent >= 0 {
            numerator.multiply(byPowerOfTen: exponent)
        } else {
            denominator.multiply(byPowerOfTen: -exponent)
        }
        let (mantissa, scale, isSticky) = BigInteger.quotient(numerator, denominator)
        return format.round(mantissa, exponent: scale, isSticky: isSticky)
    }
}
