/// A Swift number that is a WebAssembly value, for typed calls in both directions.
public protocol WasmValue: BitwiseCopyable, Sendable {
    static var valueType: ValueType { get }
    /// Reads the value from a slot; the upper half is ignored where the value has 32 bits.
    init(slot: UInt64)
    /// The value in a slot, with a zero upper half where it has 32 bits.
    var slot: UInt64 { get }
}

extension Int32: WasmValue {
    public static var valueType: ValueType { .i32 }
    public init(slot: UInt64) { self.init(truncatingIfNeeded: slot) }
    public var slot: UInt64 { UInt64(UInt32(bitPattern: self)) }
}

extension UInt32: WasmValue {
    public static var valueType: ValueType { .i32 }
    public init(slot: UInt64) { self.init(truncatingIfNeeded: slot) }
    public var slot: UInt64 { UInt64(self) }
}

extension Int64: WasmValue {
    public static var valueType: ValueType { .i64 }
    public init(slot: UInt64) { self.init(bitPattern: slot) }
    public var slot: UInt64 { UInt64(bitPattern: self) }
}

extension UInt64: WasmValue {
    public static var valueType: ValueType { .i64 }
    public init(slot: UInt64) { self = slot }
    public var slot: UInt64 { self }
}

extension Float: WasmValue {
    public static var valueType: ValueType { .f32 }
    public init(slot: UInt64) { self.init(bitPattern: UInt32(truncatingIfNeeded: slot)) }
    public var slot: UInt64 { UInt64(bitPattern) }
}

extension Double: WasmValue {
    public static var valueType: ValueType { .f64 }
    public init(slot: UInt64) { self.init(bitPattern: slot) }
    public var slot: UInt64 { bitPattern }
}
