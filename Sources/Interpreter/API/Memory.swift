/// A linear memory in a store.
///
///     if let memory = instance.memory("memory") {
///         try memory.storeString("hello", at: 1024)
///         let length = try memory.load(at: 16, as: UInt32.self)
///         let text = try memory.loadString(at: 1024, count: length)
///     }
///
/// Every access checks the memory's current size, and throws if it is out of bounds: no pointer or
/// view can become invalid by growth or by the end of the store.
///
/// Specification: 4.2.8 (memory instances).
public struct Memory {
    public let store: Store
    let storage: MemoryStorage

    init(store: Store, storage: MemoryStorage) {
        self.store = store
        self.storage = storage
    }

    /// Makes a memory of zeros with the type's minimum size.
    ///
    /// - Throws: `ResourceError` if the store's limits or the system do not allow it.
    public init(store: Store, type: MemoryType) throws(ResourceError) {
        self.init(store: store, storage: try store.makeMemory(type))
    }

    /// The store's view of a memory that other stores may use at the same time.
    ///
    /// - Throws: `ResourceError` if the store's limits do not allow another memory.
    public init(store: Store, sharing memory: SharedMemory) throws(ResourceError) {
        self.init(store: store, storage: try store.view(of: memory))
    }

    /// The memory to give to other stores; nil if its type is not shared.
    public var shared: SharedMemory? { storage.shared }

    /// The declared type; its minimum is the size at the start.
    public var type: MemoryType { storage.type }
    /// The current size in pages.
    public var size: UInt64 {
        storage.refresh()
        return storage.pageCount
    }
    /// The current size in bytes.
    public var byteCount: Int { bytes.byteCount }
    /// The current bytes; must not outlive the handle.
    package var bytes: GuestMemory {
        storage.refresh()
        return GuestMemory(storage.record.pointee)
    }

    /// Adds pages of zeros. The bytes do not move.
    ///
    /// - Returns: the previous size in pages, or nil if the memory cannot grow that far.
    public func grow(by pages: UInt64) -> UInt64? { store.grow(storage, by: pages) }
}

extension Memory: Hashable {
    public static func == (a: Memory, b: Memory) -> Bool { a.storage === b.storage }
    public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(storage)) }
}
