// Soundness: keys of the index are used within the closure that they are passed to.

import WasmdDigests
import WasmdEventLoop

/// The records of a store as they were when the snapshot was made.
///
/// Files that it needs are kept until it is gone, also on a disk where they have no name any more.
public struct RecordSnapshot: Sendable {
    let index: Index
    let references: References
    let segments: [UInt32: Segment]
    /// The last transaction that it has.
    public let version: UInt64

    /// The number of records.
    public var count: Int { index.count }

    /// The record with a key; nil if there is none.
    ///
    /// - Throws: `.damaged`, `.system`.
    public func get(
        _ key: [UInt8], on loop: EventLoop
    ) async throws(StorageError) -> RecordStore.Record? {
        guard let location = index.find(key), let segment = segments[location.segment] else {
            return nil
        }
        return RecordStore.Record(
            value: try await segment.value(location, on: loop), version: location.version)
    }

    /// The same for threads that are no loops: may wait for the disk.
    public func getBlocking(_ key: [UInt8]) throws(StorageError) -> RecordStore.Record? {
        guard let location = index.find(key), let segment = segments[location.segment] else {
            return nil
        }
        return RecordStore.Record(value: try segment.value(location), version: location.version)
    }

    /// A record with the blobs that it references.
    func getWithDigests(
        _ key: [UInt8]
    ) throws(StorageError) -> (record: RecordStore.Record, digests: [SHA256.Digest])? {
        guard let record = try getBlocking(key) else { return nil }
        return (record, blobs(key))
    }

    /// The blobs that a record references.
    public func blobs(_ key: [UInt8]) -> [SHA256.Digest] { references.digests(key) }

    /// A key with what is known without the disk.
    public struct Key: Hashable, Sendable {
        public var key: [UInt8]
        public var version: UInt64
        public var valueSize: Int
    }

    /// Keys that begin with `prefix`, in the order of their bytes. Never waits for the disk.
    ///
    /// - Parameters:
    ///   - after: only keys that are above this one: the last of the page before.
    ///   - limit: how many at most.
    public func keys(
        prefix: [UInt8] = [], after: [UInt8]? = nil, limit: Int = .max
    ) -> [Key] {
        var keys: [Key] = []
        forEach(prefix: prefix, after: after) { key in
            guard keys.count < limit else { return false }
            keys.append(key)
            return true
        }
        return keys
    }

    /// The number of keys that begin with `prefix`. O(log n).
    public func count(prefix: [UInt8]) -> Int {
        // The first key above all of them: the last byte that can be increased is.
        var end = prefix
        while end.last == .max { end.removeLast() }
        guard let last = end.popLast() else { return count - index.rank(prefix) }
        return index.rank(end + [last + 1]) - index.rank(prefix)
    }

    /// Passes keys on, in order, until `body` returns false.
    func forEach(prefix: [UInt8], after: [UInt8]?, _ body: (Key) -> Bool) {
        // The first key above another one is that with a zero after it.
        var start = prefix
        if let after, !after.lexicographicallyPrecedes(prefix) { start = after + [0] }
        unsafe start.withUnsafeBytes { start in
            unsafe index.forEach(from: start) { key, location in
                guard key.count >= prefix.count, unsafe key.starts(with: prefix) else {
                    return false
                }
                return body(
                    Key(
                        key: unsafe [UInt8](key), version: location.version,
                        valueSize: location.size))
            }
        }
    }
}
