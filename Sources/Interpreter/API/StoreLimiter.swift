// Invariant: elements that are passed on to be filled are after those of the table, in memory that
// it owns; their address is not kept.

/// Decides, while guests run, whether they get more memory or a larger table.
///
///     final class Budget: StoreLimiter {
///         var rest: UInt64 = 256 << 20
///
///         func shouldGrowMemory(from current: UInt64, to wanted: UInt64) -> Bool {
///             guard wanted - current <= rest else { return false }
///             rest -= wanted - current
///             return true
///         }
///     }
///     store.limiter = Budget()
///
/// It is called only when a memory or table is made (growing from 0 to its minimum) and when it
/// grows, also by `Instance.restore(_:)`. Growth that the store's `StoreLimits` or the type forbid
/// is refused without a call; growth that it allows can still fail if the system has no memory. It
/// must not call guests of the store. If it refuses, making the memory or table throws
/// `ResourceError.refused`, and `memory.grow` or `table.grow` returns -1.
///
/// If the guest has threads (`GuestThreads`), it is called on the thread that grows, on one at a
/// time. Host functions that use it while the guest runs need a lock of their own.
public protocol StoreLimiter: AnyObject {
    /// Whether a linear memory of `current` bytes may have `wanted`, which are more.
    func shouldGrowMemory(from current: UInt64, to wanted: UInt64) -> Bool
    /// Whether a table of `current` elements may have `wanted`, which are more.
    func shouldGrowTable(from current: UInt64, to wanted: UInt64) -> Bool
}

extension StoreLimiter {
    /// Allows all.
    public func shouldGrowMemory(from current: UInt64, to wanted: UInt64) -> Bool { true }
    /// Allows all.
    public func shouldGrowTable(from current: UInt64, to wanted: UInt64) -> Bool { true }
}

extension Store {
    /// Adds pages to a memory; returns the previous size, or nil if that is not possible or
    /// allowed.
    func grow(_ memory: MemoryStorage, by delta: UInt64) -> UInt64? {
        if let limiter, delta > 0 {
            memory.refresh()
            let current = memory.pageCount
            let (wanted, overflow) = current.addingReportingOverflow(delta)
            let shift = UInt64(memory.type.pageSizeLog2)
            guard !overflow, wanted <= memory.maximumPageCount,
                holdingGuest({
                    limiter.shouldGrowMemory(from: current << shift, to: wanted << shift)
                })
            else { return nil }
        }
        guard let old = memory.grow(by: delta) else { return nil }
        if observer != nil { notifyGrowth(memory, from: old, by: delta) }
        return old
    }

    /// Adds elements to a table, which `fill` writes; returns the previous size, or nil if that is
    /// not possible or allowed.
    func grow<Failure>(
        _ table: TableStorage, by delta: UInt64,
        fill: (UnsafeMutablePointer<UInt64>, Int) throws(Failure) -> Void
    ) throws(Failure) -> UInt64? {
        if let limiter, delta > 0 {
            let current = table.count
            let (wanted, overflow) = current.addingReportingOverflow(delta)
            guard !overflow, wanted <= table.maximumCount,
                holdingGuest({ limiter.shouldGrowTable(from: current, to: wanted) })
            else { return nil }
        }
        return try table.grow(by: delta, fill: fill)
    }

    /// Asks the limiter about a new memory, or one that gets the size of a snapshot.
    func approveMemory(from current: UInt64 = 0, to wanted: UInt64) throws(ResourceError) {
        guard let limiter, wanted > current else { return }
        guard holdingGuest({ limiter.shouldGrowMemory(from: current, to: wanted) }) else {
            throw .refused(.memory)
        }
    }

    /// Asks the limiter about a new table, or one that gets the size of a snapshot.
    func approveTable(from current: UInt64 = 0, to wanted: UInt64) throws(ResourceError) {
        guard let limiter, wanted > current else { return }
        guard holdingGuest({ limiter.shouldGrowTable(from: current, to: wanted) }) else {
            throw .refused(.table)
        }
    }
}
