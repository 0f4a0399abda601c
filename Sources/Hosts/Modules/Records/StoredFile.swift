import WasmdDigests
import WasmdDocuments
import WasmdEventLoop
import WasmdStorage
import WasmdWasmiot

/// A file of a module: its binary, or data that a function finds in its folder.
struct StoredFile: Sendable, Equatable {
    /// As the client named it.
    var originalName: String
    var mediaType: String
    var size: Int
    var digest: SHA256.Digest
    /// Whether the bytes are a blob; they are a record of their own otherwise.
    var isBlob: Bool

    /// Files up to this size are records of the log: one sync for them and their document.
    static let smallSize = 32 << 10

    private init(_ file: UploadedFile, _ digest: SHA256.Digest, isBlob: Bool) {
        originalName = file.fileName
        mediaType = file.mediaType
        size = file.size
        self.digest = digest
        self.isBlob = isBlob
    }

    /// What is stored of a file: computes the digest of one in memory.
    ///
    /// - Returns: also the bytes of one that is to be a record, and what keeps one that is a blob.
    static func keep(
        _ file: UploadedFile, _ store: RecordStore, on loop: EventLoop
    ) async throws -> (file: StoredFile, bytes: [UInt8]?, pin: BlobPin?) {
        switch file.content {
        case .memory(let bytes) where bytes.count <= smallSize:
            return (StoredFile(file, SHA256.hash(bytes), isBlob: false), bytes, nil)
        case .memory(let bytes):
            let pin = try await loop.blocking { try store.blobs.put(bytes) }
            return (StoredFile(file, pin.digest, isBlob: true), nil, pin)
        case .blob(let pin, _):
            return (StoredFile(file, pin.digest, isBlob: true), nil, pin)
        }
    }

    /// As clients get it. The path is no path of the server's disk.
    var json: Document {
        .object([
            .init("originalFilename", .string(originalName)),
            .init("fileName", .string(digest.description)),
            .init("path", .string("files/wasm/\(digest)")),
        ])
    }

    /// As it is stored.
    var document: Document {
        .object([
            .init("name", .string(originalName)), .init("type", .string(mediaType)),
            .init("size", .integer(Int64(size))), .init("sha256", .string(digest.description)),
            .init("blob", .boolean(isBlob)),
        ])
    }

    init?(_ document: Document?) {
        guard let document, let name = document["name"]?.stringValue,
            let type = document["type"]?.stringValue,
            let size = document["size"]?.integerValue.flatMap({ Int(exactly: $0) }),
            let digest = document["sha256"]?.stringValue.flatMap({ SHA256.Digest(hex: $0) }),
            case .boolean(let isBlob)? = document["blob"]
        else { return nil }
        originalName = name
        mediaType = type
        self.size = size
        self.digest = digest
        self.isBlob = isBlob
    }

    /// The key of the bytes of a file that is no blob.
    func key(_ module: ObjectID) -> [UInt8] {
        Array("wasmiot/file/".utf8) + module.bytes + digest.bytes
    }

    /// The bytes, on a thread that may wait for the disk.
    func bytesBlocking(_ module: ObjectID, _ store: RecordStore) throws -> [UInt8] {
        if isBlob { return try store.blobs.get(digest) }
        guard let record = try store.getBlocking(key(module)) else {
            throw Failure(.internalServerError, "the stored file is missing", "\(originalName)")
        }
        return record.value
    }
}
