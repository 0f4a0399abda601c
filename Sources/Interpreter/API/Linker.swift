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

    private var definitions: [Key: Definition] = [:]
    /// Are told of every store that the linker makes an instance in.
    private var preparations: [(Store) -> Void] = []

    public init() {}

    /// Gives an entity of a store a name.
    public func define(_ module: Name, _ name: Name, _ external: External) {
        definitions[Key(module: module, name: name)] = .external(external)
    }

    /// Gives all exports of an instance names of a module.
    public func define(instance: Instance, as module: Name) {
        for (name, external) in instance.exports { define(module, name, external) }
    }

    /// Gives a function of the host a name.
    public func define(_ module: Name, _ name: Name, _ function: HostFunction) {
        definitions[Key(module: module, name: name)] = .host(function)
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
        definitions[Key(module: module, name: name)] != nil
    }

    /// Resolves the imports of a module, instantiates it and runs its start function.
    ///
    /// - Throws: `LinkError` with all imports that are missing or do not match; `ResourceError` if
    ///   the store's limits do not allow it; and what the start function and active segments throw:
    ///   `Trap`, `Exception`, errors of host functions.
    public func instantiate(_ module: Module, in store: Store) throws -> Instance {
        let imports = resolve(module, in: store)
        return Instance(store: store, storage: try store.instantiate(module, imports: imports))
    }

    /// What has the names of a module's imports, in their order.
    func resolve(_ module: Module, in store: Store) -> [External?] {
        for prepare in preparations { prepare(store) }
        return module.imports.map { wanted in
            switch definitions[Key(module: wanted.module, name: wanted.name)] {
            case .external(let external): external
            case .host(let function): .function(Function(store: store, function))
            case nil: nil
            }
        }
    }
}
