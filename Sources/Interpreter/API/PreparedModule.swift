// Invariants: all functions are shared ones, whose records are valid for every store of the engine
// and as long as the functions, which this object keeps; stores keep it while they have instances.

import WasmMachine
import WasmValidator

/// A module with resolved imports, from which many instances are made.
///
///     let prepared = try linker.prepare(module)
///     let instance = try prepared.instantiate(in: Store(engine: engine))
///
/// Made by `Linker.prepare`. A value that threads may share: an instance is made in the store that
/// is given, by the thread that uses the store. All instances use the same host functions, which
/// find the state of their guest in its store: see `HostKey`.
public struct PreparedModule: Sendable {
    public let module: Module
    private let imports: PreparedImports

    init(_ module: Module, _ imports: PreparedImports) {
        self.module = module
        self.imports = imports
    }

    /// Makes an instance and runs the module's start function.
    ///
    /// - Parameter store: the store of the instance, of the module's engine.
    /// - Throws: as `Linker.instantiate(_:in:)`, but no `LinkError`: `EngineMismatch`,
    ///   `ResourceError`, and errors of the start function and active segments.
    public func instantiate(in store: Store) throws -> Instance {
        imports.announce(store)
        return Instance(
            store: store, storage: try store.instantiate(module, imports: .prepared(imports)))
    }

    /// Makes an instance whose start function has not run: for hosts that run `startFunction` as
    /// an `Execution`, since it may wait or compute for long. It must be finished before anything
    /// else is called.
    ///
    /// - Throws: as `instantiate(in:)`.
    package func instantiateBeforeStart(in store: Store) throws -> Instance {
        imports.announce(store)
        return Instance(
            store: store,
            storage: try store.instantiate(
                module, imports: .prepared(imports), runsStart: false))
    }

    /// Makes an instance with the state of a snapshot: see
    /// `Linker.instantiate(from:in:)`.
    ///
    /// - Throws: `SnapshotError.otherModule` if the snapshot is of another module,
    ///   `EngineMismatch`, `ResourceError`.
    public func instantiate(from snapshot: Snapshot, in store: Store) throws -> Instance {
        guard snapshot.module === module else { throw SnapshotError.otherModule }
        imports.announce(store)
        return Instance(
            store: store, storage: try store.instantiate(snapshot, imports: .prepared(imports)))
    }
}

/// The resolved imports of a module, for all stores.
final class PreparedImports: @unchecked Sendable {
    // Sendable: functions are shared, and nothing changes.
    enum Import {
        case function(HostFunction, HostRecord)
        case memory(SharedMemory)
    }

    private let imports: [Import]
    /// The imports, if all are functions, which do not depend on the store.
    private let functions: [ResolvedImport]?
    /// The records that guests may refer to.
    let records: Set<UnsafeMutablePointer<FunctionRecord>>
    let typeIDs: [TypeID]
    private let preparations: [@Sendable (Store) -> Void]

    init(_ imports: [Import], _ preparations: [@Sendable (Store) -> Void]) {
        self.imports = imports
        self.preparations = preparations
        let functions = imports.compactMap { wanted -> HostRecord? in
            if case .function(_, let record) = wanted { record } else { nil }
        }
        self.functions =
            functions.count == imports.count ? functions.map { .function($0.pointer) } : nil
        records = Set(functions.map(\.pointer))
        typeIDs = functions.map(\.typeID)
    }

    func announce(_ store: Store) {
        for prepare in preparations { prepare(store) }
    }

    /// The imports in a store, in order.
    ///
    /// - Throws: `ResourceError` if the store's limits do not allow a memory.
    func resolve(in store: Store) throws(ResourceError) -> [ResolvedImport] {
        if !imports.isEmpty { store.keep(self) }
        if let functions { return functions }
        var resolved: [ResolvedImport] = []
        for wanted in imports {
            switch wanted {
            case .function(_, let record): resolved.append(.function(record.pointer))
            case .memory(let memory): resolved.append(.memory(try store.view(of: memory)))
            }
        }
        return resolved
    }
}
