import WasmInterpreter
import WasmdDigests
import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP
import WasmdStorage
import WasmdWasmiot

/// Keys of the supervisor's records. Names are hashed: they may be long, and hold anything.
///
/// | key | value |
/// |---|---|
/// | `supervisor/deployment/` H(deployment) | node, digests of binaries and files |
/// | `supervisor/state/` H(deployment) H(module) | the snapshot of an instance |
/// | `supervisor/output/` H(deployment) H(module) H(file) | an output file |
/// | `supervisor/history/` number, 8 bytes | an entry |
/// | `supervisor/count/` H(deployment:module:function) | the number of the last run |
/// | `supervisor/orchestrator` | a URL |
enum RecordKey {
    static let deployments = Array("supervisor/deployment/".utf8)
    static let states = Array("supervisor/state/".utf8)
    static let outputs = Array("supervisor/output/".utf8)
    static let history = Array("supervisor/history/".utf8)
    static let counts = Array("supervisor/count/".utf8)
    static let orchestrator = Array("supervisor/orchestrator".utf8)

    private static func hash(_ name: String) -> [UInt8] { SHA256.hash(Array(name.utf8)).bytes }

    static func deployment(_ id: String) -> [UInt8] { deployments + hash(id) }
    static func states(of deployment: String) -> [UInt8] { states + hash(deployment) }
    static func state(_ module: DeployedModule) -> [UInt8] {
        states(of: module.deployment) + hash(module.name)
    }
    static func outputs(of deployment: String) -> [UInt8] { outputs + hash(deployment) }
    static func output(_ deployment: String, _ module: String, _ file: String) -> [UInt8] {
        outputs(of: deployment) + hash(module) + hash(file)
    }
    static func entry(_ number: UInt64) -> [UInt8] {
        history
            + stride(from: 56, through: 0, by: -8).map {
                UInt8(truncatingIfNeeded: number >> $0)
            }
    }
    static func count(_ key: String) -> [UInt8] { counts + hash(key) }
}

/// Bytes that are a part of a record if they are few, and else a blob that it references.
struct StoredBytes: Sendable {
    /// Bytes up to this number are in the record.
    private static let smallSize = 32 << 10

    let inline: [UInt8]?
    let pin: BlobPin?
    let digest: SHA256.Digest?
    let size: Int

    /// Writes a blob if one is needed: may wait for the disk.
    init(_ bytes: [UInt8], _ store: RecordStore) throws(StorageError) {
        size = bytes.count
        if bytes.count <= Self.smallSize {
            inline = bytes
            pin = nil
            digest = nil
        } else {
            inline = nil
            pin = try store.blobs.put(bytes)
            digest = pin?.digest
        }
    }

    /// The same from a task.
    static func write(
        _ bytes: [UInt8], _ store: RecordStore, on loop: EventLoop
    ) async throws -> StoredBytes {
        if bytes.count <= smallSize { return try StoredBytes(bytes, store) }
        return try await loop.blocking { try StoredBytes(bytes, store) }
    }

    var members: [Document.Member] {
        if let inline { return [.init("bytes", .bytes(inline))] }
        return [
            .init("sha256", .bytes(digest?.bytes ?? [])), .init("size", .integer(Int64(size))),
        ]
    }

    var blobs: [SHA256.Digest] { digest.map { [$0] } ?? [] }

    /// The bytes that a record's document has or references; nil if it has none. May wait for the
    /// disk.
    static func read(
        _ document: Document, _ store: RecordStore
    ) throws(StorageError) -> [UInt8]? {
        if case .bytes(let bytes)? = document["bytes"] { return bytes }
        guard case .bytes(let digest)? = document["sha256"],
            let digest = SHA256.Digest(bytes: digest.span)
        else { return nil }
        return try store.blobs.get(digest)
    }
}

extension BSONOptions {
    /// For records: what came from outside is deeper in them than it was.
    static var records: BSONOptions {
        var options = BSONOptions()
        options.depth = 256
        return options
    }
}

/// Deployments in a data folder.
enum DeploymentRecords {
    /// All that are stored, in the order in which they were made.
    static func load(
        _ store: RecordStore, _ options: Supervisor.Options, _ damage: inout [String]
    ) throws(StorageError) -> [Deployment] {
        let snapshot = store.snapshot()
        var found: [(version: UInt64, deployment: Deployment)] = []
        var total = NodeSize.none
        for key in snapshot.keys(prefix: RecordKey.deployments) {
            do throws(StorageError) {
                guard let record = try snapshot.getBlocking(key.key) else { continue }
                guard let outer = try? BSON.read(record.value, options: .records),
                    let bytes = try StoredBytes.read(outer, store),
                    let document = try? BSON.read(bytes, options: .records),
                    let deployment = deployment(document, options)
                else {
                    damage.append("a deployment cannot be read")
                    continue
                }
                total += deployment.size
                if let reason = total.excess(options) {
                    total -= deployment.size
                    damage.append("the deployment '\(deployment.id)' has no room: \(reason)")
                    continue
                }
                deployment.stored(as: record.version)
                found.append((record.version, deployment))
            } catch {
                switch error {
                case .damaged, .noBlob, .blobDamaged: damage.append("a deployment: \(error)")
                default: throw error
                }
            }
        }
        return found.sorted { $0.version < $1.version }.map(\.deployment)
    }

    /// Stores a deployment in place of an earlier one with the same id, whose states and output files
    /// go. Returns when that is durable.
    static func put(
        _ deployment: Deployment, in store: RecordStore, on loop: EventLoop
    ) async throws {
        let bytes: [UInt8]
        do {
            bytes = try BSON.write(document(deployment))
        } catch {
            // A name with a zero byte, or an integer beyond 64 bits.
            throw SupervisorError.node(DocumentFault("", expected: "what can be stored: \(error)"))
        }
        let contents = try await StoredBytes.write(bytes, store, on: loop)
        var blobs = contents.blobs
        for module in deployment.modules {
            blobs.append(module.digest)
            blobs += module.files.map(\.digest)
        }
        var transaction = Transaction()
        removeParts(deployment, from: &transaction, store)
        var seen: Set<SHA256.Digest> = []
        blobs = blobs.filter { seen.insert($0).inserted }
        transaction.put(
            RecordKey.deployment(deployment.id), try BSON.write(.object(contents.members)),
            blobs: blobs)
        deployment.stored(as: try await store.commit(transaction))
        withExtendedLifetime(contents) {}
    }

    /// The transaction conflicts if another deployment was stored in the place of this one.
    static func remove(
        _ deployment: Deployment, from transaction: inout Transaction,
        _ store: RecordStore
    ) {
        removeParts(deployment, from: &transaction, store)
        transaction.delete(
            RecordKey.deployment(deployment.id), if: .version(deployment.version))
    }

    private static func removeParts(
        _ deployment: Deployment, from transaction: inout Transaction, _ store: RecordStore
    ) {
        let snapshot = store.snapshot()
        let id = deployment.id
        // Also a state that is before this transaction in the log's queue, and in no snapshot yet.
        var states = Set(deployment.modules.map(RecordKey.state))
        for key in snapshot.keys(prefix: RecordKey.states(of: id)) { states.insert(key.key) }
        for key in states { transaction.delete(key) }
        for key in snapshot.keys(prefix: RecordKey.outputs(of: id)) { transaction.delete(key.key) }
    }

    private static func document(_ deployment: Deployment) -> Document {
        .object([
            .init("node", deployment.node.document),
            .init("modules", .array(deployment.modules.map(document))),
        ])
    }

    private static func document(_ module: DeployedModule) -> Document {
        .object([
            .init("name", .string(module.name)), .init("sha256", .bytes(module.digest.bytes)),
            .init(
                "files",
                .array(
                    module.files.map { file in
                        .object([
                            .init("name", .string(file.name)),
                            .init("sha256", .bytes(file.digest.bytes)),
                            .init("size", .integer(Int64(file.size))),
                        ])
                    })),
        ])
    }

    private static func deployment(
        _ document: Document, _ options: Supervisor.Options
    ) -> Deployment? {
        guard let inner = document["node"], let node = try? DeploymentNode(inner),
            let size = try? NodeSize(node)
        else { return nil }
        var modules: [DeployedModule] = []
        for element in document["modules"]?.arrayValue ?? [] {
            guard let name = element["name"]?.stringValue, let digest = digest(element) else {
                return nil
            }
            var files: [StoredFile] = []
            for file in element["files"]?.arrayValue ?? [] {
                guard let name = file["name"]?.stringValue, let digest = Self.digest(file),
                    let size = file["size"]?.integerValue, let size = Int(exactly: size)
                else { return nil }
                files.append(StoredFile(name: name, digest: digest, size: size))
            }
            modules.append(DeployedModule(node, name, digest, files, options))
        }
        return Deployment(node, modules, size)
    }

    private static func digest(_ document: Document) -> SHA256.Digest? {
        guard case .bytes(let bytes)? = document["sha256"] else { return nil }
        return SHA256.Digest(bytes: bytes.span)
    }
}

/// The orchestrator in a data folder.
enum OrchestratorRecord {
    static func load(_ store: RecordStore) throws(StorageError) -> URL? {
        try store.getBlocking(RecordKey.orchestrator).flatMap { URL($0.value) }
    }

    static func store(
        _ url: URL, in store: RecordStore
    ) async throws(StorageError) {
        var transaction = Transaction()
        transaction.put(RecordKey.orchestrator, url.bytes)
        _ = try await store.commit(transaction)
    }
}
