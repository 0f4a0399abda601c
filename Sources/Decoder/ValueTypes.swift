/// Index of a type in the type index space of a module.
public typealias TypeIndex = UInt32
/// Index of a function in the function index space of a module; imports come first.
public typealias FunctionIndex = UInt32

/// What a reference points at: one of the abstract heap types, or a type the module defines.
///
/// Specification: 2.3.3 (heap types), 5.3.3 (binary format).
public struct HeapType: Hashable, Sendable {
    /// Bit 29 set: an abstract type, its binary opcode in the low byte. Clear: a type index.
    let raw: UInt32

    private static let abstractBit: UInt32 = 1 << 29
    /// One more than the largest type index that a `HeapType` can hold.
    static let indexLimit: UInt32 = 1 << 29

    init(raw: UInt32) { self.raw = raw }
    private init(opcode: UInt8) { raw = Self.abstractBit | UInt32(opcode) }

    public static let noexn = HeapType(opcode: 0x74)
    public static let nofunc = HeapType(opcode: 0x73)
    public static let noextern = HeapType(opcode: 0x72)
    public static let none = HeapType(opcode: 0x71)
    public static let `func` = HeapType(opcode: 0x70)
    public static let extern = HeapType(opcode: 0x6f)
    public static let any = HeapType(opcode: 0x6e)
    public static let eq = HeapType(opcode: 0x6d)
    public static let i31 = HeapType(opcode: 0x6c)
    public static let `struct` = HeapType(opcode: 0x6b)
    public static let array = HeapType(opcode: 0x6a)
    public static let exn = HeapType(opcode: 0x69)

    /// The type that the module defines under `index`; `index` must be below 2^29.
    public static func index(_ index: TypeIndex) -> HeapType {
        HeapType(raw: index & (indexLimit - 1))
    }

    /// The abstract heap type with this binary opcode (0x69 to 0x74), if there is one.
    public static func abstract(opcode: UInt8) -> HeapType? {
        (0x69...0x74).contains(opcode) ? HeapType(opcode: opcode) : nil
    }

    /// The type index, or nil for an abstract heap type.
    public var typeIndex: TypeIndex? { raw & Self.abstractBit == 0 ? raw : nil }
    public var isAbstract: Bool { raw & Self.abstractBit != 0 }
    /// The binary opcode of an abstract heap type, or nil for a type index.
    public var opcode: UInt8? { isAbstract ? UInt8(truncatingIfNeeded: raw) : nil }
}

/// A heap type and whether null is among the values.
///
/// Specification: 2.3.4 (reference types).
public struct ReferenceType: Hashable, Sendable {
    public var heapType: HeapType
    public var isNullable: Bool

    public init(_ heapType: HeapType, nullable: Bool) {
        self.heapType = heapType
        isNullable = nullable
    }

    public static let funcref = ReferenceType(.func, nullable: true)
    public static let externref = ReferenceType(.extern, nullable: true)
}

/// The type of a value: a number, a vector or a reference. Four bytes, compared as one integer.
///
/// Specification: 2.3.5 (value types).
public struct ValueType: Hashable, Sendable {
    /// Numbers are small codes. References: bit 31 set, bit 30 nullable, low 30 bits the heap type.
    let raw: UInt32

    private init(code: UInt32) { raw = code }

    public static let i32 = ValueType(code: 0)
    public static let i64 = ValueType(code: 1)
    public static let f32 = ValueType(code: 2)
    public static let f64 = ValueType(code: 3)
    public static let v128 = ValueType(code: 4)
    /// The type of an operand that unreachable code makes up; no module can name it.
    public static let bottom = ValueType(code: 7)

    public static let funcref = ValueType(.funcref)
    public static let externref = ValueType(.externref)

    private static let referenceBit: UInt32 = 1 << 31
    private static let nullableBit: UInt32 = 1 << 30

    public init(_ type: ReferenceType) {
        raw = Self.referenceBit | (type.isNullable ? Self.nullableBit : 0) | type.heapType.raw
    }

    /// A reference to `heapType`.
    public static func ref(_ heapType: HeapType, nullable: Bool) -> ValueType {
        ValueType(ReferenceType(heapType, nullable: nullable))
    }

    public var isReference: Bool { raw & Self.referenceBit != 0 }
    /// i32, i64, f32 or f64.
    public var isNumber: Bool { raw < 4 }
    public var isVector: Bool { raw == 4 }
    /// Whether locals of this type start with a value: all but non-nullable references.
    public var isDefaultable: Bool {
        raw & (Self.referenceBit | Self.nullableBit) != Self.referenceBit
    }

    /// The reference type, or nil for a number or vector.
    public var reference: ReferenceType? {
        guard isReference else { return nil }
        return ReferenceType(
            HeapType(raw: raw & (Self.nullableBit - 1)), nullable: raw & Self.nullableBit != 0)
    }

    /// Slots of eight bytes that a value of this type takes: 2 for v128, else 1.
    public var slotCount: Int { isVector ? 2 : 1 }
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
