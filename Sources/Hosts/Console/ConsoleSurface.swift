import WasmdEventLoop
import WasmdHTTP
import WasmdHTTPServer
import WasmdOperation

/// `/console`: a page over the interfaces that `/openapi.json` describes. It can do nothing that they
/// cannot, and needs no token itself: what it asks for does.
public final class ConsoleSurface: Surface {
    public let name: StaticString = "console"
    private let files: [[UInt8]: FileResponse]
    private let pagePurpose = Purpose("console", "/console", needs: nil, tenants: .admitted)
    private let filePurpose = Purpose("console", "/console/{file}", needs: nil, tenants: .admitted)
    private static let root = Array("/console".utf8)
    private static let page = Array("index.html".utf8)

    public init() throws(WritingFault) {
        var files: [[UInt8]: FileResponse] = [:]
        for file in ConsoleFile.all {
            files[Array("\(file.name)".utf8)] = try FileResponse(file)
        }
        self.files = files
    }

    public func purpose(of head: RequestHead) -> Purpose? {
        let path = head.target.path
        guard path.starts(with: Self.root) else { return nil }
        let rest = path.dropFirst(Self.root.count)
        if rest.isEmpty { return pagePurpose }
        return rest.first == UInt8(ascii: "/") ? filePurpose : nil
    }

    public func answer(
        _ request: ServerRequest, _ response: ServerResponse, for requester: Requester
    ) async throws {
        let rest = request.target.path.dropFirst(Self.root.count + 1)
        guard let file = files[rest.isEmpty ? Self.page : Array(rest)] else {
            return try await response.respond(.notFound, "there is no such file of the console\n")
        }
        guard request.method == .get || request.method == .head else {
            var head = ResponseHead(.methodNotAllowed)
            try head.fields.append("Allow", "GET, HEAD")
            return try await response.respond(head)
        }
        if request.fields.first("if-none-match").map({ $0.elementsEqual(file.tag) }) == true {
            return try await response.respond(file.unchanged)
        }
        try await response.respond(file.head, file.bytes)
    }
}

/// The responses with a file, made once.
private struct FileResponse: Sendable {
    let head: ResponseHead
    let unchanged: ResponseHead
    let tag: [UInt8]
    let bytes: [UInt8]

    /// Nothing of another origin, no script in the page's text, and no frame around it.
    private static let policy: StaticString = """
        default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; \
        connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'
        """

    init(_ file: ConsoleFile) throws(WritingFault) {
        let tag = Array("\"\(file.tag)\"".utf8)
        var head = ResponseHead(.ok)
        try head.fields.append("Content-Type", "\(file.mediaType)")
        try Self.append(tag, to: &head.fields)
        var unchanged = ResponseHead(.notModified)
        try Self.append(tag, to: &unchanged.fields)
        (self.head, self.unchanged) = (head, unchanged)
        (self.tag, bytes) = (tag, file.bytes)
    }

    private static func append(_ tag: [UInt8], to fields: inout Fields) throws(WritingFault) {
        try fields.append(name: Array("ETag".utf8), value: tag)
        try fields.append("Cache-Control", "no-cache")
        try fields.append("Content-Security-Policy", "\(policy)")
        try fields.append("X-Content-Type-Options", "nosniff")
        try fields.append("Referrer-Policy", "no-referrer")
        try fields.append("Cross-Origin-Opener-Policy", "same-origin")
        try fields.append("Cross-Origin-Resource-Policy", "same-origin")
    }
}
