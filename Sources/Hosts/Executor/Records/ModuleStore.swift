import WasmSystem
import WasmdDigests
import WasmdDocuments
import WasmdEventLoop
import WasmdStorage

/// Modules and their records in a data folder.
///
/// | key | value |
/// |---|---|
/// | `executor/module/` and the 16 bytes of the id | the record, as BSON |
/// | `executor/bytes/` and the 16 bytes of the id | the module, if it is small |
/// | `executor/key/` and the SHA-256 of a client's key | the 16 bytes of the id |
/// | `executor/tenant/`, its name, `/` and the 16 bytes of the id | the size of a tenant's module, as 8 bytes |
///
/// Larger modules are blobs, which the record references. Small ones are written to the log with
/// their record: one sync for both.
public final class ModuleStore: Sendable {
    /// Modules up to this size are not blobs.
    static let smallSize = 32 << 10
    private static let recordPrefix = Array("executor/module/".utf8)
    private static let bytesPrefix = Array("executor/bytes/".utf8)
    private static let keyPrefix = Array("executor/key/".utf8)

    /// What the keys of a tenant's modules begin with. Names of tenants hold no slash.
    private static func ownerPrefix(_ owner: String) -> [UInt8] {
        Array("executor/tenant/\(owner)/".utf8)
    }

    let store: RecordStore
    private let known = KnownModules()

    public init(_ store: RecordStore) { self.store = store }

    private static func recordKey(_ id: ModuleID) -> [UInt8] { key(recordPrefix, id) }
    private static func bytesKey(_ id: ModuleID) -> [UInt8] { key(bytesPrefix, id) }

    private static func key(_ prefix: [UInt8], _ id: ModuleID) -> [UInt8] {
        var key: [UInt8] = []
        key.reserveCapacity(prefix.count + 16)
        key += prefix
        id.append(to: &key)
        return key
    }

    // MARK: Reading

    /// A stored module; nil if there is none. One that was read before is not read and decoded
    /// again as long as its version is the same.
    func entry(_ id: ModuleID, on loop: EventLoop) async throws -> StoredModule? {
        if let known = known(id) { return known }
        let key = Self.recordKey(id)
        guard let stored = try await store.get(key, on: loop) else { return nil }
        guard let record = Self.record(id, stored.value) else {
            throw ExecutorError.damaged("the record of \(id) cannot be read")
        }
        let module = StoredModule(record, key: key, version: stored.version)
        known.keep(module, byteCount: stored.value.count)
        return module
    }

    /// The same without waiting; nil also if it was not read before.
    func known(_ id: ModuleID) -> StoredModule? {
        guard let known = known[id], known.version == store.version(known.key) else { return nil }
        return known
    }

    /// The module that was stored by a request with a key.
    func module(keyed key: SHA256.Digest, on loop: EventLoop) async throws -> ModuleID? {
        guard let stored = try await store.get(Self.keyPrefix + key.bytes, on: loop) else {
            return nil
        }
        return ModuleID(bytes: stored.value[...])
    }

    /// Bytes of the log and of the values that are alive.
    var byteCount: Int { store.statistics.liveBytes }

    private static func record(_ id: ModuleID, _ bytes: [UInt8]) -> ModuleRecord? {
        (try? BSON.read(bytes)).flatMap { ModuleRecord(id, $0) }
    }

    /// The bytes of a module, on a thread that may wait for the disk. Always those of the record.
    ///
    /// - Throws: `.changed` if the module was changed or removed since the record was read.
    func bytesBlocking(_ record: ModuleRecord) throws -> [UInt8] {
        if record.isBlob {
            do {
                return try store.blobs.get(record.digest)
            } catch StorageError.noBlob where !isCurrent(record) {
                throw ExecutorError.changed
            }
        }
        guard let stored = try store.getBlocking(Self.bytesKey(record.id)),
            SHA256.hash(stored.value) == record.digest
        else { throw ExecutorError.changed }
        return stored.value
    }

    /// Whether a record is still what is stored.
    private func isCurrent(_ record: ModuleRecord) -> Bool {
        guard let stored = try? store.getBlocking(Self.recordKey(record.id)) else { return false }
        return Self.record(record.id, stored.value)?.digest == record.digest
    }

    /// The number of modules, of a tenant or of all.
    func count(of owner: String? = nil) -> Int {
        store.snapshot().count(prefix: owner.map(Self.ownerPrefix) ?? Self.recordPrefix)
    }

    /// The bytes of all modules of a tenant, on a thread that may wait for the disk. Linear in their
    /// number.
    func storedBytesBlocking(of owner: String) throws -> UInt64 {
        let snapshot = store.snapshot()
        var total: UInt64 = 0
        for key in snapshot.keys(prefix: Self.ownerPrefix(owner), after: nil, limit: .max) {
            guard let stored = try snapshot.getBlocking(key.key) else { continue }
            total &+= stored.value.prefix(8).reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }
        return total
    }

    /// Records in the order of their ids.
    struct Page: Sendable {
        var records: [ModuleRecord] = []
        /// Modules whose records are damaged.
        var damaged: [ModuleID] = []
        /// The last id of the page, if there are more.
        var next: ModuleID?
    }

    /// A page of records; one that is damaged does not hide the others.
    ///
    /// - Parameters:
    ///   - owner: the tenant whose records count; nil for all.
    ///   - after: the last id of the page before.
    func page(
        of owner: String? = nil, after: ModuleID?, limit: Int, on loop: EventLoop
    ) async throws -> Page {
        let snapshot = store.snapshot()
        let prefix = owner.map(Self.ownerPrefix) ?? Self.recordPrefix
        let keys = snapshot.keys(
            prefix: prefix, after: after.map { prefix + $0.bytes }, limit: limit + 1)
        var page = Page()
        for key in keys.prefix(limit) {
            let id = ModuleID(bytes: key.key.dropFirst(prefix.count))
            if let record = try await Self.record(id, snapshot, loop) {
                page.records.append(record)
            } else {
                page.damaged.append(id)
            }
            await loop.yieldIfSpent()
        }
        if keys.count > limit {
            page.next = keys.prefix(limit).last.map {
                ModuleID(bytes: $0.key.dropFirst(prefix.count))
            }
        }
        return page
    }

    /// A record of a snapshot; nil if it is damaged.
    private static func record(
        _ id: ModuleID, _ snapshot: RecordSnapshot, _ loop: EventLoop
    ) async throws -> ModuleRecord? {
        do {
            return try await snapshot.get(recordKey(id), on: loop).flatMap {
                record(id, $0.value)
            }
        } catch {
            guard case StorageError.damaged = error else { throw error }
            return nil
        }
    }

    /// Ids in their order: reads no record.
    func ids(of owner: String?, after: ModuleID?, limit: Int) -> [ModuleID] {
        let prefix = owner.map(Self.ownerPrefix) ?? Self.recordPrefix
        return store.snapshot().keys(
            prefix: prefix, after: after.map { prefix + $0.bytes }, limit: limit
        ).map { ModuleID(bytes: $0.key.dropFirst(prefix.count)) }
    }

    // MARK: Writing

    /// Stores a record, and the module if it is new; returns when both are durable.
    ///
    /// - Parameters:
    ///   - bytes: of the module; nil if they stay.
    ///   - version: of the record that is replaced; nil for a new one.
    ///   - takesKey: whether the client's key may belong to a module that is gone.
    /// - Throws: `StorageError`; `.conflict` if the record was changed meanwhile, or the key is
    ///   another module's.
    func put(
        _ record: ModuleRecord, bytes: [UInt8]?, replacing version: UInt64?,
        takesKey: Bool = false, on loop: EventLoop
    ) async throws {
        let encoded = try BSON.write(record.document)
        guard encoded.count <= RecordStore.maximumValue else {
            throw ExecutorError.recordTooLarge(
                bytes: encoded.count, limit: RecordStore.maximumValue)
        }
        var transaction = Transaction()
        var pin: BlobPin?
        if let bytes {
            if record.isBlob {
                let blobs = store.blobs
                pin = try await loop.blocking { try blobs.put(bytes) }
                transaction.delete(Self.bytesKey(record.id))
            } else {
                transaction.put(Self.bytesKey(record.id), bytes)
            }
        }
        if let key = record.key, version == nil {
            transaction.put(
                Self.keyPrefix + key.bytes, record.id.bytes, if: takesKey ? nil : .absent)
        }
        if let owner = record.owner {
            let size = UInt64(clamping: record.size)
            transaction.put(
                Self.ownerPrefix(owner) + record.id.bytes,
                (0..<8).map { UInt8(truncatingIfNeeded: size >> ($0 * 8)) })
        }
        transaction.put(
            Self.recordKey(record.id), encoded,
            blobs: record.isBlob ? [record.digest] : [],
            if: version.map { .version($0) } ?? .absent)
        _ = try await store.commit(transaction)
        withExtendedLifetime(pin) {}
    }

    /// Removes blobs that no module needs any more: those of modules that were changed or deleted,
    /// and of writes that failed.
    func collectUnused(on loop: EventLoop) async {
        let blobs = store.blobs
        guard blobs.hasUnused else { return }
        // What fails now is tried again the next time.
        _ = try? await loop.blocking { blobs.collectUnused() }
    }

    /// Removes a module; returns when that is durable.
    ///
    /// - Parameters:
    ///   - record: nil if it is damaged; a client's key then stays, and refers to nothing.
    ///   - version: that of the record; nil for any.
    /// - Throws: `StorageError`; `.conflict` if there is none, or one of another version.
    func delete(_ id: ModuleID, _ record: ModuleRecord?, version: UInt64?) async throws {
        var transaction = Transaction()
        transaction.delete(Self.recordKey(id), if: version.map { .version($0) } ?? .present)
        transaction.delete(Self.bytesKey(id))
        if let key = record?.key { transaction.delete(Self.keyPrefix + key.bytes) }
        if let owner = record?.owner { transaction.delete(Self.ownerPrefix(owner) + id.bytes) }
        _ = try await store.commit(transaction)
    }
}
