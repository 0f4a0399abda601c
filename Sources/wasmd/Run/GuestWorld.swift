import WasmInterpreter
import WasmSystem
import WasmWASI

/// What a guest can use: the entities that its module may import, and its threads.
struct GuestWorld {
    let linker = Linker()
    private let threads: GuestThreads?
    private let guest: WASIGuest?
    /// Addresses on which the guest listens, and whose ports the system chose.
    let chosenAddresses: [SocketAddress]

    /// Sets up WASI for modules that import it, instantiates those of `--preload`, and defines
    /// missing imports with `--unknown-imports`.
    ///
    /// - Parameters:
    ///   - trace: what `--trace` writes to.
    ///   - willInstantiate: called when all files are open, before code of guests may run; the last
    ///     moment at which the process has one thread.
    init(
        _ options: RunOptions, for module: Module, _ preloads: [PreloadedModule],
        _ trace: TraceFile?, in store: Store,
        willInstantiate: () throws(Refusal) -> Void = {}
    ) throws {
        let modules = preloads.map(\.module) + [module]
        let wantsThreads = GuestThreads.areWanted(by: module)
        let interfaces =
            options.allowedHosts.isEmpty ? nil : try GuestInterfaces(options)
        let neighbours = Neighbours(
            module: module, preloads: preloads, unknownImports: options.unknownImports,
            interfaces: interfaces, trace: trace)
        guard wantsThreads || modules.contains(where: Self.wantsWASI) else {
            threads = nil
            guest = nil
            chosenAddresses = []
            try willInstantiate()
            try neighbours.define(on: linker, in: store)
            return
        }
        var wasi = try Self.wasi(options)
        wasi.trace = trace?.calls(showThreads: wantsThreads, isTimed: !options.isDeterministic)
        let guest = try linker.define(wasi)
        self.guest = guest
        chosenAddresses = zip(options.listeners, guest.listeners).filter { $0 != $1 }.map(\.1)
        ListenerFiles.removeAtSignals(
            options.listeners.compactMap { $0.path.map { Word(bytes: $0) } })
        threads = try linker.defineThreads(
            of: module, linkedWith: preloads.map(\.module), guest, in: store,
            imports: preloads.isEmpty && options.unknownImports == nil && interfaces == nil
                ? nil : neighbours.define)
        try willInstantiate()
        try neighbours.define(on: linker, in: store)
    }

    /// Removes the files of unix sockets. Everything else ends with the process.
    func end() {
        if let guest, guest.listeners.contains(where: { $0.path != nil }) { guest.closeAll() }
    }

    /// Runs `body` as the guest's first thread.
    ///
    /// - Parameter endsProcess: whether other threads may be left to the end of the process.
    func run<Value>(
        in store: Store, endsProcess: Bool, _ body: () throws -> Value
    ) throws -> Value {
        guard let threads else { return try body() }
        return try threads.run(in: store, endsProcess: endsProcess, body)
    }

    private static func wantsWASI(_ module: Module) -> Bool {
        let names: [Name] = ["wasi_snapshot_preview1", "wasi_unstable"]
        return module.imports.contains { names.contains($0.module) }
    }

    /// The `WASI` that the options describe.
    static func wasi(_ options: RunOptions) throws(Refusal) -> WASI {
        let name = options.argumentZero ?? options.path.lastComponent ?? options.path
        var wasi = WASI()
        wasi.argumentBytes = [name.bytes]
        if options.function == nil { wasi.argumentBytes += options.words.map(\.bytes) }
        wasi.environmentBytes =
            GuestEnvironment(
                inheriting: options.inheritsEnvironment, entries: options.environment
            ).variables.map { ($0.name.bytes, $0.value.bytes) }
        wasi.folders = options.folders
        wasi.listeners = options.listeners
        wasi.descriptors = options.descriptors
        if let count = options.maximumThreads { wasi.limits.threads = count }
        // There is one guest in this process.
        wasi.limits.descriptors =
            options.maximumDescriptors ?? WASI.Limits.descriptorsOfProcess.map { $0 - $0 / 4 }
            ?? 1024
        if options.isDeterministic { wasi.makeDeterministic() }
        if let file = options.standardInput {
            wasi.standardInput = .descriptor(try file.opened(.readOnly))
        }
        return wasi
    }
}

/// A module that `--preload` names.
struct PreloadedModule: Sendable {
    let name: Name
    let module: Module
    /// The file's name on the command line.
    let file: String
}

/// The imports of a program besides WASI. Each thread of the program has its own instances.
private struct Neighbours: Sendable {
    let module: Module
    let preloads: [PreloadedModule]
    let unknownImports: UnknownImports?
    let interfaces: GuestInterfaces?
    let trace: TraceFile?

    /// Instantiates the preloaded modules one after another, each with the exports of those before
    /// it.
    @Sendable
    func define(on linker: Linker, in store: Store) throws {
        interfaces?.define(on: linker)
        for preload in preloads {
            try standIn(for: preload.module, on: linker, in: store)
            do {
                let instance = try linker.instantiate(preload.module, in: store)
                _ = try instance.function("_initialize")?.call()
                linker.define(instance: instance, as: preload.name)
            } catch let error as LinkError {
                throw Refusal(instantiation: error, file: preload.file)
            }
        }
        try standIn(for: module, on: linker, in: store)
    }

    private func standIn(for module: Module, on linker: Linker, in store: Store) throws {
        guard let unknownImports else { return }
        try linker.defineUnknownImports(
            of: module, in: store, as: unknownImports,
            onCall: trace.map { trace in { trace.note($0, $1, unknownImports) } })
    }
}
