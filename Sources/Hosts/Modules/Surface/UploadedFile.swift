import WasmdEventLoop
import WasmdStorage

/// A file of a form.
struct UploadedFile: Sendable {
    enum Content: Sendable {
        case memory([UInt8])
        /// Written to the store while it arrived.
        case blob(BlobPin, size: Int)
    }

    /// The name of the form's field.
    var field: String
    /// As the client named it.
    var fileName: String
    /// In small letters, without parameters.
    var mediaType: String
    var content: Content
    /// The first four.
    var beginning: [UInt8]

    init(field: String, fileName: String, mediaType: String, bytes: [UInt8]) {
        self.init(
            field: field, fileName: fileName, mediaType: mediaType, content: .memory(bytes),
            beginning: Array(bytes.prefix(4)))
    }

    init(
        field: String, fileName: String, mediaType: String, content: Content, beginning: [UInt8]
    ) {
        self.field = field
        self.fileName = fileName
        self.mediaType = mediaType
        self.content = content
        self.beginning = beginning
    }

    var size: Int {
        switch content {
        case .memory(let bytes): bytes.count
        case .blob(_, let size): size
        }
    }

    /// By its media type, its name or its first bytes.
    var isWasm: Bool {
        mediaType == "application/wasm" || fileName.utf8.suffix(5).elementsEqual(".wasm".utf8)
            || beginning.elementsEqual([0, 0x61, 0x73, 0x6d])
    }

    /// All bytes.
    ///
    /// - Throws: `Failure` if they are more than `limit`; `StorageError`.
    func bytes(
        _ store: RecordStore, limit: Int, what: String, on loop: EventLoop
    ) async throws -> [UInt8] {
        guard size <= limit else {
            throw Failure(
                .contentTooLarge, "\(what) is too large", "it may have \(limit) bytes")
        }
        switch content {
        case .memory(let bytes): return bytes
        case .blob(let pin, _):
            return try await loop.blocking { try store.blobs.get(pin.digest, verifies: false) }
        }
    }
}

/// Takes the bytes of a file as they arrive: small files stay in memory, others are written to the
/// store. One that is dropped before its end leaves nothing.
struct FileCollector {
    private let store: RecordStore
    private var waiting: [UInt8] = []
    private var writer: BlobWriter?
    private(set) var beginning: [UInt8] = []
    private var size = 0

    /// Bytes of one write.
    private static let pieceSize = 256 << 10

    init(_ store: RecordStore) { self.store = store }

    mutating func add(_ bytes: [UInt8], on loop: EventLoop) async throws {
        if beginning.count < 4 { beginning += bytes.prefix(4 - beginning.count) }
        waiting += bytes
        size += bytes.count
        let limit = writer == nil ? StoredFile.smallSize : Self.pieceSize
        if waiting.count > limit { try await write(on: loop) }
    }

    private mutating func write(on loop: EventLoop) async throws {
        let bytes = waiting
        waiting = []
        let (store, known) = (store, writer)
        writer = try await loop.blocking {
            let writer = try known ?? store.blobs.write()
            try writer.append(bytes)
            return writer
        }
    }

    mutating func finish(on loop: EventLoop) async throws -> UploadedFile.Content {
        guard writer != nil else { return .memory(waiting) }
        if !waiting.isEmpty { try await write(on: loop) }
        guard let writer else { return .memory(waiting) }
        return .blob(try await loop.blocking { try writer.finish() }, size: size)
    }
}
