// Invariant: bits are reinterpreted only between vectors of 16 bytes, for which all bits are
// values.

import WasmDecoder

/// A Swift type whose values are WebAssembly values of one type, for parameters and results of
/// typed calls.
///
/// | Swift | WebAssembly |
/// |---|---|
/// | `Int32`, `UInt32` | i32 |
/// | `Bool` | i32: 0 is false, everything else true |
/// | `Int64`, `UInt64` | i64 |
/// | `Float`, `Double` | f32, f64 |
/// | `SIMD16<UInt8>` | v128, lane 0 in the lowest byte |
/// | `Function?`, `ExternReference?` | funcref, externref |
/// | `AnyReference?`, `Exception?` | anyref, exnref |
///
/// Types of an embedder may conform as well. The bits that they write are checked, like others that
/// a host writes to slots: see `HostFunction` and `CallSlots`.
public protocol WasmValue {
    /// The WebAssembly type.
    static var valueType: ValueType { get }
    /// Reads the value that starts at slot `index`, which is of the type, and moves the index after
    /// it.
    init(slots: borrowing CallSlots, at index: inout Int)
    /// Writes the value to the slots from `index` on, and moves the index after it.
    ///
    /// - Throws: `ValueError` if it belongs to another store; numbers never do.
    func write(to slots: borrowing CallSlots, at index: inout Int) throws(ValueError)
}

extension Int32: WasmValue {
    @inlinable public static var valueType: ValueType { .i32 }
    @inlinable public init(slots: borrowing CallSlots, at index: inout Int) {
        self = slots.i32(index)
        index &+= 1
    }
    @inlinable public func write(to slots: borrowing CallSlots, at index: inout Int) {
        slots.setResult(index, i32: self)
        index &+= 1
    }
}

extension UInt32: WasmValue {
    @inlinable public static var valueType: ValueType { .i32 }
    @inlinable public init(slots: borrowing CallSlots, at index: inout Int) {
        self = slots.u32(index)
        index &+= 1
    }
    @inlinable public func write(to slots: borrowing CallSlots, at index: inout Int) {
        slots.setResult(index, u32: self)
        index &+= 1
    }
}

extension Bool: WasmValue {
    @inlinable public static var valueType: ValueType { .i32 }
    @inlinable public init(slots: borrowing CallSlots, at index: inout Int) {
        self = slots.u32(index) != 0
        index &+= 1
    }
    @inlinable public func write(to slots: borrowing CallSlots, at index: inout Int) {
        slots.setResult(index, u32: self ? 1 : 0)
        index &+= 1
    }
}

extension Int64: WasmValue {
    @inlinable public static var valueType: ValueType { .i64 }
    @inlinable public init(slots: borrowing CallSlots, at index: inout Int) {
        self = slots.i64(index)
        index &+= 1
    }
    @inlinable public func write(to slots: borrowing CallSlots, at index: inout Int) {
        slots.setResult(index, i64: self)
        index &+= 1
    }
}

extension UInt64: WasmValue {
    @inlinable public static var valueType: ValueType { .i64 }
    @inlinable public init(slots: borrowing CallSlots, at index: inout Int) {
        self = slots.u64(index)
        index &+= 1
    }
    @inlinable public func write(to slots: borrowing CallSlots, at index: inout Int) {
        slots.setResult(index, u64: self)
        index &+= 1
    }
}

extension Float: WasmValue {
    @inlinable public static var valueType: ValueType { .f32 }
    @inlinable public init(slots: borrowing CallSlots, at index: inout Int) {
        self = slots.f32(index)
        index &+= 1
    }
    @inlinable public func write(to slots: borrowing CallSlots, at index: inout Int) {
        slots.setResult(index, f32: self)
        index &+= 1
    }
}

extension Double: WasmValue {
    @inlinable public static var valueType: ValueType { .f64 }
    @inlinable public init(slots: borrowing CallSlots, at index: inout Int) {
        self = slots.f64(index)
        index &+= 1
    }
    @inlinable public func write(to slots: borrowing CallSlots, at index: inout Int) {
        slots.setResult(index, f64: self)
        index &+= 1
    }
}

extension SIMD16: WasmValue where Scalar == UInt8 {
    @inlinable public static var valueType: ValueType { .v128 }
    @inlinable public init(slots: borrowing CallSlots, at index: inout Int) {
        self = unsafeBitCast(SIMD2<UInt64>(slots[index], slots[index &+ 1]), to: Self.self)
        index &+= 2
    }
    @inlinable public func write(to slots: borrowing CallSlots, at index: inout Int) {
        let words = unsafeBitCast(self, to: SIMD2<UInt64>.self)
        slots[index] = words[0]
        slots[index &+ 1] = words[1]
        index &+= 2
    }
}

/// Whether a type is one of those above, which always write values of their type.
@inlinable
func isOurs<T: WasmValue>(_ type: T.Type) -> Bool {
    type == Int32.self || type == UInt32.self || type == Int64.self || type == UInt64.self
        || type == Double.self || type == Float.self || type == Bool.self
        || type == SIMD16<UInt8>.self || type == Function?.self || type == ExternReference?.self
        || type == AnyReference?.self || type == Exception?.self
}

@inlinable
func areOurs<each T: WasmValue>(_ types: repeat (each T).Type) -> Bool {
    for isKnown in repeat isOurs(each types) {
        if !isKnown { return false }
    }
    return true
}

/// A reference that a `Value` can hold; its optional is a `WasmValue`, with nil for null.
public protocol WasmReference {
    /// The type of references that may be null.
    static var referenceType: ReferenceType { get }
    /// The reference in a value; nil if the value is null or of another kind.
    init?(_ value: Value)
    /// The value that holds `reference`.
    static func value(of reference: Self?) -> Value
}

extension Optional: WasmValue where Wrapped: WasmReference {
    public static var valueType: ValueType { ValueType(Wrapped.referenceType) }

    public init(slots: borrowing CallSlots, at index: inout Int) {
        self = Wrapped(slots.value(index, as: Self.valueType))
        index &+= 1
    }

    public func write(to slots: borrowing CallSlots, at index: inout Int) throws(ValueError) {
        try slots.setResult(index, Wrapped.value(of: self), as: Self.valueType)
        index &+= 1
    }
}

extension Function: WasmReference {
    public static var referenceType: ReferenceType { .funcref }
    public init?(_ value: Value) {
        guard case .function(let reference?) = value else { return nil }
        self = reference
    }
    public static func value(of reference: Function?) -> Value { .function(reference) }
}

extension ExternReference: WasmReference {
    public static var referenceType: ReferenceType { .externref }
    public init?(_ value: Value) {
        guard case .extern(let reference?) = value else { return nil }
        self = reference
    }
    public static func value(of reference: ExternReference?) -> Value { .extern(reference) }
}

extension AnyReference: WasmReference {
    public static var referenceType: ReferenceType { ReferenceType(.any, nullable: true) }
    public init?(_ value: Value) {
        guard case .any(let reference?) = value else { return nil }
        self = reference
    }
    public static func value(of reference: AnyReference?) -> Value { .any(reference) }
}

extension Exception: WasmReference {
    public static var referenceType: ReferenceType { ReferenceType(.exn, nullable: true) }
    public init?(_ value: Value) {
        guard case .exception(let reference?) = value else { return nil }
        self = reference
    }
    public static func value(of reference: Exception?) -> Value { .exception(reference) }
}
