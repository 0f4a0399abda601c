/// A value that the host gave does not fit where it should go.
public enum ValueError: Error, Hashable {
    /// A value of another type is needed.
    case typeMismatch(expected: ValueType)
    /// The function or instance lives in another store.
    case foreignStore
}

extension ValueError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .typeMismatch(let expected): "a value of type \(expected) is needed"
        case .foreignStore: "the value belongs to another store"
        }
    }
}

/// A call from the host that could not start.
public enum CallError: Error, Hashable {
    case argumentCount(expected: Int, given: Int)
    /// Counted from 0.
    case argument(index: Int, ValueError)
    /// A typed call whose Swift types are not the function's.
    case signature(expected: FunctionType, given: FunctionType)
}

extension CallError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .argumentCount(let expected, let given):
            "the function takes \(expected) argument\(expected == 1 ? "" : "s"), given: \(given)"
        case .argument(let index, let error): "argument \(index + 1): \(error)"
        case .signature(let expected, let given):
            "the function has type \(expected), it was called as \(given)"
        }
    }
}

/// An element, a size or a cell that cannot be read or changed as asked.
public enum AccessError: Error, Hashable {
    /// There is no element with this index.
    case outOfBounds(index: UInt64)
    /// The global is constant.
    case immutable
    case value(ValueError)
}

extension AccessError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .outOfBounds(let index): "index \(index) is out of bounds"
        case .immutable: "the global is immutable"
        case .value(let error): error.description
        }
    }
}
