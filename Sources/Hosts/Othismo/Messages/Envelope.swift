import WasmdDocuments

/// A message: a document with its routing under the key `othismo`.
///
/// Two other forms are read, and written in this one: routing as top-level keys
/// (`othismo.send_to`), and the short form, a document with the single key `/object/path/type`,
/// which is a message `type` to `/object/path`. It is split at the last `/`, since names of objects
/// may have dots.
public struct Envelope: Sendable {
    public var sendTo: [UInt8]?
    public var replyTo: [UInt8]?
    /// As the sender wrote it, to be returned as it is.
    public var requestID: Document?
    public var responseID: Document?
    /// All members but the routing.
    public var payload: [Document.Member]
    /// Members of the routing that are not known.
    private var otherRouting: [Document.Member] = []

    private static let prefix = "othismo."
    private static let routingNames = ["send_to", "reply_to", "request_id", "response_id"]
    /// As deep and large as messages may be.
    public static let maximumBytes = 16 << 20

    public init(sendTo: [UInt8]?, payload: [Document.Member] = []) {
        self.sendTo = sendTo
        self.payload = payload
    }

    /// Reads a BSON document.
    public init(_ bytes: [UInt8]) throws(BSONError) {
        var options = BSONOptions()
        options.bytes = Self.maximumBytes
        options.keepsDuplicates = true
        self.init(try BSON.read(bytes, options: options))
    }

    public init(_ document: Document) {
        payload = []
        let members = document.objectValue ?? []
        var hasRouting = false
        for member in members {
            if member.name == "othismo", case .object(let routing) = member.value {
                hasRouting = true
                for part in routing { take(part) }
            } else if let name = Self.flatName(member.name) {
                hasRouting = true
                take(Document.Member(name, member.value))
            } else {
                payload.append(member)
            }
        }
        guard !hasRouting, payload.count == 1, let only = payload.first,
            only.name.utf8.first == UInt8(ascii: "/")
        else { return }
        let name = Array(only.name.utf8)
        guard let slash = name.lastIndex(of: UInt8(ascii: "/")), slash + 1 < name.count else {
            return
        }
        sendTo = slash == 0 ? [UInt8(ascii: "/")] : Array(name[..<slash])
        payload = [
            Document.Member(String(decoding: name[(slash + 1)...], as: UTF8.self), only.value)
        ]
    }

    /// `send_to` for `othismo.send_to`.
    private static func flatName(_ name: String) -> String? {
        guard name.utf8.starts(with: prefix.utf8) else { return nil }
        let rest = String(decoding: name.utf8.dropFirst(prefix.utf8.count), as: UTF8.self)
        return routingNames.contains(rest) ? rest : nil
    }

    private mutating func take(_ member: Document.Member) {
        switch (member.name, member.value) {
        case ("send_to", .string(let path)): sendTo = Array(path.utf8)
        case ("reply_to", .string(let path)): replyTo = Array(path.utf8)
        case ("request_id", let value): requestID = value
        case ("response_id", let value): responseID = value
        default: otherRouting.append(member)
        }
    }

    /// The whole message.
    public var document: Document {
        var routing: [Document.Member] = []
        func add(_ name: String, _ path: [UInt8]?) {
            guard let path else { return }
            routing.append(
                Document.Member(name, .string(String(decoding: path, as: UTF8.self))))
        }
        add("send_to", sendTo)
        add("reply_to", replyTo)
        if let requestID { routing.append(Document.Member("request_id", requestID)) }
        if let responseID { routing.append(Document.Member("response_id", responseID)) }
        return .object([Document.Member("othismo", .object(routing + otherRouting))] + payload)
    }

    public func encoded() throws(BSONError) -> [UInt8] { try BSON.write(document) }

    /// Whether this is a report of an error, which causes no other one.
    var isError: Bool { payload.contains { $0.name == MessageError.key } }

    /// A message to whoever asked, with these members; nil if nobody waits for one.
    func reply(_ payload: [Document.Member]) -> Envelope? {
        guard let replyTo else { return nil }
        var reply = Envelope(sendTo: replyTo, payload: payload)
        reply.responseID = requestID
        return reply
    }
}

/// Whether two identifiers of requests are the same number, of whatever width.
func isSameIdentifier(_ left: Document?, _ right: Document?) -> Bool {
    guard let left, let right else { return false }
    if let left = left.integerValue, let right = right.integerValue { return left == right }
    if let left = left.doubleValue, let right = right.doubleValue { return left == right }
    return left == right
}
