import WasmValidator

/// Values by numbers or addresses that guests cannot choose, in insertion order.
///
/// Used instead of a dictionary for the reason given at `HashIndex`. Entries are never removed.
struct IntegerMap<Value> {
    private var index = HashIndex()
    private var keys: [Int] = []
    private(set) var values: [Value] = []

    var count: Int { values.count }

    subscript(key: Int) -> Value? {
        index.first(hash: HashIndex.hash(of: key)) { keys[$0] == key }.map { values[$0] }
    }

    /// Adds a value for a key that has none.
    mutating func insert(_ value: Value, for key: Int) {
        index.insert(values.count, hash: HashIndex.hash(of: key))
        keys.append(key)
        values.append(value)
    }
}
