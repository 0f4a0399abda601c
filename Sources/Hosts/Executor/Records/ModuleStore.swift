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
/// | `executor/tenant/`, its name, `/` and the 16 bytes of the id | the size of a tenant's module, as 8 bytes |
///
/// Larger modules are blobs, which the record references. Small ones are written to the log with
/// their record: one sync for both.
public final class ModuleStore: Sendable {
    /// Modules up to this size are not blobs.
    static let smallSize = 32 << 10
    private static let recordPrefix = Array("executor/module/".utf8)
    private static let bytesPrefix = Array("executor/bytes/".utf8)

    /// What the keys of a tenant's modules begin with. Names of tenants hold no slash.
    private static func ownerPrefix(_ owner: String) -> [UInt8] {
        Array("executor/tenant/\(owner)/".utf8)
    }

    let store: WasmdStorage.Store

    public init(_ store: WasmdStorage.Store) { self.store = store }

    private static func recordKey(_ id: ModuleID) -> [UInt8] { recordPrefix + id.bytes }
    private static func bytesKey(_ id: ModuleID) -> [UInt8] { bytesPrefix + id.bytes }

    /// A record and the version that a change of it must name.
    struct Entry: Sendable {
        var record: ModuleRecord
        var version: UInt64
    }

    // MARK: Reading

    func entry(_ id: ModuleID, on loop: EventLoop) async throws -> Entry? {
        guard let stored = try await store.get(Self.recordKey(id), on: loop) else { return nil }
        guard let record = Self.record(id, stored.value) else {
            throw ExecutorError.damaged("the record of \(id) cannot be read")
        }
        return Entry(record: record, version: stored.version)
    }

    private static func record(_ id: ModuleID, _ bytes: [UInt8]) -> ModuleRecord? {
        (try? BSON.read(bytes)).flatMap { ModuleRecord(id, $0) }
    }

    /// The bytes of a module, on a thread that may wait for the disk.
    func bytesBlocking(_ record: ModuleRecord) throws -> [UInt8] {
        if record.isBlob { return try store.blobs.get(record.digest) }
        guard let stored = try store.getBlocking(Self.bytesKey(record.id)) else {
            throw ExecutorError.notFound
        }
        return stored.value
    }

    /// The number of modules, of a tenant or of all. Linear in it.
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
    ///
    /// - Parameters:
    ///   - owner: the tenant whose records count; nil for all.
    ///   - after: the last id of the page before.
    /// - Returns: the page, and whether there is more.
    func page(
        of owner: String? = nil, after: ModuleID?, limit: Int, on loop: EventLoop
    ) async throws -> (records: [ModuleRecord], hasMore: Bool) {
        let snapshot = store.snapshot()
        let prefix = owner.map(Self.ownerPrefix) ?? Self.recordPrefix
        let keys = snapshot.keys(
            prefix: prefix, after: after.map { prefix + $0.bytes }, limit: limit + 1)
        var records: [ModuleRecord] = []
        for key in keys.prefix(limit) {
            let id = ModuleID(bytes: key.key.dropFirst(prefix.count))
            guard let stored = try await snapshot.get(Self.recordKey(id), on: loop),
                let record = Self.record(id, stored.value)
            else { continue }
            records.append(record)
        }
        return (records, keys.count > limit)
    }

    // MARK: Writing

    /// Stores a record, and the module if it is new; returns when both are durable.
    ///
    /// - Parameters:
    ///   - bytes: of the module; nil if they stay.
    ///   - version: of the record that is replaced; nil for a new one.
    /// - Throws: `StorageError`; `.conflict` if the record was changed meanwhile.
    func put(
        _ record: ModuleRecord, bytes: [UInt8]?, replacing version: UInt64?, on loop: EventLoop
    ) async throws {
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
        if let owner = record.owner {
            let size = UInt64(clamping: record.size)
            transaction.put(
                Self.ownerPrefix(owner) + record.id.bytes,
                (0..<8).map { UInt8(truncatingIfNeeded: size >> ($0 * 8)) })
        }
        transaction.put(
            Self.recordKey(record.id), try BSON.write(record.document),
            blobs: record.isBlob ? [record.digest] : [],
            if: version.map { .version($0) } ?? .absent)
        _ = try await store.commit(transaction)
        withExtendedLifetime(pin) {}
    }

    /// Removes a module; returns when that is durable.
    ///
    /// - Throws: `StorageError`; `.conflict` if there is none.
    ///
    /// - Parameter owner: the tenant that the record names.
    func delete(_ id: ModuleID, owner: String?) async throws {
        var transaction = Transaction()
        transaction.delete(Self.recordKey(id), if: .present)
        transaction.delete(Self.bytesKey(id))
        if let owner { transaction.delete(Self.ownerPrefix(owner) + id.bytes) }
        _ = try await store.commit(transaction)
    }
}
