/// An instance of a module in a store.
///
/// Specification: 4.2.5 (module instances).
public struct Instance {
    public let store: Store
    let storage: InstanceStorage

    init(store: Store, storage: InstanceStorage) {
        self.store = store
        self.storage = storage
    }

    /// Instantiates a module with its imports in the module's order, and runs its start function.
    ///
    /// - Throws: `LinkError` if an import does not match, `ResourceError`, and errors of the start
    ///   function and active segments: `Trap`, `Exception`, errors of host functions.
    public init(_ module: Module, imports: [External] = [], in store: Store) throws {
        self.init(
            store: store,
            storage: try store.instantiate(module, imports: .given(imports.map { .some($0) })))
    }

    public var module: Module { storage.module }

    /// The export with this name; nil if there is none.
    public func export(_ name: Name) -> External? {
        guard let export = module.export(name) else { return nil }
        return external(export.kind, Int(export.index))
    }

    /// The module's start function: see `PreparedModule.instantiateBeforeStart`.
    package var startFunction: Function? {
        guard let index = module.parsed.start,
            case .function(let function)? = external(.function, Int(index))
        else { return nil }
        return function
    }

    /// The exported function with this name.
    public func function(_ name: Name) -> Function? {
        if case .function(let function)? = export(name) { function } else { nil }
    }

    /// The exported memory with this name.
    public func memory(_ name: Name) -> Memory? {
        if case .memory(let memory)? = export(name) { memory } else { nil }
    }

    /// The exported table with this name.
    public func table(_ name: Name) -> Table? {
        if case .table(let table)? = export(name) { table } else { nil }
    }

    /// The exported global with this name.
    public func global(_ name: Name) -> Global? {
        if case .global(let global)? = export(name) { global } else { nil }
    }

    /// The exported tag with this name.
    public func tag(_ name: Name) -> Tag? {
        if case .tag(let tag)? = export(name) { tag } else { nil }
    }

    /// All exports in the module's order.
    public var exports: [(Name, External)] {
        module.exports.compactMap { export in
            external(export.kind, Int(export.index)).map { (export.name, $0) }
        }
    }

    /// The entity of this kind and index, exported or not; nil if there is none.
    public func external(_ kind: ExternalKind, _ index: Int) -> External? {
        switch kind {
        case .function:
            storage.functionRecord(index).map {
                .function(Function(store: store, record: $0))
            }
        case .table:
            storage.tables.indices.contains(index)
                ? .table(Table(store: store, storage: storage.tables[index])) : nil
        case .memory:
            storage.memories.indices.contains(index)
                ? .memory(Memory(store: store, storage: storage.memories[index])) : nil
        case .global:
            storage.globalCell(index).map {
                .global(Global(store: store, type: storage.globalType(index), cell: $0))
            }
        case .tag:
            storage.tags.indices.contains(index)
                ? .tag(Tag(store: store, storage: storage.tags[index])) : nil
        }
    }
}

extension Instance: Hashable {
    public static func == (a: Instance, b: Instance) -> Bool { a.storage === b.storage }
    public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(storage)) }
}
