/// A natural number of any size, for the exact conversion of decimal numbers.
struct BigInteger {
    /// The lowest first; the highest is not 0.
    private var limbs: [UInt32] = []

    init(_ value: UInt32) { if value != 0 { limbs = [value] } }

    /// Decimal digits, the highest first.
    init(digits: [UInt8]) {
        for digit in digits { multiply(by: 10, adding: UInt32(digit)) }
    }

    private var bitCount: Int {
        guard let last = limbs.last else { return 0 }
        return limbs.count * 32 - last.leadingZeroBitCount
    }

    private mutating func multiply(by factor: UInt32, adding summand: UInt32 = 0) {
        var carry = UInt64(summand)
        for index in limbs.indices {
            carry += UInt64(limbs[index]) * UInt64(factor)
            limbs[index] = UInt32(truncatingIfNeeded: carry)
            carry >>= 32
        }
        if carry != 0 { limbs.append(UInt32(truncatingIfNeeded: carry)) }
    }

    /// Cost: quadratic in `power`, which is below 2,000 here.
    mutating func multiply(byPowerOfTen power: Int) {
        var rest = power
        while rest >= 9 {
            multiply(by: 1_000_000_000)
            rest -= 9
        }
        for _ in 0..<max(0, rest) { multiply(by: 10) }
    }

    private mutating func shiftLeft(_ count: Int) {
        guard count > 0, !limbs.isEmpty else { return }
        let bits = UInt32(count % 32)
        if bits != 0 { multiply(by: 1 << bits) }
        limbs.insert(contentsOf: repeatElement(0, count: count / 32), at: 0)
    }

    private func isLess(than other: BigInteger) -> Bool {
        if limbs.count != other.limbs.count { return limbs.count < other.limbs.count }
        for index in limbs.indices.reversed() where limbs[index] != other.limbs[index] {
            return limbs[index] < other.limbs[index]
        }
        return false
    }

    /// `other` must not be larger.
    private mutating func subtract(_ other: BigInteger) {
        var borrow: Int64 = 0
        for index in limbs.indices {
            let summand = index < other.limbs.count ? Int64(other.limbs[index]) : 0
            let difference = Int64(limbs[index]) - summand + borrow
            limbs[index] = UInt32(truncatingIfNeeded: difference)
            borrow = difference >> 32
        }
        while limbs.last == 0 { limbs.removeLast() }
    }

    /// The quotient of two numbers above 0 as `mantissa` · 2^`exponent`, the highest bit of the
    /// mantissa set and the rest cut off; `isSticky` if the rest is not 0.
    static func quotient(
        _ numerator: BigInteger, _ denominator: BigInteger
    ) -> (mantissa: UInt64, exponent: Int, isSticky: Bool) {
        var rest = numerator
        var divisor = denominator
        var exponent = rest.bitCount - divisor.bitCount
        if exponent >= 0 { divisor.shiftLeft(exponent) } else { rest.shiftLeft(-exponent) }
        if rest.isLess(than: divisor) {
            rest.shiftLeft(1)
            exponent -= 1
        }
        var mantissa: UInt64 = 0
        for _ in 0..<64 {
            mantissa <<= 1
            if !rest.isLess(than: divisor) {
                rest.subtract(divisor)
                mantissa |= 1
            }
            rest.shiftLeft(1)
        }
        return (mantissa, exponent - 63, !rest.limbs.isEmpty)
    }
}
