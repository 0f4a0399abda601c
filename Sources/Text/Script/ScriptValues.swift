import WasmDecoder

/// An argument that a script gives. Numbers are their bits.
public enum ScriptValue: Sendable, Hashable {
    case i32(UInt32)
    case i64(UInt64)
    case f32(UInt32)
    case f64(UInt64)
    /// Lane 0 is in the lowest bits of `low`.
    case v128(low: UInt64, high: UInt64)
    case refNull(HeapType)
    /// A value of the host, as an external reference.
    case refExtern(UInt32)
    /// A value of the host, as an internal reference (of type `any`).
    case refHost(UInt32)
}

/// What a script expects of a result.
public indirect enum ResultPattern: Sendable, Hashable {
    case i32(UInt32)
    case i64(UInt64)
    case f32(NumberPattern)
    case f64(NumberPattern)
    /// As many patterns as the shape has lanes.
    case v128(VectorShape, [NumberPattern])
    /// `(ref.null)` and `(ref.null ht)`: a null, of whatever type.
    case null(HeapType?)
    /// `(ref)`: any reference that is not null.
    case anyReference
    /// `(ref.func)` and others: a reference that is not null and of the type.
    case reference(HeapType)
    case refExtern(UInt32)
    case refHost(UInt32)
    case either([ResultPattern])
}

/// What a number or lane must be.
public enum NumberPattern: Sendable, Hashable {
    /// In the low bits, the others are 0.
    case bits(UInt64)
    /// A NaN whose payload is only the highest bit, of either sign.
    case canonicalNaN
    /// A NaN with the highest bit of the payload set.
    case arithmeticNaN
}

/// How 128 bits are parted into lanes.
public enum VectorShape: Sendable, Hashable, CaseIterable {
    case i8x16, i16x8, i32x4, i64x2, f32x4, f64x2

    public var laneCount: Int {
        switch self {
        case .i8x16: 16
        case .i16x8: 8
        case .i32x4, .f32x4: 4
        case .i64x2, .f64x2: 2
        }
    }

    public var laneBits: Int { 128 / laneCount }
    public var isFloat: Bool { self == .f32x4 || self == .f64x2 }
}
