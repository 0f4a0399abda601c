// Lanes of one width made of lanes of another: extension, narrowing and shuffles (sections 4.6.4
// and 4.6.5 of the specification).

extension Lanes {
    // MARK: Extension

    // Bytes doubled to 16 bits and shifted. (Converting eight lanes one by one makes functions so
    // alike that the compiler merges those for signed and unsigned ones.)

    @inline(__always) static func extend8x8Signed(_ a: UInt64) -> I16x8 {
        extendLow(cast(U64x2(a, 0), to: I8x16.self))
    }
    @inline(__always) static func extend8x8Unsigned(_ a: UInt64) -> U16x8 {
        extendLow(cast(U64x2(a, 0), to: U8x16.self))
    }
    @inline(__always) static func extendLow(_ a: I8x16) -> I16x8 {
        let bytes = cast(a, to: U8x16.self)
        return cast(zipLow(bytes, bytes), to: I16x8.self) &>> I16x8(repeating: 8)
    }
    @inline(__always) static func extendHigh(_ a: I8x16) -> I16x8 {
        let bytes = cast(a, to: U8x16.self)
        return cast(zipHigh(bytes, bytes), to: I16x8.self) &>> I16x8(repeating: 8)
    }
    @inline(__always) static func extendLow(_ a: U8x16) -> U16x8 {
        cast(zipLow(a, .zero), to: U16x8.self)
    }
    @inline(__always) static func extendHigh(_ a: U8x16) -> U16x8 {
        cast(zipHigh(a, .zero), to: U16x8.self)
    }

    @inline(__always) static func extend(_ a: SIMD4<Int16>) -> I32x4 {
        I32x4(truncatingIfNeeded: a)
    }
    @inline(__always) static func extend(_ a: SIMD4<UInt16>) -> U32x4 {
        U32x4(truncatingIfNeeded: a)
    }
    @inline(__always) static func extend(_ a: SIMD2<Int32>) -> I64x2 {
        I64x2(truncatingIfNeeded: a)
    }
    @inline(__always) static func extend(_ a: SIMD2<UInt32>) -> U64x2 {
        U64x2(truncatingIfNeeded: a)
    }

    @inline(__always) static func extendLow(_ a: I16x8) -> I32x4 { extend(a.lowHalf) }
    @inline(__always) static func extendLow(_ a: U16x8) -> U32x4 { extend(a.lowHalf) }
    @inline(__always) static func extendLow(_ a: I32x4) -> I64x2 { extend(a.lowHalf) }
    @inline(__always) static func extendLow(_ a: U32x4) -> U64x2 { extend(a.lowHalf) }

    @inline(__always) static func extendHigh(_ a: I16x8) -> I32x4 { extend(a.highHalf) }
    @inline(__always) static func extendHigh(_ a: U16x8) -> U32x4 { extend(a.highHalf) }
    @inline(__always) static func extendHigh(_ a: I32x4) -> I64x2 { extend(a.highHalf) }
    @inline(__always) static func extendHigh(_ a: U32x4) -> U64x2 { extend(a.highHalf) }

    // Even lanes are the low halves of wider lanes, odd ones the high halves: shifts extend them.

    @inline(__always) static func extendEven(_ a: I8x16) -> I16x8 {
        (cast(a, to: I16x8.self) &<< I16x8(repeating: 8)) &>> I16x8(repeating: 8)
    }
    @inline(__always) static func extendOdd(_ a: I8x16) -> I16x8 {
        cast(a, to: I16x8.self) &>> I16x8(repeating: 8)
    }
    @inline(__always) static func extendEven(_ a: I16x8) -> I32x4 {
        I32x4(truncatingIfNeeded: a.evenHalf)
    }
    @inline(__always) static func extendOdd(_ a: I16x8) -> I32x4 {
        I32x4(truncatingIfNeeded: a.oddHalf)
    }

    @inline(__always) static func pairwise(_ a: I8x16) -> I16x8 { extendEven(a) &+ extendOdd(a) }
    @inline(__always) static func pairwise(_ a: U8x16) -> U16x8 {
        let pairs = cast(a, to: U16x8.self)
        return (pairs & U16x8(repeating: 0xff)) &+ pairs &>> U16x8(repeating: 8)
    }
    @inline(__always) static func pairwise(_ a: I16x8) -> I32x4 {
        dot(a, I16x8(repeating: 1))
    }
    @inline(__always) static func pairwise(_ a: U16x8) -> U32x4 {
        let pairs = cast(a, to: U32x4.self)
        return (pairs & U32x4(repeating: 0xffff)) &+ pairs &>> U32x4(repeating: 16)
    }

    // MARK: Narrowing

    @inline(__always) private static func clamp(_ a: I16x8, _ low: Int16, _ high: Int16) -> I16x8 {
        let low = I16x8(repeating: low), high = I16x8(repeating: high)
        let lower = select(a .< high, a, high)
        return select(lower .> low, lower, low)
    }
    @inline(__always) private static func clamp(_ a: I32x4, _ low: Int32, _ high: Int32) -> I32x4 {
        let low = I32x4(repeating: low), high = I32x4(repeating: high)
        let lower = select(a .< high, a, high)
        return select(lower .> low, lower, low)
    }

    @inline(__always) static func narrowSigned(_ a: I16x8, _ b: I16x8) -> U8x16 {
        evens(cast(clamp(a, -128, 127), to: U8x16.self), cast(clamp(b, -128, 127), to: U8x16.self))
    }
    @inline(__always) static func narrowUnsigned(_ a: I16x8, _ b: I16x8) -> U8x16 {
        evens(cast(clamp(a, 0, 255), to: U8x16.self), cast(clamp(b, 0, 255), to: U8x16.self))
    }
    @inline(__always) static func narrowSigned(_ a: I32x4, _ b: I32x4) -> U16x8 {
        evens(
            cast(clamp(a, -32768, 32767), to: U16x8.self),
            cast(clamp(b, -32768, 32767), to: U16x8.self))
    }
    @inline(__always) static func narrowUnsigned(_ a: I32x4, _ b: I32x4) -> U16x8 {
        evens(cast(clamp(a, 0, 65535), to: U16x8.self), cast(clamp(b, 0, 65535), to: U16x8.self))
    }

    // MARK: One value

    @inline(__always) static func splat8(_ a: UInt32) -> U8x16 {
        U8x16(repeating: UInt8(truncatingIfNeeded: a))
    }
    @inline(__always) static func splat16(_ a: UInt32) -> U16x8 {
        U16x8(repeating: UInt16(truncatingIfNeeded: a))
    }
    @inline(__always) static func splat(_ a: UInt8) -> U8x16 { U8x16(repeating: a) }
    @inline(__always) static func splat(_ a: UInt16) -> U16x8 { U16x8(repeating: a) }
    @inline(__always) static func splat(_ a: UInt32) -> U32x4 { U32x4(repeating: a) }
    @inline(__always) static func splat(_ a: UInt64) -> U64x2 { U64x2(repeating: a) }
    @inline(__always) static func splat(_ a: Float) -> F32x4 { F32x4(repeating: a) }
    @inline(__always) static func splat(_ a: Double) -> F64x2 { F64x2(repeating: a) }

    @inline(__always) static func zeroExtend(_ a: UInt32) -> U32x4 { U32x4(a, 0, 0, 0) }
    @inline(__always) static func zeroExtend(_ a: UInt64) -> U64x2 { U64x2(a, 0) }
    @inline(__always) static func whole(_ a: U64x2) -> U64x2 { a }

    @inline(__always) static func value(_ a: Int8) -> UInt32 { UInt32(truncatingIfNeeded: a) }
    @inline(__always) static func value(_ a: UInt8) -> UInt32 { UInt32(a) }
    @inline(__always) static func value(_ a: Int16) -> UInt32 { UInt32(truncatingIfNeeded: a) }
    @inline(__always) static func value(_ a: UInt16) -> UInt32 { UInt32(a) }
    @inline(__always) static func value(_ a: UInt32) -> UInt32 { a }
    @inline(__always) static func value(_ a: UInt64) -> UInt64 { a }
    @inline(__always) static func value(_ a: Float) -> Float { a }
    @inline(__always) static func value(_ a: Double) -> Double { a }

    // MARK: Shuffles that processors have

    /// a0 b0 a1 b1 ...
    @inline(__always) static func zipLow(_ a: U8x16, _ b: U8x16) -> U8x16 {
        var result = U8x16.zero
        result.evenHalf = a.lowHalf
        result.oddHalf = b.lowHalf
        return result
    }
    @inline(__always) static func zipHigh(_ a: U8x16, _ b: U8x16) -> U8x16 {
        var result = U8x16.zero
        result.evenHalf = a.highHalf
        result.oddHalf = b.highHalf
        return result
    }
    @inline(__always) static func zipLow(_ a: U16x8, _ b: U16x8) -> U16x8 {
        U16x8(a[0], b[0], a[1], b[1], a[2], b[2], a[3], b[3])
    }
    @inline(__always) static func zipHigh(_ a: U16x8, _ b: U16x8) -> U16x8 {
        U16x8(a[4], b[4], a[5], b[5], a[6], b[6], a[7], b[7])
    }
    @inline(__always) static func zipLow(_ a: U32x4, _ b: U32x4) -> U32x4 {
        U32x4(a[0], b[0], a[1], b[1])
    }
    @inline(__always) static func zipHigh(_ a: U32x4, _ b: U32x4) -> U32x4 {
        U32x4(a[2], b[2], a[3], b[3])
    }

    /// a0 a2 ... b0 b2 ...
    @inline(__always) static func evens(_ a: U8x16, _ b: U8x16) -> U8x16 {
        U8x16(lowHalf: a.evenHalf, highHalf: b.evenHalf)
    }
    @inline(__always) static func odds(_ a: U8x16, _ b: U8x16) -> U8x16 {
        U8x16(lowHalf: a.oddHalf, highHalf: b.oddHalf)
    }
    @inline(__always) static func evens(_ a: U16x8, _ b: U16x8) -> U16x8 {
        U16x8(lowHalf: a.evenHalf, highHalf: b.evenHalf)
    }
    @inline(__always) static func odds(_ a: U16x8, _ b: U16x8) -> U16x8 {
        U16x8(lowHalf: a.oddHalf, highHalf: b.oddHalf)
    }
    @inline(__always) static func evens(_ a: U32x4, _ b: U32x4) -> U32x4 {
        U32x4(a[0], a[2], b[0], b[2])
    }
    @inline(__always) static func odds(_ a: U32x4, _ b: U32x4) -> U32x4 {
        U32x4(a[1], a[3], b[1], b[3])
    }

    /// The bits of `a` from `bits` (below 64) on, followed by the first bits of `b`.
    @inline(__always)
    static func windowLow(_ a: U64x2, _ b: U64x2, _ bits: UInt64) -> U64x2 {
        let middle = highLow(a, b)
        return a &>> U64x2(repeating: bits) | middle &<< U64x2(repeating: 64 &- bits)
    }
    /// The same from 64 + `bits` on.
    @inline(__always)
    static func windowHigh(_ a: U64x2, _ b: U64x2, _ bits: UInt64) -> U64x2 {
        let middle = highLow(a, b)
        return middle &>> U64x2(repeating: bits) | b &<< U64x2(repeating: 64 &- bits)
    }
    /// The upper half of `a` and the lower one of `b`. (Lanes of 64 bits would be moved one by
    /// one.)
    @inline(__always) private static func highLow(_ a: U64x2, _ b: U64x2) -> U64x2 {
        let a = cast(a, to: U32x4.self), b = cast(b, to: U32x4.self)
        return cast(U32x4(a[2], a[3], b[0], b[1]), to: U64x2.self)
    }
}
