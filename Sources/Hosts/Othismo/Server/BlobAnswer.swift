import WasmSystem
import WasmdEventLoop
import WasmdHTTP
import WasmdHTTPServer
import WasmdImages

/// Sends a blob of an image as a file: conditions, ranges, HEAD.
///
/// Pieces are read while the client takes them. If the blob is replaced meanwhile, the connection
/// ends before the response does.
struct BlobAnswer: Sendable {
    let image: Image
    let entry: BlobEntry
    let name: String

    /// The names that a path may mean, in the order in which they are looked for.
    static func names(_ endpoint: String) -> [String] {
        let bare = String(endpoint.drop { $0 == "/" })
        if bare.isEmpty { return ["index.html"] }
        return bare.hasSuffix("/") ? [bare + "index.html"] : [bare]
    }

    static func type(_ entry: BlobEntry, _ name: String) -> String {
        entry.type ?? "\(ContentTypes.type(ofFile: name.utf8))"
    }

    /// What a path means in an object of blobs; waits for the disk.
    enum Found: Sendable {
        case blob(BlobAnswer)
        /// There is a page with a slash after the path.
        case folder
        case nothing
    }

    static func find(
        _ endpoint: String, in object: [UInt8], _ image: Image
    ) throws(ImageError) -> Found {
        try image.read { (view) throws(ImageError) in
            for name in names(endpoint) {
                if let bytes = try view.setting(BlobEntry.name(object, name)),
                    let entry = BlobEntry(bytes)
                {
                    return .blob(BlobAnswer(image: image, entry: entry, name: name))
                }
            }
            guard !endpoint.hasSuffix("/"), let name = names(endpoint + "/").first,
                try view.setting(BlobEntry.name(object, name)) != nil
            else { return .nothing }
            return .folder
        }
    }

    func send(_ request: ServerRequest, _ response: ServerResponse) async throws {
        let now = HTTPDate(seconds: Int64(clamping: SystemClock.realtime.now / 1_000_000_000))
        let facts = FileFacts(
            size: UInt64(clamping: entry.byteCount), modified: HTTPDate(seconds: entry.modified),
            tag: EntityTag(Array(entry.tag.utf8)))
        let answer = FileAnswer(request.head, facts, now: now)
        let boundary = (0..<2).map { _ in String(UInt64.random(in: 0 ... .max), radix: 16) }
        let (head, parts) = try answer.response(
            facts, type: Array(Self.type(entry, name).utf8),
            boundary: Array(boundary.joined().utf8))
        if answer.status.hasNoBody || parts.isEmpty { return try await response.respond(head) }
        try response.begin(head, length: .bytes(parts.byteCount))
        if request.method != .head {
            for part in parts {
                switch part {
                case .bytes(let bytes): try await response.write(bytes)
                case .file(let range): try await send(range, request.loop, response)
                }
            }
        }
        try await response.end()
    }

    private func send(
        _ range: Range<UInt64>, _ loop: EventLoop, _ response: ServerResponse
    ) async throws {
        let size = UInt64(BlobEntry.pieceBytes)
        var offset = range.lowerBound
        let (image, entry) = (image, entry)
        while offset < range.upperBound {
            let name = BlobEntry.piece(entry.id, Int64(offset / size))
            let piece = try await loop.blocking {
                try image.read { (view) throws(ImageError) in try view.setting(name) }
            }
            let start = Int(offset % size)
            guard let piece, piece.count > start else { throw HTTPServerError.disconnected }
            let end = min(piece.count, start + Int(clamping: range.upperBound - offset))
            try await response.write(Array(piece[start..<end]))
            offset += UInt64(end - start)
        }
    }
}
