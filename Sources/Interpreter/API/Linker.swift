import WasmValidator

/// Definitions by name for the imports of modules.
///
///     var linker = Linker()
///     linker.define("env", "now") { (caller: borrowing Caller) -> Int64 in clock() }
///     let instance = try linker.instantiate(module, in: store)
///
/// A later definition replaces an earlier one of the same names. Host functions are bound to a
/// store when a module that imports them is instantiated, so one linker can be used for any number
/// of stores. For a module that is instantiated often, `prepare` resolves its imports once.
public final class Linker {
    private struct Key: Hashable {
        let module: Name
        let name: Name
    }

    private enum Definition {
        case external(External)
        case host(HostFunction)
        case memory(SharedMemory)
    }

    private var definitions: [(key: Key, definition: Definition)] = []
    /// Positions of definitions by the hash of their keys.
    private var index = HashIndex()
    /// Make functions of a module on demand; return nil for unknown names.
    private var providers: [(module: Name, function: (Name) -> HostFunction?)] = []
    /// Called for every store in which an instance is made.
    private var preparations: [@Sendable (Store) -> Void] = []

    public init() {}

    /// Defines an entity of a store.
    public func define(_ module: Name, _ name: Name, _ external: External) {
        replace(Key(module: module, name: name), by: .external(external))
    }

    /// Defines all exports of an instance, under the name of a module.
    public func define(instance: Instance, as module: Name) {
        for (name, external) in instance.exports { define(module, name, external) }
    }

    /// Defines a function of the host.
    public func define(_ module: Name, _ name: Name, _ function: HostFunction) {
        replace(Key(module: module, name: name), by: .host(function))
    }

    /// Defines a memory that several stores may use at the same time. Each store with an instance
    /// gets a view of it.
    public func define(_ module: Name, _ name: Name, _ memory: SharedMemory) {
        replace(Key(module: module, name: name), by: .memory(memory))
    }

    /// Defines many functions of one module, which are made on demand: `function` is called once
    /// for each name, and returns nil for unknown names.
    package func define(_ module: Name, function: @escaping (Name) -> HostFunction?) {
        var replaced: [Definition] = []
        for position in definitions.indices where definitions[position].key.module == module {
            guard let function = function(definitions[position].key.name) else { continue }
            replaced.append(definitions[position].definition)
            definitions[position].definition = .host(function)
        }
        providers.append((module, function))
        withExtendedLifetime(replaced) {}
    }

    private func definition(_ key: Key) -> Definition? {
        let hash = key.hashValue
        if let position = position(of: key, hash) { return definitions[position].definition }
        // The last one that has the name replaces earlier ones.
        for provider in providers.reversed() where provider.module == key.module {
            guard let function = provider.function(key.name) else { continue }
            index.insert(definitions.count, hash: hash)
            definitions.append((key, .host(function)))
            return .host(function)
        }
        return nil
    }

    /// The old definition is released after the change, because its deinitialiser may run code of
    /// the embedder.
    private func replace(_ key: Key, by definition: Definition) {
        let hash = key.hashValue
        guard let position = position(of: key, hash) else {
            index.insert(definitions.count, hash: hash)
            definitions.append((key, definition))
            return
        }
        var replaced = definition
        swap(&replaced, &definitions[position].definition)
        withExtendedLifetime(replaced) {}
    }

    private func position(of key: Key, _ hash: Int) -> Int? {
        index.first(hash: hash) { definitions[$0].key == key }
    }

    /// Defines a function of the host that reads and writes slots.
    public func defineFunction(
        _ module: Name, _ name: Name, parameters: [ValueType] = [], results: [ValueType] = [],
        _ body: @escaping HostFunction.Body
    ) {
        let type = FunctionType(parameters: parameters, results: results)
        define(module, name, HostFunction(type, body))
    }

    /// Calls `body` with every store before an instance is made in it with these definitions.
    package func beforeInstantiating(_ body: @escaping @Sendable (Store) -> Void) {
        preparations.append(body)
    }

    /// Whether there is a definition with these names.
    public func isDefined(_ module: Name, _ name: Name) -> Bool {
        definition(Key(module: module, name: name)) != nil
    }

    /// The functions of the host that were defined one by one, in the order of their definition.
    package var hostFunctions: [(module: Name, name: Name, type: FunctionType)] {
        definitions.compactMap { entry in
            guard case .host(let function) = entry.definition else { return nil }
            return (entry.key.module, entry.key.name, function.type)
        }
    }

    /// Resolves the imports of a module, instantiates it and runs its start function.
    ///
    /// - Throws: `LinkError` with all imports that are missing or do not match; `ResourceError` if
    ///   the store's limits do not allow it; errors of the start function and active segments:
    ///   `Trap`, `Exception`, errors of host functions; and `Trap` if the store's deadline passes,
    ///   it is interrupted, or its fuel is used up meanwhile.
    public func instantiate(_ module: Module, in store: Store) throws -> Instance {
        let imports = try resolve(module, in: store)
        return Instance(
            store: store, storage: try store.instantiate(module, imports: .given(imports)))
    }

    /// Makes an instance whose start function has not run: see
    /// `PreparedModule.instantiateBeforeStart`.
    package func instantiateBeforeStart(_ module: Module, in store: Store) throws -> Instance {
        let imports = try resolve(module, in: store)
        return Instance(
            store: store,
            storage: try store.instantiate(module, imports: .given(imports), runsStart: false))
    }

    /// The definitions for a module's imports, in their order.
    ///
    /// - Throws: `Trap` if the new guest must stop.
    func resolve(_ module: Module, in store: Store) throws -> [External?] {
        for prepare in preparations { prepare(store) }
        return try module.imports.enumerated().map { index, wanted in
            if index & 255 == 255, let code = store.stopRequest() { throw Trap(code) }
            return switch definition(Key(module: wanted.module, name: wanted.name)) {
            case .external(let external): external
            case .host(let function): .function(Function(store: store, function))
            case .memory(let memory): .memory(try Memory(store: store, sharing: memory))
            case nil: nil
            }
        }
    }

    /// Resolves the imports of a module, once for any number of instances, in any stores of the
    /// module's engine, on any threads.
    ///
    ///     let prepared = try linker.prepare(module)
    ///     // for each request, on any thread
    ///     let store = Store(engine: engine)
    ///     let instance = try prepared.instantiate(in: store)
    ///
    /// Uses the current definitions: later ones have no effect. A module can be prepared with
    /// functions of the host that threads may share (`defineShared`, those of WASI) and with shared
    /// memories. Entities of a store (functions of instances, memories, tables, globals, tags)
    /// could be used only in that store, and are refused: use `instantiate(_:in:)` there.
    ///
    /// Cost: proportional to the number of imports.
    ///
    /// - Throws: `LinkError` with all imports that are missing, do not match or cannot be prepared.
    public func prepare(_ module: Module) throws(LinkError) -> PreparedModule {
        let matching = ImportMatching(module)
        let types = module.engine.types
        var found: [PreparedImports.Import] = []
        var error = LinkError()
        for wanted in module.imports {
            let definition = definition(Key(module: wanted.module, name: wanted.name))
            let reason: LinkError.Failure.Reason?
            switch definition {
            case nil: reason = .unknown
            case .external(let external):
                // A mismatch is reported before other reasons.
                reason =
                    external.store.engine.types === types
                    ? matching.mismatch(external.type, wanted.type) ?? .ownedByStore
                    : .ownedByStore
            case .host(let function):
                let record = function.record(in: types)
                reason =
                    matching.mismatch(.function(record.typeID), wanted.type)
                    ?? (function.isShared ? nil : .notShared)
                found.append(.function(function, record))
            case .memory(let memory):
                reason = matching.mismatch(.memory(memory.currentType), wanted.type)
                found.append(.memory(memory))
            }
            if let reason { error.add { matching.failure(wanted, reason) } }
        }
        try error.check()
        return PreparedModule(module, PreparedImports(found, preparations))
    }
}
