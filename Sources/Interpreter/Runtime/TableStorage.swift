// Invariants: `record.elements` points at `capacity` initialized slots, the first `record.count` of
// them are the table; every slot holds a reference of the store that owns the table, or null.
// Growing may move the elements: no code keeps that pointer across a call that may grow a table.

import WasmMachine
import WasmSystem

/// A table: an array of references that can grow.
final class TableStorage {
    let record: UnsafeMutablePointer<TableRecord>
    /// As declared, with the element type in canonical form.
    let type: TableType
    /// The most elements the table can have.
    let maximumCount: UInt64
    private var capacity: Int
    /// The charge for the bytes of the slots.
    private var holding: ResourceHolding

    /// Allocates a table of `count` nulls, or of the minimum size.
    ///
    /// - Throws: `ResourceError` if the size is above a limit or there is no memory.
    init(
        _ type: TableType, count: UInt64? = nil, limit: UInt64, account: ResourceAccount? = nil
    ) throws(ResourceError) {
        // Byte counts of tables stay below half of what an Int can hold.
        let limit = min(limit, 1 << 40)
        let minimum = count ?? type.limits.minimum
        guard minimum <= limit else {
            throw .tableTooLarge(elements: minimum, limit: limit)
        }
        let count = Int(truncatingIfNeeded: minimum)
        var holding = ResourceHolding(account)
        try holding.take(max(count, 1) * 8)
        guard let elements = Allocation.zeroed(max(count, 1), stride: 8) else { throw .outOfMemory }
        self.holding = holding
        self.type = type
        let addressable = type.addressType == .i32 ? UInt64(UInt32.max) : UInt64.max
        maximumCount = min(type.limits.maximum ?? UInt64.max, addressable, limit)
        capacity = max(count, 1)
        record = .allocate(capacity: 1)
        record.initialize(
            to: TableRecord(
                elements: elements.bindMemory(to: UInt64.self, capacity: capacity),
                count: UInt(bitPattern: count)))
    }

    deinit {
        Allocation.free(record.pointee.elements)
        record.deallocate()
    }

    /// The current size in elements.
    var count: UInt64 { UInt64(record.pointee.count) }

    /// The type with the current size as its minimum, as import matching needs it.
    var currentType: TableType {
        var current = type
        current.limits.minimum = count
        return current
    }

    /// Adds `delta` elements, which `fill` writes; returns the size before, or nil if it cannot
    /// grow.
    ///
    /// - Throws: what `fill` throws; then the table is unchanged.
    func grow<Failure>(
        by delta: UInt64, fill: (UnsafeMutablePointer<UInt64>, Int) throws(Failure) -> Void
    ) throws(Failure) -> UInt64? {
        let old = count
        let (sum, overflow) = old.addingReportingOverflow(delta)
        guard !overflow, sum <= maximumCount else { return nil }
        let newCount = Int(truncatingIfNeeded: sum)
        let oldCount = Int(truncatingIfNeeded: old)
        guard makeRoom(newCount) else { return nil }
        try fill(record.pointee.elements + oldCount, newCount - oldCount)
        record.pointee.count = UInt(bitPattern: newCount)
        return old
    }

    /// Makes room for at least as many elements; false without memory.
    private func makeRoom(_ newCount: Int) -> Bool {
        guard newCount > capacity else { return true }
        // Doubling makes growth one by one linear; the limit bounds the doubling.
        let most = Int(truncatingIfNeeded: min(maximumCount, 1 << 40))
        var wanted = max(newCount, min(capacity * 2, most))
        if !holding.resize(to: wanted * 8) {
            wanted = newCount
            guard holding.resize(to: wanted * 8) else { return false }
        }
        guard let moved = Allocation.resized(record.pointee.elements, wanted * 8) else {
            _ = holding.resize(to: capacity * 8)
            return false
        }
        record.pointee.elements = moved.bindMemory(to: UInt64.self, capacity: wanted)
        capacity = wanted
        return true
    }

    /// Makes room for as many elements as a snapshot has.
    ///
    /// - Throws: `ResourceError` if the table cannot have so many.
    func prepare(for count: UInt64) throws(ResourceError) {
        guard count <= maximumCount else {
            throw .tableTooLarge(elements: count, limit: maximumCount)
        }
        let needed = Int(truncatingIfNeeded: count)
        guard makeRoom(needed) else {
            try holding.check(needed * 8)
            throw .outOfMemory
        }
    }

    /// Sets the table to `count` nulls, after `prepare(for:)`.
    func restore(_ count: UInt64) {
        let count = Int(truncatingIfNeeded: count)
        record.pointee.elements.update(repeating: 0, count: count)
        record.pointee.count = UInt(bitPattern: count)
    }
}
