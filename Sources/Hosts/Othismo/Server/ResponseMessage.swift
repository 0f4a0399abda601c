import WasmdDocuments
import WasmdHTTP

/// An answer to a request of HTTP: `othismo.http.request.response`.
struct ResponseMessage: Sendable {
    static let key = "othismo.http.request.response"

    let head: ResponseHead
    let body: [UInt8]
    /// Whether more pieces of the body follow.
    let hasMore: Bool

    /// Why an answer cannot be sent.
    enum Fault: Error, Sendable, Equatable, CustomStringConvertible {
        /// It is no `othismo.http.request.response`.
        case missing
        case status
        case headers(String)
        case body

        var description: String {
            switch self {
            case .missing: "the answer has no document '\(ResponseMessage.key)'"
            case .status: "'status' must be an integer from 200 to 999"
            case .headers(let name):
                "'headers' must be an object of texts or arrays of texts, with names that HTTP "
                    + "allows: \(name)"
            case .body: "'body' must be binary or a string"
            }
        }
    }

    /// Fields that belong to the connection, which the server writes itself.
    private static let ownFields: Set<String> = [
        "connection", "content-length", "date", "keep-alive", "proxy-connection", "te", "trailer",
        "transfer-encoding", "upgrade",
    ]

    /// Reads the answer to a request.
    init(_ envelope: Envelope) throws(Fault) {
        let fields = try Self.fields(envelope)
        guard let code = fields["status"]?.integerValue, 200...999 ~= code,
            let status = Status(Int(code))
        else { throw .status }
        var head = ResponseHead(status)
        let (body, type) = try Self.body(fields)
        try Self.read(fields["headers"], into: &head.fields)
        if !body.isEmpty, !head.fields.contains("content-type") {
            try? head.fields.append("Content-Type", type)
        }
        self.head = head
        self.body = body
        hasMore = fields["more"] == true
    }

    /// Reads a later piece of a body.
    static func piece(_ envelope: Envelope) throws(Fault) -> (body: [UInt8], hasMore: Bool) {
        let fields = try fields(envelope)
        return (try body(fields).bytes, fields["more"] == true)
    }

    private static func fields(_ envelope: Envelope) throws(Fault) -> Document {
        guard let member = envelope.payload.last(where: { $0.name.utf8.elementsEqual(key.utf8) }),
            member.value.objectValue != nil
        else { throw .missing }
        return member.value
    }

    private static func body(_ fields: Document) throws(Fault) -> (bytes: [UInt8], type: String) {
        switch fields["body"] {
        case nil, .null?: ([], "")
        case .bytes(let bytes)?: (bytes, "application/octet-stream")
        case .string(let text)?: (Array(text.utf8), "text/plain; charset=utf-8")
        default: throw .body
        }
    }

    private static func read(
        _ headers: Document?, into fields: inout Fields
    ) throws(Fault) {
        guard let headers, headers != .null else { return }
        guard let members = headers.objectValue else { throw .headers("") }
        for member in members {
            if ownFields.contains(member.name.lowercased()) { continue }
            let values: [Document] = member.value.arrayValue ?? [member.value]
            for value in values {
                let text: String
                switch value {
                case .string(let string): text = string
                case .integer, .integer32: text = "\(value.integerValue ?? 0)"
                default: throw .headers(member.name)
                }
                do throws(WritingFault) {
                    try fields.append(name: Array(member.name.utf8), value: Array(text.utf8))
                } catch {
                    throw .headers(member.name)
                }
            }
        }
    }

    // MARK: Answers of the host's own objects

    static func payload(_ status: Int, _ text: String) -> [Document.Member] {
        [
            .init(
                key,
                .object([
                    .init("status", .integer32(Int32(clamping: status))),
                    .init("headers", .object([])), .init("body", .string(text)),
                ]))
        ]
    }

    static func payload(
        _ status: Int, headers: [(String, String)], _ body: [UInt8]
    ) -> [Document.Member] {
        [
            .init(
                key,
                .object([
                    .init("status", .integer32(Int32(clamping: status))),
                    .init("headers", .object(headers.map { .init($0.0, .string($0.1)) })),
                    .init("body", .bytes(body)),
                ]))
        ]
    }
}
