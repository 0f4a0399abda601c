import Synchronization
import WasmInterpreter

/// The threads of a guest that imports `wasi` `thread-spawn` and a shared memory, as C programs
/// with pthreads do.
///
///     let guest = try linker.define(wasi)
///     let threads = try linker.defineThreads(of: module, guest, in: store)
///     let instance = try linker.instantiate(module, in: store)
///     print("exit code", try instance.runCommand(threads))
///
/// Each thread is one of the host with a store and an instance of its own; they share the memory
/// and everything of `guest`. When one exits or traps, the program ends: the others are
/// interrupted. A thread in a closure of the embedder ends after it, and is waited for.
///
/// All threads are one program: they share the account of `store` (`StoreLimits.totalBytes` holds
/// for all together), its fuel and its deadline, and its limiter, observer and fuel closure, which
/// one thread at a time calls. If the account has not enough left for another thread,
/// `thread-spawn` fails with `nomem`; beyond `WASI.Limits.threads`, with `again`.
///
/// Specification: wasi-threads.
public final class GuestThreads: Sendable {
    /// Defines a module's imports besides WASI on the linker of a thread.
    public typealias Imports = @Sendable (Linker, Store) throws -> Void

    private let module: Module
    private let guest: WASIGuest
    private let imports: Imports?
    private let memories: [(module: Name, name: Name, memory: SharedMemory)]
    private let threadLimit: Int
    /// Bytes of a thread's instances.
    private let instanceByteCount: Int
    /// The module prepared for threads, if it imports only WASI; made when the first thread is
    /// started.
    private let prepared = Mutex<PreparedModule?>(nil)
    /// Whether the module exports the entry point of threads.
    private let hasEntry: Bool
    private let program = Monitor(Program())
    /// How a thread calls its entry point.
    private let driver = Mutex<Driver>({ try $0.call($1) })

    package typealias Driver = @Sendable (Function, [Value]) throws -> [Value]

    private static let entry: Name = "wasi_thread_start"
    /// C libraries use the upper three bits themselves.
    private static let largestID: UInt32 = (1 << 29) - 1
    /// The number of the first thread.
    private static let main: UInt32 = 0
    /// How long other threads outlive the deadline of a process, so that a thousand waiting threads
    /// do not wake at the moment in which the first one must report that the time is over.
    private static let patience = Duration.milliseconds(2)

    /// The shared state of a program's threads, while it runs.
    private struct Program {
        var isRunning = false
        /// Interrupts the threads that have not ended.
        var handles: [UInt32: InterruptHandle] = [:]
        var lastID: UInt32 = GuestThreads.main
        /// Why the program ended.
        var end: End?
        /// Whether the process ends with the program, so that its threads are not waited for.
        var endsProcess = false
        /// When other threads stop, if the process ends with the program.
        var laterDeadline: ContinuousClock.Instant?
    }

    private enum End {
        case mainReturned
        /// `GuestExit`, a trap, or an error of the host.
        case thrown(any Error, by: UInt32)
    }

    /// Makes the shared memories that the module imports.
    ///
    /// - Parameters:
    ///   - guest: the descriptors, clocks and streams that the threads use.
    ///   - module: the module that all threads run.
    ///   - neighbours: modules that `imports` instantiates, which import WASI as well.
    ///   - memoryLimit: bytes that each memory may grow to.
    ///   - account: charged for the memories; nil for the account of the store where they are
    ///     defined first.
    ///   - imports: defines for every further thread what the module imports besides WASI; called
    ///     on that thread, with its store. Nil if there is nothing else: then threads start faster,
    ///     since the module's imports are resolved once.
    /// - Throws: `ResourceError` if a memory is too large.
    public init(
        of module: Module, linkedWith neighbours: [Module] = [], _ guest: WASIGuest,
        memoryLimit: UInt64 = 1 << 32, account: ResourceAccount? = nil,
        imports: Imports? = nil
    ) throws(ResourceError) {
        self.module = module
        self.guest = guest
        self.imports = imports
        threadLimit = guest.threadLimit
        instanceByteCount = (neighbours + [module]).reduce(0) { $0 + $1.instanceByteCount }
        var memories: [(Name, Name, SharedMemory)] = []
        for wanted in module.imports {
            guard case .memory(let type) = wanted.type, type.isShared,
                !memories.contains(where: { $0.0 == wanted.module && $0.1 == wanted.name })
            else { continue }
            memories.append(
                (
                    wanted.module, wanted.name,
                    try SharedMemory(type, limit: memoryLimit, account: account)
                ))
        }
        self.memories = memories
        let export = module.export(Self.entry)
        hasEntry =
            export?.kind == .function
            && export.flatMap { module.parsed.functionType(at: $0.index) }
                == FunctionType(parameters: [.i32, .i32], results: [])
    }

    /// Whether a module imports `thread-spawn` or a shared memory.
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
        // Checked now, since the store's limits may not allow them.
        for (_, _, memory) in memories { _ = try Memory(store: store, sharing: memory) }
        define(on: linker, thread: Self.main)
    }

    /// Defines them for the instance of one thread.
    private func define(on linker: Linker, thread: UInt32) {
        defineMemories(on: linker)
        let function = Self.threadSpawn { [self] _ in self }
        linker.define(
            "wasi", "thread-spawn",
            function.function(for: GuestBinding(guest, thread: thread)))
    }

    private func defineMemories(on linker: Linker) {
        for (module, name, memory) in memories { linker.define(module, name, memory) }
    }

    /// The `GuestThreads` of a thread's store.
    private static let key = HostKey<GuestThreads>()

    /// The function `thread-spawn` of the `GuestThreads` that `find` returns.
    private static func threadSpawn(
        _ find: @escaping @Sendable (borrowing Caller) -> GuestThreads?
    ) -> WASIFunction {
        WASIFunction(
            "thread-spawn", .preview1, result: .thread, Parameter<UInt32>.opaque("start_arg")
        ) { _, caller, slots in
            let answer = find(caller)?.spawn(argument: slots.i32(0), from: caller.store)
            slots.setResult(i32: answer ?? -Int32(Errno.notsup.rawValue))
        }
    }

    /// The module with imports that any thread's store can use. Its `thread-spawn` finds `self` in
    /// the store: a reference to it would be a cycle.
    private func prepare() throws(LinkError) -> PreparedModule {
        try prepared.withLock { (prepared) throws(LinkError) in
            if let prepared { return prepared }
            let linker = Linker()
            linker.defineWASI()
            defineMemories(on: linker)
            linker.define(
                "wasi", "thread-spawn", Self.threadSpawn { $0[Self.key] }.shared)
            let made = try linker.prepare(module)
            prepared = made
            return made
        }
    }

    /// The instance of a further thread.
    private func makeInstance(_ thread: UInt32, in store: Store) throws -> Instance {
        guard let imports else {
            store.bind(guest, thread: thread)
            store[Self.key] = self
            return try prepare().instantiate(in: store)
        }
        let linker = Linker()
        guest.define(on: linker, thread: thread)
        define(on: linker, thread: thread)
        try imports(linker, store)
        return try linker.instantiate(module, in: store)
    }

    /// Runs the program: `body` is its first thread, on the calling thread of the host. Ends the
    /// others when it returns or throws, and waits until they have ended. One run at a time.
    ///
    /// - Throws: the error that ended the program: `GuestExit`, `Trap`, or an error of the host, of
    ///   `body` or of another thread.
    public func run<Value>(in store: Store, _ body: () throws -> Value) throws -> Value {
        try run(in: store, endsProcess: false, body)
    }

    /// Runs the program as `run(in:_:)` does. With `endsProcess` it does not wait for the other
    /// threads, since freeing a thousand of them takes a tenth of a second: the process ends when
    /// this returns. Threads that end before sleep until then.
    package func run<Value>(
        in store: Store, endsProcess: Bool, _ body: () throws -> Value
    ) throws -> Value {
        program.withLock { program in
            program.isRunning = true
            program.end = nil
            program.endsProcess = endsProcess
            program.laterDeadline =
                endsProcess ? store.deadline.map { $0 + Self.patience } : nil
            program.handles[Self.main] = store.interruptHandle
        }
        let result = Result { try body() }
        switch result {
        case .success: finish(Self.main, .mainReturned)
        case .failure(let error): finish(Self.main, .thrown(error, by: Self.main))
        }
        if !endsProcess { program.wait { $0.handles.isEmpty } }
        let end = program.withLock { program in
            program.isRunning = false
            return program.end
        }
        guard case .thrown(let error, let thread)? = end, thread != Self.main else {
            return try result.get()
        }
        // A request to end this thread may have been made after it ended by itself.
        store.interruptHandle.reset()
        throw error
    }

    /// Sets how further threads wait, instead of each on its own thread.
    package func setDriver(_ driver: @escaping Driver) { self.driver.withLock { $0 = driver } }

    // MARK: One thread

    /// Passed from a thread to one that it starts. Used by one of them at a time.
    private final class Start: @unchecked Sendable {
        let id: UInt32
        let argument: Int32
        private(set) var store: Store?
        /// The charge for the thread itself, until it is marked as ended.
        private var thread: ResourceHolding

        init(
            id: UInt32, argument: Int32, store: consuming Store,
            thread: consuming ResourceHolding
        ) {
            self.id = id
            self.argument = argument
            self.store = store
            self.thread = thread
        }

        /// Releases the charge for the thread, which ends.
        func releaseThread() { _ = thread.resize(to: 0) }

        /// Releases the thread's store, to which there is no other reference.
        func releaseStore() { store = nil }
    }

    /// Starts a thread; returns its number, from 1 on, or an error code as a negative number.
    private func spawn(argument: Int32, from parent: Store) -> Int32 {
        guard hasEntry, !memories.isEmpty else { return -Int32(Errno.notsup.rawValue) }
        let again = -Int32(Errno.again.rawValue)
        guard hasRoom else { return again }
        // Charge what the new thread needs here, where failure is only an errno.
        var thread = ResourceHolding(parent.account)
        guard thread.resize(to: Self.threadByteCount),
            let store = try? parent.makeThreadStore(prepaying: instanceByteCount)
        else { return -Int32(Errno.nomem.rawValue) }
        if let later = program.withLock({ $0.laterDeadline }) { store.deadline = later }
        guard let id = register(store.interruptHandle) else { return again }
        let start = Start(id: id, argument: argument, store: store, thread: thread)
        guard System.startThread({ self.run(start) }) else {
            finish(id, nil)
            return again
        }
        return Int32(id)
    }

    /// Memory of a thread besides its value stack and its instance: the used part of its native
    /// stack, its store, its host functions, and the allocator's memory for it.
    private static let threadByteCount = 256 << 10

    /// Whether another thread is allowed now.
    private var hasRoom: Bool {
        program.withLock { $0.isRunning && $0.end == nil && $0.handles.count <= threadLimit }
    }

    /// A number for a new thread; nil if there are too many or the program has ended.
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

    /// The body of a new thread. Its store is released before it is recorded as ended, except where
    /// the process ends as well.
    private func run(_ start: Start) {
        let result = Result { try enter(start) }
        var end: End?
        if case .failure(let error) = result { end = .thrown(Self.reason(error), by: start.id) }
        let (endsProcess, isOver) = program.withLock { ($0.endsProcess, $0.end != nil) }
        if endsProcess, isOver || end != nil {
            if !isOver { finish(start.id, end) }
            System.sleepForever()
        }
        start.releaseStore()
        start.releaseThread()
        finish(start.id, end)
    }

    /// A thread that has no room at its start ends the program as one that runs does.
    private static func reason(_ error: any Error) -> any Error {
        guard case .totalExceeded? = error as? ResourceError else { return error }
        return Trap(.totalExhausted)
    }

    private func enter(_ start: Start) throws {
        guard let store = start.store else { return }
        defer { store.returnFuel() }
        let instance = try makeInstance(start.id, in: store)
        guard let entry = instance.function(Self.entry) else { return }
        let driver = driver.withLock { $0 }
        _ = try driver(entry, [.i32(Int32(start.id)), .i32(start.argument)])
    }

    /// Records that a thread has ended. The first `end` ends the program: then all other threads
    /// are interrupted.
    private func finish(_ id: UInt32, _ end: End?) {
        if let end {
            let handles = program.withLock { program -> [UInt32: InterruptHandle] in
                guard program.end == nil else { return [:] }
                program.end = end
                // After its first thread, the process ends at once.
                return program.endsProcess && id == Self.main ? [:] : program.handles
            }
            // Without the lock, which the first thread needs to continue: others may wait for the
            // lock.
            if id != Self.main { handles[Self.main]?.interrupt() }
            for (thread, handle) in handles where thread != Self.main && thread != id {
                handle.interrupt()
            }
        }
        // Last: `run` returns when there is no handle, and then its store must not be interrupted.
        program.withLock { $0.handles[id] = nil }
    }
}

extension Linker {
    /// Defines a module's imports for threads, if it has any.
    ///
    /// - Parameters:
    ///   - module: the program.
    ///   - neighbours: modules that `imports` instantiates, which import WASI as well.
    ///   - guest: the descriptors, clocks and streams that the threads use.
    ///   - store: the store of the first thread's instance; its limit holds for shared memories.
    ///   - imports: defines for every further thread what the module imports besides WASI; called
    ///     on that thread, with its store. Nil if there is nothing else.
    /// - Returns: the threads, to run the program with; nil if the module needs none.
    /// - Throws: `ResourceError` if a memory is too large for the store's limits.
    public func defineThreads(
        of module: Module, linkedWith neighbours: [Module] = [], _ guest: WASIGuest,
        in store: Store, imports: GuestThreads.Imports? = nil
    ) throws(ResourceError) -> GuestThreads? {
        guard GuestThreads.areWanted(by: module) else { return nil }
        let threads = try GuestThreads(
            of: module, linkedWith: neighbours, guest, memoryLimit: store.limits.memoryBytes,
            account: store.account, imports: imports)
        try threads.define(on: self, in: store)
        return threads
    }
}
