import WasmdDocuments

/// What an image keeps of a blob beside its bytes, which are values of the host of at most
/// `pieceBytes` each.
public struct BlobEntry: Sendable, Equatable {
    /// Names the pieces. Each new content has another one.
    public var id: Int64
    public var byteCount: Int64
    /// The media type; nil for that of the name's ending.
    public var type: String?
    /// Another one for each content.
    public var tag: String
    /// Seconds since 1970.
    public var modified: Int64

    public static let pieceBytes = 256 << 10
    /// Bytes of a blob at most.
    public static let maximumBytes: Int64 = 64 << 30

    init(id: Int64, byteCount: Int64, type: String?, tag: String, modified: Int64) {
        self.id = id
        self.byteCount = byteCount
        self.type = type
        self.tag = tag
        self.modified = modified
    }

    /// Nil for bytes that are no entry.
    public init?(_ bytes: [UInt8]) {
        guard let document = try? BSON.read(bytes), let id = document["id"]?.integerValue,
            let byteCount = document["size"]?.integerValue, 0...Self.maximumBytes ~= byteCount,
            let tag = document["tag"]?.stringValue
        else { return nil }
        self.init(
            id: id, byteCount: byteCount, type: document["type"]?.stringValue, tag: tag,
            modified: document["modified"]?.integerValue ?? 0)
    }

    var bytes: [UInt8] {
        var members: [Document.Member] = [
            .init("id", .integer(id)), .init("size", .integer(byteCount)),
            .init("tag", .string(tag)), .init("modified", .integer(modified)),
        ]
        if let type { members.append(.init("type", .string(type))) }
        return (try? BSON.write(.object(members))) ?? []
    }

    /// How many pieces there are.
    var pieceCount: Int64 {
        (byteCount + Int64(Self.pieceBytes) - 1) / Int64(Self.pieceBytes)
    }

    // MARK: Names of values

    /// What names of the entries of an object begin with. The count separates the path from what
    /// follows.
    static func prefix(_ object: [UInt8]) -> String {
        "blob:\(object.count):\(String(decoding: object, as: UTF8.self)):"
    }

    /// The name of the value that has the entry.
    public static func name(_ object: [UInt8], _ name: String) -> String { prefix(object) + name }

    /// The name of the value that has a piece.
    public static func piece(_ id: Int64, _ index: Int64) -> String { "piece:\(id):\(index)" }

    /// Counts ids.
    static let lastID = "blob-last"
}
