/// Parameters and results of a function or block.
public struct FunctionType: Hashable, Sendable {
    public var parameters: [ValueType]
    public var results: [ValueType]

    public init(parameters: [ValueType] = [], results: [ValueType] = []) {
        self.parameters = parameters
        self.results = results
    }
}

extension FunctionType: CustomStringConvertible {
    /// `(i32, i64) -> (f32)`
    public var description: String {
        let list = { (types: [ValueType]) in
            "(" + types.map(\.description).joined(separator: ", ") + ")"
        }
        return "\(list(parameters)) -> \(list(results))"
    }
}

/// What a field of a structure or an element of an array holds.
public enum StorageType: Hashable, Sendable {
    case value(ValueType)
    case i8
    case i16

    /// The type of the value that reading or writing the field handles: i32 for packed fields.
    public var unpacked: ValueType {
        switch self {
        case .value(let type): type
        case .i8, .i16: .i32
        }
    }

    public var isPacked: Bool {
        switch self {
        case .value: false
        case .i8, .i16: true
        }
    }
}

public struct FieldType: Hashable, Sendable {
    public var storage: StorageType
    public var isMutable: Bool

    public init(_ storage: StorageType, mutable: Bool) {
        self.storage = storage
        isMutable = mutable
    }
}

/// Specification: 2.3.8 (composite types).
public enum CompositeType: Hashable, Sendable {
    case function(FunctionType)
    case structure([FieldType])
    case array(FieldType)

    public var functionType: FunctionType? {
        if case .function(let type) = self { type } else { nil }
    }
}

/// A type definition: its structure, the type it extends, and whether it may be extended.
///
/// Specification: 2.3.9 (recursive types).
public struct SubType: Hashable, Sendable {
    public var isFinal: Bool
    /// At most one; the binary format has room for more, validation refuses them.
    public var supertypes: [TypeIndex]
    public var composite: CompositeType

    public init(final: Bool = true, supertypes: [TypeIndex] = [], _ composite: CompositeType) {
        isFinal = final
        self.supertypes = supertypes
        self.composite = composite
    }
}
