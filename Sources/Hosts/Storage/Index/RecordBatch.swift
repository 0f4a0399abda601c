// Soundness: keys are ranges of `keys` that were appended there; they are lent for a call.

import WasmdDigests

/// Changes that were read from the log and wait to be applied in the order of their keys: neighbours
/// in the index are then changed one after the other, which takes a third of the time.
struct RecordBatch {
    private struct Change {
        /// The first bytes of the key, in its order.
        var head: UInt64
        var keyStart: Int
        var keySize: Int
        /// Nil to remove.
        var location: Location?
    }

    private var keys: [UInt8] = []
    private var changes: [Change] = []
    private var digests: [Int: [SHA256.Digest]] = [:]

    private static let limit = 1 << 16

    var isFull: Bool { changes.count >= Self.limit }

    /// Adds the changes of a frame.
    mutating func add(_ frame: Frame, in segment: UInt32) {
        unsafe frame.forEachEntry { entry in
            let key = unsafe entry.key
            var head: UInt64 = unsafe key.number(0)
            if key.count < 8 {
                head = 0
                for index in (0..<key.count).reversed() {
                    head = unsafe head << 8 | UInt64(key[index])
                }
            }
            var location: Location?
            if unsafe !entry.isDelete {
                location = unsafe Location(
                    segment: segment, offset: frame.offset + entry.valueOffset,
                    size: entry.valueSize, hasDigests: !entry.digests.isEmpty,
                    checksum: entry.valueChecksum, version: entry.version)
                if unsafe !entry.digests.isEmpty {
                    digests[changes.count] = unsafe Records.digests(entry.digests)
                }
            }
            changes.append(
                Change(
                    head: head.byteSwapped, keyStart: keys.count, keySize: key.count,
                    location: location))
            unsafe keys.append(contentsOf: key)
            return true
        }
    }

    /// Applies all changes and removes them here. Of several of one key the last one counts.
    mutating func apply(to records: inout Records) {
        var order = changes.indices.map { (head: changes[$0].head, index: $0) }
        unsafe keys.withUnsafeBytes { keys in
            func key(_ index: Int) -> UnsafeRawBufferPointer {
                unsafe keys.part(changes[index].keyStart, changes[index].keySize)
            }
            order.sort { one, other in
                if one.head != other.head { return one.head < other.head }
                let order = unsafe Node.compare(key(one.index), key(other.index))
                return order != 0 ? order < 0 : one.index < other.index
            }
            for (_, index) in order {
                if let location = changes[index].location {
                    unsafe records.set(key(index), location, digests: digests[index] ?? [])
                } else {
                    unsafe records.remove(key(index))
                }
            }
        }
        keys.removeAll(keepingCapacity: true)
        changes.removeAll(keepingCapacity: true)
        digests.removeAll()
    }
}
