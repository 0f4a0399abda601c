import Synchronization
import WasmdDigests

/// Which blobs are referenced by records, and which are in use.
final class BlobLedger: Sendable {
    fileprivate struct State: Sendable {
        var counts: [SHA256.Digest: Int] = [:]
        var pins: [SHA256.Digest: Int] = [:]
        /// How many copies of the store are being made: nothing is removed meanwhile.
        var holds = 0
        /// Blobs that lost their last reference or pin, and may be removed.
        var unused: Set<SHA256.Digest> = []
        /// Blobs that have their name, which is not durable yet.
        var appearing: Set<SHA256.Digest> = []
    }

    fileprivate let state: Mutex<State>

    init(_ records: Records) {
        var state = State()
        records.references.forEach { state.counts[$0, default: 0] += 1 }
        self.state = Mutex(state)
    }

    /// Counts references of a record that is being written, if each blob is there.
    func reference(
        _ digests: [SHA256.Digest], exists: (SHA256.Digest) -> Bool
    ) throws(StorageError) {
        guard !digests.isEmpty else { return }
        let missing = state.withLock { state -> SHA256.Digest? in
            for digest in digests where state.counts[digest] == nil {
                if state.appearing.contains(digest) || !exists(digest) { return digest }
            }
            for digest in digests { state.counts[digest, default: 0] += 1 }
            return nil
        }
        if let missing { throw .noBlob(missing) }
    }

    /// Removes references of a record that is no longer there.
    func release(_ digests: [SHA256.Digest]) {
        guard !digests.isEmpty else { return }
        state.withLock { state in
            for digest in digests {
                Self.subtract(digest, from: &state.counts)
                Self.noteIfUnused(digest, in: &state)
            }
        }
    }

    private static func noteIfUnused(_ digest: SHA256.Digest, in state: inout State) {
        if state.counts[digest] == nil, state.pins[digest] == nil { state.unused.insert(digest) }
    }

    /// Whether blobs lost their last reference or pin since `takeUnused`.
    var hasUnused: Bool { state.withLock { !$0.unused.isEmpty } }

    /// Blobs that lost their last reference or pin; some may have a new one.
    func takeUnused() -> Set<SHA256.Digest> {
        state.withLock { state in
            // What is copied needs them: later.
            guard state.holds == 0 else { return [] }
            defer { state.unused = [] }
            return state.unused
        }
    }

    /// Notes that a blob gets its name now; until `appeared` it cannot be referenced. One that is
    /// there already is durable, and stays so while another writer of the same bytes replaces it.
    func appears(_ digest: SHA256.Digest, exists: () -> Bool) {
        state.withLock { state in
            if state.counts[digest] == nil, !exists() { state.appearing.insert(digest) }
        }
    }

    /// The blob is durable.
    func appeared(_ digest: SHA256.Digest) { state.withLock { _ = $0.appearing.remove(digest) } }

    func isAppearing(_ digest: SHA256.Digest) -> Bool {
        state.withLock { $0.appearing.contains(digest) }
    }

    func pin(_ digest: SHA256.Digest) {
        state.withLock { $0.pins[digest, default: 0] += 1 }
    }

    func unpin(_ digest: SHA256.Digest) {
        state.withLock { state in
            Self.subtract(digest, from: &state.pins)
            Self.noteIfUnused(digest, in: &state)
        }
    }

    private static func subtract(_ digest: SHA256.Digest, from counts: inout [SHA256.Digest: Int]) {
        guard let count = counts[digest] else { return }
        counts[digest] = count > 1 ? count - 1 : nil
    }

    /// No blob is removed until as many calls of `endHold`.
    func hold() { state.withLock { $0.holds += 1 } }
    func endHold() { state.withLock { $0.holds -= 1 } }

    /// Calls `body` if nothing uses the blob, and lets nothing begin to use it meanwhile.
    func ifUnused(_ digest: SHA256.Digest, _ body: () -> Void) {
        state.withLock { state in
            guard state.holds == 0, state.counts[digest] == nil, state.pins[digest] == nil else {
                return
            }
            body()
        }
    }

    func isReferenced(_ digest: SHA256.Digest) -> Bool {
        state.withLock { $0.counts[digest] != nil }
    }
}

extension BlobLedger {
    /// Counts further references to blobs that are referenced already.
    func addReferences(_ digests: [SHA256.Digest]) {
        guard !digests.isEmpty else { return }
        state.withLock { state in
            for digest in digests { state.counts[digest, default: 0] += 1 }
        }
    }
}
