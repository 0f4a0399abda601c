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
        /// Of the last run by `DEPLOYMENT:MODULE:FUNCTION`: as long as the deployment is there, or the
        /// entry of that run.
        var counts: [Name: Count] = [:]
        /// The deployments that are there.
        var deployments: Set<Name> = []
        /// The same for functions that no deployment has; forgotten when there are too many.
        var strangers: [Name: UInt64] = [:]
        var outputs: [OutputFile.Key: OutputFile] = [:]
    }

    private struct Count: Sendable {
        var number: UInt64
        /// Nil if the record does not say it.
        var deployment: Name?
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
            state.counts[Name(name)] = Count(
                number: UInt64(clamping: count),
                deployment: record["deployment"]?.stringValue.map { Name($0) })
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
    private static func parts(_ id: String) -> (Name, UInt64)? { parts(Array(id.utf8)) }

    private static func parts(_ bytes: [UInt8]) -> (Name, UInt64)? {
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
    /// - Parameter isKnown: whether the deployment has the function, if that is clear before the run.
    ///   Numbers of its runs do not repeat as long as the deployment is there.
    func begin(
        _ deployment: String, _ module: String, _ function: String, isKnown: Bool
    ) -> String {
        let prefix = "\(deployment):\(module):\(function)"
        let name = Name(prefix)
        return state.withLock { state in
            if let known = state.counts[name], known.deployment != nil {
                let number = max(known.number, state.strangers[name] ?? 0) &+ 1
                state.counts[name]?.number = number
                return "\(prefix):\(number)"
            }
            let last = max(state.counts[name]?.number ?? 0, state.strangers[name] ?? 0)
            var number = last &+ 1
            // Of a deployment that was removed, or when strangers were forgotten.
            while state.entries[Name("\(prefix):\(number)")] != nil { number &+= 1 }
            if isKnown || state.counts[name] != nil {
                state.counts[name] = Count(number: number, deployment: Name(deployment))
                return "\(prefix):\(number)"
            }
            if state.strangers.count >= Self.strangerLimit { state.strangers = [:] }
            state.strangers[name] = number
            return "\(prefix):\(number)"
        }
    }

    /// Adds a run that has ended, with its output files and what else becomes durable with it.
    /// Returns when all is durable, and only then others see it.
    ///
    /// - Parameter isKnown: whether the deployment or its module has the function.
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
        let own = Self.parts(entry.id)
        let (number, old, last) = state.withLock { state -> (UInt64, Dropped, UInt64?) in
            defer { state.next &+= 1 }
            let old = Self.drop(&state, limit: limit - 1)
            guard let (name, count) = own else { return (state.next, old, nil) }
            let known = state.counts[name]?.number
            guard isKnown || known != nil else { return (state.next, old, nil) }
            // That of the newest run, whichever ends first.
            return (state.next, old, max(known ?? state.strangers[name] ?? 0, count))
        }
        for number in old.numbers { transaction.delete(RecordKey.entry(number)) }
        for name in old.counts { transaction.delete(RecordKey.count(name.description)) }
        transaction.put(RecordKey.entry(number), bytes, blobs: large?.blobs ?? [])
        if let (name, _) = own, let last {
            transaction.put(
                RecordKey.count(name.description),
                try BSON.write(
                    .object([
                        .init("name", .string(name.description)),
                        .init("count", .integer(Int64(clamping: last))),
                        .init("deployment", .string(entry.deployment)),
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
            if let (name, _) = own, let last, state.counts[name]?.deployment == nil {
                // Others may have begun before it was known.
                let begun = max(state.counts[name]?.number ?? 0, state.strangers[name] ?? 0)
                state.counts[name] = Count(
                    number: max(begun, last), deployment: Name(entry.deployment))
                state.strangers[name] = nil
            }
            for (file, _) in outputs { state.outputs[file.key] = file }
        }
        withExtendedLifetime((outputs, large)) {}
    }

    /// What was forgotten: numbers of entries, and names of functions that no deployment has.
    private struct Dropped: Sendable {
        var numbers: [UInt64] = []
        var counts: [Name] = []
    }

    /// Forgets the oldest entries until there are at most `limit`.
    private static func drop(_ state: inout State, limit: Int) -> Dropped {
        var dropped = Dropped()
        while state.order.count - state.dropped > limit
            || (state.byteCount > byteLimit && state.order.count - state.dropped > 1000)
        {
            let (number, id) = state.order[state.dropped]
            state.dropped += 1
            dropped.numbers.append(number)
            guard let entry = state.entries.removeValue(forKey: id) else { continue }
            state.byteCount -= entry.byteCount
            // The last run of a function whose deployment was removed: nothing counts it any more.
            if !state.deployments.contains(Name(entry.deployment)),
                let (name, count) = parts(id.utf8), state.counts[name]?.number == count
            {
                state.counts[name] = nil
                dropped.counts.append(name)
            }
        }
        if state.dropped > 1000, state.dropped * 2 > state.order.count {
            state.order.removeFirst(state.dropped)
            state.dropped = 0
        }
        return dropped
    }

    // MARK: Deployments

    /// A deployment is there: the counts of its functions are kept.
    func keepCounts(of deployment: String) {
        state.withLock { _ = $0.deployments.insert(Name(deployment)) }
    }

    /// The functions of a deployment whose counts go with it: those of others go with the entry of
    /// their last run. Linear.
    func countsWithoutEntries(of deployment: String) -> [Name] {
        let deployment = Name(deployment)
        return state.withLock { state in
            var names: [Name] = []
            for (name, count) in state.counts where count.deployment == deployment {
                guard state.entries[Name("\(name):\(count.number)")] == nil else { continue }
                names.append(name)
            }
            return names
        }
    }

    /// A deployment was removed, with these counts.
    func forgetCounts(_ names: [Name], of deployment: String) {
        state.withLock { state in
            state.deployments.remove(Name(deployment))
            for name in names {
                // A run may have ended meanwhile.
                guard let count = state.counts[name],
                    state.entries[Name("\(name):\(count.number)")] == nil
                else { continue }
                state.counts[name] = nil
            }
        }
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
