/// The four number types, as small numbers.
@frozen
public enum NumberType: UInt8, Hashable, Sendable {
    case i32, i64, f32, f64

    public var valueType: ValueType {
        switch self {
        case .i32: .i32
        case .i64: .i64
        case .f32: .f32
        case .f64: .f64
        }
    }
}

/// A Swift number that is a WebAssembly value, for typed calls in both directions.
public protocol WasmValue: BitwiseCopyable, Sendable {
    static var numberType: NumberType { get }
    /// Reads the value from a slot; the upper half is ignored where the value has 32 bits.
    init(slot: UInt64)
    /// The value in a slot, with a zero upper half where it has 32 bits.
    var slot: UInt64 { get }
}

extension Int32: WasmValue {
    @inlinable public static var numberType: NumberType { .i32 }
    @inlinable public init(slot: UInt64) { self.init(truncatingIfNeeded: slot) }
    @inlinable public var slot: UInt64 { UInt64(UInt32(bitPattern: self)) }
}

extension UInt32: WasmValue {
    @inlinable public static var numberType: NumberType { .i32 }
    @inlinable public init(slot: UInt64) { self.init(truncatingIfNeeded: slot) }
    @inlinable public var slot: UInt64 { UInt64(self) }
}

extension Int64: WasmValue {
    @inlinable public static var numberType: NumberType { .i64 }
    @inlinable public init(slot: UInt64) { self.init(bitPattern: slot) }
    @inlinable public var slot: UInt64 { UInt64(bitPattern: self) }
}

extension UInt64: WasmValue {
    @inlinable public static var numberType: NumberType { .i64 }
    @inlinable public init(slot: UInt64) { self = slot }
    @inlinable public var slot: UInt64 { self }
}

extension Float: WasmValue {
    @inlinable public static var numberType: NumberType { .f32 }
    @inlinable public init(slot: UInt64) { self.init(bitPattern: UInt32(truncatingIfNeeded: slot)) }
    @inlinable public var slot: UInt64 { UInt64(bitPattern) }
}

extension Double: WasmValue {
    @inlinable public static var numberType: NumberType { .f64 }
    @inlinable public init(slot: UInt64) { self.init(bitPattern: slot) }
    @inlinable public var slot: UInt64 { bitPattern }
}
