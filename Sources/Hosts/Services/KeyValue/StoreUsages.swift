import Synchronization
import WasmdStorage

/// How many bytes the stores of guests have: keys and values.
///
/// A store is counted when something is added to it for the first time, and again now and then:
/// changes that were made at the same time, or failed, may be counted wrongly in between.
public final class StoreUsages: Sendable {
    private struct Usage: Sendable {
        var bytes: Int
        /// Changes since it was counted.
        var changes = 0
    }

    /// By the prefix of the store's keys.
    private let usages = Mutex<[[UInt8]: Usage]>([:])

    /// Changes after which a store is counted again.
    private static let changeLimit = 1000

    public init() {}

    /// Whether a value of so many bytes may be written for a key; counts it then.
    func admits(
        _ valueSize: Int, for key: [UInt8], of prefix: [UInt8], _ limits: GuestStores.Limits,
        in snapshot: Snapshot
    ) -> Bool {
        let found = snapshot.keys(prefix: key, limit: 1).first
        let old = found.flatMap { $0.key == key ? $0 : nil }
        if old == nil, snapshot.count(prefix: prefix) >= limits.keys { return false }
        // A value that is not longer than the one before is written in any case.
        if let old, valueSize <= old.valueSize { return true }
        let size = key.count - prefix.count + valueSize - (old.map { Self.size($0, prefix) } ?? 0)
        return usages.withLock { usages in
            var usage = usages[prefix] ?? Self.count(prefix, snapshot)
            if usage.changes > 0,
                usage.changes >= Self.changeLimit || usage.bytes + size > limits.bytes
            {
                usage = Self.count(prefix, snapshot)
            }
            defer { usages[prefix] = usage }
            guard usage.bytes + size <= limits.bytes else { return false }
            usage.bytes += size
            usage.changes += 1
            return true
        }
    }

    private static func size(_ key: Snapshot.Key, _ prefix: [UInt8]) -> Int {
        key.key.count - prefix.count + key.valueSize
    }

    private static func count(_ prefix: [UInt8], _ snapshot: Snapshot) -> Usage {
        Usage(bytes: snapshot.keys(prefix: prefix).reduce(0) { $0 + size($1, prefix) })
    }
}
