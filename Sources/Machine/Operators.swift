// The operators of the instruction set, section 4.3 of the specification, as types that the
// generic templates take.

protocol BinaryOperator {
    associatedtype Operand: RegisterValue
    static func apply(_ a: Operand, _ b: Operand) -> Operand
}

protocol UnaryOperator {
    associatedtype Operand: RegisterValue
    associatedtype Output: RegisterValue
    static func apply(_ a: Operand) -> Output
}

protocol ComparisonOperator {
    associatedtype Operand: RegisterValue
    static func apply(_ a: Operand, _ b: Operand) -> Bool
}

protocol TernaryOperator {
    associatedtype Operand: RegisterValue
    static func apply(_ a: Operand, _ b: Operand, _ c: Operand) -> Operand
}

/// UInt32 stands for i32 and UInt64 for i64; `Twin` is the signed integer of the same size.
protocol RegisterInteger: RegisterValue, FixedWidthInteger, UnsignedInteger {
    associatedtype Twin: FixedWidthInteger & SignedInteger
    var signed: Twin { get }
    init(signed: Twin)
}
extension UInt32: RegisterInteger {
    @inline(__always) var signed: Int32 { Int32(bitPattern: self) }
    @inline(__always) init(signed: Int32) { self.init(bitPattern: signed) }
}
extension UInt64: RegisterInteger {
    @inline(__always) var signed: Int64 { Int64(bitPattern: self) }
    @inline(__always) init(signed: Int64) { self.init(bitPattern: signed) }
}

// MARK: Integers

enum Add<T: RegisterInteger>: BinaryOperator {
    @inline(__always) static func apply(_ a: T, _ b: T) -> T { a &+ b }
}
enum Subtract<T: RegisterInteger>: BinaryOperator {
    @inline(__always) static func apply(_ a: T, _ b: T) -> T { a &- b }
}
enum Multiply<T: RegisterInteger>: BinaryOperator {
    @inline(__always) static func apply(_ a: T, _ b: T) -> T { a &* b }
}
enum And<T: RegisterInteger>: BinaryOperator {
    @inline(__always) static func apply(_ a: T, _ b: T) -> T { a & b }
}
enum Or<T: RegisterInteger>: BinaryOperator {
    @inline(__always) static func apply(_ a: T, _ b: T) -> T { a | b }
}
enum Xor<T: RegisterInteger>: BinaryOperator {
    @inline(__always) static func apply(_ a: T, _ b: T) -> T { a ^ b }
}
enum ShiftLeft<T: RegisterInteger>: BinaryOperator {
    @inline(__always) static func apply(_ a: T, _ b: T) -> T { a &<< b }
}
enum ShiftRightSigned<T: RegisterInteger>: BinaryOperator {
    @inline(__always) static func apply(_ a: T, _ b: T) -> T { T(signed: a.signed &>> b.signed) }
}
enum ShiftRightUnsigned<T: RegisterInteger>: BinaryOperator {
    @inline(__always) static func apply(_ a: T, _ b: T) -> T { a &>> b }
}
enum RotateLeft<T: RegisterInteger>: BinaryOperator {
    @inline(__always) static func apply(_ a: T, _ b: T) -> T { (a &<< b) | (a &>> (0 &- b)) }
}
enum RotateRight<T: RegisterInteger>: BinaryOperator {
    @inline(__always) static func apply(_ a: T, _ b: T) -> T { (a &>> b) | (a &<< (0 &- b)) }
}

enum CountLeadingZeros<T: RegisterInteger>: UnaryOperator {
    @inline(__always) static func apply(_ a: T) -> T {
        T(truncatingIfNeeded: a.leadingZeroBitCount)
    }
}
enum CountTrailingZeros<T: RegisterInteger>: UnaryOperator {
    @inline(__always) static func apply(_ a: T) -> T {
        T(truncatingIfNeeded: a.trailingZeroBitCount)
    }
}
enum CountOnes<T: RegisterInteger>: UnaryOperator {
    @inline(__always) static func apply(_ a: T) -> T { T(truncatingIfNeeded: a.nonzeroBitCount) }
}
enum Extend8<T: RegisterInteger>: UnaryOperator {
    @inline(__always) static func apply(_ a: T) -> T {
        T(truncatingIfNeeded: Int8(truncatingIfNeeded: a))
    }
}
enum Extend16<T: RegisterInteger>: UnaryOperator {
    @inline(__always) static func apply(_ a: T) -> T {
        T(truncatingIfNeeded: Int16(truncatingIfNeeded: a))
    }
}
enum EqualZero<T: RegisterInteger>: UnaryOperator {
    @inline(__always) static func apply(_ a: T) -> UInt32 { a == 0 ? 1 : 0 }
}
enum Wrap: UnaryOperator {
    @inline(__always) static func apply(_ a: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: a) }
}
enum ExtendSigned: UnaryOperator {
    @inline(__always) static func apply(_ a: UInt32) -> UInt64 {
        UInt64(truncatingIfNeeded: Int32(bitPattern: a))
    }
}

enum Equal<T: RegisterInteger>: ComparisonOperator {
    @inline(__always) static func apply(_ a: T, _ b: T) -> Bool { a == b }
}
enum NotEqual<T: RegisterInteger>: ComparisonOperator {
    @inline(__always) static func apply(_ a: T, _ b: T) -> Bool { a != b }
}
enum LessSigned<T: RegisterInteger>: ComparisonOperator {
    @inline(__always) static func apply(_ a: T, _ b: T) -> Bool { a.signed < b.signed }
}
enum LessUnsigned<T: RegisterInteger>: ComparisonOperator {
    @inline(__always) static func apply(_ a: T, _ b: T) -> Bool { a < b }
}
enum GreaterSigned<T: RegisterInteger>: ComparisonOperator {
    @inline(__always) static func apply(_ a: T, _ b: T) -> Bool { a.signed > b.signed }
}
enum GreaterUnsigned<T: RegisterInteger>: ComparisonOperator {
    @inline(__always) static func apply(_ a: T, _ b: T) -> Bool { a > b }
}
enum LessOrEqualSigned<T: RegisterInteger>: ComparisonOperator {
    @inline(__always) static func apply(_ a: T, _ b: T) -> Bool { a.signed <= b.signed }
}
enum LessOrEqualUnsigned<T: RegisterInteger>: ComparisonOperator {
    @inline(__always) static func apply(_ a: T, _ b: T) -> Bool { a <= b }
}
enum GreaterOrEqualSigned<T: RegisterInteger>: ComparisonOperator {
    @inline(__always) static func apply(_ a: T, _ b: T) -> Bool { a.signed >= b.signed }
}
enum GreaterOrEqualUnsigned<T: RegisterInteger>: ComparisonOperator {
    @inline(__always) static func apply(_ a: T, _ b: T) -> Bool { a >= b }
}
enum AnyBitSet<T: RegisterInteger>: ComparisonOperator {
    @inline(__always) static func apply(_ a: T, _ b: T) -> Bool { a & b != 0 }
}
enum NoBitSet<T: RegisterInteger>: ComparisonOperator {
    @inline(__always) static func apply(_ a: T, _ b: T) -> Bool { a & b == 0 }
}

enum MultiplyAdd<T: RegisterInteger>: TernaryOperator {
    @inline(__always) static func apply(_ a: T, _ b: T, _ c: T) -> T { c &+ a &* b }
}
enum MultiplySubtract<T: RegisterInteger>: TernaryOperator {
    @inline(__always) static func apply(_ a: T, _ b: T, _ c: T) -> T { c &- a &* b }
}
enum ShiftAdd<T: RegisterInteger> {
    @inline(__always) static func apply(_ a: T, _ b: T, _ shift: T) -> T { (a &<< shift) &+ b }
}

// MARK: Division

/// Division traps; the result goes to a slot and to the accumulator.
protocol DivisionOperator {
    associatedtype Operand: RegisterInteger
    /// Whether a / b overflows (b is not zero).
    static func overflows(_ a: Operand, _ b: Operand) -> Bool
    static func apply(_ a: Operand, _ b: Operand) -> Operand
}

enum DivideSigned<T: RegisterInteger>: DivisionOperator {
    @inline(__always) static func overflows(_ a: T, _ b: T) -> Bool {
        // Compared one after the other: both at once take one machine register too many.
        _slowPath(b == T.max) && a == T(1) &<< T(truncatingIfNeeded: T.bitWidth &- 1)
    }
    @inline(__always) static func apply(_ a: T, _ b: T) -> T {
        T(signed: a.signed.dividedReportingOverflow(by: b.signed).partialValue)
    }
}
enum DivideUnsigned<T: RegisterInteger>: DivisionOperator {
    @inline(__always) static func overflows(_ a: T, _ b: T) -> Bool { false }
    @inline(__always) static func apply(_ a: T, _ b: T) -> T {
        a.dividedReportingOverflow(by: b).partialValue
    }
}
enum RemainderSigned<T: RegisterInteger>: DivisionOperator {
    @inline(__always) static func overflows(_ a: T, _ b: T) -> Bool { false }
    @inline(__always) static func apply(_ a: T, _ b: T) -> T {
        // The remainder of anything by -1 is 0, even where the quotient overflows.
        b == T.max
            ? 0 : T(signed: a.signed.remainderReportingOverflow(dividingBy: b.signed).partialValue)
    }
}
enum RemainderUnsigned<T: RegisterInteger>: DivisionOperator {
    @inline(__always) static func overflows(_ a: T, _ b: T) -> Bool { false }
    @inline(__always) static func apply(_ a: T, _ b: T) -> T {
        a.remainderReportingOverflow(dividingBy: b).partialValue
    }
}
