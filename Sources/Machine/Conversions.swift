// Conversions between numeric types (section 4.3.4 of the specification).
//
// The generic initialisers of the standard library do not specialise to machine instructions, so
// every pair of types names its concrete conversion once, in the protocols at the end.

enum ConvertSigned<I: TruncatedInteger, F: ConvertibleFloat>: UnaryOperator {
    @inline(__always) static func apply(_ a: I) -> F { I.signedToFloat(a, F.self) }
}
enum ConvertUnsigned<I: TruncatedInteger, F: ConvertibleFloat>: UnaryOperator {
    @inline(__always) static func apply(_ a: I) -> F { I.unsignedToFloat(a, F.self) }
}
enum Demote: UnaryOperator {
    @inline(__always) static func apply(_ a: Double) -> Float { Float(a) }
}
enum Promote: UnaryOperator {
    @inline(__always) static func apply(_ a: Float) -> Double { Double(a) }
}
/// A truncation that traps.
protocol TruncationOperator {
    associatedtype Operand: ConvertibleFloat
    associatedtype Output: RegisterInteger
    /// Whether the truncated value is representable; false for NaN.
    static func fits(_ a: Operand) -> Bool
    /// Only for values that fit.
    static func apply(_ a: Operand) -> Output
}

enum TruncateSigned<F: ConvertibleFloat, I: TruncatedInteger>: TruncationOperator {
    @inline(__always) static func fits(_ a: F) -> Bool { F.fitsSigned(a, I.self) }
    @inline(__always) static func apply(_ a: F) -> I { I.fromSigned(a) }
}
enum TruncateUnsigned<F: ConvertibleFloat, I: TruncatedInteger>: TruncationOperator {
    @inline(__always) static func fits(_ a: F) -> Bool { F.fitsUnsigned(a, I.self) }
    @inline(__always) static func apply(_ a: F) -> I { I.fromUnsigned(a) }
}

enum SaturateSigned<F: ConvertibleFloat, I: TruncatedInteger>: UnaryOperator {
    @inline(__always) static func apply(_ a: F) -> I {
        if F.fitsSigned(a, I.self) { return I.fromSigned(a) }
        if a.isNaN { return 0 }
        let lowest = I(1) &<< I(truncatingIfNeeded: I.bitWidth &- 1)
        return a < 0 ? lowest : lowest &- 1
    }
}
enum SaturateUnsigned<F: ConvertibleFloat, I: TruncatedInteger>: UnaryOperator {
    @inline(__always) static func apply(_ a: F) -> I {
        if F.fitsUnsigned(a, I.self) { return I.fromUnsigned(a) }
        return a > 0 ? I.max : 0
    }
}

/// An integer type with the concrete conversions from and to both float types.
protocol TruncatedInteger: RegisterInteger {
    static func signedToFloat<F: ConvertibleFloat>(_ a: Self, _ type: F.Type) -> F
    static func unsignedToFloat<F: ConvertibleFloat>(_ a: Self, _ type: F.Type) -> F
    static func fromSigned<F: ConvertibleFloat>(_ a: F) -> Self
    static func fromUnsigned<F: ConvertibleFloat>(_ a: F) -> Self
}
extension UInt32: TruncatedInteger {
    @inline(__always) static func signedToFloat<F: ConvertibleFloat>(
        _ a: UInt32, _ type: F.Type
    ) -> F { F.from(Int32(bitPattern: a)) }
    @inline(__always) static func unsignedToFloat<F: ConvertibleFloat>(
        _ a: UInt32, _ type: F.Type
    ) -> F { F.from(a) }
    @inline(__always) static func fromSigned<F: ConvertibleFloat>(_ a: F) -> UInt32 {
        UInt32(bitPattern: a.toInt32)
    }
    @inline(__always) static func fromUnsigned<F: ConvertibleFloat>(_ a: F) -> UInt32 {
        a.toUInt32
    }
}
extension UInt64: TruncatedInteger {
    @inline(__always) static func signedToFloat<F: ConvertibleFloat>(
        _ a: UInt64, _ type: F.Type
    ) -> F { F.from(Int64(bitPattern: a)) }
    @inline(__always) static func unsignedToFloat<F: ConvertibleFloat>(
        _ a: UInt64, _ type: F.Type
    ) -> F { F.from(a) }
    @inline(__always) static func fromSigned<F: ConvertibleFloat>(_ a: F) -> UInt64 {
        UInt64(bitPattern: a.toInt64)
    }
    @inline(__always) static func fromUnsigned<F: ConvertibleFloat>(_ a: F) -> UInt64 {
        a.toUInt64
    }
}

protocol ConvertibleFloat: RegisterFloat {
    static func from(_ a: Int32) -> Self
    static func from(_ a: UInt32) -> Self
    static func from(_ a: Int64) -> Self
    static func from(_ a: UInt64) -> Self
    var toInt32: Int32 { get }
    var toUInt32: UInt32 { get }
    var toInt64: Int64 { get }
    var toUInt64: UInt64 { get }
    /// The largest value below -2^31 whose truncation does not fit i32.
    static var belowInt32: Self { get }
    /// 2^63, which an integer literal in generic code cannot express.
    static var twoTo63: Self { get }
}
extension ConvertibleFloat {
    @inline(__always) static func fitsSigned<I: RegisterInteger>(_ a: Self, _ type: I.Type) -> Bool
    {
        I.bitWidth == 32
            ? a > belowInt32 && a < 2_147_483_648
            : a >= -twoTo63 && a < twoTo63
    }
    @inline(__always) static func fitsUnsigned<I: RegisterInteger>(
        _ a: Self, _ type: I.Type
    ) -> Bool {
        a > -1 && a < (I.bitWidth == 32 ? 4_294_967_296 : twoTo63 + twoTo63)
    }
}
extension Float: ConvertibleFloat {
    @inline(__always) static func from(_ a: Int32) -> Float { Float(a) }
    @inline(__always) static func from(_ a: UInt32) -> Float { Float(a) }
    @inline(__always) static func from(_ a: Int64) -> Float { Float(a) }
    @inline(__always) static func from(_ a: UInt64) -> Float { Float(a) }
    @inline(__always) var toInt32: Int32 { Int32(self) }
    @inline(__always) var toUInt32: UInt32 { UInt32(self) }
    @inline(__always) var toInt64: Int64 { Int64(self) }
    @inline(__always) var toUInt64: UInt64 { UInt64(self) }
    /// The float below -2^31.
    @inline(__always) static var belowInt32: Float { -2_147_483_904 }
    @inline(__always) static var twoTo63: Float { 0x1p63 }
}
extension Double: ConvertibleFloat {
    @inline(__always) static func from(_ a: Int32) -> Double { Double(a) }
    @inline(__always) static func from(_ a: UInt32) -> Double { Double(a) }
    @inline(__always) static func from(_ a: Int64) -> Double { Double(a) }
    @inline(__always) static func from(_ a: UInt64) -> Double { Double(a) }
    @inline(__always) var toInt32: Int32 { Int32(self) }
    @inline(__always) var toUInt32: UInt32 { UInt32(self) }
    @inline(__always) var toInt64: Int64 { Int64(self) }
    @inline(__always) var toUInt64: UInt64 { UInt64(self) }
    @inline(__always) static var belowInt32: Double { -2_147_483_649 }
    @inline(__always) static var twoTo63: Double { 0x1p63 }
}
