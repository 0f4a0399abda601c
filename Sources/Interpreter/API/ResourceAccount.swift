import Synchronization

/// The bytes in use by one program, with all its stores and threads, and their limit.
///
///     var limits = StoreLimits()
///     limits.totalBytes = 64 << 20
///     let store = Store(engine: engine, limits: limits)
///     print(store.account.byteCount, "of", store.account.limit)
///
/// Every store has an account. Stores that belong to one program share it: those that
/// `GuestThreads` makes do so by themselves, others are given it with
/// `Store.init(engine:limits:account:)`. An account exists as long as anything that was charged to
/// it.
///
/// Memory is charged when it could become resident, before it does, in units of pages, blocks or
/// whole tables: linear memories, tables, blocks of objects, the used part of value stacks,
/// instances, values of the host that guests refer to, snapshots, register code, and what WASI
/// keeps for a guest. Reserved address space is not charged.
///
/// All methods may be called from any thread and take no lock.
public final class ResourceAccount: Sendable {
    /// The most bytes that may be charged at one time.
    public let limit: UInt64
    private let most: Int
    private let charged = Atomic<Int>(0)
    /// The account of the program, if this one holds what was paid in advance for a part of it.
    private let program: ResourceAccount?
    /// Bytes that are charged to `program` and not taken yet.
    private let prepaid: Atomic<Int>

    /// - Parameter limit: bytes; more than a process can have means no limit.
    public init(limit: UInt64) {
        self.limit = limit
        most = Int(clamping: limit)
        program = nil
        prepaid = Atomic(0)
    }

    /// An account of the same program whose first charges are paid now: they do not fail later.
    /// The part that is not used is released with the account.
    ///
    /// - Returns: nil if as many bytes do not fit below the limit.
    package init?(prepaying byteCount: Int, from account: ResourceAccount) {
        let program = account.program ?? account
        guard program.charge(byteCount) else { return nil }
        limit = program.limit
        most = program.most
        self.program = program
        prepaid = Atomic(byteCount)
    }

    deinit { program?.release(prepaid.load(ordering: .relaxed)) }

    /// Bytes that are charged now to the program, those paid in advance included.
    public var byteCount: Int { program?.byteCount ?? charged.load(ordering: .relaxed) }

    /// Whether as many more bytes would fit now.
    func hasRoom(for byteCount: Int) -> Bool {
        let missing = max(0, byteCount - prepaid.load(ordering: .relaxed))
        return UInt64(clamping: missing) <= limit - min(limit, UInt64(clamping: self.byteCount))
    }

    /// Whether the limit is one that a process could reach.
    public var isLimited: Bool { most < Int.max }

    /// Charges bytes that are about to be allocated.
    ///
    /// - Parameter byteCount: 0 or more.
    /// - Returns: whether they fit below the limit; if not, nothing was charged.
    public func charge(_ byteCount: Int) -> Bool {
        guard byteCount > 0 else { return byteCount == 0 }
        if let program {
            let paid = takePrepaid(byteCount)
            if program.charge(byteCount - paid) { return true }
            prepaid.add(paid, ordering: .relaxed)
            return false
        }
        var known = charged.load(ordering: .relaxed)
        while true {
            guard byteCount <= most - known else { return false }
            let (exchanged, found) = charged.weakCompareExchange(
                expected: known, desired: known + byteCount, ordering: .relaxed)
            if exchanged { return true }
            known = found
        }
    }

    /// Releases a charge, or a part of one, after the bytes were freed.
    ///
    /// - Parameter byteCount: 0 or more, and no more than was charged.
    public func release(_ byteCount: Int) {
        guard byteCount > 0 else { return }
        if let program { return program.release(byteCount) }
        var known = charged.load(ordering: .relaxed)
        while true {
            // Releasing more than was charged is a fault of the caller, and must not raise the
            // limit.
            let (exchanged, found) = charged.weakCompareExchange(
                expected: known, desired: max(0, known - byteCount), ordering: .relaxed)
            if exchanged { return }
            known = found
        }
    }

    /// Takes up to `byteCount` of the bytes paid in advance; returns how many.
    private func takePrepaid(_ byteCount: Int) -> Int {
        var known = prepaid.load(ordering: .relaxed)
        while known > 0 {
            let taken = min(known, byteCount)
            let (exchanged, found) = prepaid.weakCompareExchange(
                expected: known, desired: known - taken, ordering: .relaxed)
            if exchanged { return taken }
            known = found
        }
        return 0
    }
}

/// Bytes that one owner has charged to an account; they are released with it.
///
///     final class DirectoryStream {
///         private var holding: ResourceHolding
///
///         func add(_ entry: Entry) throws(Errno) {
///             guard holding.grow(by: entry.byteCount) else { throw .nomem }
///             ...
///         }
///     }
///
/// Keep it in a property of the object that owns the memory, and use it on one thread at a time.
public struct ResourceHolding: ~Copyable, Sendable {
    /// Nil for an owner without an account: then every charge fits.
    public let account: ResourceAccount?
    /// Bytes that are charged for this owner.
    public private(set) var byteCount = 0

    public init(_ account: ResourceAccount?) { self.account = account }

    /// Charges the missing bytes up to `byteCount`, or releases surplus bytes.
    ///
    /// - Returns: whether it fits; if not, nothing was changed.
    public mutating func resize(to byteCount: Int) -> Bool {
        let wanted = max(0, byteCount)
        if wanted > self.byteCount {
            guard account?.charge(wanted - self.byteCount) ?? true else { return false }
        } else {
            account?.release(self.byteCount - wanted)
        }
        self.byteCount = wanted
        return true
    }

    /// The same.
    ///
    /// - Throws: `ResourceError.totalExceeded` if it does not fit.
    mutating func take(_ byteCount: Int) throws(ResourceError) {
        guard resize(to: byteCount) else { throw .totalExceeded(limit: account?.limit ?? 0) }
    }

    /// Throws if this total would not fit now.
    func check(_ byteCount: Int) throws(ResourceError) {
        guard let account, byteCount > self.byteCount else { return }
        guard account.hasRoom(for: byteCount - self.byteCount) else {
            throw .totalExceeded(limit: account.limit)
        }
    }

    /// Charges more bytes; returns whether they fit.
    public mutating func grow(by byteCount: Int) -> Bool {
        let (sum, overflow) = self.byteCount.addingReportingOverflow(byteCount)
        return !overflow && resize(to: sum)
    }

    /// Releases bytes that are no longer in use.
    public mutating func shrink(by byteCount: Int) {
        _ = resize(to: self.byteCount - min(max(0, byteCount), self.byteCount))
    }

    deinit { account?.release(byteCount) }
}
