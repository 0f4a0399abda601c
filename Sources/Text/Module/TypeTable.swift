/// The types of a module as far as inline function types need to know them.
struct TypeTable {
    /// The number of the function type's encoding, or nil for structures and arrays.
    private var keys: [UInt32?] = []
    private var parameterCounts: [UInt32] = []
    /// By number: the first type that is this function type and nothing more (final, without
    /// supertypes, in no recursion group with others).
    private var firstPlain: [UInt32?] = []
    private var encodings = Interner()

    var count: Int { keys.count }

    /// The number of a function type, given its parameters and results in the binary format.
    mutating func key(_ encoding: [UInt8]) -> UInt32 {
        let key = encodings.intern(encoding)
        if Int(key) == firstPlain.count { firstPlain.append(nil) }
        return key
    }

    /// Adds the next type; `key` is nil for one that is no function type.
    mutating func append(_ key: UInt32?, parameterCount: UInt32, isPlain: Bool) {
        if isPlain, let key, firstPlain[Int(key)] == nil {
            firstPlain[Int(key)] = UInt32(truncatingIfNeeded: keys.count)
        }
        keys.append(key)
        parameterCounts.append(parameterCount)
    }

    /// The first type that is this function type.
    func firstIndex(of key: UInt32) -> UInt32? { firstPlain[Int(key)] }

    /// The number of the function type with an index.
    func key(at index: UInt32) -> UInt32? {
        Int(index) < keys.count ? keys[Int(index)] : nil
    }

    /// How many parameters the function type with an index has; 0 for other types; nil for types
    /// that are not known.
    func parameterCount(at index: UInt32) -> UInt32? {
        Int(index) < parameterCounts.count ? parameterCounts[Int(index)] : nil
    }
}
