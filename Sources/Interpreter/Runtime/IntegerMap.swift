import WasmValidator

/// Values by numbers or addresses that guests cannot choose, in insertion order.
///
/// Used instead of a dictionary for the reason given at `HashIndex`. Entries are never removed.
struct IntegerMap<Value> {
    /// Empty as long as there are few entries, which are compared one by one.
    private var index = HashIndex()
    private var keys: [Int] = []
    private(set) var values: [Value] = []

    var count: Int { values.count }

    private static var fewCount: Int { 4 }

    subscript(key: Int) -> Value? {
        if values.count <= Self.fewCount {
            for place in keys.indices where keys[place] == key { return values[place] }
            return nil
        }
        return index.first(hash: HashIndex.hash(of: key)) { keys[$0] == key }.map { values[$0] }
    }

    /// Adds a value for a key that has none.
    mutating func insert(_ value: Value, for key: Int) {
        keys.append(key)
        if keys.count > Self.fewCount {
            let first = keys.count == Self.fewCount + 1 ? 0 : keys.count - 1
            for place in first..<keys.count {
                index.insert(place, hash: HashIndex.hash(of: keys[place]))
            }
        }
        values.append(value)
    }
}
