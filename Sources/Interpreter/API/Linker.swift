import WasmValidator

/// Names for what modules import.
///
///     var linker = Linker()
///     linker.define("env", "now") { (caller: borrowing Caller) -> Int64 in clock() }
///     let instance = try linker.instantiate(module, in: store)
///
/// A later definition replaces an earlier one of the same names. Host functions are bound to a store
/// when a module that imports them is instantiated, so one linker serves any number of stores.
public final class Linker {
    private struct Key: Hashable {
        let module: Name
        let name: Name
    }

    private enum Definition {
        case external(External)
        case host(HostFunction)
    }

    private var definitions: [(key: Key, definition: Definition)] = []
    /// Where definitions stand, by the hash of their keys.
    private var index = HashIndex()
    /// Are told of every store that the linker makes an instance in.
    private var preparations: [(Store) -> Void] = []

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

    private func definition(_ module: Name, _ name: Name) -> Definition? {
        let key = Key(module: module, name: name)
        return position(of: key, key.hashValue).map { definitions[$0].definition }
    }

    /// Gives a function of the host that reads and writes slots a name.
    public func defineFunction(
        _ module: Name, _ name: Name, parameters: [ValueType] = [], results: [ValueType] = [],
        _ body: @escaping HostFunction.Body
    ) {
        let type = FunctionType(parameters: parameters, results: results)
        define(module, name, HostFunction(type, body))
    }

    /// Lets `body` see every store that the linker makes an instance in, before it does.
    package func prepare(_ body: @escaping (Store) -> Void) { preparations.append(body) }

    /// Whether something has these names.
    public func isDefined(_ module: Name, _ name: Name) -> Bool {
        definition(module, name) != nil
    }

    /// Resolves the imports of a module, instantiates it and runs its start function.
    ///
    /// - Throws: `LinkError` with all imports that are missing or do not match; `ResourceError` if
    ///   the store's limits do not allow it; what the start function and active segments throw:
    ///   `Trap`, `Exception`, errors of host functions; and `Trap` if the store's deadline passes, it
    ///   is interrupted, or its fuel is used up meanwhile.
    public func instantiate(_ module: Module, in store: Store) throws -> Instance {
        let imports = try resolve(module, in: store)
        return Instance(store: store, storage: try store.instantiate(module, imports: imports))
    }

    /// What has the names of a module's imports, in their order.
    ///
    /// - Throws: `Trap` if the guest that is being made must stop.
    func resolve(_ module: Module, in store: Store) throws -> [External?] {
        for prepare in preparations { prepare(store) }
        return try module.imports.enumerated().map { index, wanted in
            if index & 255 == 255, let code = store.stopRequest() { throw Trap(code) }
            return switch definition(wanted.module, wanted.name) {
            case .external(let external): external
            case .host(let function): .function(Function(store: store, function))
            case nil: nil
            }
        }
    }
}
