// Integer arithmetic on lanes (sections 4.6.2 and 4.6.3 of the specification).

extension Lanes {
    // MARK: Bits

    @inline(__always) static func complement(_ a: U64x2) -> U64x2 { ~a }
    @inline(__always) static func andNot(_ a: U64x2, _ b: U64x2) -> U64x2 { a & ~b }

    // MARK: Sign

    @inline(__always) static func negate(_ a: I8x16) -> I8x16 { I8x16.zero &- a }
    @inline(__always) static func negate(_ a: I16x8) -> I16x8 { I16x8.zero &- a }
    @inline(__always) static func negate(_ a: I32x4) -> I32x4 { I32x4.zero &- a }
    @inline(__always) static func negate(_ a: I64x2) -> I64x2 { I64x2.zero &- a }

    @inline(__always) static func absolute(_ a: I8x16) -> I8x16 {
        select(a .< I8x16.zero, I8x16.zero &- a, a)
    }
    @inline(__always) static func absolute(_ a: I16x8) -> I16x8 {
        select(a .< I16x8.zero, I16x8.zero &- a, a)
    }
    @inline(__always) static func absolute(_ a: I32x4) -> I32x4 {
        select(a .< I32x4.zero, I32x4.zero &- a, a)
    }
    @inline(__always) static func absolute(_ a: I64x2) -> I64x2 {
        select(a .< I64x2.zero, I64x2.zero &- a, a)
    }

    // MARK: Saturation and averages

    // A signed sum overflows where both operands have one sign and the sum has the other; the limit
    // is the one on the operands' side.

    @inline(__always) static func addSaturating(_ a: I8x16, _ b: I8x16) -> I8x16 {
        let sum = a &+ b
        let limit = (a &>> I8x16(repeating: 7)) ^ I8x16(repeating: .max)
        return select(((sum ^ a) & (sum ^ b)) .< I8x16.zero, limit, sum)
    }
    @inline(__always) static func addSaturating(_ a: I16x8, _ b: I16x8) -> I16x8 {
        let sum = a &+ b
        let limit = (a &>> I16x8(repeating: 15)) ^ I16x8(repeating: .max)
        return select(((sum ^ a) & (sum ^ b)) .< I16x8.zero, limit, sum)
    }
    @inline(__always) static func subtractSaturating(_ a: I8x16, _ b: I8x16) -> I8x16 {
        let difference = a &- b
        let limit = (a &>> I8x16(repeating: 7)) ^ I8x16(repeating: .max)
        return select(((a ^ b) & (difference ^ a)) .< I8x16.zero, limit, difference)
    }
    @inline(__always) static func subtractSaturating(_ a: I16x8, _ b: I16x8) -> I16x8 {
        let difference = a &- b
        let limit = (a &>> I16x8(repeating: 15)) ^ I16x8(repeating: .max)
        return select(((a ^ b) & (difference ^ a)) .< I16x8.zero, limit, difference)
    }

    @inline(__always) static func addSaturating(_ a: U8x16, _ b: U8x16) -> U8x16 {
        let sum = a &+ b
        return select(sum .< a, U8x16(repeating: .max), sum)
    }
    @inline(__always) static func addSaturating(_ a: U16x8, _ b: U16x8) -> U16x8 {
        let sum = a &+ b
        return select(sum .< a, U16x8(repeating: .max), sum)
    }
    @inline(__always) static func subtractSaturating(_ a: U8x16, _ b: U8x16) -> U8x16 {
        select(a .< b, U8x16.zero, a &- b)
    }
    @inline(__always) static func subtractSaturating(_ a: U16x8, _ b: U16x8) -> U16x8 {
        select(a .< b, U16x8.zero, a &- b)
    }

    /// (a + b + 1) / 2 without a wider type.
    @inline(__always) static func average(_ a: U8x16, _ b: U8x16) -> U8x16 {
        (a | b) &- ((a ^ b) &>> U8x16(repeating: 1))
    }
    @inline(__always) static func average(_ a: U16x8, _ b: U16x8) -> U16x8 {
        (a | b) &- ((a ^ b) &>> U16x8(repeating: 1))
    }

    // MARK: Products

    /// (a * b + 2^14) >> 15, which overflows for the product of two lowest values only.
    @inline(__always) static func multiplyRounding(_ a: I16x8, _ b: I16x8) -> U16x8 {
        narrowSigned(
            multiplyRounding(extendLow(a), extendLow(b)),
            multiplyRounding(extendHigh(a), extendHigh(b)))
    }
    @inline(__always) private static func multiplyRounding(_ a: I32x4, _ b: I32x4) -> I32x4 {
        (a &* b &+ I32x4(repeating: 0x4000)) &>> I32x4(repeating: 15)
    }

    /// Sums of two neighbouring products.
    @inline(__always) static func dot(_ a: I16x8, _ b: I16x8) -> I32x4 {
        extendEven(a) &* extendEven(b) &+ extendOdd(a) &* extendOdd(b)
    }

    /// Sums of two neighbouring products of signed bytes; they wrap.
    @inline(__always) static func dot(_ a: I8x16, _ b: I8x16) -> I16x8 {
        extendEven(a) &* extendEven(b) &+ extendOdd(a) &* extendOdd(b)
    }

    /// Sums of four neighbouring products of signed bytes, and of the third vector.
    @inline(__always) static func dotAdd(_ a: U64x2, _ b: U64x2, _ c: U64x2) -> I32x4 {
        let products = dot(cast(a, to: I8x16.self), cast(b, to: I8x16.self))
        return pairwise(products) &+ cast(c, to: I32x4.self)
    }

    // MARK: Counting

    @inline(__always) static func countOnes(_ a: U8x16) -> U8x16 {
        let pairs = a &- (a &>> U8x16(repeating: 1) & U8x16(repeating: 0x55))
        let mask = U8x16(repeating: 0x33)
        let fours = (pairs & mask) &+ (pairs &>> U8x16(repeating: 2) & mask)
        return (fours &+ fours &>> U8x16(repeating: 4)) & U8x16(repeating: 0x0f)
    }

    // MARK: Tests

    @inline(__always) static func anyTrue(_ a: U64x2) -> UInt32 { a[0] | a[1] != 0 ? 1 : 0 }

    @inline(__always) private static func noneSet<S>(_ mask: SIMDMask<S>) -> UInt32 {
        anyTrue(bits(mask)) ^ 1
    }
    @inline(__always) static func allTrue(_ a: I8x16) -> UInt32 { noneSet(a .== I8x16.zero) }
    @inline(__always) static func allTrue(_ a: I16x8) -> UInt32 { noneSet(a .== I16x8.zero) }
    @inline(__always) static func allTrue(_ a: I32x4) -> UInt32 { noneSet(a .== I32x4.zero) }
    @inline(__always) static func allTrue(_ a: U64x2) -> UInt32 {
        a[0] != 0 && a[1] != 0 ? 1 : 0
    }

    /// The sign bits of 8 bytes, gathered by a multiplication: it puts the sign of byte k at bit
    /// 56 + k, and nothing else there carries.
    @inline(__always) private static func signs(_ bytes: UInt64) -> UInt32 {
        let low = bytes &>> 7 & 0x0101_0101_0101_0101
        return UInt32(truncatingIfNeeded: (low &* 0x0102_0408_1020_4080) &>> 56)
    }
    @inline(__always) static func bitmask(_ a: I8x16) -> UInt32 {
        let halves = cast(a, to: U64x2.self)
        return signs(halves[0]) | signs(halves[1]) &<< 8
    }
    /// Narrowing keeps signs.
    @inline(__always) static func bitmask(_ a: I16x8) -> UInt32 {
        signs(cast(narrowSigned(a, a), to: U64x2.self)[0])
    }
    @inline(__always) static func bitmask(_ a: I32x4) -> UInt32 {
        let pairs = cast(a, to: U64x2.self)
        func both(_ pair: UInt64) -> UInt32 {
            UInt32(truncatingIfNeeded: pair &>> 31 & 1 | pair &>> 62 & 2)
        }
        return both(pairs[0]) | both(pairs[1]) &<< 2
    }
    @inline(__always) static func bitmask(_ a: U64x2) -> UInt32 {
        UInt32(truncatingIfNeeded: a[0] &>> 63 | a[1] &>> 62 & 2)
    }

    // MARK: Whether a bitmask is not zero

    @inline(__always) private static func any(_ a: U64x2, _ bits: UInt64) -> UInt32 {
        anyTrue(a & U64x2(repeating: bits))
    }
    @inline(__always) static func anyNegative(_ a: I8x16) -> UInt32 {
        any(cast(a, to: U64x2.self), 0x8080_8080_8080_8080)
    }
    @inline(__always) static func anyNegative(_ a: I16x8) -> UInt32 {
        any(cast(a, to: U64x2.self), 0x8000_8000_8000_8000)
    }
    @inline(__always) static func anyNegative(_ a: I32x4) -> UInt32 {
        any(cast(a, to: U64x2.self), 0x8000_0000_8000_0000)
    }
    @inline(__always) static func anyNegative(_ a: U64x2) -> UInt32 { any(a, 1 << 63) }
}
