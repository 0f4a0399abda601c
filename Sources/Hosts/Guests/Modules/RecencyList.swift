/// Values by key, in the order of their last use. All operations are O(1).
struct RecencyList<Key: Hashable, Value> {
    private struct Node {
        let key: Key
        var value: Value
        /// The next older and the next newer node; -1 for none.
        var older: Int
        var newer: Int
    }

    private var nodes: [Node?] = []
    private var free: [Int] = []
    private var places: [Key: Int] = [:]
    private var oldestIndex = -1
    private var newestIndex = -1

    init() {}

    var count: Int { places.count }

    /// The value of a key, which counts as a use and may change it; nil if there is none.
    mutating func use(_ key: Key, _ change: (inout Value) -> Void) -> Value? {
        guard let index = places[key] else { return nil }
        if index != newestIndex {
            unlink(index)
            linkAsNewest(index)
        }
        return update(at: index, change)
    }

    private mutating func update(at index: Int, _ change: (inout Value) -> Void) -> Value? {
        guard var node = nodes[index] else { return nil }
        change(&node.value)
        nodes[index] = node
        return node.value
    }

    /// Changes the value of a key, which does not count as a use.
    mutating func update(_ key: Key, _ change: (inout Value) -> Void) {
        guard let index = places[key] else { return }
        _ = update(at: index, change)
    }

    /// The value of a key, which does not count as a use.
    subscript(key: Key) -> Value? { places[key].flatMap { nodes[$0]?.value } }

    /// The entry that was not used for the longest time.
    var oldest: (key: Key, value: Value)? {
        guard oldestIndex >= 0, let node = nodes[oldestIndex] else { return nil }
        return (node.key, node.value)
    }

    /// All values, the one used last first.
    var values: [Value] {
        var values: [Value] = []
        var index = newestIndex
        while index >= 0, let node = nodes[index] {
            values.append(node.value)
            index = node.older
        }
        return values
    }

    /// Stores a value, as the newest; returns the one that it replaces.
    @discardableResult
    mutating func insert(_ value: Value, for key: Key) -> Value? {
        let replaced = remove(key)
        let index: Int
        let node = Node(key: key, value: value, older: -1, newer: -1)
        if let known = free.popLast() {
            nodes[known] = node
            index = known
        } else {
            nodes.append(node)
            index = nodes.count - 1
        }
        places[key] = index
        linkAsNewest(index)
        return replaced
    }

    @discardableResult
    mutating func remove(_ key: Key) -> Value? {
        guard let index = places.removeValue(forKey: key) else { return nil }
        unlink(index)
        defer {
            nodes[index] = nil
            free.append(index)
        }
        return nodes[index]?.value
    }

    private mutating func linkAsNewest(_ index: Int) {
        nodes[index]?.older = newestIndex
        nodes[index]?.newer = -1
        if newestIndex >= 0 { nodes[newestIndex]?.newer = index }
        newestIndex = index
        if oldestIndex < 0 { oldestIndex = index }
    }

    private mutating func unlink(_ index: Int) {
        guard let node = nodes[index] else { return }
        if node.older >= 0 {
            nodes[node.older]?.newer = node.newer
        } else {
            oldestIndex = node.newer
        }
        if node.newer >= 0 {
            nodes[node.newer]?.older = node.older
        } else {
            newestIndex = node.older
        }
    }
}
