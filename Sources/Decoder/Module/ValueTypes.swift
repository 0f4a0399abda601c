// Constants and accessors are inlinable: validator and translator use them for every operand.

/// Index of a type in the type index space of a module.
public typealias TypeIndex = UInt32
/// Index of a function in the function index space of a module; imports come first.
public typealias FunctionIndex = UInt32

/// What a reference points at: one of the abstract heap types, or a type the module defines.
///
/// Specification: 2.3.3 (heap types), 5.3.3 (binary format).
public struct HeapType: Hashable, Sendable {
    /// Bit 29 set: an abstract type, its binary opcode in the low byte. Clear: a type index.
    @usableFromInline let raw: UInt32

    @inlinable static var abstractBit: UInt32 { 1 << 29 }
    /// One more than the largest type index that a `HeapType` can hold.
    @inlinable static var indexLimit: UInt32 { 1 << 29 }

    @inlinable init(raw: UInt32) { self.raw = raw }
    @inlinable init(opcode: UInt8) { raw = Self.abstractBit | UInt32(opcode) }

    @inlinable public static var noexn: HeapType { .init(opcode: 0x74) }
    @inlinable public static var nofunc: HeapType { .init(opcode: 0x73) }
    @inlinable public static var noextern: HeapType { .init(opcode: 0x72) }
    @inlinable public static var none: HeapType { .init(opcode: 0x71) }
    @inlinable public static var `func`: HeapType { .init(opcode: 0x70) }
    @inlinable public static var extern: HeapType { .init(opcode: 0x6f) }
    @inlinable public static var any: HeapType { .init(opcode: 0x6e) }
    @inlinable public static var eq: HeapType { .init(opcode: 0x6d) }
    @inlinable public static var i31: HeapType { .init(opcode: 0x6c) }
    @inlinable public static var `struct`: HeapType { .init(opcode: 0x6b) }
    @inlinable public static var array: HeapType { .init(opcode: 0x6a) }
    @inlinable public static var exn: HeapType { .init(opcode: 0x69) }

    /// The type that the module defines under `index`; `index` must be below 2^29.
    @inlinable public static func index(_ index: TypeIndex) -> HeapType {
        HeapType(raw: index & (indexLimit - 1))
    }

    /// The abstract heap type with this binary opcode (0x69 to 0x74), if there is one.
    @inlinable public static func abstract(opcode: UInt8) -> HeapType? {
        (0x69...0x74).contains(opcode) ? HeapType(opcode: opcode) : nil
    }

    /// The type index, or nil for an abstract heap type.
    @inlinable public var typeIndex: TypeIndex? { raw & Self.abstractBit == 0 ? raw : nil }
    @inlinable public var isAbstract: Bool { raw & Self.abstractBit != 0 }
    /// The binary opcode of an abstract heap type, or nil for a type index.
    @inlinable public var opcode: UInt8? { isAbstract ? UInt8(truncatingIfNeeded: raw) : nil }
}

/// A heap type and whether null is among the values.
///
/// Specification: 2.3.4 (reference types).
public struct ReferenceType: Hashable, Sendable {
    public var heapType: HeapType
    public var isNullable: Bool

    @inlinable public init(_ heapType: HeapType, nullable: Bool) {
        self.heapType = heapType
        isNullable = nullable
    }

    @inlinable public static var funcref: ReferenceType { .init(.func, nullable: true) }
    @inlinable public static var externref: ReferenceType { .init(.extern, nullable: true) }
}

/// The type of a value: a number, a vector or a reference. Four bytes, compared as one integer.
///
/// Specification: 2.3.5 (value types).
public struct ValueType: Hashable, Sendable {
    /// Numbers are small codes. References: bit 31 set, bit 30 nullable, low 30 bits the heap type.
    @usableFromInline let raw: UInt32

    @inlinable init(code: UInt32) { raw = code }

    @inlinable public static var i32: ValueType { .init(code: 0) }
    @inlinable public static var i64: ValueType { .init(code: 1) }
    @inlinable public static var f32: ValueType { .init(code: 2) }
    @inlinable public static var f64: ValueType { .init(code: 3) }
    @inlinable public static var v128: ValueType { .init(code: 4) }
    /// The type of an operand that unreachable code makes up; no module can name it.
    @inlinable public static var bottom: ValueType { .init(code: 7) }

    @inlinable public static var funcref: ValueType { .init(ReferenceType.funcref) }
    @inlinable public static var externref: ValueType { .init(ReferenceType.externref) }

    @inlinable static var referenceBit: UInt32 { 1 << 31 }
    @inlinable static var nullableBit: UInt32 { 1 << 30 }

    @inlinable public init(_ type: ReferenceType) {
        raw = Self.referenceBit | (type.isNullable ? Self.nullableBit : 0) | type.heapType.raw
    }

    /// A reference to `heapType`.
    @inlinable public static func ref(_ heapType: HeapType, nullable: Bool) -> ValueType {
        ValueType(ReferenceType(heapType, nullable: nullable))
    }

    @inlinable public var isReference: Bool { raw & Self.referenceBit != 0 }
    /// i32, i64, f32 or f64.
    @inlinable public var isNumber: Bool { raw < 4 }
    @inlinable public var isVector: Bool { raw == 4 }
    /// Whether locals of this type start with a value: all but non-nullable references.
    @inlinable public var isDefaultable: Bool {
        raw & (Self.referenceBit | Self.nullableBit) != Self.referenceBit
    }

    /// The reference type, or nil for a number or vector.
    @inlinable public var reference: ReferenceType? {
        guard isReference else { return nil }
        return ReferenceType(
            HeapType(raw: raw & (Self.nullableBit - 1)), nullable: raw & Self.nullableBit != 0)
    }

    /// Slots of eight bytes that a value of this type takes: 2 for v128, else 1.
    @inlinable public var slotCount: Int { isVector ? 2 : 1 }
}

extension HeapType: CustomStringConvertible {
    public var description: String {
        switch opcode {
        case 0x74: "noexn"
        case 0x73: "nofunc"
        case 0x72: "noextern"
        case 0x71: "none"
        case 0x70: "func"
        case 0x6f: "extern"
        case 0x6e: "any"
        case 0x6d: "eq"
        case 0x6c: "i31"
        case 0x6b: "struct"
        case 0x6a: "array"
        case 0x69: "exn"
        default: "\(raw)"
        }
    }
}

extension ReferenceType: CustomStringConvertible {
    /// As the text format writes it, with the short form where there is one: `funcref`, `(ref 3)`.
    public var description: String {
        guard isNullable else { return "(ref \(heapType))" }
        switch heapType {
        case .none: return "nullref"
        case .nofunc: return "nullfuncref"
        case .noextern: return "nullexternref"
        case .noexn: return "nullexnref"
        default: return heapType.isAbstract ? "\(heapType)ref" : "(ref null \(heapType))"
        }
    }
}

extension ValueType: CustomStringConvertible {
    public var description: String {
        switch self {
        case .i32: "i32"
        case .i64: "i64"
        case .f32: "f32"
        case .f64: "f64"
        case .v128: "v128"
        default: reference?.description ?? "bottom"
        }
    }
}
