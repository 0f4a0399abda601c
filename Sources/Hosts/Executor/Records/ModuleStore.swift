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
///
/// Larger modules are blobs, which the record references. Small ones are written to the log with
/// their record: one sync for both.
public final class ModuleStore: Sendable {
    /// Modules up to this size are not blobs.
    static let smallSize = 32 << 10
    private static let recordPrefix = Array("executor/module/".utf8)
    private static let bytesPrefix = Array("executor/bytes/".utf8)

    let store: WasmdStorage.Store
    private let known = KnownModules()

    public init(_ store: WasmdStorage.Store) { self.store = store }

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
        let key = Self.recordKey(id)
        if let known = known[id], known.version == store.version(key) { return known }
        guard let stored = try await store.get(key, on: loop) else { return nil }
        guard let record = Self.record(id, stored.value) else {
            throw ExecutorError.damaged("the record of \(id) cannot be read")
        }
        let module = StoredModule(record, version: stored.version)
        known.keep(module, byteCount: stored.value.count)
        return module
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

    /// The number of modules. Linear in it.
    func count() -> Int { store.snapshot().count(prefix: Self.recordPrefix) }

    /// Records in the order of their ids.
    ///
    /// - Parameter after: the last id of the page before.
    /// - Returns: the page, and whether there is more.
    func page(
        after: ModuleID?, limit: Int, on loop: EventLoop
    ) async throws -> (records: [ModuleRecord], hasMore: Bool) {
        let snapshot = store.snapshot()
        let keys = snapshot.keys(
            prefix: Self.recordPrefix, after: after.map(Self.recordKey), limit: limit + 1)
        var records: [ModuleRecord] = []
        for key in keys.prefix(limit) {
            guard let stored = try await snapshot.get(key.key, on: loop),
                let record = Self.record(
                    ModuleID(bytes: key.key.dropFirst(Self.recordPrefix.count)), stored.value)
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
    func delete(_ id: ModuleID) async throws {
        var transaction = Transaction()
        transaction.delete(Self.recordKey(id), if: .present)
        transaction.delete(Self.bytesKey(id))
        _ = try await store.commit(transaction)
    }
}
