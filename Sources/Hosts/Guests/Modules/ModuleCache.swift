import Synchronization
import WasmInterpreter
import WasmSystem
import WasmdDigests
import WasmdEventLoop

/// Modules by the SHA-256 of their bytes: each is decoded and validated once, for all loops.
///
/// ```swift
/// let cache = ModuleCache()
/// let module = try await cache.module(bytes, on: loop)
/// ```
///
/// Hashing and compiling happen on threads of the loop's pool: a loop is not held up by a large
/// module. Tasks that want the same module wait for one compilation, which goes on as long as one of
/// them does. A module that was not used for long, or the one used longest ago if all take too many
/// bytes, is dropped: the cache forgets it, and it lives on as long as it is used. A module that was
/// refused is remembered with its error.
///
/// All members may be used on any thread.
public final class ModuleCache: Sendable {
    public struct Options: Sendable {
        /// Bytes of all modules: see `CachedModule.byteCount`.
        public var byteLimit = 512 << 20
        /// How long an unused module is kept.
        public var idleTime = Duration.seconds(600)
        /// Bytes of one module.
        public var moduleByteLimit = 64 << 20
        /// How long the compilation of one module may take.
        public var compilationTime = Duration.seconds(30)
        /// Refused modules that are remembered.
        public var failureLimit = 1024
        /// Places of each module's runs.
        public var places = RunPlaces()

        public init() {}
    }

    /// What the cache did so far, and what it holds.
    public struct Counters: Hashable, Sendable {
        /// Requests for a module that was there, or was being compiled.
        public var hits: UInt64 = 0
        /// Requests for which a module was compiled.
        public var misses: UInt64 = 0
        /// Requests for a module that was refused before.
        public var failureHits: UInt64 = 0
        /// Modules that were refused.
        public var failures: UInt64 = 0
        /// Modules that were dropped, because of bytes or age.
        public var drops: UInt64 = 0
        /// Modules that are there.
        public var modules = 0
        /// Bytes of the modules that are there.
        public var bytes = 0
    }

    private struct Entry {
        let module: CachedModule
        /// The bytes that count for it in `State.bytes`.
        var byteCount: Int
        /// On the monotonic clock.
        var lastUse: UInt64
    }

    private struct State {
        var modules = RecencyList<SHA256.Digest, Entry>()
        var compiling: [SHA256.Digest: SharedResult<CachedModule>] = [:]
        var failures = RecencyList<SHA256.Digest, ModuleError>()
        var counters = Counters()
    }

    public let engine: Engine
    public let options: Options
    /// Compiles modules: one that takes long keeps no other call from the disk.
    private let compilers = BlockingPool(named: "wasmd-compile", threadLimit: 3)
    /// Starts guests once: one that loops while it starts keeps no module from being compiled.
    private let starters = BlockingPool(named: "wasmd-start", threadLimit: 3)
    private let state = Mutex(State())

    public init(engine: Engine = Engine(), _ options: Options = Options()) {
        self.engine = engine
        self.options = options
    }

    /// What the cache did so far, and what it holds.
    public var counters: Counters {
        state.withLock { state in
            var counters = state.counters
            counters.modules = state.modules.count
            return counters
        }
    }

    // MARK: Modules

    /// The module with these bytes.
    ///
    /// - Throws: `ModuleError` if it is refused, `ModuleCacheError`, `LoopError`.
    public func module(_ bytes: [UInt8], on loop: EventLoop) async throws -> CachedModule {
        guard bytes.count <= options.moduleByteLimit else {
            throw ModuleCacheError.tooLarge(bytes: bytes.count, limit: options.moduleByteLimit)
        }
        let digest = try await Self.digest(of: bytes, on: loop)
        return try await module(digest, on: loop) { ModuleBytes(bytes) }
    }

    /// The module with this digest.
    ///
    /// - Parameter load: returns its bytes if it must be compiled; called on a thread of the pool.
    ///   What it throws is thrown here, and not remembered.
    /// - Throws: `ModuleError` if it is refused, `ModuleCacheError`, `LoopError`, what `load` throws.
    public func module(
        _ digest: SHA256.Digest, on loop: EventLoop,
        load: @escaping @Sendable () throws -> ModuleBytes
    ) async throws -> CachedModule {
        switch state.withLock({ find(digest, in: &$0) }) {
        case .known(let module): return module
        case .refused(let error): throw error
        case .coming(let shared, let number, let isFirst):
            if isFirst { start(digest, shared, load, loop) }
            return try await shared.value(number)
        }
    }

    /// The module with this digest if it is there.
    public func knownModule(_ digest: SHA256.Digest) -> CachedModule? {
        state.withLock { use(digest, in: &$0) }
    }

    /// Forgets a module, and that it was refused.
    public func forget(_ digest: SHA256.Digest) {
        let dropped = state.withLock { state in
            state.failures.remove(digest)
            return remove(digest, from: &state)
        }
        withExtendedLifetime(dropped) {}
    }

    /// Modules that are there, the one used last first.
    public var modules: [CachedModule] { state.withLock { $0.modules.values.map(\.module) } }

    /// Hashes bytes: at once if they are few, else on a thread of the pool.
    ///
    /// - Throws: `LoopError`.
    public static func digest(
        of bytes: [UInt8], on loop: EventLoop
    ) async throws -> SHA256.Digest {
        if bytes.count <= 128 << 10 { return SHA256.hash(bytes) }
        return try await loop.blocking { SHA256.hash(bytes) }
    }

    // MARK: Finding

    private enum Found {
        case known(CachedModule)
        case refused(ModuleError)
        case coming(SharedResult<CachedModule>, number: UInt64, isFirst: Bool)
    }

    private func use(_ digest: SHA256.Digest, in state: inout State) -> CachedModule? {
        let now = SystemClock.monotonic.now
        guard let module = state.modules.use(digest, { $0.lastUse = now })?.module else {
            return nil
        }
        state.counters.hits &+= 1
        return module
    }

    private func find(_ digest: SHA256.Digest, in state: inout State) -> Found {
        if let module = use(digest, in: &state) { return .known(module) }
        if let error = state.failures.use(digest, { _ in }) {
            state.counters.failureHits &+= 1
            return .refused(error)
        }
        if let shared = state.compiling[digest], let number = shared.join() {
            state.counters.hits &+= 1
            return .coming(shared, number: number, isFirst: false)
        }
        state.counters.misses &+= 1
        let shared = SharedResult<CachedModule>()
        state.compiling[digest] = shared
        return .coming(shared, number: shared.join() ?? 0, isFirst: true)
    }

    // MARK: Compiling

    private func start(
        _ digest: SHA256.Digest, _ shared: SharedResult<CachedModule>,
        _ load: @escaping @Sendable () throws -> ModuleBytes, _ loop: EventLoop
    ) {
        loop.spawn { [self] in
            let result: Result<CachedModule, any Error>
            do {
                result = .success(
                    try await loop.blocking(on: compilers) { [self] in
                        try compile(digest, shared, load)
                    })
            } catch {
                result = .failure(error)
            }
            let dropped = state.withLock { keep(result, digest, shared, in: &$0) }
            shared.finish(result)
            withExtendedLifetime(dropped) {}
        }
    }

    private func compile(
        _ digest: SHA256.Digest, _ shared: SharedResult<CachedModule>,
        _ load: () throws -> ModuleBytes
    ) throws -> CachedModule {
        let bytes = try load()
        guard bytes.count <= options.moduleByteLimit else {
            throw ModuleCacheError.tooLarge(bytes: bytes.count, limit: options.moduleByteLimit)
        }
        let end = ContinuousClock.now + options.compilationTime
        let cancellation = Cancellation { shared.isAbandoned || .now >= end }
        let module: Module
        do throws(ModuleError) {
            module = try Module(bytes, engine: engine, cancellation: cancellation)
        } catch {
            guard case .cancelled = error else { throw error }
            if shared.isAbandoned { throw LoopError.cancelled }
            throw ModuleCacheError.tooSlow(limit: options.compilationTime)
        }
        let name =
            module.names?.module.map { HarmlessText.text($0.description, atMost: 100) }
            ?? String(digest.description.prefix(12))
        return CachedModule(
            digest: digest, module: module,
            scope: RunScope(.module, name, places: options.places), starters: starters)
    }

    /// Stores the result; returns the modules that are dropped for it.
    private func keep(
        _ result: Result<CachedModule, any Error>, _ digest: SHA256.Digest,
        _ shared: SharedResult<CachedModule>, in state: inout State
    ) -> [CachedModule] {
        if state.compiling[digest] === shared { state.compiling[digest] = nil }
        switch result {
        case .success(let module):
            // Another compilation may have been faster, if this one was given up for a while.
            let replaced = remove(digest, from: &state, isDrop: false)
            let entry = Entry(
                module: module, byteCount: module.byteCount, lastUse: SystemClock.monotonic.now)
            state.modules.insert(entry, for: digest)
            state.counters.bytes &+= entry.byteCount
            return (replaced.map { [$0] } ?? []) + trim(&state)
        case .failure(let error as ModuleError):
            state.counters.failures &+= 1
            // What other modules are the reason for may be over.
            guard error.isOfTheModule else { break }
            state.failures.insert(error, for: digest)
            while state.failures.count > max(options.failureLimit, 0),
                let oldest = state.failures.oldest
            {
                state.failures.remove(oldest.key)
            }
        case .failure: break
        }
        return []
    }

    // MARK: Dropping

    /// Drops modules that were not used for `idleTime`, and those used longest ago if all take too
    /// many bytes. The sizes are measured again, since code is translated when it is first called.
    /// To be called now and then, about every minute. Linear.
    public func trim() {
        let dropped = state.withLock { state in
            state.counters.bytes = 0
            for entry in state.modules.values {
                let byteCount = entry.module.byteCount
                state.modules.update(entry.module.digest) { $0.byteCount = byteCount }
                state.counters.bytes &+= byteCount
            }
            return trim(&state)
        }
        // Freed after the lock was released.
        withExtendedLifetime(dropped) {}
    }

    private func trim(_ state: inout State) -> [CachedModule] {
        var dropped: [CachedModule] = []
        let idle = LoopInstant(nanoseconds: 0) + options.idleTime
        let now = SystemClock.monotonic.now
        while let oldest = state.modules.oldest,
            state.counters.bytes > options.byteLimit
                || now &- oldest.value.lastUse > idle.nanoseconds
        {
            if let module = remove(oldest.key, from: &state) { dropped.append(module) }
        }
        return dropped
    }

    private func remove(
        _ digest: SHA256.Digest, from state: inout State, isDrop: Bool = true
    ) -> CachedModule? {
        guard let entry = state.modules.remove(digest) else { return nil }
        state.counters.bytes &-= entry.byteCount
        if isDrop { state.counters.drops &+= 1 }
        return entry.module
    }
}

/// Why the cache did not compile a module.
public enum ModuleCacheError: Error, Hashable, Sendable {
    case tooLarge(bytes: Int, limit: Int)
    case tooSlow(limit: Duration)
}

extension ModuleCacheError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .tooLarge(let bytes, let limit):
            "the module has \(bytes) bytes, more than the limit of \(limit)"
        case .tooSlow(let limit): "the module could not be compiled in \(limit), its limit"
        }
    }
}

extension ModuleError {
    /// Whether the module is refused whatever else is there.
    fileprivate var isOfTheModule: Bool {
        switch self {
        case .file, .cancelled: return false
        case .malformed: return true
        case .invalid(let error):
            // All types of the engine's modules are counted together.
            if case .limitExceeded(.types) = error.reason { return false }
            return true
        }
    }
}
