import WasmInterpreter
import WasmWASI

/// A module with resolved imports that is run again and again, each time in an instance of its own:
/// a command, a reactor, or a module whose exports are called.
///
/// ```swift
/// let guest = try PreparedGuest(module)
/// let instance = try guest.fork(in: store, WASI())
/// ```
///
/// The guest is started once, as far as it can be started without its host (`ForkObstacle`): it is
/// instantiated, with its start function, and the `_initialize` of a reactor runs. Each run is then
/// a fork of that state, which shares the pages that it does not write.
///
/// Never forked is a guest that calls anything but clocks while it starts, above all one that reads
/// random numbers, by `random_get` or from a file; there is no setting for it. Arguments,
/// environment and folders may be read: then a run whose world has others is started anew. The time
/// at which the guest was started may be in the state, and so may a generator that is seeded by the
/// time only.
///
/// Instances share a `PreparedGuest` on all threads.
public final class PreparedGuest: Sendable {
    /// What a module is to its caller.
    public enum Kind: Sendable {
        /// Exports `_start`, which runs once.
        case command
        /// Exports `_initialize`, which runs before anything else.
        case reactor
        /// Neither.
        case plain
    }

    public let module: Module
    public let kind: Kind
    /// Why no run is a fork; nil if runs are, or could be.
    public let obstacle: ForkObstacle?
    /// Nil for a guest with `dependencies`, whose imports belong to a store.
    private let prepared: PreparedModule?
    /// Modules whose exports the module imports, under these names; each after those that it
    /// imports itself.
    private let dependencies: [(name: Name, module: Module)]
    private let saved: SavedStart?
    private let world: WASI
    let imports: GuestImports
    /// Whether a run needs the state of WASI: a guest that imports nothing cannot use it.
    let needsWorld: Bool

    /// Resolves the imports and starts the guest once. May take as long as the guest's start, at
    /// most `limits.time`: on a loop, use `CachedModule.prepared`.
    ///
    /// - Parameters:
    ///   - module: of any kind.
    ///   - imports: what it may import besides WASI.
    ///   - world: its arguments, environment and folders are those that most runs will have.
    ///   - limits: of the guest while it is started.
    ///   - starting: exports without parameters that belong to the guest's start, in this order; nil
    ///     for the `_initialize` of a reactor. One that returns a negative i32 has failed. An
    ///     instance that is no fork needs them called by the caller.
    ///   - onStart: is given the handle that stops the guest while it is started; called up to four
    ///     times.
    /// - Throws: `LinkError` if the module imports more.
    public convenience init(
        _ module: Module, imports: GuestImports = .none, in world: WASI = WASI(),
        limits: RunLimits = RunLimits(), starting: [Name]? = nil,
        onStart: @escaping (InterruptHandle) -> Void = { _ in }
    ) throws(LinkError) {
        try self.init(
            module, imports: imports, in: world, limits: limits, startsOnce: true,
            starting: starting, onStart: onStart)
    }

    /// - Parameter startsOnce: false if each run starts the guest itself.
    init(
        _ module: Module, imports: GuestImports, in world: WASI, limits: RunLimits,
        startsOnce: Bool, starting: [Name]? = nil,
        onStart: @escaping (InterruptHandle) -> Void = { _ in }
    ) throws(LinkError) {
        self.module = module
        self.imports = imports
        self.world = world
        prepared = try imports.linker().prepare(module)
        dependencies = []
        needsWorld = !module.imports.isEmpty
        kind = Self.kind(of: module)
        guard startsOnce else {
            saved = nil
            obstacle = nil
            return
        }
        let preparation = Preparation(
            module: module, world: world, limits: limits, starting: starting, onStart: onStart)
        do throws(ForkObstacle) {
            saved = try preparation.snapshot()
            obstacle = nil
        } catch {
            saved = nil
            obstacle = error
        }
    }

    /// A guest whose module imports exports of other modules. Each run makes an instance of each of
    /// them, in its own store; no run is a fork.
    ///
    /// - Parameter dependencies: under the names by which they are imported; each after those that
    ///   it imports itself.
    public init(
        _ module: Module, linking dependencies: [(name: Name, module: Module)],
        imports: GuestImports = .none
    ) {
        self.module = module
        self.imports = imports
        self.dependencies = dependencies
        world = WASI()
        prepared = nil
        saved = nil
        kind = Self.kind(of: module)
        needsWorld = true
        obstacle = dependencies.first.map {
            .imported(module: $0.name, name: module.imports.first?.name ?? Name(""))
        }
    }

    private static func kind(of module: Module) -> Kind {
        func exports(_ name: Name) -> Bool { module.export(name)?.kind == .function }
        return exports("_start") ? .command : exports("_initialize") ? .reactor : .plain
    }

    /// Most guests observe nothing: then the worlds, which are large, are not even copied.
    @inline(__always)
    private static func agree(
        _ saved: SavedStart, _ own: @autoclosure () -> WASI, _ other: borrowing WASI
    ) -> Bool {
        saved.observed.isEmpty || saved.observed.agree(own(), copy other)
    }

    /// Whether a run in this world is a fork.
    public func isForked(in world: borrowing WASI) -> Bool {
        saved.map { Self.agree($0, self.world, world) } ?? false
    }

    /// Bytes of the saved state.
    public var byteCount: Int { saved?.account.byteCount ?? 0 }

    /// An instance as it is after its start; nil if runs in this world are not forks.
    ///
    /// - Parameter store: an empty store of the module's engine, with the `WASIGuest` of `world`.
    /// - Throws: `ResourceError`, `EngineMismatch`.
    public func fork(in store: Store, _ world: borrowing WASI) throws -> Instance? {
        guard let prepared, let saved, Self.agree(saved, self.world, world) else { return nil }
        return try prepared.instantiate(from: saved.snapshot, in: store)
    }

    /// An instance with a state that another one had.
    ///
    /// - Throws: `SnapshotError.otherModule` if it is that of another module; `.running` for a guest
    ///   with `dependencies`, whose state is not in one snapshot; `ResourceError`.
    func instance(from snapshot: Snapshot, in store: Store) throws -> Instance {
        guard let prepared else { throw SnapshotError.running }
        return try prepared.instantiate(from: snapshot, in: store)
    }

    /// An instance before its start, and the functions that start it: they must run to their end,
    /// in this order, before anything else is called.
    ///
    /// - Throws: `ResourceError`, `EngineMismatch`; `Trap` if an active segment does not fit, or the
    ///   store's deadline or fuel is used up.
    public func instantiate(in store: Store) throws -> (Instance, starting: [Function]) {
        var functions: [Function] = []
        func add(_ instance: Instance) {
            if let start = instance.startFunction { functions.append(start) }
            if instance.function("_start") == nil,
                let initialize = instance.function("_initialize")
            {
                functions.append(initialize)
            }
        }
        let instance: Instance
        if let prepared {
            instance = try prepared.instantiateBeforeStart(in: store)
        } else {
            let linker = imports.linker()
            for (name, module) in dependencies {
                let dependency = try linker.instantiateBeforeStart(module, in: store)
                add(dependency)
                linker.define(instance: dependency, as: name)
            }
            instance = try linker.instantiateBeforeStart(module, in: store)
        }
        add(instance)
        return (instance, functions)
    }
}
