// Soundness: keys and digests are buffers that are valid during a call.

import WasmdDigests

/// The records of a store: where they are, what they take, and which blobs they reference.
struct Records: Sendable {
    private(set) var index = Index()
    /// Bytes of the log that records take, about; by segment, and of all.
    private(set) var weights: [UInt32: Int] = [:]
    private(set) var totalWeight = 0
    private(set) var references = References()

    /// Sets or replaces a record; returns the blobs that it referenced before.
    @discardableResult
    mutating func set(
        _ key: UnsafeRawBufferPointer, _ location: Location, digests new: [SHA256.Digest]
    ) -> [SHA256.Digest] {
        let before = unsafe index.set(key, location)
        add(Location.weight(key: key.count, value: location.size), location.segment)
        if let before {
            add(-Location.weight(key: key.count, value: before.size), before.segment)
        }
        guard location.hasDigests || before?.hasDigests == true else { return [] }
        return unsafe references.replace(key, new)
    }

    /// Removes a record; returns the blobs that it referenced.
    @discardableResult
    mutating func remove(_ key: UnsafeRawBufferPointer) -> [SHA256.Digest] {
        guard let before = unsafe index.remove(key) else { return [] }
        add(-Location.weight(key: key.count, value: before.size), before.segment)
        return before.hasDigests ? unsafe references.replace(key, []) : []
    }

    private mutating func add(_ weight: Int, _ segment: UInt32) {
        weights[segment, default: 0] += weight
        totalWeight += weight
    }

    mutating func forget(segment: UInt32) { weights[segment] = nil }

    /// The digests that a table lists.
    static func digests(_ bytes: UnsafeRawBufferPointer) -> [SHA256.Digest] {
        stride(from: 0, to: bytes.count, by: LogFormat.digestSize).compactMap { offset in
            let part = unsafe bytes.part(offset, LogFormat.digestSize)
            return unsafe SHA256.Digest(bytes: [UInt8](part).span)
        }
    }
}
