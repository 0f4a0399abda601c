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
        /// Writes that wait at one time; more are refused.
        public var writeLimit = 4096
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

        public init() {}
    }

    private let settings: Mutex<Options>
    /// Tenants by their names: for counting what they store.
    private let tenants = Mutex<[String: Tenant]>([:])
    public let runs: GuestRuns
    let cache: ModuleCache
    let modules: ModuleStore
    private let writes = Atomic(0)
    private let guestLoops = Mutex<[ObjectIdentifier: GuestLoop]>([:])

    public init(_ store: WasmdStorage.Store, _ options: Options = Options()) {
        settings = Mutex(options)
        modules = ModuleStore(store)
        runs = GuestRuns(options.runs)
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
    public func trim() { cache.trim() }

    /// Writes that wait or are carried out.
    public var writeCount: Int { writes.load(ordering: .relaxed) }

    /// The number of stored modules, of a tenant or of all.
    public func count(for tenant: Tenant? = nil) -> Int { modules.count(of: tenant?.name) }

    // MARK: Records

    /// The record of a module.
    ///
    /// - Parameter tenant: who asks: modules of others do not exist for it. Nil sees all.
    /// - Throws: `ExecutorError`
    public func record(
        _ id: ModuleID, for tenant: Tenant? = nil, on loop: EventLoop
    ) async throws -> ModuleRecord {
        try await entry(id, for: tenant, on: loop).record
    }

    func entry(
        _ id: ModuleID, for tenant: Tenant?, on loop: EventLoop
    ) async throws -> ModuleStore.Entry {
        guard let entry = try await modules.entry(id, on: loop),
            tenant == nil || entry.record.owner == tenant?.name
        else { throw ExecutorError.notFound }
        return entry
    }

    /// The bytes of a module.
    public func bytes(_ record: ModuleRecord, on loop: EventLoop) async throws -> [UInt8] {
        let modules = modules
        return try await loop.blocking { try modules.bytesBlocking(record) }
    }

    /// Records in the order of their ids, and whether there are more.
    public func page(
        for tenant: Tenant? = nil, after: ModuleID?, limit: Int, on loop: EventLoop
    ) async throws -> (records: [ModuleRecord], hasMore: Bool) {
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
        }
    }

    /// Stores a module; returns when it is durable.
    ///
    /// - Parameter draft: has bytes.
    /// - Throws: `ExecutorError`
    public func create(
        _ draft: Draft, for tenant: Tenant? = nil, on loop: EventLoop
    ) async throws -> ModuleID {
        guard let bytes = draft.bytes else { throw ExecutorError.invalid("a module is missing") }
        let module = try await compile(bytes, on: loop)
        let id = try ModuleID.make()
        var record = ModuleRecord(
            id: id, size: bytes.count, digest: module.digest,
            isBlob: bytes.count > ModuleStore.smallSize, summary: ModuleSummary(module.module),
            created: Self.now())
        apply(draft, to: &record)
        record.owner = tenant?.name
        try tenant?.store(UInt64(bytes.count))
        do {
            try await writing {
                try await self.modules.put(record, bytes: bytes, replacing: nil, on: loop)
            }
        } catch {
            tenant?.restore(0, inPlaceOf: UInt64(bytes.count))
            throw error
        }
        return id
    }

    /// Changes a module or parts of its record; returns when that is durable.
    public func change(
        _ id: ModuleID, _ draft: Draft, for tenant: Tenant? = nil, on loop: EventLoop
    ) async throws {
        let module: CachedModule? =
            if let bytes = draft.bytes { try await compile(bytes, on: loop) } else { nil }
        try await writing {
            while true {
                let entry = try await self.entry(id, for: tenant, on: loop)
                var record = entry.record
                let (owner, oldSize) = (self.tenant(named: record.owner), UInt64(record.size))
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
                let size = UInt64(record.size)
                try owner?.store(size, inPlaceOf: oldSize)
                do {
                    return try await self.modules.put(
                        record, bytes: draft.bytes, replacing: entry.version, on: loop)
                } catch {
                    owner?.restore(oldSize, inPlaceOf: size)
                    // Somebody else was faster: their change is the base of this one.
                    guard case StorageError.conflict = error else { throw error }
                }
            }
        }
    }

    /// Removes a module; returns when that is durable.
    public func delete(
        _ id: ModuleID, for tenant: Tenant? = nil, on loop: EventLoop
    ) async throws {
        try await writing {
            let record = try await self.entry(id, for: tenant, on: loop).record
            do {
                try await self.modules.delete(id, owner: record.owner)
                self.tenant(named: record.owner)?.restore(0, inPlaceOf: UInt64(record.size))
            } catch StorageError.conflict {
                throw ExecutorError.notFound
            }
        }
    }

    private func apply(_ draft: Draft, to record: inout ModuleRecord) {
        if let function = draft.function { record.function = function }
        if let parameters = draft.parameters { record.parameters = parameters }
        if let results = draft.results { record.results = results }
    }

    private func writing<Result>(_ body: () async throws -> Result) async throws -> Result {
        let limit = settings.withLock { $0.writeLimit }
        guard writes.add(1, ordering: .relaxed).oldValue < limit else {
            writes.subtract(1, ordering: .relaxed)
            throw ExecutorError.busy("\(limit) writes wait, the limit (limits.writes)")
        }
        defer { writes.subtract(1, ordering: .relaxed) }
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

    /// A module that is stored, compiled.
    func module(_ record: ModuleRecord, on loop: EventLoop) async throws -> CachedModule {
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
