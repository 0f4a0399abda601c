// Invariants: `record.base` is the start of the reservation, which belongs to this object until it
// is freed; `record.byteCount` bytes of it, rounded up to whole pages of the processor, are
// committed. The base never moves, and committed bytes stay committed. Those after the byte count
// are zeros. A store's view of a shared memory owns its record only: the bytes live as long as
// `shared`.

import WasmMachine
import WasmSystem

/// A linear memory: reserved address space of which a growing part may be used.
final class MemoryStorage {
    let record: UnsafeMutablePointer<MemoryRecord>
    /// As declared; the record has the current size.
    let type: MemoryType
    /// None if the memory can never have a page, or is a view of a shared one.
    private var reservation: Reservation?
    private let pool: ReservationPool?
    /// The image that the memory was made from or restored to last; kept as long as it is mapped.
    private var image: MemoryImage?
    /// The most pages the memory can have.
    let maximumPageCount: UInt64
    /// The memory that this is the store's view of, if other stores may use it too.
    let shared: SharedMemory?
    /// The charge for the bytes of the current size.
    private var holding: ResourceHolding

    /// Makes a memory with the content of an image; without one, zeros of the minimum size.
    ///
    /// - Parameters:
    ///   - image: of a size that the type allows.
    ///   - pool: where the address space comes from and returns to; nil for the system.
    ///   - account: what the bytes are charged to; nil for none.
    /// - Throws: `ResourceError` if the size is above a limit or the system refuses.
    init(
        _ type: MemoryType, limit: UInt64, image: MemoryImage? = nil, pool: ReservationPool? = nil,
        account: ResourceAccount? = nil
    ) throws(ResourceError) {
        let shift = UInt64(type.pageSizeLog2)
        // Half the address space of a process: no reservation can be larger, and sums of an address
        // and a count below it cannot overflow.
        let limit = min(limit, 1 << 46)
        let minimum = image.map { UInt64($0.byteCount) >> shift } ?? type.limits.minimum
        let allowed = limit >> shift
        guard minimum <= allowed, minimum <= type.maximumPages else {
            throw .memoryTooLarge(pages: minimum, limitPages: allowed)
        }
        let most = min(type.limits.maximum ?? UInt64.max, type.maximumPages, allowed)
        let wanted = Int(truncatingIfNeeded: max(most, minimum) << shift)
        let initial = Int(truncatingIfNeeded: minimum << shift)
        guard let committed = SystemMemory.roundedUp(initial),
            let reserved = SystemMemory.roundedUp(wanted)
        else { throw .outOfMemory }
        var holding = ResourceHolding(account)
        try holding.take(committed)

        if reserved > 0 {
            let pool = pool ?? ReservationPool()
            guard let taken = pool.take(reserved, committed: committed, image: image) else {
                throw .outOfMemory
            }
            reservation = taken
        }
        record = .allocate(capacity: 1)
        self.type = type
        self.holding = holding
        self.pool = pool
        self.image = image
        shared = nil
        maximumPageCount = min(most, UInt64(reservation?.byteCount ?? 0) >> shift)
        // The base of an empty memory is never read, but not null.
        let base = reservation?.base ?? UnsafeMutableRawPointer(record)
        record.initialize(to: MemoryRecord(base: base, byteCount: UInt(bitPattern: initial)))
    }

    /// A store's view of a shared memory: a record of its own, which only the store's thread
    /// changes.
    init(sharing shared: SharedMemory) {
        self.shared = shared
        holding = ResourceHolding(nil)
        type = shared.type
        pool = nil
        maximumPageCount = min(shared.type.limits.maximum ?? UInt64.max, shared.type.maximumPages)
        record = .allocate(capacity: 1)
        record.initialize(
            to: MemoryRecord(base: shared.base, byteCount: UInt(bitPattern: shared.byteCount)))
    }

    deinit {
        if let reservation {
            if let pool { pool.give(reservation) } else { reservation.release() }
        }
        record.deallocate()
    }

    /// Updates the record of a shared memory; returns whether other stores have grown it.
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

    /// The type with the current size as its minimum, as import matching needs it.
    var currentType: MemoryType {
        refresh()
        var current = type
        current.limits.minimum = pageCount
        return current
    }

    /// Adds pages of zeros; returns the size before in pages, or nil if it cannot grow so far.
    func grow(by delta: UInt64) -> UInt64? {
        if let shared {
            defer { refresh() }
            return shared.grow(by: delta)
        }
        let old = pageCount
        let (sum, overflow) = old.addingReportingOverflow(delta)
        guard !overflow, sum <= maximumPageCount else { return nil }
        let byteCount = Int(truncatingIfNeeded: sum << UInt64(type.pageSizeLog2))
        guard let wanted = SystemMemory.roundedUp(byteCount), holding.resize(to: wanted) else {
            return nil
        }
        guard commit(wanted) else {
            settle()
            return nil
        }
        record.pointee.byteCount = UInt(bitPattern: byteCount)
        return old
    }

    private func commit(_ byteCount: Int) -> Bool {
        byteCount == 0 || reservation?.commit(byteCount) == true
    }

    // MARK: Images

    /// Charges the bytes to an account, unless they are charged to one already.
    func charge(to account: ResourceAccount) throws(ResourceError) {
        guard holding.account == nil else { return }
        var charged = ResourceHolding(account)
        try charged.take(SystemMemory.roundedUp(Int(bitPattern: record.pointee.byteCount)) ?? 0)
        holding = charged
    }

    /// Charges the actual size, after more was charged in advance.
    func settle() {
        let byteCount = Int(bitPattern: record.pointee.byteCount)
        if shared == nil { _ = holding.resize(to: SystemMemory.roundedUp(byteCount) ?? 0) }
    }

    /// Copies the current bytes. The memory must not be a shared one.
    func makeImage(
        pool: ReservationPool, usesFile: Bool = true, account: ResourceAccount? = nil
    ) throws(ResourceError) -> MemoryImage {
        try MemoryImage(of: record.pointee, pool: pool, usesFile: usesFile, account: account)
    }

    /// Commits what an image needs, and charges it. Either `restore` or `settle` must follow.
    ///
    /// - Throws: `ResourceError` if the memory cannot have so many bytes.
    func prepare(for image: MemoryImage) throws(ResourceError) {
        let pages = UInt64(image.byteCount) >> UInt64(type.pageSizeLog2)
        guard pages <= maximumPageCount else {
            throw .memoryTooLarge(pages: pages, limitPages: maximumPageCount)
        }
        guard let wanted = SystemMemory.roundedUp(image.byteCount) else { throw .outOfMemory }
        try holding.take(max(wanted, holding.byteCount))
        guard commit(wanted) else { throw .outOfMemory }
    }

    /// Restores the bytes of an image, after `prepare(for:)`. If the memory began as this image,
    /// this costs a system call and the pages that were written to since; nothing that depends on
    /// its size.
    func restore(_ image: MemoryImage) {
        reservation?.reset(to: image)
        self.image = image
        record.pointee.byteCount = UInt(bitPattern: image.byteCount)
        settle()
    }
}
