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
/// A change is durable when its function returns, and every later read sees it. What all documents
/// take in memory is bounded by their `Room`; stored ones that have none at the start stay on the disk,
/// or go if the collection keeps only the last ones.
final class Collection: Sendable {
    struct Entry: Sendable {
        let id: ObjectID
        var document: Document
        /// Of the store: a change must name the version that it is based on.
        var version: UInt64
        /// About what it takes in memory.
        let byteCount: Int

        var name: String? { document["name"]?.stringValue }

        /// With its places in the tables of the collection.
        static func byteCount(_ document: Document) -> Int { document.heapSize + 256 }
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
        /// Of the documents with a name, in the order of the ids.
        var named: [NameKey: [ObjectID]] = [:]
        var ids = ObjectIDSource()
        /// Of all entries.
        var byteCount = 0
        /// Of documents that are being written.
        var reserved = 0
        /// Stored documents that had no room at the start.
        var left: Set<ObjectID> = []

        mutating func set(_ entry: Entry) {
            let known = entries.updateValue(entry, forKey: entry.id)
            byteCount += entry.byteCount - (known?.byteCount ?? 0)
            if let known { forgetName(known) } else { Self.add(entry.id, &order) }
            if let name = entry.name { Self.add(entry.id, &named[NameKey(name), default: []]) }
        }

        mutating func remove(_ id: ObjectID) {
            guard let entry = entries.removeValue(forKey: id) else { return }
            byteCount -= entry.byteCount
            Self.take(id, &order)
            forgetName(entry)
        }

        private mutating func forgetName(_ entry: Entry) {
            guard let key = entry.name.map({ NameKey($0) }) else { return }
            Self.take(entry.id, &named[key, default: []])
            if named[key]?.isEmpty == true { named[key] = nil }
        }

        /// Where an id is, or would be.
        private static func place(_ id: ObjectID, _ order: [ObjectID]) -> Int {
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
            return low
        }

        private static func add(_ id: ObjectID, _ order: inout [ObjectID]) {
            order.insert(id, at: place(id, order))
        }

        private static func take(_ id: ObjectID, _ order: inout [ObjectID]) {
            let index = place(id, order)
            if index < order.count, order[index] == id { order.remove(at: index) }
        }
    }

    let store: RecordStore
    private let name: String
    private let room: Room
    private let prefix: [UInt8]
    /// Blobs that a document references.
    private let references: @Sendable (Document) -> [SHA256.Digest]
    private let state = Mutex(State())

    /// Reads all documents; blocks the thread.
    ///
    /// - Throws: `StorageError`. A record that cannot be read is left out.
    init(
        _ store: RecordStore, _ name: String, _ room: Room,
        references: @escaping @Sendable (Document) -> [SHA256.Digest] = { _ in [] }
    ) throws {
        self.store = store
        self.name = name
        self.room = room
        prefix = Array("wasmiot/\(name)/".utf8)
        self.references = references
        let snapshot = store.snapshot()
        var keys = snapshot.keys(prefix: prefix)
        // The newest documents are kept, or those that were there first.
        if room.evicts { keys.reverse() }
        var found: [Entry] = []
        var byteCount = 0
        var isFull = false
        let limit = room.evicts ? room.bytes : room.bytesOfChanges
        var state = State()
        for key in keys {
            guard let id = ObjectID(bytes: key.key.dropFirst(prefix.count)) else { continue }
            guard !isFull, found.count < room.count else {
                state.left.insert(id)
                continue
            }
            guard let record = try? snapshot.getBlocking(key.key),
                let text = Self.text(record.value, store)
            else { continue }
            // No byte of a document is written with more than six.
            guard text.count / 6 <= limit else {
                state.left.insert(id)
                continue
            }
            guard let document = try? JSONReader.read(text, options: .stored) else { continue }
            let size = Entry.byteCount(document)
            guard size <= limit - byteCount else {
                state.left.insert(id)
                isFull = room.evicts
                continue
            }
            byteCount += size
            found.append(
                Entry(id: id, document: document, version: record.version, byteCount: size))
        }
        if room.evicts { found.reverse() }
        for entry in found { state.set(entry) }
        // A process that is started in the second of the last id must not make smaller ones.
        let last = room.evicts ? keys.first : keys.last
        if let last, let id = ObjectID(bytes: last.key.dropFirst(prefix.count)) {
            state.ids.pass(id)
        }
        let loaded = state
        self.state.withLock { $0 = loaded }
    }

    private func key(_ id: ObjectID) -> [UInt8] { prefix + id.bytes }

    /// The text of a stored document.
    private static func text(_ value: [UInt8], _ store: RecordStore) -> [UInt8]? {
        switch value.first {
        case 0: return Array(value.dropFirst())
        case 1:
            return SHA256.Digest(bytes: Array(value.dropFirst()).span).flatMap {
                try? store.blobs.get($0)
            }
        default: return nil
        }
    }

    // MARK: Reading

    var count: Int { state.withLock { $0.order.count } }

    /// About what all documents take in memory.
    var byteCount: Int { state.withLock { $0.byteCount } }

    /// Stored documents that had no room at the start, and that no other function knows; those that
    /// will be deleted do not count.
    var leftCount: Int { room.evicts ? 0 : state.withLock { $0.left.count } }

    /// The ids of all documents in the order of their creation, and of those that had no room.
    var ids: [ObjectID] { state.withLock { $0.order + Array($0.left) } }

    /// All documents in the order of their creation.
    func all() -> [Entry] {
        state.withLock { state in state.order.compactMap { state.entries[$0] } }
    }

    subscript(id: ObjectID) -> Entry? { state.withLock { $0.entries[id] } }

    /// Documents with a name, the oldest first.
    func named(_ name: String) -> [Entry] {
        state.withLock { state in
            (state.named[NameKey(name)] ?? []).compactMap { state.entries[$0] }
        }
    }

    /// The ids of documents with a name, the oldest first.
    func ids(named name: String) -> [ObjectID] { state.withLock { $0.named[NameKey(name)] ?? [] } }

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
    ///
    /// - Throws: `Failure` if it has no room.
    func put(
        _ id: ObjectID, _ document: Document, _ attachments: Attachments = .none,
        ifAbsent: Bool = false, on loop: EventLoop
    ) async throws {
        try await write(
            id, document, attachments, ifAbsent ? .absent : nil, on: loop)
    }

    /// Checks that documents have room.
    ///
    /// - Parameters:
    ///   - sizes: what each takes in memory.
    ///   - replacing: whether they replace those with the same ids, and not the other way round.
    ///   - clearing: whether they replace all that are there.
    func check(_ sizes: [ObjectID: Int], replacing: Bool, clearing: Bool) throws {
        guard !room.evicts else { return }
        let isRefused = state.withLock { state -> Bool in
            var added = 0
            for (id, size) in sizes {
                let known = clearing ? nil : state.entries[id]?.byteCount
                if known == nil || replacing { added += size - (known ?? 0) }
            }
            let taken = clearing ? 0 : state.byteCount + state.reserved
            return added > 0 && added > room.bytes - taken
        }
        if isRefused { throw room.refusal(of: 0, name) }
    }

    /// Whether documents have room beside all that are there, in whatever order they are written.
    func hasRoom(for sizes: [ObjectID: Int]) -> Bool {
        state.withLock { state -> Bool in
            var (count, byteCount) = (state.order.count, state.byteCount + state.reserved)
            for (id, size) in sizes {
                if state.entries[id] == nil { count += 1 }
                byteCount += size
            }
            return count <= room.count && byteCount <= room.bytes
        }
    }

    /// Takes room for a document that is to be written. One that becomes smaller always has some.
    private func reserve(_ id: ObjectID, _ size: Int, isChange: Bool) throws {
        let limit = isChange ? room.bytesOfChanges : room.bytes
        let isRefused = state.withLock { state -> Bool in
            let known = state.entries[id]?.byteCount ?? 0
            let taken = (room.evicts ? 0 : state.byteCount - known) + state.reserved
            if size > known, size > limit - taken { return true }
            state.reserved += size
            state.left.remove(id)
            return false
        }
        if isRefused { throw room.refusal(of: size, name) }
    }

    /// Deletes the oldest documents that have no room beside the newer ones, if the collection keeps
    /// only the last ones, and some of those that had none at the start.
    private func trim() async throws {
        guard room.evicts else { return }
        let surplus = state.withLock { state -> [ObjectID] in
            var surplus = Array(state.left.prefix(Self.trimmedAtOnce))
            var (count, byteCount) = (state.order.count, state.byteCount)
            for id in state.order {
                guard count > room.count || byteCount > room.bytes && count > 1 else { break }
                surplus.append(id)
                count -= 1
                byteCount -= state.entries[id]?.byteCount ?? 0
            }
            return surplus
        }
        if !surplus.isEmpty { try await delete(surplus) }
    }

    private static let trimmedAtOnce = 64

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
                try await write(
                    id, document, attachments, .version(entry.version), isChange: true, on: loop)
                return document
            } catch StorageError.conflict {
                if forgetDeleted(id) { return nil }
                // The other change is the base of this one. It is in memory soon.
                await loop.yieldToOthers()
            }
        }
    }

    /// Stores a document that has its place elsewhere; `current` is asked again if another change
    /// came first.
    ///
    /// - Parameter current: the document as it should be now; nil if it is to be stored no more.
    func save(
        _ id: ObjectID, on loop: EventLoop, _ current: @Sendable () -> Document?
    ) async throws {
        let recordKey = key(id)
        while true {
            // Read before the document: nothing that is older than it can have this version as base.
            let base = store.version(recordKey)
            guard let document = current() else { return }
            let condition = base.map { Transaction.Condition.version($0) } ?? .absent
            do {
                return try await write(id, document, .none, condition, on: loop)
            } catch StorageError.conflict {
                await loop.yieldToOthers()
            }
        }
    }

    /// Removes a document from memory if the store has none: its deletion is durable, but the task
    /// that deletes it has not continued yet.
    ///
    /// - Returns: whether the store has none.
    @discardableResult
    private func forgetDeleted(_ id: ObjectID) -> Bool {
        let recordKey = key(id)
        return state.withLock { state -> Bool in
            guard store.version(recordKey) == nil else { return false }
            state.remove(id)
            return true
        }
    }

    private func write(
        _ id: ObjectID, _ document: Document, _ attachments: Attachments,
        _ condition: Transaction.Condition?, isChange: Bool = false, on loop: EventLoop
    ) async throws {
        let size = Entry.byteCount(document)
        try reserve(id, size, isChange: isChange)
        do {
            defer { state.withLock { $0.reserved -= size } }
            let version = try await commit(id, document, attachments, condition, on: loop)
            let recordKey = key(id)
            state.withLock { state in
                // Commits end in the order of their versions, but tasks continue in any: a later
                // change may be in memory already, and a later deletion have removed the document.
                if let known = state.entries[id], known.version > version { return }
                guard store.version(recordKey) != nil else { return }
                state.set(
                    Entry(id: id, document: document, version: version, byteCount: size))
            }
        }
        try await trim()
    }

    /// - Returns: the version of the record.
    private func commit(
        _ id: ObjectID, _ document: Document, _ attachments: Attachments,
        _ condition: Transaction.Condition?, on loop: EventLoop
    ) async throws -> UInt64 {
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
        return version
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
            let (entry, isLeft) = state.withLock { ($0.entries[id], $0.left.contains(id)) }
            guard entry != nil || isLeft else { continue }
            let keys = entry.map { attached($0.document) } ?? []
            let version = try await remove(id, keys)
            state.withLock { state in
                state.left.remove(id)
                // One that was put after the deletion stays.
                guard let version, let known = state.entries[id], known.version < version else {
                    return
                }
                state.remove(id)
            }
            if version == nil { forgetDeleted(id) } else { removed += 1 }
        }
        return removed
    }

    /// - Returns: the version of the deletion; nil if there was no document.
    private func remove(_ id: ObjectID, _ attached: [[UInt8]]) async throws -> UInt64? {
        var transaction = Transaction()
        transaction.delete(key(id), if: .present)
        for key in attached { transaction.delete(key) }
        do throws(StorageError) {
            return try await store.commit(transaction)
        } catch {
            if case .conflict = error { return nil }
            throw error
        }
    }
}
