import Synchronization
import WasmdStorage

/// How many bytes the stores of guests have: keys and values.
///
/// A store is counted when it is first changed, and again after each thousand changes: one that failed,
/// and two at the same time of one key, are counted wrongly in between.
public final class StoreUsages: Sendable {
    private struct Usage: Sendable {
        var bytes: Int
        /// Changes since it was counted, and those that were refused.
        var changes = 0
    }

    /// By the prefix of the store's keys.
    private let usages = Mutex<[[UInt8]: Usage]>([:])

    /// Changes after which a store is counted again.
    private static let changeLimit = 1000

    public init() {}

    /// Whether a value of so many bytes may be written for a key; counts it then. One that is not
    /// longer than that before is written in any case.
    func admits(
        _ valueSize: Int, for key: [UInt8], of prefix: [UInt8], _ limits: GuestStores.Limits,
        in snapshot: RecordSnapshot
    ) -> Bool {
        let old = Self.size(of: key, prefix, snapshot)
        if old == nil, snapshot.count(prefix: prefix) >= limits.keys { return false }
        let added = key.count - prefix.count + valueSize - (old ?? 0)
        return change(by: added, of: prefix, atMost: limits.bytes, in: snapshot)
    }

    /// Counts that a key is deleted.
    func removes(_ key: [UInt8], of prefix: [UInt8], in snapshot: RecordSnapshot) {
        guard let size = Self.size(of: key, prefix, snapshot) else { return }
        _ = change(by: -size, of: prefix, atMost: 0, in: snapshot)
    }

    private func change(
        by added: Int, of prefix: [UInt8], atMost limit: Int, in snapshot: RecordSnapshot
    ) -> Bool {
        usages.withLock { usages in
            var usage = usages[prefix] ?? Self.count(prefix, snapshot)
            if usage.changes >= Self.changeLimit { usage = Self.count(prefix, snapshot) }
            defer { usages[prefix] = usage }
            usage.changes += 1
            guard added <= 0 || usage.bytes + added <= limit else { return false }
            usage.bytes += added
            return true
        }
    }

    /// Bytes of a key and its value; nil if there is none.
    private static func size(of key: [UInt8], _ prefix: [UInt8], _ snapshot: RecordSnapshot) -> Int?
    {
        guard let found = snapshot.keys(prefix: key, limit: 1).first, found.key == key else {
            return nil
        }
        return size(found, prefix)
    }

    private static func size(_ key: RecordSnapshot.Key, _ prefix: [UInt8]) -> Int {
        key.key.count - prefix.count + key.valueSize
    }

    private static func count(_ prefix: [UInt8], _ snapshot: RecordSnapshot) -> Usage {
        Usage(bytes: snapshot.keys(prefix: prefix).reduce(0) { $0 + size($1, prefix) })
    }
}
