import WasmValidator

/// The state of an instance at one time, as a value: to save, to restore, and to make any number of
/// instances from.
///
///     let template = try linker.instantiate(module, in: store)
///     try template.function("initialize")?.call()
///     let snapshot = try template.snapshot()
///
///     // for each request, on any thread
///     let store = Store(engine: engine)
///     let instance = try linker.instantiate(from: snapshot, in: store)
///
/// A snapshot holds what the instance owns: memories, tables, globals, which segments were dropped, and
/// the structures and arrays that can be reached from these. It does not hold what the instance
/// imports; imports are given again when an instance is made from it. Memories that are made from a
/// snapshot share its pages until they write to them.
///
/// `docs/snapshots.md` has the format of the bytes.
public struct Snapshot: Sendable {
    /// The module of the instance.
    public let module: Module
    /// Shared by all copies: a state has many arrays.
    let content: SavedContent

    init(module: Module, state: SavedState) {
        self.module = module
        content = SavedContent(state)
    }

    var state: SavedState { content.state }

    /// Bytes of the memories that are not all zero, in pages of 4 KiB.
    public var memoryByteCount: Int {
        state.memories.reduce(0) { $0 + $1.runs.reduce(0) { $0 + $1.count } }
    }

    /// Structures and arrays.
    public var objectCount: Int { state.heap.objects.count }
}

extension Instance {
    /// What the instance's memories, tables and globals hold now.
    ///
    /// Cost: proportional to the size of memories and tables and to the objects that can be reached.
    ///
    /// - Throws: `SnapshotError.running` while guest code of the store runs or waits;
    ///   `.sharedMemory`, and `.reference` if something that the instance refers to is neither
    ///   its own nor imported: the error says where; `.resource`.
    public func snapshot() throws(SnapshotError) -> Snapshot {
        Snapshot(module: module, state: try Capture(storage).state())
    }

    /// Makes the instance what it was, or what another instance of the module was, when the snapshot was
    /// made.
    ///
    /// Imported memories, tables and globals stay as they are. A memory that has grown is small
    /// again; handles stay valid. Cost: if the instance was made from this snapshot or restored to it before,
    /// that of the pages written since, and not of all.
    ///
    /// - Throws: `SnapshotError.running`, `.otherModule`, `.sharedMemory`, or `.resource` if
    ///   limits of the store or the system do not allow it; the instance is unchanged then.
    public func restore(_ snapshot: Snapshot) throws(SnapshotError) {
        guard snapshot.module === module else { throw .otherModule }
        guard store.isIdle else { throw .running }
        try Restoration(snapshot.content, to: storage).replace()
    }

    /// Makes an instance as the snapshot has it. Neither active segments nor the start function
    /// have an effect again.
    ///
    /// Cost: that of the imports, globals and tables; not of the size of memories.
    ///
    /// - Parameters:
    ///   - snapshot: of an instance of a module of the same engine.
    ///   - imports: in the module's order.
    ///   - store: where the instance is to live.
    /// - Throws: `LinkError` if an import does not match, `ResourceError`, `EngineMismatch`.
    public init(_ snapshot: Snapshot, imports: [External] = [], in store: Store) throws {
        self.init(
            store: store,
            storage: try store.instantiate(snapshot, imports: .given(imports.map { .some($0) })))
    }
}

extension Linker {
    /// Resolves the imports of a snapshot's module and makes an instance as the snapshot has it.
    ///
    /// - Throws: as `Instance.init(_:imports:in:)` with a snapshot.
    public func instantiate(from snapshot: Snapshot, in store: Store) throws -> Instance {
        let imports = try resolve(snapshot.module, in: store)
        return Instance(
            store: store, storage: try store.instantiate(snapshot, imports: .given(imports)))
    }
}

extension Store {
    /// Whether no guest is in the midst of anything.
    var isIdle: Bool { callDepth == 0 && executions.all.isEmpty }

    /// Makes an instance as a snapshot has it, with what the module's imports were resolved to.
    func instantiate(_ snapshot: Snapshot, imports: ImportSource) throws -> InstanceStorage {
        try allocate(snapshot.module, imports: imports) { instance in
            try Restoration(snapshot.content, to: instance).define()
        }
    }
}
