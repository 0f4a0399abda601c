import WasmSystem
import WasmdDigests
import WasmdDocuments
import WasmdImages

/// An instance of `othismo.blobs`: named bytes in the image, which an HTTP server sends as files.
///
/// Messages: `othismo.blobs.put` (`name`, `content`, `type`, `append`), `get` (`name`, `offset`,
/// `count`), `list` (`prefix`, `after`, `limit`), `delete` (`name`), and `othismo.http.request`,
/// which is answered with the blob that the path names.
struct BlobService {
    let path: [UInt8]
    var namespace: Namespace

    /// Bytes that one answer has at most.
    private static let answerBytes: Int64 = 8 << 20
    private static let prefix = "othismo.blobs."
    /// Bytes of a name at most.
    private static let nameBytes = 1024

    mutating func handle(_ envelope: Envelope) throws -> [Document.Member] {
        for member in envelope.payload {
            if member.name == RequestMessage.key { return try answer(member.value) }
            guard member.name.hasPrefix(Self.prefix) else {
                if member.name == "cp" { throw Self.onlyCommandLine }
                continue
            }
            switch member.name.dropFirst(Self.prefix.count) {
            case "put": try put(member.value)
            case "get": return [.init(member.name + ".response", try get(member.value))]
            case "list": return [.init(member.name + ".response", try list(member.value))]
            case "delete": try delete(member.value)
            case "cp": throw Self.onlyCommandLine
            default: continue
            }
            return [.init(member.name + ".response", .object([]))]
        }
        throw MessageError.badRequest(
            "blobs know othismo.blobs.put, get, list and delete, and othismo.http.request")
    }

    private static let onlyCommandLine = MessageError.forbidden(
        "only the command line copies files: wasmd othismo IMAGE send-message PATH cp=FOLDER")

    // MARK: Messages

    private mutating func put(_ fields: Document) throws {
        let name = try name(fields)
        let content: [UInt8]
        switch fields["content"] {
        case .bytes(let bytes): content = bytes
        case .string(let text): content = Array(text.utf8)
        default: throw MessageError.badRequest("the member content must be binary or a string")
        }
        let old = try entry(name)
        let now = Int64(clamping: SystemClock.realtime.now / 1_000_000_000)
        var entry = BlobEntry(
            id: 0, byteCount: 0, type: fields["type"]?.stringValue, tag: "", modified: now)
        var start: [UInt8] = []
        if fields["append"] == true, let old {
            guard old.byteCount + Int64(content.count) <= BlobEntry.maximumBytes else {
                throw MessageError.tooLarge(content.count)
            }
            entry.id = old.id
            entry.byteCount = old.byteCount
            entry.type = entry.type ?? old.type
            // The last piece is filled up.
            let rest = old.byteCount % Int64(BlobEntry.pieceBytes)
            if rest > 0 {
                start = try piece(old, old.pieceCount - 1)
                entry.byteCount -= rest
            }
        } else {
            if let old { try removePieces(old) }
            entry.id = try nextID()
        }
        var index = entry.byteCount / Int64(BlobEntry.pieceBytes)
        var rest = (start + content)[...]
        while !rest.isEmpty {
            namespace.set(
                BlobEntry.piece(entry.id, index), Array(rest.prefix(BlobEntry.pieceBytes)))
            entry.byteCount += Int64(min(rest.count, BlobEntry.pieceBytes))
            rest = rest.dropFirst(BlobEntry.pieceBytes)
            index += 1
        }
        if entry.byteCount == Int64(content.count) {
            entry.tag = Self.tag(of: content)
        } else {
            entry.tag = "\(entry.id)-\(entry.byteCount)"
        }
        namespace.set(BlobEntry.name(path, name), entry.bytes)
    }

    private static func tag(of content: [UInt8]) -> String {
        var hash = SHA256()
        hash.update(content.span)
        return String(hash.finish().description.prefix(32))
    }

    private func get(_ fields: Document) throws -> Document {
        let name = try name(fields)
        guard let entry = try entry(name) else { throw missing(name) }
        let offset = min(max(fields["offset"]?.integerValue ?? 0, 0), entry.byteCount)
        let rest = entry.byteCount - offset
        let count = min(max(fields["count"]?.integerValue ?? rest, 0), rest)
        guard count <= Self.answerBytes else { throw MessageError.tooLarge(Int(clamping: count)) }
        let content = try bytes(entry, offset..<(offset + count))
        return .object([
            .init("name", .string(name)), .init("size", .integer(entry.byteCount)),
            .init("type", .string(BlobAnswer.type(entry, name))),
            .init("content", .bytes(content)),
        ])
    }

    private func list(_ fields: Document) throws -> Document {
        let prefix = BlobEntry.prefix(path)
        let limit = min(max(fields["limit"]?.integerValue ?? 1000, 1), 10_000)
        let names = try namespace.settingNames(
            prefix: prefix + (fields["prefix"]?.stringValue ?? ""),
            after: fields["after"]?.stringValue.map { prefix + $0 },
            limit: Int(clamping: limit))
        let items = try names.compactMap { full -> Document? in
            guard let bytes = try namespace.setting(full), let entry = BlobEntry(bytes) else {
                return nil
            }
            let name = String(decoding: full.utf8.dropFirst(prefix.utf8.count), as: UTF8.self)
            return .object([
                .init("name", .string(name)), .init("size", .integer(entry.byteCount)),
                .init("type", .string(BlobAnswer.type(entry, name))),
            ])
        }
        return .array(items)
    }

    private mutating func delete(_ fields: Document) throws {
        let name = try name(fields)
        guard let entry = try entry(name) else { throw missing(name) }
        try removePieces(entry)
        namespace.set(BlobEntry.name(path, name), nil)
    }

    /// The blob that a request for a page names, as another object may forward it.
    private func answer(_ request: Document) throws -> [Document.Member] {
        let path = request["endpoint"]?.stringValue ?? "/"
        let method = request["method"]?.stringValue ?? "GET"
        guard method == "GET" || method == "HEAD" else {
            return ResponseMessage.payload(405, "only GET and HEAD\n")
        }
        for name in BlobAnswer.names(path) {
            guard let entry = try entry(name) else { continue }
            guard entry.byteCount <= Self.answerBytes else {
                throw MessageError.tooLarge(Int(clamping: entry.byteCount))
            }
            return ResponseMessage.payload(
                200, headers: [("content-type", BlobAnswer.type(entry, name))],
                try bytes(entry, 0..<entry.byteCount))
        }
        return ResponseMessage.payload(404, "there is nothing at this path\n")
    }

    // MARK: Entries and pieces

    private func name(_ fields: Document) throws -> String {
        guard let name = fields["name"]?.stringValue, !name.isEmpty, !name.utf8.contains(0),
            name.utf8.count <= Self.nameBytes
        else {
            throw MessageError.badRequest(
                "the member name must be a text of 1 to \(Self.nameBytes) bytes")
        }
        return name
    }

    private func missing(_ name: String) -> MessageError {
        .noObject(path: path + Array(":\(name)".utf8))
    }

    private func entry(_ name: String) throws -> BlobEntry? {
        try namespace.setting(BlobEntry.name(path, name)).flatMap(BlobEntry.init)
    }

    private func piece(_ entry: BlobEntry, _ index: Int64) throws -> [UInt8] {
        guard let bytes = try namespace.setting(BlobEntry.piece(entry.id, index)) else {
            throw MessageError.refused("a piece of the blob is missing in the image")
        }
        return bytes
    }

    private func bytes(_ entry: BlobEntry, _ range: Range<Int64>) throws -> [UInt8] {
        var bytes: [UInt8] = []
        var offset = range.lowerBound
        let size = Int64(BlobEntry.pieceBytes)
        while offset < range.upperBound {
            let piece = try piece(entry, offset / size)
            let start = Int(offset % size)
            let count = min(piece.count - start, Int(clamping: range.upperBound - offset))
            guard count > 0 else {
                throw MessageError.refused("a piece of the blob is too short in the image")
            }
            bytes += piece[start..<(start + count)]
            offset += Int64(count)
        }
        return bytes
    }

    private mutating func removePieces(_ entry: BlobEntry) throws {
        for index in 0..<entry.pieceCount { namespace.set(BlobEntry.piece(entry.id, index), nil) }
    }

    private mutating func nextID() throws -> Int64 {
        let last = try namespace.setting(BlobEntry.lastID)
        let text = last.map { String(decoding: $0, as: UTF8.self) }
        let id = (text.flatMap { Int64($0) } ?? 0) &+ 1
        namespace.set(BlobEntry.lastID, Array("\(id)".utf8))
        return id
    }
}
