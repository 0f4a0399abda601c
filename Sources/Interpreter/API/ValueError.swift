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

/// A call between host and guest whose values do not fit the function's type.
public enum CallError: Error, Hashable {
    case argumentCount(expected: Int, given: Int)
    /// Counted from 0.
    case argument(index: Int, ValueError)
    /// A typed call whose Swift types are not the function's.
    case signature(expected: FunctionType, given: FunctionType)
    /// A host function answered more or fewer results than its type has.
    case resultCount(expected: Int, given: Int)
    /// A result of a host function, counted from 0.
    case result(index: Int, ValueError)
}

extension CallError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .argumentCount(let expected, let given):
            "the function takes \(expected) argument\(expected == 1 ? "" : "s"), given: \(given)"
        case .argument(let index, let error): "argument \(index + 1): \(error)"
        case .signature(let expected, let given):
            "the function has type \(expected), it was called as \(given)"
        case .resultCount(let expected, let given):
            "the host function has \(expected) result\(expected == 1 ? "" : "s"), answered: \(given)"
        case .result(let index, let error): "result \(index + 1): \(error)"
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
