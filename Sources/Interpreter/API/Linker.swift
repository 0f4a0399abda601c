import WasmValidator

/// Names for what modules import.
///
///     var linker = Linker()
///     linker.define("env", "now") { (caller: borrowing Caller) -> Int64 in clock() }
///     let instance = try linker.instantiate(module, in: store)
///
/// A later definition replaces an earlier one of the same names. Host functions are bound to a store
/// when a module that imports them is instantiated, so one linker serves any number of stores. Where a
/// module is instantiated again and again, `prepare` resolves its imports once.
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
    /// Where definitions stand, by the hash of their keys.
    private var index = HashIndex()
    /// Make the functions of a module when they are asked for; nil for names that there are none of.
    private var providers: [(module: Name, function: (Name) -> HostFunction?)] = []
    /// Are told of every store that an instance is made in.
    private var preparations: [@Sendable (Store) -> Void] = []

    public init() {}

    /// Gives an entity of a store a name.
    public func define(_ module: Name, _ name: Name, _ external: External) {
        replace(Key(module: module, name: name), by: .external(external))
    }

    /// Gives all exports of an instance names of a module.
    public func define(instance: Instance, as module: Name) {
        for (name, external) in instance.exports { define(module, name, external) }
    }

    /// Gives a function of the host a name.
    public func define(_ module: Name, _ name: Name, _ function: HostFunction) {
        replace(Key(module: module, name: name), by: .host(function))
    }

    /// Gives a memory that several stores may use at the same time a name. Each store of an instance
    /// gets a view of it.
    public func define(_ module: Name, _ name: Name, _ memory: SharedMemory) {
        replace(Key(module: module, name: name), by: .memory(memory))
    }

    /// Defines many functions of one module, which are made when they are needed: `function` is asked
    /// once for each name, and returns nil for names that it has no function for.
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
        // The last one that has it: it replaced those before.
        for provider in providers.reversed() where provider.module == key.module {
            guard let function = provider.function(key.name) else { continue }
            index.insert(definitions.count, hash: hash)
            definitions.append((key, .host(function)))
            return .host(function)
        }
        return nil
    }

    /// What was defined before goes when the change is over: its end may run code of the embedder.
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

    /// Gives a function of the host that reads and writes slots a name.
    public func defineFunction(
        _ module: Name, _ name: Name, parameters: [ValueType] = [], results: [ValueType] = [],
        _ body: @escaping HostFunction.Body
    ) {
        let type = FunctionType(parameters: parameters, results: results)
        define(module, name, HostFunction(type, body))
    }

    /// Lets `body` see every store that an instance is made in with what is defined here, before that
    /// is done.
    package func beforeInstantiating(_ body: @escaping @Sendable (Store) -> Void) {
        preparations.append(body)
    }

    /// Whether something has these names.
    public func isDefined(_ module: Name, _ name: Name) -> Bool {
        definition(Key(module: module, name: name)) != nil
    }

    /// Resolves the imports of a module, instantiates it and runs its start function.
    ///
    /// - Throws: `LinkError` with all imports that are missing or do not match; `ResourceError` if
    ///   the store's limits do not allow it; what the start function and active segments throw:
    ///   `Trap`, `Exception`, errors of host functions; and `Trap` if the store's deadline passes, it
    ///   is interrupted, or its fuel is used up meanwhile.
    public func instantiate(_ module: Module, in store: Store) throws -> Instance {
        let imports = try resolve(module, in: store)
        return Instance(
            store: store, storage: try store.instantiate(module, imports: .given(imports)))
    }

    /// What has the names of a module's imports, in their order.
    ///
    /// - Throws: `Trap` if the guest that is being made must stop.
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
    /// What is prepared is what is defined now: later definitions change nothing. A module can be
    /// prepared with functions of the host that threads may share (`defineShared`, those of WASI) and
    /// with shared memories. What belongs to a store (functions of instances, memories, tables, globals,
    /// tags) could only be used in that store, and is refused: use `instantiate(_:in:)` there.
    ///
    /// Cost: proportional to the number of imports.
    ///
    /// - Throws: `LinkError` with all imports that are missing, do not match or cannot be prepared.
    public func prepare(_ module: Module) throws(LinkError) -> PreparedModule {
        let matching = ImportMatching(module)
        let types = module.engine.types
        var found: [PreparedImports.Import] = []
        var failures: [LinkError.Failure] = []
        for wanted in module.imports {
            let definition = definition(Key(module: wanted.module, name: wanted.name))
            let reason: LinkError.Failure.Reason?
            switch definition {
            case nil: reason = .unknown
            case .external(let external):
                // What does not match is the first thing to know.
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
            if let reason { failures.append(matching.failure(wanted, reason)) }
        }
        if !failures.isEmpty { throw LinkError(failures: failures) }
        return PreparedModule(module, PreparedImports(found, preparations))
    }
}
