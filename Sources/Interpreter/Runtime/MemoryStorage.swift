// Invariants: `record.base` is the start of `reservedByteCount` bytes of address space that belong
// to this object until it dies; `record.byteCount` bytes of them, rounded up to whole pages of the
// processor, are readable and writable. The base never moves, the byte count never shrinks.
// A store's view of a shared memory owns its record only: the bytes live as long as `shared`.

/// A linear memory: reserved address space of which a growing part may be used.
final class MemoryStorage {
    let record: UnsafeMutablePointer<MemoryRecord>
    /// As declared; the current size stands in the record.
    let type: MemoryType
    private let reservedByteCount: Int
    private var committedByteCount: Int
    /// The most pages the memory can have.
    let maximumPageCount: UInt64
    /// The memory that this is the store's view of, if other stores may use it too.
    let shared: SharedMemory?

    /// Allocates a memory of the minimum size, zeroed.
    ///
    /// - Throws: `ResourceError` if the minimum is above the limit or the system refuses.
    init(_ type: MemoryType, limit: UInt64) throws(ResourceError) {
        let shift = UInt64(type.pageSizeLog2)
        // Half the address space of a process: no reservation can be larger, and sums of an address
        // and a count below it cannot overflow.
        let limit = min(limit, 1 << 46)
        let minimum = type.limits.minimum
        let allowed = limit >> shift
        guard minimum <= allowed, minimum <= type.maximumPages else {
            throw .memoryTooLarge(pages: minimum, limitPages: allowed)
        }
        let most = min(type.limits.maximum ?? UInt64.max, type.maximumPages, allowed)
        let wanted = Int(truncatingIfNeeded: max(most, minimum) << shift)
        let initial = Int(truncatingIfNeeded: minimum << shift)
        guard let committed = SystemMemory.roundedUp(initial),
            var reserved = SystemMemory.roundedUp(wanted)
        else { throw .outOfMemory }

        record = .allocate(capacity: 1)
        // The base of an empty memory is never read, but not null.
        var base = UnsafeMutableRawPointer(record)
        // A process with little address space (ulimit -v) gets a memory that can grow less.
        while reserved > 0 {
            if let address = SystemMemory.reserve(reserved) {
                base = address
                break
            }
            guard reserved > committed else {
                record.deallocate()
                throw .outOfMemory
            }
            reserved = max(committed, SystemMemory.roundedUp(reserved / 2) ?? committed)
        }
        guard SystemMemory.commit(base, committed) else {
            SystemMemory.release(base, reserved)
            record.deallocate()
            throw .outOfMemory
        }
        self.type = type
        shared = nil
        reservedByteCount = reserved
        committedByteCount = committed
        maximumPageCount = min(most, UInt64(truncatingIfNeeded: reserved) >> shift)
        record.initialize(to: MemoryRecord(base: base, byteCount: UInt(bitPattern: initial)))
    }

    /// A store's view of a shared memory: a record of its own, which only the store's thread changes.
    init(sharing shared: SharedMemory) {
        self.shared = shared
        type = shared.type
        reservedByteCount = 0
        committedByteCount = 0
        maximumPageCount = min(shared.type.limits.maximum ?? UInt64.max, shared.type.maximumPages)
        record = .allocate(capacity: 1)
        record.initialize(
            to: MemoryRecord(base: shared.base, byteCount: UInt(bitPattern: shared.byteCount)))
    }

    deinit {
        if shared == nil { SystemMemory.release(record.pointee.base, reservedByteCount) }
        record.deallocate()
    }

    /// Brings the record of a shared memory up to date; answers whether others have grown it.
    @discardableResult
    func refresh() -> Bool {
        guard let shared else { return false }
        let byteCount = UInt(bitPattern: shared.byteCount)
        if record.pointee.byteCount == byteCount { return false }
        record.pointee.byteCount = byteCount
        return true
    }

    /// The current size in pages.
    var pageCount: UInt64 { UInt64(record.pointee.byteCount) >> UInt64(type.pageSizeLog2) }

    /// The type with the current size for its minimum, as import matching wants it.
    var currentType: MemoryType {
        refresh()
        var current = type
        current.limits.minimum = pageCount
        return current
    }

    /// Adds pages of zeros; answers the size before in pages, or nil if it cannot grow so far.
    func grow(by delta: UInt64) -> UInt64? {
        if let shared {
            defer { refresh() }
            return shared.grow(by: delta)
        }
        let old = pageCount
        let (sum, overflow) = old.addingReportingOverflow(delta)
        guard !overflow, sum <= maximumPageCount else { return nil }
        let byteCount = Int(truncatingIfNeeded: sum << UInt64(type.pageSizeLog2))
        guard let wanted = SystemMemory.roundedUp(byteCount), wanted <= reservedByteCount else {
            return nil
        }
        if wanted > committedByteCount {
            let base = record.pointee.base
            let more = wanted - committedByteCount
            guard SystemMemory.commit(base + committedByteCount, more) else { return nil }
            committedByteCount = wanted
        }
        record.pointee.byteCount = UInt(bitPattern: byteCount)
        return old
    }
}
