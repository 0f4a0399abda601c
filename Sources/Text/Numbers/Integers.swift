/// Reads the integers of the text format.
///
/// Specification: 6.3.1 (integers).
struct IntegerReader {
    let bytes: UnsafeBufferPointer<UInt8>

    /// The bits of an integer of `width` bits, 1 to 64. With a sign it must be in the signed range,
    /// or be positive and in the unsigned one.
    ///
    /// - Throws: `malformedInteger`, `constantOutOfRange`.
    func integer(_ range: Range<Int>, width: Int) throws(TextError) -> UInt64 {
        var start = range.lowerBound
        var isNegative = false
        if start < range.upperBound, bytes[start] == 0x2b || bytes[start] == 0x2d {
            isNegative = bytes[start] == 0x2d
            start += 1
        }
        let magnitude = try magnitude(start..<range.upperBound, of: range)
        let mask = UInt64.max >> UInt64(64 - width)
        guard magnitude <= (isNegative ? mask >> 1 &+ 1 : mask) else {
            throw TextError(.constantOutOfRange, range)
        }
        return (isNegative ? 0 &- magnitude : magnitude) & mask
    }

    /// An integer without a sign, below 2^`width`.
    func unsigned(_ range: Range<Int>, width: Int) throws(TextError) -> UInt64 {
        let value = try magnitude(range, of: range)
        guard value <= UInt64.max >> UInt64(64 - width) else {
            throw TextError(.constantOutOfRange, range)
        }
        return value
    }

    private func magnitude(_ digits: Range<Int>, of token: Range<Int>) throws(TextError) -> UInt64 {
        var index = digits.lowerBound
        let end = digits.upperBound
        let isHexadecimal =
            end - index > 2 && bytes[index] == 0x30 && bytes[index + 1] == 0x78
        if isHexadecimal { index += 2 }
        let radix: UInt64 = isHexadecimal ? 16 : 10
        var value: UInt64 = 0
        var overflows = false
        var afterDigit = false
        while index < end {
            if let digit = hexadecimalDigit(bytes[index]), UInt64(digit) < radix {
                let (product, first) = value.multipliedReportingOverflow(by: radix)
                let (sum, second) = product.addingReportingOverflow(UInt64(digit))
                overflows = overflows || first || second
                value = sum
                afterDigit = true
            } else if afterDigit, bytes[index] == 0x5f {
                afterDigit = false
            } else {
                throw TextError(.malformedInteger, token)
            }
            index += 1
        }
        guard afterDigit else { throw TextError(.malformedInteger, token) }
        if overflows { throw TextError(.constantOutOfRange, token) }
        return value
    }
}
