// Float operators (section 4.3.3 of the specification). NaN results are those of the hardware,
// which the specification allows as long as they are quiet. An engine that is configured for
// canonical NaNs runs one more instruction (see `Translator/CanonicalNaNs.swift`).

protocol RegisterFloat: RegisterValue, BinaryFloatingPoint {
    static func withSign(of sign: Self, _ magnitude: Self) -> Self
}
extension Float: RegisterFloat {
    @inline(__always) static func withSign(of sign: Float, _ magnitude: Float) -> Float {
        Float(
            bitPattern: (magnitude.bitPattern & 0x7fff_ffff) | (sign.bitPattern & 0x8000_0000))
    }
}
extension Double: RegisterFloat {
    @inline(__always) static func withSign(of sign: Double, _ magnitude: Double) -> Double {
        let mask: UInt64 = 1 << 63
        return Double(bitPattern: (magnitude.bitPattern & ~mask) | (sign.bitPattern & mask))
    }
}

enum FloatAdd<T: RegisterFloat>: BinaryOperator {
    @inline(__always) static func apply(_ a: T, _ b: T) -> T { a + b }
}
enum FloatSubtract<T: RegisterFloat>: BinaryOperator {
    @inline(__always) static func apply(_ a: T, _ b: T) -> T { a - b }
}
enum FloatMultiply<T: RegisterFloat>: BinaryOperator {
    @inline(__always) static func apply(_ a: T, _ b: T) -> T { a * b }
}
enum FloatDivide<T: RegisterFloat>: BinaryOperator {
    @inline(__always) static func apply(_ a: T, _ b: T) -> T { a / b }
}
enum FloatMinimum<T: RegisterFloat>: BinaryOperator {
    @inline(__always) static func apply(_ a: T, _ b: T) -> T {
        if a < b { return a }
        if b < a { return b }
        // Equal: prefer the negative zero. Otherwise one is NaN and the sum is a quiet NaN.
        if a == b { return a.sign == .minus ? a : b }
        return a + b
    }
}
enum FloatMaximum<T: RegisterFloat>: BinaryOperator {
    @inline(__always) static func apply(_ a: T, _ b: T) -> T {
        if a > b { return a }
        if b > a { return b }
        if a == b { return a.sign == .minus ? b : a }
        return a + b
    }
}
enum FloatCopySign<T: RegisterFloat>: BinaryOperator {
    @inline(__always) static func apply(_ a: T, _ b: T) -> T { T.withSign(of: b, a) }
}

enum FloatAbsolute<T: RegisterFloat>: UnaryOperator {
    @inline(__always) static func apply(_ a: T) -> T { a.magnitude }
}
enum FloatNegate<T: RegisterFloat>: UnaryOperator {
    @inline(__always) static func apply(_ a: T) -> T { -a }
}
enum FloatCeiling<T: RegisterFloat>: UnaryOperator {
    @inline(__always) static func apply(_ a: T) -> T { a.rounded(.up) }
}
enum FloatFloor<T: RegisterFloat>: UnaryOperator {
    @inline(__always) static func apply(_ a: T) -> T { a.rounded(.down) }
}
enum FloatTruncate<T: RegisterFloat>: UnaryOperator {
    @inline(__always) static func apply(_ a: T) -> T { a.rounded(.towardZero) }
}
enum FloatNearest<T: RegisterFloat>: UnaryOperator {
    @inline(__always) static func apply(_ a: T) -> T { a.rounded(.toNearestOrEven) }
}
/// Replaces every NaN by the canonical one.
enum FloatCanonicalize<T: RegisterFloat>: UnaryOperator {
    @inline(__always) static func apply(_ a: T) -> T { a == a ? a : T.nan }
}
enum FloatSquareRoot<T: RegisterFloat>: UnaryOperator {
    @inline(__always) static func apply(_ a: T) -> T { a.squareRoot() }
}

enum FloatEqual<T: RegisterFloat>: ComparisonOperator {
    @inline(__always) static func apply(_ a: T, _ b: T) -> Bool { a == b }
}
enum FloatNotEqual<T: RegisterFloat>: ComparisonOperator {
    @inline(__always) static func apply(_ a: T, _ b: T) -> Bool { a != b }
}
enum FloatLess<T: RegisterFloat>: ComparisonOperator {
    @inline(__always) static func apply(_ a: T, _ b: T) -> Bool { a < b }
}
enum FloatGreater<T: RegisterFloat>: ComparisonOperator {
    @inline(__always) static func apply(_ a: T, _ b: T) -> Bool { a > b }
}
enum FloatLessOrEqual<T: RegisterFloat>: ComparisonOperator {
    @inline(__always) static func apply(_ a: T, _ b: T) -> Bool { a <= b }
}
enum FloatGreaterOrEqual<T: RegisterFloat>: ComparisonOperator {
    @inline(__always) static func apply(_ a: T, _ b: T) -> Bool { a >= b }
}
enum FloatNotLess<T: RegisterFloat>: ComparisonOperator {
    @inline(__always) static func apply(_ a: T, _ b: T) -> Bool { !(a < b) }
}
enum FloatNotGreater<T: RegisterFloat>: ComparisonOperator {
    @inline(__always) static func apply(_ a: T, _ b: T) -> Bool { !(a > b) }
}
enum FloatNotLessOrEqual<T: RegisterFloat>: ComparisonOperator {
    @inline(__always) static func apply(_ a: T, _ b: T) -> Bool { !(a <= b) }
}
enum FloatNotGreaterOrEqual<T: RegisterFloat>: ComparisonOperator {
    @inline(__always) static func apply(_ a: T, _ b: T) -> Bool { !(a >= b) }
}

/// Two roundings, as the separate instructions do; never a fused multiply-add.
enum FloatMultiplyAdd<T: RegisterFloat>: TernaryOperator {
    @inline(__always) static func apply(_ a: T, _ b: T, _ c: T) -> T { c + a * b }
}
enum FloatMultiplySubtract<T: RegisterFloat>: TernaryOperator {
    @inline(__always) static func apply(_ a: T, _ b: T, _ c: T) -> T { c - a * b }
}
