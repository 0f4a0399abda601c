// Invariants:
// - `page` is allocated from init to deinit with `pageSize` bytes.
// - It begins with `count` offsets of 16 bits, in the order of their keys; entries fill it from
//   `heap` to its end. 2 * count <= heap <= pageSize.
// - An entry is its key's size (16 bits), `payloadSize` bytes and the key; it lies between `heap`
//   and the end of the page.
// - A slot index is below `count`, which the functions that are not private expect of their caller,
//   the tree in `Index.swift`.
// - A node is changed only while it has one reference, by the thread that holds the index.

import WasmSystem

/// A page of sorted keys: a leaf with a location for each, or a branch whose keys separate its
/// children.
@safe final class Node: @unchecked Sendable {
    static let pageSize = 4096
    /// The largest entry with its slot.
    static let maximumEntry =
        4 + MemoryLayout<Location>.stride + LogFormat.maximumKey
        // What `References` adds to a key.
        + 3 + LogFormat.digestSize

    private let page: UnsafeMutableRawPointer
    private(set) var count = 0
    private var heap = Node.pageSize
    /// Bytes between `heap` and the end that no slot uses.
    private var garbage = 0
    /// One more than keys; none in a leaf. The keys of child `i` are below key `i`, and not below
    /// key `i - 1`.
    var children: ContiguousArray<Node> = []

    var isLeaf: Bool { children.isEmpty }
    /// Of a branch: the keys of all leaves below it.
    var keysBelow = 0
    /// The keys of this leaf, or of all leaves below this branch.
    var total: Int { isLeaf ? count : keysBelow }
    private let payloadSize: Int

    init(isLeaf: Bool) {
        unsafe page = .allocate(byteCount: Self.pageSize, alignment: 8)
        payloadSize = isLeaf ? MemoryLayout<Location>.stride : 0
    }

    deinit { unsafe page.deallocate() }

    /// A copy that shares the children.
    func copied() -> Node {
        let copy = Node(isLeaf: payloadSize > 0)
        unsafe Bytes.move(to: copy.page, from: page, Self.pageSize)
        copy.count = count
        copy.heap = heap
        copy.garbage = garbage
        copy.children = children
        copy.keysBelow = keysBelow
        return copy
    }

    /// Counts the keys below a branch again.
    func countKeys() { keysBelow = children.reduce(0) { $0 + $1.total } }

    // MARK: Entries

    @inline(__always)
    private func slot(_ index: Int) -> Int {
        unsafe Int(page.load(fromByteOffset: 2 &* index, as: UInt16.self))
    }

    @inline(__always)
    private func setSlot(_ index: Int, _ offset: Int) {
        unsafe page.storeBytes(
            of: UInt16(truncatingIfNeeded: offset), toByteOffset: 2 &* index, as: UInt16.self)
    }

    @inline(__always)
    private func keySize(at offset: Int) -> Int {
        unsafe Int(page.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
    }

    /// The key; valid while the node is not changed.
    @inline(__always)
    func key(_ index: Int) -> UnsafeRawBufferPointer {
        let offset = slot(index)
        return unsafe UnsafeRawBufferPointer(
            start: page + (offset &+ 2 &+ payloadSize), count: keySize(at: offset))
    }

    func location(_ index: Int) -> Location {
        unsafe page.loadUnaligned(fromByteOffset: slot(index) &+ 2, as: Location.self)
    }

    func setLocation(_ index: Int, _ location: Location) {
        unsafe page.storeBytes(of: location, toByteOffset: slot(index) &+ 2, as: Location.self)
    }

    /// Negative, 0 or positive, as key `index` is below, equal to or above `key`.
    @inline(__always)
    private func compare(_ index: Int, _ key: UnsafeRawBufferPointer) -> Int {
        unsafe Self.compare(self.key(index), key)
    }

    /// Negative, 0 or positive, as `one` is below, equal to or above `other`: by unsigned bytes, a
    /// prefix first.
    @inline(__always)
    static func compare(_ one: UnsafeRawBufferPointer, _ other: UnsafeRawBufferPointer) -> Int {
        let count = min(one.count, other.count)
        if count > 0, let a = one.baseAddress, let b = other.baseAddress {
            let order = unsafe Bytes.compare(a, b, count)
            if order != 0 { return Int(order) }
        }
        return one.count &- other.count
    }

    /// The first slot whose key is not below `key`.
    func lowerBound(_ key: UnsafeRawBufferPointer) -> (index: Int, isEqual: Bool) {
        var low = 0
        var high = count
        while low < high {
            let middle = (low &+ high) / 2
            let order = unsafe compare(middle, key)
            if order == 0 { return (middle, true) }
            if order < 0 { low = middle &+ 1 } else { high = middle }
        }
        return (low, false)
    }

    /// The child that may have `key`.
    func childIndex(_ key: UnsafeRawBufferPointer) -> Int {
        let (index, isEqual) = unsafe lowerBound(key)
        return isEqual ? index &+ 1 : index
    }

    // MARK: Changes

    private func entrySize(_ key: Int) -> Int { 2 &+ payloadSize &+ key }

    /// Bytes that entries and slots take.
    var usedSize: Int { 2 &* count &+ Self.pageSize &- heap &- garbage }

    /// Whether a key of this size can be added.
    func fits(_ key: Int) -> Bool { usedSize + entrySize(key) + 2 <= Self.pageSize }

    /// Adds an entry before slot `index`; false if it does not fit.
    func insert(_ key: UnsafeRawBufferPointer, _ location: Location?, at index: Int) -> Bool {
        let size = entrySize(key.count)
        guard fits(key.count), index <= count, let source = key.baseAddress else {
            return false
        }
        if 2 &* (count &+ 1) &+ size > heap { compact() }
        heap &-= size
        unsafe page.storeBytes(
            of: UInt16(truncatingIfNeeded: key.count), toByteOffset: heap, as: UInt16.self)
        if let location {
            unsafe page.storeBytes(of: location, toByteOffset: heap &+ 2, as: Location.self)
        }
        unsafe Bytes.move(to: page + (heap &+ 2 &+ payloadSize), from: source, key.count)
        unsafe Bytes.move(
            to: page + (2 &* (index &+ 1)), from: page + (2 &* index), 2 &* (count &- index))
        setSlot(index, heap)
        count &+= 1
        return true
    }

    func remove(_ index: Int) {
        garbage &+= entrySize(keySize(at: slot(index)))
        unsafe Bytes.move(
            to: page + (2 &* index), from: page + (2 &* (index &+ 1)), 2 &* (count &- index &- 1))
        count &-= 1
    }

    /// Moves the entries together.
    private func compact() {
        let copy = copied()
        heap = Self.pageSize
        garbage = 0
        for index in 0..<count {
            let offset = copy.slot(index)
            let size = entrySize(copy.keySize(at: offset))
            heap &-= size
            unsafe Bytes.move(to: page + heap, from: copy.page + offset, size)
            setSlot(index, heap)
        }
    }

    /// Moves the entries from `index` on to the end of `other`, which has room for them.
    func moveEntries(from index: Int, to other: Node) {
        for slot in index..<count {
            _ = unsafe other.insert(
                key(slot), payloadSize > 0 ? location(slot) : nil, at: other.count)
        }
        while count > index { remove(count &- 1) }
    }

    /// The slot at which the bytes before and after are about equal; between 1 and `count - 1`.
    var middle: Int {
        var size = 0
        let half = usedSize / 2
        for index in 0..<count {
            size &+= 2 &+ entrySize(keySize(at: slot(index)))
            if size >= half { return min(max(index, 1), max(count &- 1, 1)) }
        }
        return max(count / 2, 1)
    }
}
