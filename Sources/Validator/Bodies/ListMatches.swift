import WasmDecoder

// Soundness: `pairs` is nil or points at `pairCount` initialized elements that this value owns. Expected
// lists are part of the module's tables, which live longer: their addresses say which they are.

/// Pairs of types, and of long lists of types, that are known to match without being equal.
///
/// A call of two bytes may take a thousand operands of subtypes of its parameters: to ask the registry
/// for each of them, at each call, would make validation a thousand times as slow as the bytes suggest.
struct ListMatches: ~Copyable {
    /// Lists of fewer types are compared type by type.
    static var shortest: Int { 16 }

    private static var pairCount: Int { 1024 }
    /// Two words each; both halves equal where there is none, as no pair has that is noted.
    private var pairs: UnsafeMutablePointer<UInt64>?
    private var lists: [Match] = []
    private var nextList = 0
    private static var listCount: Int { 16 }

    /// A list, and types that match it.
    private struct Match {
        let expected: UnsafePointer<ValueType>
        let found: [ValueType]
    }

    init() {}

    deinit { pairs?.deallocate() }

    // MARK: Types

    @inline(__always)
    private static func key(_ a: ValueType, _ b: ValueType) -> UInt64 {
        UInt64(a.word) &<< 32 | UInt64(b.word)
    }

    @inline(__always)
    private static func place(_ key: UInt64) -> Int {
        Int(truncatingIfNeeded: (key &* 0x9e37_79b9_7f4a_7c15) &>> 54)
    }

    @inline(__always)
    func contains(_ a: ValueType, _ b: ValueType) -> Bool {
        guard let pairs else { return false }
        let key = Self.key(a, b)
        return pairs[Self.place(key)] == key
    }

    mutating func insert(_ a: ValueType, _ b: ValueType) {
        // Equal types need no note.
        guard a.word != b.word else { return }
        let pairs = self.pairs ?? .allocate(capacity: Self.pairCount)
        if self.pairs == nil {
            pairs.initialize(repeating: 0, count: Self.pairCount)
            self.pairs = pairs
        }
        let key = Self.key(a, b)
        pairs[Self.place(key)] = key
    }

    // MARK: Lists

    /// Whether types `a` are known to match the list `b`, which is as long.
    func contains(_ a: ModuleTables.TypeList, _ b: ModuleTables.TypeList) -> Bool {
        for match in lists where match.expected == b.base && match.found.count == b.count {
            let isSame = match.found.withUnsafeBufferPointer { found in
                found.baseAddress.map {
                    a.hasSameTypes(as: ModuleTables.TypeList(base: $0, count: a.count))
                } ?? false
            }
            if isSame { return true }
        }
        return false
    }

    mutating func insert(_ a: ModuleTables.TypeList, _ b: ModuleTables.TypeList) {
        let match = Match(
            expected: b.base, found: Array(UnsafeBufferPointer(start: a.base, count: a.count)))
        if lists.count < Self.listCount {
            lists.append(match)
        } else {
            lists[nextList] = match
            nextList = (nextList + 1) % Self.listCount
        }
    }
}

extension ModuleTables.TypeList {
    /// Whether two lists of the same length are of the same types.
    func hasSameTypes(as other: ModuleTables.TypeList) -> Bool {
        // Without a way out of the loop, long lists are compared by vectors.
        var difference: UInt32 = 0
        for index in 0..<count { difference |= base[index].word ^ other.base[index].word }
        return difference == 0
    }
}
