import Synchronization
import WasmdDigests
import WasmdDocuments
import WasmdEventLoop
import WasmdStorage
import WasmdWasmiot

/// Documents with ids in a data folder. All are also in memory, so that reading never waits.
///
/// | key | value |
/// |---|---|
/// | `wasmiot/NAME/` and the 12 bytes of the id | 0 and the document as JSON; 1 and the digest of a blob if that is longer |
///
/// A change is durable when its function returns, and every later read sees it.
final class Collection: Sendable {
    struct Entry: Sendable {
        let id: ObjectID
        var document: Document
        /// Of the store: a change must name the version that it is based on.
        var version: UInt64

        var name: String? { document["name"]?.stringValue }
    }

    /// Records beside the document that change with it.
    struct Attachments: Sendable {
        var put: [(key: [UInt8], bytes: [UInt8])] = []
        var deleted: [[UInt8]] = []

        static var none: Attachments { Attachments() }
    }

    private struct State {
        var entries: [ObjectID: Entry] = [:]
        /// In the order of the ids.
        var order: [ObjectID] = []
        var ids = ObjectIDSource()
    }

    let store: RecordStore
    private let prefix: [UInt8]
    /// Blobs that a document references.
    private let references: @Sendable (Document) -> [SHA256.Digest]
    private let state = Mutex(State())

    /// Reads all documents; blocks the thread.
    ///
    /// - Throws: `StorageError`. A record that cannot be read is left out.
    init(
        _ store: RecordStore, _ name: String,
        references: @escaping @Sendable (Document) -> [SHA256.Digest] = { _ in [] }
    ) throws {
        self.store = store
        prefix = Array("wasmiot/\(name)/".utf8)
        self.references = references
        let snapshot = store.snapshot()
        var state = State()
        for key in snapshot.keys(prefix: prefix) {
            guard let id = ObjectID(bytes: key.key.dropFirst(prefix.count)),
                let record = try? snapshot.getBlocking(key.key),
                let document = Self.read(record.value, store)
            else { continue }
            state.entries[id] = Entry(id: id, document: document, version: record.version)
            state.order.append(id)
        }
        let loaded = state
        self.state.withLock { $0 = loaded }
    }

    private func key(_ id: ObjectID) -> [UInt8] { prefix + id.bytes }

    private static func read(_ value: [UInt8], _ store: RecordStore) -> Document? {
        switch value.first {
        case 0: return try? JSONReader.read(Array(value.dropFirst()), options: .stored)
        case 1:
            guard let digest = SHA256.Digest(bytes: Array(value.dropFirst()).span),
                let bytes = try? store.blobs.get(digest)
            else { return nil }
            return try? JSONReader.read(bytes, options: .stored)
        default: return nil
        }
    }

    // MARK: Reading

    var count: Int { state.withLock { $0.order.count } }

    /// All documents in the order of their creation.
    func all() -> [Entry] {
        state.withLock { state in state.order.compactMap { state.entries[$0] } }
    }

    subscript(id: ObjectID) -> Entry? { state.withLock { $0.entries[id] } }

    /// Documents with a name, the oldest first.
    func named(_ name: String) -> [Entry] {
        all().filter { $0.name?.utf8.elementsEqual(name.utf8) == true }
    }

    /// What a path's id or name says: the document with the id, otherwise those with the name.
    func find(_ text: String) -> [Entry] {
        if let id = ObjectID(text), let entry = self[id] { return [entry] }
        return named(text)
    }

    // MARK: Writing

    /// A new id, larger than those before.
    func newID() -> ObjectID {
        state.withLock { $0.ids.next(now: Clock.milliseconds / 1000) }
    }

    /// Adds a document, or replaces the one with this id.
    func put(
        _ id: ObjectID, _ document: Document, _ attachments: Attachments = .none,
        ifAbsent: Bool = false, on loop: EventLoop
    ) async throws {
        try await write(
            id, document, attachments, ifAbsent ? .absent : nil, on: loop)
    }

    /// Changes a document; `change` is called again if another change came first.
    ///
    /// - Returns: the document as it is now; nil if there is none.
    @discardableResult
    func update(
        _ id: ObjectID, on loop: EventLoop,
        _ change: @Sendable (inout Document) throws -> Attachments
    ) async throws -> Document? {
        while true {
            guard let entry = self[id] else { return nil }
            var document = entry.document
            let attachments = try change(&document)
            do {
                try await write(id, document, attachments, .version(entry.version), on: loop)
                return document
            } catch StorageError.conflict {
                // The other change is the base of this one. It is in memory soon.
                await loop.yieldToOthers()
            }
        }
    }

    private func write(
        _ id: ObjectID, _ document: Document, _ attachments: Attachments,
        _ condition: Transaction.Condition?, on loop: EventLoop
    ) async throws {
        let text = JSONWriter.write(document)
        var blobs = references(document)
        var pin: BlobPin?
        var value: [UInt8] = [0] + text
        if value.count > RecordStore.maximumValue {
            let store = store
            let kept = try await loop.blocking { try store.blobs.put(text) }
            value = [1] + kept.digest.bytes
            blobs.append(kept.digest)
            pin = kept
        }
        var transaction = Transaction()
        for key in attachments.deleted { transaction.delete(key) }
        for (key, bytes) in attachments.put { transaction.put(key, bytes) }
        transaction.put(key(id), value, blobs: blobs, if: condition)
        let version = try await store.commit(transaction)
        withExtendedLifetime(pin) {}
        state.withLock { state in
            // Commits end in the order of their versions, but tasks continue in any.
            if let known = state.entries[id], known.version > version { return }
            if state.entries[id] == nil { Self.insert(id, &state.order) }
            state.entries[id] = Entry(id: id, document: document, version: version)
        }
    }

    private static func insert(_ id: ObjectID, _ order: inout [ObjectID]) {
        var low = 0
        var high = order.count
        while low < high {
            let middle = (low + high) / 2
            if order[middle].bytes.lexicographicallyPrecedes(id.bytes) {
                low = middle + 1
            } else {
                high = middle
            }
        }
        order.insert(id, at: low)
    }

    /// Removes documents.
    ///
    /// - Parameter attached: keys of records that end with a document.
    /// - Returns: how many there were.
    @discardableResult
    func delete(
        _ ids: [ObjectID], attached: @Sendable (Document) -> [[UInt8]] = { _ in [] }
    ) async throws -> Int {
        var removed = 0
        for id in ids {
            guard let entry = self[id] else { continue }
            guard try await remove(id, attached(entry.document)) else { continue }
            removed += 1
            state.withLock { state in
                state.entries[id] = nil
                state.order.removeAll { $0 == id }
            }
        }
        return removed
    }

    /// Whether there was a document.
    private func remove(_ id: ObjectID, _ attached: [[UInt8]]) async throws -> Bool {
        var transaction = Transaction()
        transaction.delete(key(id), if: .present)
        for key in attached { transaction.delete(key) }
        do throws(StorageError) {
            try await store.commit(transaction)
            return true
        } catch {
            if case .conflict = error { return false }
            throw error
        }
    }
}
