/// The limits of the guests of one store.
///
///     var limits = StoreLimits()
///     limits.totalBytes = 64 << 20
///     limits.stackBytes = 1 << 20
///     let store = Store(engine: engine, limits: limits)
///
/// Work and time are limited by `Store.fuel` and `Store.deadline`, and decisions at run time are
/// made by `Store.limiter`. `totalBytes` holds for the whole program with all its threads; each
/// other limit holds for one kind of resource.
///
/// A module that needs more at its start is refused with `ResourceError`; growing a memory or table
/// beyond a limit returns -1 to the guest.
public struct StoreLimits: Hashable, Sendable {
    /// Total bytes of the program: memories, tables, objects, value stacks, instances, snapshots,
    /// register code, of all its threads and of all stores that share the `ResourceAccount`.
    /// Default: 8 GiB, the sum of the default limits of one memory and of all objects.
    public var totalBytes: UInt64
    /// Bytes of each linear memory. Default: 4 GiB, all that a memory with i32 addresses can use.
    public var memoryBytes: UInt64
    /// Elements of each table. Default: 10 million, which is 80 MB.
    public var tableElements: UInt64
    /// Instances of the store. They are freed with the store.
    public var instances: Int
    /// Linear memories, those of all instances and of the host together.
    public var memories: Int
    /// Tables, those of all instances and of the host together.
    public var tables: Int
    /// Bytes of the structures, arrays and exceptions of all guests, in blocks of 64 KiB. A guest
    /// that needs more traps with `TrapCode.heapExhausted`. Default: 4 GiB;
    /// at most 256 GiB are used.
    public var heapBytes: UInt64
    /// Bytes of the value stack, which limits recursion. A small function takes about 64 bytes per
    /// call; a guest that needs more traps with `TrapCode.stackExhausted`. Memory is used as the
    /// stack is touched. Default: 16 MiB; at least 4 KiB and at most 1 TiB are used.
    public var stackBytes: Int
    /// The depth of nested calls from the host into guests and from guests into the host. Calls
    /// between guests do not count: they use only the value stack.
    public var nestedCalls: Int

    public init(
        memoryBytes: UInt64 = 1 << 32, tableElements: UInt64 = 10_000_000,
        instances: Int = 10_000, memories: Int = 10_000, tables: Int = 10_000,
        nestedCalls: Int = 200, heapBytes: UInt64 = 1 << 32, stackBytes: Int = 16 << 20,
        totalBytes: UInt64 = 1 << 33
    ) {
        self.totalBytes = totalBytes
        self.memoryBytes = memoryBytes
        self.tableElements = tableElements
        self.instances = instances
        self.memories = memories
        self.tables = tables
        self.nestedCalls = nestedCalls
        self.heapBytes = heapBytes
        self.stackBytes = stackBytes
    }
}

/// A memory, table or instance that the store's limits or the system do not allow.
public enum ResourceError: Error, Hashable, Sendable {
    /// A memory starts with `pages` pages; the limit allows `limitPages`.
    case memoryTooLarge(pages: UInt64, limitPages: UInt64)
    case tableTooLarge(elements: UInt64, limit: UInt64)
    case tooManyInstances(limit: Int)
    case tooManyMemories(limit: Int)
    case tooManyTables(limit: Int)
    /// An object that the host makes needs more than the limit.
    case heapTooLarge(limit: UInt64)
    /// The program's total would exceed `StoreLimits.totalBytes`.
    case totalExceeded(limit: UInt64)
    /// The store's `StoreLimiter` refused.
    case refused(ExternalKind)
    /// The system refused memory or address space.
    case outOfMemory
}

extension ResourceError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .memoryTooLarge(let pages, let limit):
            "memory of \(pages) pages exceeds the limit of \(limit) pages"
        case .tableTooLarge(let elements, let limit):
            "table of \(elements) elements exceeds the limit of \(limit) elements"
        case .tooManyInstances(let limit): "the store holds \(limit) instances, its limit"
        case .tooManyMemories(let limit): "the store holds \(limit) memories, its limit"
        case .tooManyTables(let limit): "the store holds \(limit) tables, its limit"
        case .heapTooLarge(let limit): "the heap is full, its limit is \(limit) bytes"
        case .totalExceeded(let limit):
            "the program would take more than its limit of \(limit) bytes"
        case .refused(let kind): "the store's limiter refused the \(kind)"
        case .outOfMemory: "out of memory"
        }
    }
}
