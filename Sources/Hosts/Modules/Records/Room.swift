import WasmdDocuments

/// What the documents of a collection may take in memory. Each kind has its own: whoever sends too
/// many of one takes no room of the others.
struct Room: Sendable {
    /// Bytes of all documents.
    var bytes: Int
    /// Documents.
    var count = Int.max
    /// Whether the oldest documents go for new ones; new ones are refused otherwise.
    var evicts = false

    init(bytes: Int) { self.bytes = max(bytes, 1) }

    /// The last documents of a kind.
    init(ofLast count: Int, bytes: Int) {
        self.init(bytes: bytes)
        self.count = max(count, 1)
        evicts = true
    }

    /// Bytes with what changes of documents may take beyond: the server notes what has happened to a
    /// deployment, also if clients have filled the room.
    var bytesOfChanges: Int { bytes > Int.max / 2 ? Int.max : bytes + bytes / 4 }

    /// Why a document is not taken.
    func refusal(of size: Int, _ name: String) -> Failure {
        if size > bytes {
            return Failure(
                .contentTooLarge, "the document is too large",
                "documents of '\(name)' take at most \(bytes) bytes in memory, this one \(size)")
        }
        return evicts
            ? Failure(
                .serviceUnavailable, "the server is busy",
                "more than \(bytes) bytes of '\(name)' are being written")
            : Failure(
                .insufficientStorage, "the store is full",
                "documents of '\(name)' take at most \(bytes) bytes in memory: delete some")
    }
}

extension Document {
    /// About the bytes that it takes in memory beside its own place, as if nothing of it were shared.
    /// Takes time in proportion to its values.
    var heapSize: Int {
        switch self {
        case .null, .boolean, .integer, .integer32, .unsigned, .double, .dateTime: 0
        case .string(let text): Self.heapSize(of: text)
        case .bytes(let bytes): Self.block(bytes.count)
        case .foreign(let value): Self.block(value.payload.count)
        case .array(let elements):
            elements.reduce(Self.block(elements.count * MemoryLayout<Document>.stride)) {
                $0 + $1.heapSize
            }
        case .object(let members):
            members.reduce(Self.block(members.count * MemoryLayout<Document.Member>.stride)) {
                $0 + Self.heapSize(of: $1.name) + $1.value.heapSize
            }
        }
    }

    /// Strings of up to 15 bytes have no memory of their own.
    private static func heapSize(of text: String) -> Int {
        let count = text.utf8.count
        return count <= 15 ? 0 : block(count)
    }

    /// An allocation with what Swift and the allocator add.
    private static func block(_ size: Int) -> Int { size == 0 ? 0 : size + 48 }
}
