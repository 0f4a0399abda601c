import WasmInterpreter

/// The threads of a guest that imports `wasi` `thread-spawn` and a shared memory, as C programs
/// with pthreads do.
///
///     let guest = try linker.define(wasi)
///     let threads = try linker.defineThreads(of: module, guest, in: store)
///     let instance = try linker.instantiate(module, in: store)
///     print("exit code", try instance.runCommand(threads))
///
/// Each thread is one of the host with a store and an instance of its own; they share the memory,
/// the descriptors and everything else of `guest`. When one exits or traps, the program is over:
/// the others are interrupted. A thread that sits in a closure of the embedder is waited for.
///
/// Specification: wasi-threads.
public final class GuestThreads: Sendable {
    /// Gives a thread's linker what its module imports beside WASI.
    public typealias Imports = @Sendable (Linker, Store) throws -> Void

    private let module: Module
    private let guest: WASIGuest
    private let imports: Imports
    private let memories: [(module: Name, name: Name, memory: SharedMemory)]
    private let threadLimit: Int
    /// Names of what the modules import: a thread's linker needs no others.
    private let names: Set<Name>
    /// Whether the module exports what a thread is to start with.
    private let hasEntry: Bool
    private let program = Monitor(Program())

    private static let entry: Name = "wasi_thread_start"
    /// C libraries keep the upper three bits for themselves.
    private static let largestID: UInt32 = (1 << 29) - 1
    /// The thread that the program started with.
    private static let main: UInt32 = 0

    /// The program as its threads see it, while it runs.
    private struct Program {
        var isRunning = false
        /// What stops the threads that have not ended.
        var handles: [UInt32: InterruptHandle] = [:]
        var lastID: UInt32 = GuestThreads.main
        /// Why the program is over.
        var end: End?
    }

    private enum End {
        case mainReturned
        /// `GuestExit`, a trap, or an error of the host.
        case thrown(any Error, by: UInt32)
    }

    /// Makes the shared memories that the module imports.
    ///
    /// - Parameters:
    ///   - guest: what the threads see of the world.
    ///   - module: what all threads run.
    ///   - neighbours: modules that `imports` instantiates, which import WASI as well.
    ///   - memoryLimit: bytes that each memory may grow to.
    ///   - imports: defines for every further thread what the module imports beside WASI; called
    ///     on that thread, with its store.
    /// - Throws: `ResourceError` if a memory is too large.
    public init(
        of module: Module, linkedWith neighbours: [Module] = [], _ guest: WASIGuest,
        memoryLimit: UInt64 = 1 << 32,
        imports: @escaping Imports = { _, _ in }
    ) throws(ResourceError) {
        self.module = module
        self.guest = guest
        self.imports = imports
        threadLimit = guest.threadLimit
        names = Set((neighbours + [module]).flatMap { $0.imports.map(\.name) })
        var memories: [(Name, Name, SharedMemory)] = []
        for wanted in module.imports {
            guard case .memory(let type) = wanted.type, type.isShared,
                !memories.contains(where: { $0.0 == wanted.module && $0.1 == wanted.name })
            else { continue }
            memories.append(
                (wanted.module, wanted.name, try SharedMemory(type, limit: memoryLimit)))
        }
        self.memories = memories
        let export = module.export(Self.entry)
        hasEntry =
            export?.kind == .function
            && export.flatMap { module.parsed.functionType(at: $0.index) }
                == FunctionType(parameters: [.i32, .i32], results: [])
    }

    /// Whether a module imports `thread-spawn`, or a memory that threads would share.
    public static func areWanted(by module: Module) -> Bool {
        module.imports.contains { wanted in
            if case .memory(let type) = wanted.type { return type.isShared }
            return wanted.module == "wasi" && wanted.name == "thread-spawn"
        }
    }

    /// Defines `thread-spawn` and the shared memories for instances in `store`.
    ///
    /// - Throws: `ResourceError` if the store's limits do not allow the memories.
    public func define(on linker: Linker, in store: Store) throws(ResourceError) {
        try define(on: linker, in: store, thread: Self.main)
    }

    private func define(
        on linker: Linker, in store: Store, thread: UInt32
    ) throws(ResourceError) {
        for (module, name, memory) in memories {
            linker.define(module, name, .memory(try Memory(store: store, sharing: memory)))
        }
        let body: HostFunction.Body = { caller, slots in
            let answer = self.spawn(argument: slots.i32(0), from: caller.store)
            slots.setResult(i32: answer)
        }
        linker.defineFunction(
            "wasi", "thread-spawn", parameters: [.i32], results: [.i32],
            guest.trace?.traced("thread-spawn", thread: thread, .preview1, guest, body) ?? body)
    }

    /// Runs the program: `body` is its first thread, on the thread of the host that calls. Ends the
    /// others when it returns or throws, and waits until they are gone. One run at a time.
    ///
    /// - Throws: what ended the program: `GuestExit`, `Trap`, or an error of the host, of `body` or
    ///   of another thread.
    public func run<Value>(in store: Store, _ body: () throws -> Value) throws -> Value {
        program.withLock { program in
            program.isRunning = true
            program.end = nil
            program.handles[Self.main] = store.interruptHandle
        }
        let result = Result { try body() }
        switch result {
        case .success: finish(Self.main, .mainReturned)
        case .failure(let error): finish(Self.main, .thrown(error, by: Self.main))
        }
        program.wait { $0.handles.isEmpty }
        let end = program.withLock { program in
            program.isRunning = false
            return program.end
        }
        guard case .thrown(let error, let thread)? = end, thread != Self.main else {
            return try result.get()
        }
        // The request that ended this thread may have come when it had ended by itself.
        store.interruptHandle.reset()
        throw error
    }

    // MARK: One thread

    /// What a new thread gets from the one that starts it. Used by one of both at a time.
    private final class Start: @unchecked Sendable {
        let id: UInt32
        let argument: Int32
        private var store: Store?

        init(id: UInt32, argument: Int32, store: consuming Store) {
            self.id = id
            self.argument = argument
            self.store = store
        }

        /// The thread's store, which is nobody else's from then on.
        func takeStore() -> Store? {
            defer { store = nil }
            return store
        }
    }

    /// Starts a thread; answers its number, from 1 on, or an error code as a negative number.
    private func spawn(argument: Int32, from parent: Store) -> Int32 {
        guard hasEntry, !memories.isEmpty else { return -Int32(Errno.notsup.rawValue) }
        let store = Store(engine: parent.engine, limits: parent.limits)
        store.deadline = parent.deadline
        let again = -Int32(Errno.again.rawValue)
        guard let id = register(store.interruptHandle) else { return again }
        // All threads together use no more than the first one had.
        if let fuel = parent.fuel {
            store.fuel = fuel / 2
            parent.fuel = fuel - fuel / 2
        }
        let start = Start(id: id, argument: argument, store: store)
        guard System.startThread({ self.run(start) }) else {
            finish(id, nil)
            return again
        }
        return Int32(id)
    }

    /// A number for a new thread; nil if there are too many or the program is over.
    private func register(_ handle: InterruptHandle) -> UInt32? {
        program.withLock { program in
            guard program.isRunning, program.end == nil, program.handles.count <= threadLimit
            else { return nil }
            repeat {
                program.lastID = program.lastID < Self.largestID ? program.lastID + 1 : 1
            } while program.handles[program.lastID] != nil
            program.handles[program.lastID] = handle
            return program.lastID
        }
    }

    /// What a new thread does. Its store is gone when it is said to have ended.
    private func run(_ start: Start) {
        do {
            try enter(start.takeStore(), start)
            finish(start.id, nil)
        } catch {
            finish(start.id, .thrown(error, by: start.id))
        }
    }

    private func enter(_ store: consuming Store?, _ start: Start) throws {
        guard let store else { return }
        let linker = Linker()
        guest.define(on: linker, only: names, thread: start.id)
        try define(on: linker, in: store, thread: start.id)
        try imports(linker, store)
        let instance = try linker.instantiate(module, in: store)
        let entry = instance.function(Self.entry)
        _ = try entry?.call([.i32(Int32(start.id)), .i32(start.argument)])
    }

    /// Notes that a thread has ended, and the program with it if there is an `end` and it is the
    /// first: then all others are interrupted.
    private func finish(_ id: UInt32, _ end: End?) {
        program.withLock { program in
            program.handles[id] = nil
            guard let end, program.end == nil else { return }
            program.end = end
            for handle in program.handles.values { handle.interrupt() }
        }
    }
}

extension Linker {
    /// Defines what a module imports for threads, if it does.
    ///
    /// - Parameters:
    ///   - module: the program.
    ///   - neighbours: modules that `imports` instantiates, which import WASI as well.
    ///   - guest: what the threads see of the world.
    ///   - store: where the first thread's instance will live; its limit holds for shared memories.
    ///   - imports: defines for every further thread what the module imports beside WASI; called
    ///     on that thread, with its store.
    /// - Returns: the threads, to run the program with; nil if the module wants none.
    /// - Throws: `ResourceError` if a memory is too large for the store's limits.
    public func defineThreads(
        of module: Module, linkedWith neighbours: [Module] = [], _ guest: WASIGuest,
        in store: Store, imports: @escaping GuestThreads.Imports = { _, _ in }
    ) throws(ResourceError) -> GuestThreads? {
        guard GuestThreads.areWanted(by: module) else { return nil }
        let threads = try GuestThreads(
            of: module, linkedWith: neighbours, guest, memoryLimit: store.limits.memoryBytes,
            imports: imports)
        try threads.define(on: self, in: store)
        return threads
    }
}
