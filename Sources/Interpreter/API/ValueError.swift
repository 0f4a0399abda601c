/// A value of the host does not fit its destination.
public enum ValueError: Error, Hashable {
    /// A value of another type is needed.
    case typeMismatch(expected: ValueType)
    /// The function or instance belongs to another store.
    case foreignStore
    /// The program's total has no space for another value of the host: see
    /// `StoreLimits.totalBytes`.
    case resource(ResourceError)
}

extension ValueError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .typeMismatch(let expected): "a value of type \(expected) is needed"
        case .foreignStore: "the value belongs to another store"
        case .resource(let error): "\(error)"
        }
    }
}

/// A call between host and guest whose values do not fit the function's type.
public enum CallError: Error, Hashable {
    case argumentCount(expected: Int, given: Int)
    /// Counted from 0.
    case argument(index: Int, ValueError)
    /// The Swift types are not those of the function.
    case signature(expected: FunctionType, given: FunctionType)
    /// A host function returned more or fewer results than its type has.
    case resultCount(expected: Int, given: Int)
    /// A result of a host function, counted from 0.
    case result(index: Int, ValueError)
    /// An observer, a limiter or a closure for fuel called a guest, while the store's guest is
    /// in the middle of an instruction.
    case guestIsHeld
    /// A call has no slot with this index; `count` is the number of slots. Reading gave 0, writing
    /// had no effect, and the call ends with this error.
    case slot(index: Int, count: Int)
    /// A slot has no reference of the requested type. Reading gave null, and the call ends with
    /// this error.
    case slotType(index: Int, ValueError)
    /// Another thread runs a guest of the store, which only one thread may use at a time. It is not
    /// detected in all cases, since there is no lock.
    case storeInUse
}

extension CallError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .argumentCount(let expected, let given):
            "the function takes \(expected) argument\(expected == 1 ? "" : "s"), given: \(given)"
        case .argument(let index, let error): "argument \(index + 1): \(error)"
        case .signature(let expected, let given):
            "the function has type \(expected), it was asked for as \(given)"
        case .resultCount(let expected, let given):
            "the host function has \(expected) result\(expected == 1 ? "" : "s"), answered: \(given)"
        case .result(let index, let error): "result \(index + 1): \(error)"
        case .guestIsHeld: "no guest can be called from an observer, a limiter or for fuel"
        case .slot(let index, let count):
            "the call has \(count) slot\(count == 1 ? "" : "s"), there is no slot \(index)"
        case .slotType(let index, let error): "slot \(index): \(error)"
        case .storeInUse:
            "another thread runs a guest of this store: use a store from one thread at a time"
        }
    }
}

/// An access to a memory, table or global that is not possible.
public enum AccessError: Error, Hashable {
    /// The table has no element with this index.
    case outOfBounds(index: UInt64)
    /// The bytes are not all in the memory.
    case memoryOutOfBounds(address: UInt64, count: UInt64)
    /// The text at this address is not UTF-8.
    case malformedText(address: UInt64)
    /// The text at this address is not terminated.
    case unterminatedText(address: UInt64)
    /// The caller has no memory, or is not a guest.
    case noMemory
    /// The global is constant.
    case immutable
    case value(ValueError)
}

extension AccessError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .outOfBounds(let index): "index \(index) is out of bounds"
        case .memoryOutOfBounds(let address, let count):
            "\(count) bytes at 0x\(String(address, radix: 16)) are not all in the memory"
        case .malformedText(let address):
            "the text at 0x\(String(address, radix: 16)) is no UTF-8"
        case .unterminatedText(let address):
            "the text at 0x\(String(address, radix: 16)) has no end"
        case .noMemory: "the caller has no memory"
        case .immutable: "the global is immutable"
        case .value(let error): error.description
        }
    }
}

/// A table, exception, structure or array cannot be made with these arguments.
public enum CreationError: Error, Hashable {
    /// The type is of another kind.
    case wrongType
    /// There must be one value for each field or parameter.
    case valueCount(expected: Int, given: Int)
    /// A value does not fit; counted from 0.
    case value(index: Int, ValueError)
    case resource(ResourceError)
}

extension CreationError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .wrongType: "the type is none of this kind"
        case .valueCount(let expected, let given):
            "\(expected) value\(expected == 1 ? "" : "s") needed, given: \(given)"
        case .value(let index, let error): "value \(index + 1): \(error)"
        case .resource(let error): error.description
        }
    }
}

extension Store {
    /// The slots of several values.
    func slots(
        of values: [Value], as types: [ValueType]
    ) throws(CreationError) -> [(low: UInt64, high: UInt64)] {
        guard values.count == types.count else {
            throw .valueCount(expected: types.count, given: values.count)
        }
        var slots: [(low: UInt64, high: UInt64)] = []
        slots.reserveCapacity(types.count)
        // Comparing values runs code of the embedder, which may collect garbage.
        let kept = temporaries.count
        defer { temporaries.removeSubrange(kept...) }
        for (index, type) in types.enumerated() {
            do throws(ValueError) {
                slots.append(try self.slots(of: values[index], as: type))
                temporaries.append(slots[index])
            } catch {
                throw .value(index: index, error)
            }
        }
        return slots
    }
}
