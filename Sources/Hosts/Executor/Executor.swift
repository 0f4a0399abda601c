import Synchronization
import WasmInterpreter
import WasmSystem
import WasmWASI
import WasmdDigests
import WasmdDocuments
import WasmdEventLoop
import WasmdGuests
import WasmdStorage

/// Stores modules and runs them: what all surfaces of the executor speak to.
///
/// A write is durable when the function returns, and every later call sees it. A run gets a fresh
/// instance. All functions are called from tasks of a loop.
public final class Executor: Sendable {
    public struct Options: Sendable {
        /// Bytes of a module.
        public var moduleLimit = 64 << 20
        /// Writes that wait at one time; more are refused.
        public var writeLimit = 4096
        /// Bytes of memories that are kept between calls, of all modules.
        public var keptByteLimit = 1 << 30
        public var runs = GuestRuns.Options()
        public var limits = RunLimits()

        public init() {}
    }

    /// A module that is to be stored, or what is to be changed.
    public struct Draft: Sendable {
        public var bytes: [UInt8]?
        /// `.some(nil)` to find the function in the module.
        public var function: String??
        public var parameters: [Parameter]?
        public var results: [ParameterType?]??
        /// Whether memory is kept between calls.
        public var keeps: Bool?

        public init() {}
    }

    public let options: Options
    public let runs: GuestRuns
    let cache: ModuleCache
    let modules: ModuleStore
    let kept: KeptStates
    private let metrics = AtomicLazyReference<WessMetrics>()
    private let writes = Atomic(0)
    private let guestLoops = Mutex<[ObjectIdentifier: GuestLoop]>([:])

    public init(_ store: WasmdStorage.Store, _ options: Options = Options()) {
        self.options = options
        modules = ModuleStore(store)
        runs = GuestRuns(options.runs)
        kept = KeptStates(byteLimit: options.keptByteLimit)
        var settings = ModuleCache.Options()
        settings.moduleByteLimit = options.moduleLimit
        cache = ModuleCache(settings)
    }

    /// Forgets compiled modules that were not used for long; to be called about every minute.
    public func trim() { cache.trim() }

    /// Writes that wait or are carried out.
    public var writeCount: Int { writes.load(ordering: .relaxed) }

    /// The number of stored modules. Linear in it.
    public func count() -> Int { reading { modules.count() } }

    /// What *wess* counts; nil while no surface of it asked for them.
    var wessMetrics: WessMetrics? { metrics.load() }

    /// Begins to count what *wess* counts.
    func startWessMetrics() -> WessMetrics {
        metrics.load() ?? metrics.storeIfNil(WessMetrics(self))
    }

    // MARK: Records

    /// The record of a module.
    ///
    /// - Throws: `ExecutorError`
    public func record(_ id: ModuleID, on loop: EventLoop) async throws -> ModuleRecord {
        let start = wessMetrics == nil ? 0 : SystemClock.monotonic.now
        let entry = try await modules.entry(id, on: loop)
        wessMetrics?.read(since: start)
        guard let entry else { throw ExecutorError.notFound }
        return entry.record
    }

    /// The bytes of a module.
    public func bytes(_ record: ModuleRecord, on loop: EventLoop) async throws -> [UInt8] {
        let modules = modules
        let start = wessMetrics == nil ? 0 : SystemClock.monotonic.now
        defer { wessMetrics?.read(since: start) }
        return try await loop.blocking { try modules.bytesBlocking(record) }
    }

    private func reading<Result>(_ body: () -> Result) -> Result {
        guard let metrics = wessMetrics else { return body() }
        let start = SystemClock.monotonic.now
        defer { metrics.read(since: start) }
        return body()
    }

    /// Records in the order of their ids, and whether there are more.
    public func page(
        after: ModuleID?, limit: Int, on loop: EventLoop
    ) async throws -> (records: [ModuleRecord], hasMore: Bool) {
        try await modules.page(after: after, limit: limit, on: loop)
    }

    // MARK: Writing

    /// Checks a module.
    ///
    /// - Throws: `.invalidModule`, `.tooLarge`
    func compile(_ bytes: [UInt8], on loop: EventLoop) async throws -> CachedModule {
        do {
            return try await cache.module(bytes, on: loop)
        } catch let error as ModuleError {
            throw ExecutorError.invalidModule("\(error)")
        } catch ModuleCacheError.tooLarge {
            throw ExecutorError.tooLarge(limit: options.moduleLimit)
        } catch let error as ModuleCacheError {
            throw ExecutorError.invalidModule("\(error)")
        }
    }

    /// Stores a module; returns when it is durable.
    ///
    /// - Parameters:
    ///   - draft: has bytes.
    ///   - key: what the client names the request by: the same request again, also after a restart,
    ///     returns the first one's module as long as it is stored.
    /// - Returns: the id, and whether the module is new.
    /// - Throws: `ExecutorError`; `.keyTaken` for a key that was used for another module.
    public func create(
        _ draft: Draft, key: [UInt8]? = nil, on loop: EventLoop
    ) async throws -> (id: ModuleID, isNew: Bool) {
        guard let bytes = draft.bytes else { throw ExecutorError.invalid("a module is missing") }
        let module = try await compile(bytes, on: loop)
        let id = try ModuleID.make()
        var record = ModuleRecord(
            id: id, size: bytes.count, digest: module.digest,
            isBlob: bytes.count > ModuleStore.smallSize, summary: ModuleSummary(module.module),
            created: Self.now())
        record.key = key.map { SHA256.hash($0) }
        apply(draft, to: &record)
        while true {
            if let key = record.key, let known = try await modules.module(keyed: key, on: loop),
                let entry = try await modules.entry(known, on: loop)
            {
                guard entry.record.digest == record.digest else { throw ExecutorError.keyTaken }
                return (known, false)
            }
            do {
                try await writing {
                    try await self.modules.put(record, bytes: bytes, replacing: nil, on: loop)
                }
                return (id, true)
            } catch ExecutorError.storage(.conflict) where record.key != nil {
                // Another request with the key was faster.
            }
        }
    }

    /// Changes a module or parts of its record; returns when that is durable.
    public func change(_ id: ModuleID, _ draft: Draft, on loop: EventLoop) async throws {
        let module: CachedModule? =
            if let bytes = draft.bytes { try await compile(bytes, on: loop) } else { nil }
        try await writing {
            while true {
                guard let entry = try await self.modules.entry(id, on: loop) else {
                    throw ExecutorError.notFound
                }
                var record = entry.record
                if let module, let bytes = draft.bytes {
                    record.size = bytes.count
                    record.digest = module.digest
                    record.isBlob = bytes.count > ModuleStore.smallSize
                    let summary = ModuleSummary(module.module)
                    record.imports = summary.imports
                    record.exports = summary.exports
                }
                self.apply(draft, to: &record)
                record.changed = Self.now()
                do {
                    try await self.modules.put(
                        record, bytes: draft.bytes, replacing: entry.version, on: loop)
                    return self.kept.forget(id)
                } catch StorageError.conflict {
                    // Somebody else was faster: their change is the base of this one.
                }
            }
        }
    }

    /// Removes a module; returns when that is durable.
    public func delete(_ id: ModuleID, on loop: EventLoop) async throws {
        try await writing {
            let entry = try await self.modules.entry(id, on: loop)
            guard let entry else { throw ExecutorError.notFound }
            do {
                try await self.modules.delete(entry.record)
            } catch StorageError.conflict {
                throw ExecutorError.notFound
            }
            self.kept.forget(id)
        }
    }

    private func apply(_ draft: Draft, to record: inout ModuleRecord) {
        if let function = draft.function { record.function = function }
        if let parameters = draft.parameters { record.parameters = parameters }
        if let results = draft.results { record.results = results }
        if let keeps = draft.keeps { record.keeps = keeps }
    }

    private func writing<Result>(_ body: () async throws -> Result) async throws -> Result {
        guard writes.add(1, ordering: .relaxed).oldValue < options.writeLimit else {
            writes.subtract(1, ordering: .relaxed)
            throw ExecutorError.busy("too many writes wait (\(options.writeLimit))")
        }
        let start = wessMetrics == nil ? 0 : SystemClock.monotonic.now
        defer {
            writes.subtract(1, ordering: .relaxed)
            wessMetrics?.wrote(since: start)
        }
        do {
            return try await body()
        } catch StorageError.tooManyWrites {
            throw ExecutorError.busy("too many writes wait")
        } catch let error as StorageError {
            throw ExecutorError.storage(error)
        }
    }

    /// Milliseconds since 1970.
    private static func now() -> Int64 {
        Int64(clamping: SystemClock.realtime.now / 1_000_000)
    }

    // MARK: Running

    /// A module that is stored, compiled; that of a kept state, if there is one.
    func module(
        _ record: ModuleRecord, _ kept: KeptState?, on loop: EventLoop
    ) async throws -> CachedModule {
        guard let kept else { return try await module(record, on: loop) }
        let module = try await kept.module { try await self.module(record, on: loop) }
        // The record may be older than a change, or newer.
        return module.digest == record.digest ? module : try await self.module(record, on: loop)
    }

    /// A module that is stored, compiled.
    func module(_ record: ModuleRecord, on loop: EventLoop) async throws -> CachedModule {
        guard let metrics = wessMetrics else { return try await compiled(record, on: loop) }
        let start = SystemClock.monotonic.now
        defer { metrics.compiled(record.id, since: start) }
        return try await compiled(record, on: loop)
    }

    private func compiled(
        _ record: ModuleRecord, on loop: EventLoop
    ) async throws -> CachedModule {
        if let known = cache.knownModule(record.digest) { return known }
        let modules = modules
        do {
            return try await cache.module(record.digest, on: loop) {
                ModuleBytes(try modules.bytesBlocking(record))
            }
        } catch let error as ModuleError {
            throw ExecutorError.damaged("the stored module is not valid any more: \(error)")
        }
    }

    func guestLoop(_ loop: EventLoop) throws -> GuestLoop {
        try guestLoops.withLock { loops in
            if let known = loops[ObjectIdentifier(loop)] { return known }
            let made = try GuestLoop(loop)
            loops[ObjectIdentifier(loop)] = made
            return made
        }
    }
}
