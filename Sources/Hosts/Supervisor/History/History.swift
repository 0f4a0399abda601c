import Synchronization
import WasmInterpreter
import WasmdDigests
import WasmdDocuments
import WasmdEventLoop
import WasmdStorage

/// The runs that have ended, the last ones, and the newest output files: in memory, and durable.
public final class History: Sendable {
    private struct State: Sendable {
        var entries: [Name: RunEntry] = [:]
        /// In the order in which they ended.
        var order: [(number: UInt64, id: Name)] = []
        /// Entries at the start of `order` that were dropped.
        var dropped = 0
        var byteCount = 0
        var next: UInt64 = 1
        /// The number of the last run by `DEPLOYMENT:MODULE:FUNCTION`.
        var counts: [Name: UInt64] = [:]
        /// The same for functions that no deployment has; forgotten when there are too many.
        var strangers: [Name: UInt64] = [:]
        var outputs: [OutputFile.Key: OutputFile] = [:]
    }

    /// Bytes of a record that are not in a blob.
    private static let entryLimit = 48 << 10
    private static let strangerLimit = 10_000
    /// Bytes of the entries in memory.
    private static let byteLimit = 64 << 20

    private let store: RecordStore
    private let limit: Int
    private let state: Mutex<State>

    init(
        _ store: RecordStore, limit: Int, _ damage: inout [String]
    ) throws(StorageError) {
        self.store = store
        self.limit = max(limit, 1000)
        var state = State()
        let snapshot = store.snapshot()
        for key in snapshot.keys(prefix: RecordKey.history) {
            let number = key.key.suffix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            state.next = max(state.next, number &+ 1)
            guard let record = try Self.document(key.key, snapshot, &damage, store),
                let entry = RunEntry(record)
            else { continue }
            Self.insert(entry, number, in: &state)
            // Runs of functions without a stored count go on after the last one that is kept.
            if let (name, count) = Self.parts(entry.id) {
                state.strangers[name] = max(state.strangers[name] ?? 0, count)
            }
        }
        for key in snapshot.keys(prefix: RecordKey.counts) {
            guard let record = try Self.document(key.key, snapshot, &damage),
                let name = record["name"]?.stringValue, let count = record["count"]?.integerValue
            else { continue }
            state.counts[Name(name)] = UInt64(clamping: count)
        }
        for key in snapshot.keys(prefix: RecordKey.outputs) {
            guard let record = try Self.document(key.key, snapshot, &damage),
                let output = OutputFile(record)
            else { continue }
            state.outputs[output.key] = output
        }
        self.state = Mutex(state)
    }

    private static func document(
        _ key: [UInt8], _ snapshot: RecordSnapshot, _ damage: inout [String],
        _ store: RecordStore? = nil
    ) throws(StorageError) -> Document? {
        do throws(StorageError) {
            guard let record = try snapshot.getBlocking(key) else { return nil }
            if let document = try? BSON.read(record.value, options: .records) {
                guard document["large"] == true, let store else { return document }
                if let bytes = try StoredBytes.read(document, store),
                    let document = try? BSON.read(bytes, options: .records)
                {
                    return document
                }
            }
            damage.append("a record of the history cannot be read")
        } catch {
            switch error {
            case .damaged, .noBlob, .blobDamaged:
                damage.append("a record of the history: \(error)")
            default: throw error
            }
        }
        return nil
    }

    /// Name and number of an id.
    private static func parts(_ id: String) -> (Name, UInt64)? {
        let bytes = Array(id.utf8)
        guard let colon = bytes.lastIndex(of: UInt8(ascii: ":")),
            let count = UInt64(String(decoding: bytes[(colon + 1)...], as: UTF8.self))
        else { return nil }
        return (Name(utf8: Array(bytes[..<colon])), count)
    }

    private static func insert(_ entry: RunEntry, _ number: UInt64, in state: inout State) {
        state.entries[Name(entry.id)] = entry
        state.order.append((number, Name(entry.id)))
        state.byteCount += entry.byteCount
    }

    // MARK: Reading

    /// The entry with an id, if it has ended and is kept.
    public subscript(id: String) -> RunEntry? { state.withLock { $0.entries[Name(id)] } }

    /// All entries, the oldest first. Linear.
    public var all: [RunEntry] {
        state.withLock { state in
            state.order.dropFirst(state.dropped).compactMap { state.entries[$0.id] }
        }
    }

    public var count: Int { state.withLock { $0.entries.count } }

    // MARK: Beginning and ending

    /// The id of a new run.
    ///
    /// - Parameter isKnown: whether the deployment has the function: then numbers never repeat.
    func begin(
        _ deployment: String, _ module: String, _ function: String, isKnown: Bool
    ) -> String {
        let prefix = "\(deployment):\(module):\(function)"
        let name = Name(prefix)
        return state.withLock { state in
            if isKnown {
                let number = max(state.counts[name] ?? 0, state.strangers[name] ?? 0) &+ 1
                state.counts[name] = number
                return "\(prefix):\(number)"
            }
            if state.strangers.count >= Self.strangerLimit { state.strangers = [:] }
            var number = (state.strangers[name] ?? state.counts[name] ?? 0) &+ 1
            while state.entries[Name("\(prefix):\(number)")] != nil { number &+= 1 }
            state.strangers[name] = number
            return "\(prefix):\(number)"
        }
    }

    /// Adds a run that has ended, with its output files and what else becomes durable with it.
    /// Returns when all is durable, and only then others see it.
    ///
    /// - Parameter changes: adds what else becomes durable with it, when nothing comes between that and
    ///   the place of the transaction in the log.
    /// - Throws: `StorageError`.
    func end(
        _ entry: RunEntry, isKnown: Bool, outputs: [(file: OutputFile, bytes: StoredBytes)],
        on loop: EventLoop, with changes: (inout Transaction) throws -> Void = { _ in }
    ) async throws {
        var transaction = Transaction()
        var bytes = try BSON.write(entry.stored)
        var large: StoredBytes?
        if bytes.count > Self.entryLimit {
            // A text or the arguments are long: the record refers to a blob.
            let stored = try await StoredBytes.write(bytes, store, on: loop)
            bytes = try BSON.write(
                .object(stored.members + [.init("large", true)]))
            large = stored
        }
        let (number, old) = state.withLock { state -> (UInt64, [UInt64]) in
            defer { state.next &+= 1 }
            return (state.next, Self.drop(&state, limit: limit - 1))
        }
        for number in old { transaction.delete(RecordKey.entry(number)) }
        transaction.put(RecordKey.entry(number), bytes, blobs: large?.blobs ?? [])
        if isKnown, let (name, count) = Self.parts(entry.id) {
            transaction.put(
                RecordKey.count(name.description),
                try BSON.write(
                    .object([
                        .init("name", .string(name.description)),
                        .init("count", .integer(Int64(clamping: count))),
                    ])))
        }
        for (file, bytes) in outputs {
            transaction.put(
                RecordKey.output(file.key.deployment, file.key.module, file.key.file),
                try BSON.write(.object(file.members + bytes.members)), blobs: bytes.blobs)
        }
        try changes(&transaction)
        _ = try await store.commit(transaction)
        state.withLock { state in
            Self.insert(entry, number, in: &state)
            for (file, _) in outputs { state.outputs[file.key] = file }
        }
        withExtendedLifetime((outputs, large)) {}
    }

    /// Forgets the oldest entries until there are at most `limit`; returns their numbers.
    private static func drop(_ state: inout State, limit: Int) -> [UInt64] {
        var numbers: [UInt64] = []
        while state.order.count - state.dropped > limit
            || (state.byteCount > byteLimit && state.order.count - state.dropped > 1000)
        {
            let (number, id) = state.order[state.dropped]
            state.dropped += 1
            numbers.append(number)
            if let entry = state.entries.removeValue(forKey: id) {
                state.byteCount -= entry.byteCount
            }
        }
        if state.dropped > 1000, state.dropped * 2 > state.order.count {
            state.order.removeFirst(state.dropped)
            state.dropped = 0
        }
        return numbers
    }

    // MARK: Output files

    /// The output file of a module: of a deployment, or the newest of those that have one.
    func output(_ deployment: String?, _ module: String, _ file: String) -> OutputFile? {
        state.withLock { state in
            if let deployment {
                return state.outputs[OutputFile.Key(deployment, module, file)]
            }
            return state.outputs.values.filter { output in
                output.key.module.utf8.elementsEqual(module.utf8)
                    && output.key.file.utf8.elementsEqual(file.utf8)
            }.max { $0.written < $1.written }
        }
    }

    /// The stored bytes of an output file; nil if it is gone meanwhile.
    func bytes(_ output: OutputFile, on loop: EventLoop) async throws -> [UInt8]? {
        let key = RecordKey.output(output.key.deployment, output.key.module, output.key.file)
        guard let record = try await store.get(key, on: loop),
            let document = try? BSON.read(record.value, options: .records)
        else { return nil }
        if case .bytes(let bytes)? = document["bytes"] { return bytes }
        let store = store
        return try await loop.blocking { try StoredBytes.read(document, store) }
    }

    /// Forgets output files of a deployment that was replaced or removed.
    func forgetOutputs(of deployment: String) {
        state.withLock { state in
            state.outputs = state.outputs.filter {
                !$0.key.deployment.utf8.elementsEqual(deployment.utf8)
            }
        }
    }
}

/// A file that a run has written.
struct OutputFile: Sendable {
    /// Compared by bytes.
    struct Key: Hashable, Sendable {
        let deployment: String
        let module: String
        let file: String
        private let name: Name

        init(_ deployment: String, _ module: String, _ file: String) {
            self.deployment = deployment
            self.module = module
            self.file = file
            // None of the three holds a slash.
            name = Name("\(deployment)/\(module)/\(file)")
        }

        static func == (one: Key, other: Key) -> Bool { one.name == other.name }
        func hash(into hasher: inout Hasher) { hasher.combine(name) }
    }

    let key: Key
    let mediaType: String
    let size: Int
    let digest: SHA256.Digest
    /// Nanoseconds since 1970.
    let written: UInt64

    init(_ key: Key, mediaType: String, size: Int, digest: SHA256.Digest, written: UInt64) {
        self.key = key
        self.mediaType = mediaType
        self.size = size
        self.digest = digest
        self.written = written
    }

    /// What is stored beside the bytes.
    var members: [Document.Member] {
        [
            .init("deployment", .string(key.deployment)), .init("module", .string(key.module)),
            .init("file", .string(key.file)), .init("type", .string(mediaType)),
            .init("digest", .bytes(digest.bytes)), .init("length", .integer(Int64(size))),
            .init("written", .integer(Int64(clamping: written))),
        ]
    }

    init?(_ document: Document) {
        guard let deployment = document["deployment"]?.stringValue,
            let module = document["module"]?.stringValue, let file = document["file"]?.stringValue,
            let mediaType = document["type"]?.stringValue,
            case .bytes(let digest)? = document["digest"],
            let digest = SHA256.Digest(bytes: digest.span),
            let size = document["length"]?.integerValue, let size = Int(exactly: size),
            let written = document["written"]?.integerValue
        else { return nil }
        self.init(
            Key(deployment, module, file), mediaType: mediaType, size: size, digest: digest,
            written: UInt64(clamping: written))
    }
}
