import Synchronization
import WasmInterpreter
import WasmSystem
import WasmWASI
import WasmdDigests
import WasmdDocuments
import WasmdEventLoop
import WasmdGuests
import WasmdOperation
import WasmdStorage

/// Stores modules and runs them: what all surfaces of the executor speak to.
///
/// A write is durable when the function returns, and every later call sees it. A run gets a fresh
/// instance. All functions are called from tasks of a loop.
public final class Executor: Sendable {
    public struct Options: Sendable {
        /// Bytes of a module.
        public var moduleLimit = 64 << 20
        /// Bytes of all modules that are being received and checked; beyond it large ones are refused.
        public var uploadLimit = 512 << 20
        /// Writes that wait at one time; more are refused.
        public var writeLimit = 4096
        /// Bytes of memories that are kept between calls, of all modules.
        public var keptByteLimit = 1 << 30
        public var runs = GuestRuns.Options()
        public var limits = RunLimits()
        /// Whether `?profile=` of a run brings its profile along.
        public var allowsProfiles = true

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

        /// What its bytes take of the budget of uploads.
        var upload: UploadBudget.Share?

        public init() {}
    }

    private let settings: Mutex<Options>
    /// Tenants by their names: for counting what they store.
    private let tenants = Mutex<[String: Tenant]>([:])
    public let runs: GuestRuns
    public let cache: ModuleCache
    let modules: ModuleStore
    private let changes = ChangeLines()
    let kept: KeptStates
    private let metrics = OnceReference<WessMetrics>()
    let uploads: UploadBudget
    private let writes = Atomic(0)
    private let guestLoops = Mutex<[ObjectIdentifier: GuestLoop]>([:])

    public init(_ store: RecordStore, _ options: Options = Options()) {
        settings = Mutex(options)
        modules = ModuleStore(store)
        uploads = UploadBudget(limit: options.uploadLimit)
        runs = GuestRuns(options.runs)
        kept = KeptStates(byteLimit: options.keptByteLimit)
        var settings = ModuleCache.Options()
        // The limit may change; what is stored is read whatever its size.
        settings.moduleByteLimit = .max
        cache = ModuleCache(settings)
    }

    /// The limits. New ones hold for what begins later; raised places are given to runs that wait.
    public var options: Options {
        get { settings.withLock { $0 } }
        set {
            settings.withLock { $0 = newValue }
            runs.queue.total.places = newValue.runs.places
            runs.queue.total.limits = newValue.runs.limits
            runs.queue.update()
        }
    }

    /// Makes tenants known, and counts what new ones have stored. Waits for the disk.
    public func setTenants(_ tenants: [String: Tenant]) throws {
        let known = self.tenants.withLock { $0 }
        for (name, tenant) in tenants where known[name] !== tenant {
            tenant.setStoredBytes(try modules.storedBytesBlocking(of: name))
        }
        self.tenants.withLock { $0 = tenants }
    }

    private func tenant(named name: String?) -> Tenant? {
        name.flatMap { name in tenants.withLock { $0[name] } }
    }

    /// Forgets compiled modules that were not used for long; to be called about every minute.
    public func trim() {
        cache.trim()
        // What a few large runs took is returned.
        Heap.trim()
    }

    /// Removes blobs that no module needs any more; to be called about every minute.
    public func collectUnused(on loop: EventLoop) async { await modules.collectUnused(on: loop) }

    /// Writes that wait or are carried out.
    public var writeCount: Int { writes.load(ordering: .relaxed) }

    /// The number of stored modules, of a tenant or of all. Linear in it.
    public func count(for tenant: Tenant? = nil) -> Int {
        let start = wessMetrics == nil ? 0 : SystemClock.monotonic.now
        defer { wessMetrics?.read(since: start) }
        return modules.count(of: tenant?.name)
    }

    /// What *wess* counts; nil while no surface of it asked for them.
    var wessMetrics: WessMetrics? { metrics.load() }

    /// Begins to count what *wess* counts.
    func startWessMetrics() -> WessMetrics {
        metrics.load() ?? metrics.storeIfNil(WessMetrics(self))
    }

    // MARK: Records

    /// The record of a module.
    ///
    /// - Parameter tenant: who asks: modules of others do not exist for it. Nil sees all.
    /// - Throws: `ExecutorError`
    public func record(
        _ id: ModuleID, for tenant: Tenant? = nil, on loop: EventLoop
    ) async throws -> ModuleRecord {
        return try await entry(id, for: tenant, on: loop).record
    }

    func entry(
        _ id: ModuleID, for tenant: Tenant?, on loop: EventLoop
    ) async throws -> StoredModule {
        let start = wessMetrics == nil ? 0 : SystemClock.monotonic.now
        defer { wessMetrics?.read(since: start) }
        guard let entry = try await modules.entry(id, on: loop),
            tenant == nil || entry.record.owner == tenant?.name
        else { throw ExecutorError.notFound }
        return entry
    }

    /// The bytes of a module: those that the record is about.
    ///
    /// - Throws: `.changed` if there are others now.
    public func bytes(_ record: ModuleRecord, on loop: EventLoop) async throws -> [UInt8] {
        let modules = modules
        let start = wessMetrics == nil ? 0 : SystemClock.monotonic.now
        defer { wessMetrics?.read(since: start) }
        return try await loop.blocking { try modules.bytesBlocking(record) }
    }

    /// Changes of a module that a reader follows before it gives up.
    private static let patience = 16

    /// A record with the module's bytes.
    func contents(
        _ id: ModuleID, for tenant: Tenant?, on loop: EventLoop
    ) async throws -> (record: ModuleRecord, bytes: [UInt8]) {
        for _ in 0..<Self.patience {
            let record = try await record(id, for: tenant, on: loop)
            do {
                return (record, try await bytes(record, on: loop))
            } catch ExecutorError.changed {
                continue
            }
        }
        throw ExecutorError.changed
    }

    /// Records in the order of their ids.
    func page(
        for tenant: Tenant? = nil, after: ModuleID?, limit: Int, on loop: EventLoop
    ) async throws -> ModuleStore.Page {
        try await modules.page(of: tenant?.name, after: after, limit: limit, on: loop)
    }

    // MARK: Writing

    /// Checks a module.
    ///
    /// - Throws: `.invalidModule`, `.tooLarge`
    func compile(_ bytes: [UInt8], on loop: EventLoop) async throws -> CachedModule {
        let limit = settings.withLock { $0.moduleLimit }
        guard bytes.count <= limit else { throw ExecutorError.tooLarge(limit: limit) }
        do {
            return try await cache.module(bytes, on: loop)
        } catch let error as ModuleError {
            throw ExecutorError.invalidModule("\(error)")
        } catch let error as ModuleCacheError {
            throw ExecutorError.invalidModule("\(error)")
        } catch LoopError.tooManyCalls {
            throw ExecutorError.busy("too many modules wait to be checked")
        }
    }

    /// Stores a module; returns when it is durable.
    ///
    /// - Parameters:
    ///   - draft: has bytes.
    ///   - tenant: whose module it is.
    ///   - key: what the client names the request by: the same request again, also after a restart,
    ///     returns the first one's module as long as it is stored.
    /// - Returns: the id, and whether the module is new.
    /// - Throws: `ExecutorError`; `.keyTaken` for a key that was used for another module.
    public func create(
        _ draft: Draft, for tenant: Tenant? = nil, key: [UInt8]? = nil, on loop: EventLoop
    ) async throws -> (id: ModuleID, isNew: Bool) {
        guard let bytes = draft.bytes else { throw ExecutorError.invalid("a module is missing") }
        let module = try await compile(bytes, on: loop)
        let id = try ModuleID.make()
        var record = ModuleRecord(
            id: id, size: bytes.count, digest: module.digest,
            isBlob: bytes.count > ModuleStore.smallSize, summary: ModuleSummary(module.module),
            created: Self.now())
        apply(draft, to: &record)
        record.owner = tenant?.name
        if let key { record.key = SHA256.hash(Array((tenant?.name ?? "").utf8) + [0] + key) }
        while true {
            var takesKey = false
            if let key = record.key, let known = try await modules.module(keyed: key, on: loop) {
                if let entry = try await modules.entry(known, on: loop) {
                    guard entry.record.digest == record.digest else {
                        throw ExecutorError.keyTaken
                    }
                    return (known, false)
                }
                takesKey = true
            }
            try tenant?.store(UInt64(bytes.count))
            do {
                try await writing {
                    try await self.modules.put(
                        record, bytes: bytes, replacing: nil, takesKey: takesKey, on: loop)
                }
                return (id, true)
            } catch {
                tenant?.restore(0, inPlaceOf: UInt64(bytes.count))
                await modules.collectUnused(on: loop)
                // Another request with the key may have been faster.
                guard case ExecutorError.storage(.conflict) = error, record.key != nil else {
                    throw error
                }
            }
        }
    }

    /// Changes a module or parts of its record; returns when that is durable.
    public func change(
        _ id: ModuleID, _ draft: Draft, for tenant: Tenant? = nil, on loop: EventLoop
    ) async throws {
        // Owners do not change: what is found here holds for the write.
        _ = try await entry(id, for: tenant, on: loop)
        var change = ModuleChange(draft)
        if let bytes = draft.bytes { change.module = try await compile(bytes, on: loop) }
        let wanted = change
        do {
            try await writing {
                try await self.changes.carryOut(wanted, of: id) { changes in
                    try await self.write(changes, of: id, on: loop)
                }
            }
        } catch {
            await modules.collectUnused(on: loop)
            throw error
        }
        await modules.collectUnused(on: loop)
    }

    /// Changes a record as all changes say, one after the other, in one write.
    private func write(
        _ changes: [ModuleChange], of id: ModuleID, on loop: EventLoop
    ) async throws {
        while true {
            let entry = try await entry(id, for: nil, on: loop)
            var record = entry.record
            let (owner, oldSize) = (tenant(named: record.owner), UInt64(record.size))
            var bytes: [UInt8]?
            for change in changes {
                if let module = change.module, let own = change.draft.bytes {
                    bytes = own
                    record.size = own.count
                    record.digest = module.digest
                    record.isBlob = own.count > ModuleStore.smallSize
                    let summary = ModuleSummary(module.module)
                    record.imports = summary.imports
                    record.exports = summary.exports
                }
                apply(change.draft, to: &record)
            }
            record.changed = Self.now()
            let size = UInt64(record.size)
            try owner?.store(size, inPlaceOf: oldSize)
            do {
                try await modules.put(
                    record, bytes: bytes, replacing: entry.version, on: loop)
                return kept.forget(id)
            } catch {
                owner?.restore(oldSize, inPlaceOf: size)
                // Somebody else was faster: their change is the base of this one.
                guard case StorageError.conflict = error else { throw error }
            }
        }
    }

    /// Removes a module; returns when that is durable.
    public func delete(
        _ id: ModuleID, for tenant: Tenant? = nil, on loop: EventLoop
    ) async throws {
        try await writing {
            while true {
                var entry: StoredModule?
                do {
                    entry = try await self.entry(id, for: tenant, on: loop)
                } catch {
                    // A damaged one can be removed, by those who see all.
                    guard tenant == nil, Self.isDamage(error) else { throw error }
                }
                do {
                    try await self.modules.delete(id, entry?.record, version: entry?.version)
                    let size = UInt64(clamping: entry?.record.size ?? 0)
                    self.tenant(named: entry?.record.owner)?.restore(0, inPlaceOf: size)
                    break
                } catch StorageError.conflict {
                    // Changed meanwhile, it may have another size; removed, it is not found.
                    if entry == nil { throw ExecutorError.notFound }
                }
            }
            self.kept.forget(id)
        }
        await modules.collectUnused(on: loop)
    }

    private static func isDamage(_ error: any Error) -> Bool {
        switch error {
        case StorageError.damaged, ExecutorError.damaged: true
        default: false
        }
    }

    private func apply(_ draft: Draft, to record: inout ModuleRecord) {
        if let function = draft.function { record.function = function }
        if let parameters = draft.parameters { record.parameters = parameters }
        if let results = draft.results { record.results = results }
        if let keeps = draft.keeps { record.keeps = keeps }
    }

    private func writing<Result>(_ body: () async throws -> Result) async throws -> Result {
        let limit = settings.withLock { $0.writeLimit }
        guard writes.add(1, ordering: .relaxed).oldValue < limit else {
            writes.subtract(1, ordering: .relaxed)
            throw ExecutorError.busy("\(limit) writes wait, the limit (limits.writes)")
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
    ///
    /// - Throws: `.changed` if it is not that of the record any more.
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
        } catch LoopError.tooManyCalls {
            throw ExecutorError.busy("too many modules wait to be read")
        }
    }

    /// What runs of a stored module need, if it is known and nothing must be waited for.
    ///
    /// - Throws: `.notFound` for a module of another tenant.
    func known(
        _ id: ModuleID, for tenant: Tenant?
    ) throws -> (stored: StoredModule, kept: KeptState?, module: CachedModule)? {
        // Wess counts the parts.
        guard wessMetrics == nil, let stored = modules.known(id), !stored.record.keeps else {
            return nil
        }
        guard tenant == nil || stored.record.owner == tenant?.name else {
            throw ExecutorError.notFound
        }
        guard let module = cache.knownModule(stored.record.digest) else { return nil }
        return (stored, nil, module)
    }

    /// What runs of a stored module need; that of the module which is stored now, if it was changed
    /// meanwhile.
    func loaded(
        _ stored: StoredModule, on loop: EventLoop
    ) async throws -> (stored: StoredModule, kept: KeptState?, module: CachedModule) {
        var stored = stored
        for _ in 0..<Self.patience {
            let kept = keptState(of: stored.record)
            do {
                return (stored, kept, try await module(stored.record, kept, on: loop))
            } catch ExecutorError.changed {
                stored = try await entry(stored.record.id, for: nil, on: loop)
            }
        }
        throw ExecutorError.changed
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
