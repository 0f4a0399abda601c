import WasmInterpreter

/// What a parameter or a result is declared to be. Names are taken in any case.
public enum ParameterType: String, Hashable, Sendable, CaseIterable {
    case i32, i64, f32, f64, v128, externref, funcref
    /// UTF-8 in the guest's memory.
    case string
    /// Bytes in the guest's memory.
    case bytes

    public init?(name: String) {
        guard name.utf8.count <= 16, let type = Self(rawValue: name.lowercased()) else {
            return nil
        }
        self = type
    }

    /// The type of a value of the guest; nil for references of other types.
    init?(_ type: ValueType) {
        switch type {
        case .i32: self = .i32
        case .i64: self = .i64
        case .f32: self = .f32
        case .f64: self = .f64
        case .v128: self = .v128
        case .externref: self = .externref
        case .funcref: self = .funcref
        default: return nil
        }
    }

    /// The name in small letters.
    public var name: String { rawValue }

    /// Whether a value is a place in memory and a length.
    var isInMemory: Bool { self == .string || self == .bytes }
}

/// A declared parameter.
public struct Parameter: Hashable, Sendable {
    public var name: String
    /// Nil if it was declared as null.
    public var type: ParameterType?

    public init(_ name: String, _ type: ParameterType?) {
        self.name = name
        self.type = type
    }
}
