// Float arithmetic and conversions on lanes (sections 4.3.3, 4.3.4 and 4.6 of the specification).
//
// NaN results are quiet; where an operation makes a NaN of its own it is the positive canonical
// one.

extension Lanes {
    // MARK: Signs

    @inline(__always) static func absolute(_ a: U32x4) -> U32x4 {
        a & U32x4(repeating: 0x7fff_ffff)
    }
    @inline(__always) static func negate(_ a: U32x4) -> U32x4 {
        a ^ U32x4(repeating: 0x8000_0000)
    }
    @inline(__always) static func absolute(_ a: U64x2) -> U64x2 {
        a & U64x2(repeating: ~(1 << 63))
    }
    @inline(__always) static func negate(_ a: U64x2) -> U64x2 { a ^ U64x2(repeating: 1 << 63) }

    // MARK: Minimum and maximum

    // Equal operands differ if they are zeros of both signs: `or` finds the negative one, `and` the
    // positive one.

    @inline(__always) static func minimum(_ a: F32x4, _ b: F32x4) -> F32x4 {
        let less = cast(select(a .< b, a, b), to: U64x2.self)
        return orNaN(cast(less | cast(a, to: U64x2.self) & bits(a .== b), to: F32x4.self), a, b)
    }
    @inline(__always) static func maximum(_ a: F32x4, _ b: F32x4) -> F32x4 {
        let greater = cast(select(a .> b, a, b), to: U64x2.self)
        return orNaN(
            cast(greater & (cast(a, to: U64x2.self) | ~bits(a .== b)), to: F32x4.self), a, b)
    }
    @inline(__always) static func minimum(_ a: F64x2, _ b: F64x2) -> F64x2 {
        let less = cast(select(a .< b, a, b), to: U64x2.self)
        return orNaN(cast(less | cast(a, to: U64x2.self) & bits(a .== b), to: F64x2.self), a, b)
    }
    @inline(__always) static func maximum(_ a: F64x2, _ b: F64x2) -> F64x2 {
        let greater = cast(select(a .> b, a, b), to: U64x2.self)
        return orNaN(
            cast(greater & (cast(a, to: U64x2.self) | ~bits(a .== b)), to: F64x2.self), a, b)
    }

    /// `value`, or NaN in lanes where `a` or `b` is one.
    @inline(__always)
    private static func orNaN(_ value: F32x4, _ a: F32x4, _ b: F32x4) -> F32x4 {
        select((a .== a) .& (b .== b), value, F32x4(repeating: .nan))
    }
    @inline(__always)
    private static func orNaN(_ value: F64x2, _ a: F64x2, _ b: F64x2) -> F64x2 {
        select((a .== a) .& (b .== b), value, F64x2(repeating: .nan))
    }

    // MARK: Multiplication and addition

    /// Two roundings, never fused.
    @inline(__always) static func multiplyNegatedAdd(_ a: F32x4, _ b: F32x4, _ c: F32x4) -> F32x4 {
        cast(negate(cast(a, to: U32x4.self)), to: F32x4.self) * b + c
    }
    @inline(__always) static func multiplyNegatedAdd(_ a: F64x2, _ b: F64x2, _ c: F64x2) -> F64x2 {
        cast(negate(cast(a, to: U64x2.self)), to: F64x2.self) * b + c
    }

    // MARK: Rounding

    // Adding and subtracting 2^23 (2^52) rounds a smaller magnitude to an integer, ties to even.
    // Larger ones are integers already; adding zero makes a NaN among them quiet.

    @inline(__always) private static func magnitude(_ a: F32x4) -> F32x4 {
        cast(absolute(cast(a, to: U32x4.self)), to: F32x4.self)
    }
    @inline(__always) private static func magnitude(_ a: F64x2) -> F64x2 {
        cast(absolute(cast(a, to: U64x2.self)), to: F64x2.self)
    }

    /// `rounded` with the sign of `a` where `a` may have a fraction, else `a`.
    @inline(__always) private static func finish(_ a: F32x4, _ rounded: F32x4) -> F32x4 {
        let sign = U64x2(repeating: 0x8000_0000_8000_0000)
        let signed = bitselect(cast(a, to: U64x2.self), cast(rounded, to: U64x2.self), sign)
        return select(
            magnitude(a) .< F32x4(repeating: 0x1p23), cast(signed, to: F32x4.self),
            a + F32x4(repeating: 0))
    }
    @inline(__always) private static func finish(_ a: F64x2, _ rounded: F64x2) -> F64x2 {
        let sign = U64x2(repeating: 1 << 63)
        let signed = bitselect(cast(a, to: U64x2.self), cast(rounded, to: U64x2.self), sign)
        return select(
            magnitude(a) .< F64x2(repeating: 0x1p52), cast(signed, to: F64x2.self),
            a + F64x2(repeating: 0))
    }

    /// To the nearest integer, with the sign lost for zero; only for magnitudes below 2^23.
    @inline(__always) private static func round(_ a: F32x4) -> F32x4 {
        let sign = U64x2(repeating: 0x8000_0000_8000_0000)
        let big = bitselect(
            cast(a, to: U64x2.self), cast(F32x4(repeating: 0x1p23), to: U64x2.self), sign)
        return a + cast(big, to: F32x4.self) - cast(big, to: F32x4.self)
    }
    @inline(__always) private static func round(_ a: F64x2) -> F64x2 {
        let sign = U64x2(repeating: 1 << 63)
        let big = bitselect(
            cast(a, to: U64x2.self), cast(F64x2(repeating: 0x1p52), to: U64x2.self), sign)
        return a + cast(big, to: F64x2.self) - cast(big, to: F64x2.self)
    }

    /// Rounds down to an integer, with the same limits.
    @inline(__always) private static func down(_ a: F32x4) -> F32x4 {
        let near = round(a)
        return near - select(near .> a, F32x4(repeating: 1), F32x4.zero)
    }
    @inline(__always) private static func down(_ a: F64x2) -> F64x2 {
        let near = round(a)
        return near - select(near .> a, F64x2(repeating: 1), F64x2.zero)
    }

    @inline(__always) static func nearest(_ a: F32x4) -> F32x4 { finish(a, round(a)) }
    @inline(__always) static func nearest(_ a: F64x2) -> F64x2 { finish(a, round(a)) }

    @inline(__always) static func floor(_ a: F32x4) -> F32x4 {
        finish(a, down(a))
    }
    @inline(__always) static func floor(_ a: F64x2) -> F64x2 {
        finish(a, down(a))
    }
    @inline(__always) static func ceiling(_ a: F32x4) -> F32x4 {
        let near = round(a)
        return finish(a, near + select(near .< a, F32x4(repeating: 1), F32x4.zero))
    }
    @inline(__always) static func ceiling(_ a: F64x2) -> F64x2 {
        let near = round(a)
        return finish(a, near + select(near .< a, F64x2(repeating: 1), F64x2.zero))
    }
    /// Rounding toward zero is rounding the magnitude down.
    @inline(__always) static func truncate(_ a: F32x4) -> F32x4 {
        finish(a, down(magnitude(a)))
    }
    @inline(__always) static func truncate(_ a: F64x2) -> F64x2 {
        finish(a, down(magnitude(a)))
    }

    // One instruction if the compiler may ignore `errno`: see `Scripts/build-release`.
    @inline(__always) static func squareRoot(_ a: F32x4) -> F32x4 { a.squareRoot() }
    @inline(__always) static func squareRoot(_ a: F64x2) -> F64x2 { a.squareRoot() }

    /// The canonical NaN in every lane that has a NaN.
    @inline(__always) static func canonicalize(_ a: F32x4) -> F32x4 {
        select(a .== a, a, F32x4(repeating: .nan))
    }
    @inline(__always) static func canonicalize(_ a: F64x2) -> F64x2 {
        select(a .== a, a, F64x2(repeating: .nan))
    }

    // MARK: Conversions

    @inline(__always) static func convert(_ a: I32x4) -> F32x4 { F32x4(a) }
    @inline(__always) static func convert(_ a: U32x4) -> F32x4 { F32x4(a) }
    @inline(__always) static func convertLow(_ a: I32x4) -> F64x2 { F64x2(a.lowHalf) }
    @inline(__always) static func convertLow(_ a: U32x4) -> F64x2 { F64x2(a.lowHalf) }
    @inline(__always) static func promoteLow(_ a: F32x4) -> F64x2 { F64x2(a.lowHalf) }
    @inline(__always) static func demote(_ a: F64x2) -> F32x4 {
        F32x4(lowHalf: SIMD2<Float>(a), highHalf: .zero)
    }

    // An integer plus 2^52, as a double, has the integer in its low bits; with 2^52 + 2^51 this
    // holds for negative integers too. (The conversions of the standard library trap, which takes a
    // branch for each lane.)

    @inline(__always) private static func integers(_ a: F32x4, _ magic: Double) -> U32x4 {
        evens(
            cast(F64x2(a.lowHalf) + F64x2(repeating: magic), to: U32x4.self),
            cast(F64x2(a.highHalf) + F64x2(repeating: magic), to: U32x4.self))
    }
    /// 2^31 and above give the lowest value, which is inverted to the highest.
    @inline(__always) static func truncateSigned(_ a: F32x4) -> U32x4 {
        let limit = F32x4(repeating: 0x1p31)
        let number = cast(cast(a, to: U64x2.self) & bits(a .== a), to: F32x4.self)
        let high = select(number .< limit, number, limit)
        let clamped = select(high .> F32x4(repeating: -0x1p31), high, F32x4(repeating: -0x1p31))
        return integers(truncate(clamped), 0x1.8p52) ^ cast(bits(a .>= limit), to: U32x4.self)
    }
    /// NaN gives 0, since it is not greater than 0.
    @inline(__always) static func truncateUnsigned(_ a: F32x4) -> U32x4 {
        let limit = F32x4(repeating: 0x1p32)
        let low = select(a .> F32x4.zero, a, F32x4.zero)
        let clamped = select(low .< limit, low, F32x4.zero)
        return integers(floor(clamped), 0x1p52) | cast(bits(a .>= limit), to: U32x4.self)
    }

    @inline(__always) static func truncateSigned(_ a: F64x2) -> U32x4 {
        let number = cast(cast(a, to: U64x2.self) & bits(a .== a), to: F64x2.self)
        let limit = F64x2(repeating: 0x7fff_ffff), lowest = F64x2(repeating: -0x8000_0000)
        let high = select(number .< limit, number, limit)
        let clamped = select(high .> lowest, high, lowest)
        return evens(
            cast(truncate(clamped) + F64x2(repeating: 0x1.8p52), to: U32x4.self), .zero)
    }
    @inline(__always) static func truncateUnsigned(_ a: F64x2) -> U32x4 {
        let limit = F64x2(repeating: 0xffff_ffff)
        let low = select(a .> F64x2.zero, a, F64x2.zero)
        let clamped = select(low .< limit, low, limit)
        return evens(cast(floor(clamped) + F64x2(repeating: 0x1p52), to: U32x4.self), .zero)
    }
}
