import WasmdDigests

/// Changes of several records that become durable together, or not at all.
///
/// ```swift
/// var transaction = Transaction()
/// transaction.put(key, value, if: .version(7))
/// transaction.delete(other)
/// let version = try await store.commit(transaction)
/// ```
public struct Transaction: Sendable {
    /// What must hold for a record when the transaction is carried out. Conditions see the state
    /// before the transaction.
    public enum Condition: Hashable, Sendable {
        /// There is no record.
        case absent
        /// There is a record.
        case present
        /// There is a record with this version.
        case version(UInt64)
    }

    struct Change: Sendable {
        var key: [UInt8]
        /// Nil to delete.
        var value: [UInt8]?
        var blobs: [SHA256.Digest] = []
    }

    private(set) var changes: [Change] = []
    private(set) var conditions: [(key: [UInt8], condition: Condition)] = []
    /// Bytes of keys, values and digests.
    private(set) var byteCount = 0

    public init() {}

    public var isEmpty: Bool { changes.isEmpty && conditions.isEmpty }

    /// Sets a record.
    ///
    /// - Parameters:
    ///   - key: 1 to `RecordStore.maximumKey` bytes.
    ///   - value: at most `RecordStore.maximumValue` bytes.
    ///   - blobs: those that the record references: they are kept as long as it does. At most 255.
    ///   - condition: what must hold for the record.
    public mutating func put(
        _ key: [UInt8], _ value: [UInt8], blobs: [SHA256.Digest] = [],
        if condition: Condition? = nil
    ) {
        changes.append(Change(key: key, value: value, blobs: blobs))
        byteCount += key.count + value.count + blobs.count * LogFormat.digestSize
        if let condition { require(key, condition) }
    }

    /// Removes a record; nothing happens if there is none.
    public mutating func delete(_ key: [UInt8], if condition: Condition? = nil) {
        changes.append(Change(key: key, value: nil))
        byteCount += key.count
        if let condition { require(key, condition) }
    }

    /// Makes the transaction depend on a record that it need not change.
    public mutating func require(_ key: [UInt8], _ condition: Condition) {
        conditions.append((key, condition))
    }

    /// Checks the limits.
    func check() throws(StorageError) {
        for change in changes {
            guard 1...LogFormat.maximumKey ~= change.key.count else {
                throw .keySize(change.key.count)
            }
            if let value = change.value, value.count > LogFormat.maximumValue {
                throw .valueTooLarge(value.count)
            }
            guard change.blobs.count <= 255 else { throw .transactionTooLarge }
        }
        let size = byteCount + changes.count * LogFormat.entrySize
        guard size <= RecordStore.maximumTransaction else { throw .transactionTooLarge }
    }
}
