// Soundness: keys are buffers that are valid during a call. Slot indices come from the node that
// they are used with, which nothing has changed in between.

/// The keys of a store in order, and where their values are: a B+ tree.
///
/// A copy costs nothing; from then on each change copies the nodes on its way that the copy shares.
struct Index: Sendable {
    private var root = Node(isLeaf: true)
    private(set) var count = 0

    /// O(log n).
    func find(_ key: UnsafeRawBufferPointer) -> Location? {
        var node = root
        while !node.isLeaf { node = unsafe node.children[node.childIndex(key)] }
        let (index, isEqual) = unsafe node.lowerBound(key)
        return isEqual ? node.location(index) : nil
    }

    func find(_ key: [UInt8]) -> Location? {
        unsafe key.withUnsafeBytes { unsafe find($0) }
    }

    // MARK: Changes

    /// Sets the location of a key; returns that before.
    @discardableResult
    mutating func set(_ key: UnsafeRawBufferPointer, _ location: Location) -> Location? {
        let (before, split) = unsafe Self.set(key, location, in: &root)
        if before == nil { count += 1 }
        if let split {
            let branch = Node(isLeaf: false)
            branch.children = [root, split.right]
            _ = unsafe split.key.withUnsafeBytes { unsafe branch.insert($0, nil, at: 0) }
            branch.countKeys()
            root = branch
        }
        return before
    }

    @discardableResult
    mutating func set(_ key: [UInt8], _ location: Location) -> Location? {
        unsafe key.withUnsafeBytes { unsafe set($0, location) }
    }

    private struct Split {
        let key: [UInt8]
        let right: Node
    }

    private static func makeUnique(_ node: inout Node) {
        if !isKnownUniquelyReferenced(&node) { node = node.copied() }
    }

    private static func set(
        _ key: UnsafeRawBufferPointer, _ location: Location, in node: inout Node
    ) -> (before: Location?, split: Split?) {
        makeUnique(&node)
        if node.isLeaf {
            let (index, isEqual) = unsafe node.lowerBound(key)
            if isEqual {
                let before = node.location(index)
                node.setLocation(index, location)
                return (before, nil)
            }
            if unsafe node.insert(key, location, at: index) { return (nil, nil) }
            let right = Node(isLeaf: true)
            // Keys in ascending order leave full pages.
            if index < node.count { node.moveEntries(from: node.middle, to: right) }
            if index <= node.count, index < node.count || right.count > 0 {
                _ = unsafe node.insert(key, location, at: index)
            } else {
                _ = unsafe right.insert(key, location, at: index - node.count)
            }
            return (nil, Split(key: unsafe [UInt8](right.key(0)), right: right))
        }
        let child = unsafe node.childIndex(key)
        let (before, split) = unsafe set(key, location, in: &node.children[child])
        if before == nil { node.keysBelow += 1 }
        guard let split else { return (before, nil) }
        return (before, unsafe split.key.withUnsafeBytes { unsafe add(split, $0, child, &node) })
    }

    /// Adds the right half of a child that was split.
    private static func add(
        _ split: Split, _ key: UnsafeRawBufferPointer, _ child: Int, _ node: inout Node
    ) -> Split? {
        if unsafe node.insert(key, nil, at: child) {
            node.children.insert(split.right, at: child + 1)
            return nil
        }
        // The key in the middle moves up.
        let middle = child == node.count ? node.count - 1 : node.middle
        let up = unsafe [UInt8](node.key(middle))
        let right = Node(isLeaf: false)
        right.children = ContiguousArray(node.children[(middle + 1)...])
        node.children.removeSubrange((middle + 1)...)
        node.moveEntries(from: middle + 1, to: right)
        node.remove(middle)
        let isLeft = child <= middle
        let target = isLeft ? node : right
        let place = isLeft ? child : child - middle - 1
        _ = unsafe target.insert(key, nil, at: place)
        target.children.insert(split.right, at: place + 1)
        node.countKeys()
        right.countKeys()
        return Split(key: up, right: right)
    }

    /// Removes a key; returns its location.
    @discardableResult
    mutating func remove(_ key: UnsafeRawBufferPointer) -> Location? {
        guard let before = unsafe find(key) else { return nil }
        unsafe Self.remove(key, from: &root)
        count -= 1
        while !root.isLeaf, root.children.count == 1 { root = root.children[0] }
        return before
    }

    @discardableResult
    mutating func remove(_ key: [UInt8]) -> Location? {
        unsafe key.withUnsafeBytes { unsafe remove($0) }
    }

    private static func remove(_ key: UnsafeRawBufferPointer, from node: inout Node) {
        makeUnique(&node)
        if node.isLeaf {
            let (index, isEqual) = unsafe node.lowerBound(key)
            if isEqual { node.remove(index) }
            return
        }
        let child = unsafe node.childIndex(key)
        node.keysBelow -= 1
        unsafe remove(key, from: &node.children[child])
        let size = node.children[child].usedSize
        guard size < Node.pageSize / 4 else { return }
        if child + 1 < node.children.count { merge(child, node) }
        if child > 0, child < node.children.count { merge(child - 1, node) }
    }

    /// Moves the entries of child `index + 1` to child `index`, if they fit.
    private static func merge(_ index: Int, _ node: Node) {
        let right = node.children[index + 1]
        let size = node.children[index].usedSize + right.usedSize
        guard size + Node.maximumEntry <= Node.pageSize * 3 / 4 else { return }
        makeUnique(&node.children[index])
        let left = node.children[index]
        if !left.isLeaf {
            _ = unsafe left.insert(node.key(index), nil, at: left.count)
            left.children += right.children
            left.keysBelow += right.keysBelow
        }
        let copy = right.copied()
        copy.moveEntries(from: 0, to: left)
        node.remove(index)
        node.children.remove(at: index + 1)
    }

    // MARK: Order

    /// The number of keys below `key`. O(log n).
    func rank(_ key: [UInt8]) -> Int {
        unsafe key.withUnsafeBytes { key in
            var rank = 0
            var node = root
            while !node.isLeaf {
                let child = unsafe node.childIndex(key)
                for index in 0..<child { rank += node.children[index].total }
                node = node.children[child]
            }
            return unsafe rank + node.lowerBound(key).index
        }
    }

    /// Passes the keys from `start` on to `body`, in order, until it returns false.
    func forEach(
        from start: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer, Location) -> Bool
    ) {
        _ = unsafe Self.forEach(in: root, from: start, body)
    }

    private static func forEach(
        in node: Node, from start: UnsafeRawBufferPointer,
        _ body: (UnsafeRawBufferPointer, Location) -> Bool
    ) -> Bool {
        if node.isLeaf {
            for index in unsafe node.lowerBound(start).index..<node.count {
                guard unsafe body(node.key(index), node.location(index)) else { return false }
            }
            return true
        }
        for child in unsafe node.childIndex(start)..<node.children.count {
            guard unsafe forEach(in: node.children[child], from: start, body) else {
                return false
            }
        }
        return true
    }

    /// The depth of the tree and the number of its pages.
    var shape: (depth: Int, pages: Int) {
        func shape(_ node: Node) -> (Int, Int) {
            node.children.reduce((1, 1)) { sum, child in
                let (depth, pages) = shape(child)
                return (max(sum.0, depth + 1), sum.1 + pages)
            }
        }
        return shape(root)
    }
}
