import WasmdEventLoop
import WasmdHTTP

/// A request to send.
public struct ClientRequest: Sendable {
    public enum Body: Sendable {
        case none
        /// Sent again when a redirect asks for it.
        case bytes([UInt8])
        /// Written by a closure, on the loop, while the response may already arrive. `.unknown`
        /// sends chunks. It cannot be sent twice: a redirect that requires this is returned as the
        /// response.
        case stream(BodyLength, @Sendable (ClientBody) async throws -> Void)
    }

    public var method: Method
    public var url: URL
    /// Without `Host` and lengths, which the client writes.
    public var fields: Fields
    public var body: Body
    /// The socket to send it to, in place of the URL's authority.
    public var unixPath: [UInt8]?
    /// When the whole request must be over, until the end of the response's body.
    public var deadline = LoopInstant.never

    public init(
        _ method: Method = .get, _ url: URL, fields: Fields = Fields(), body: Body = .none
    ) {
        self.method = method
        self.url = url
        self.fields = fields
        self.body = body
    }

    var isRepeatable: Bool {
        if case .stream = body { return false }
        return true
    }

    /// The request that follows a redirect, by RFC 9110 15.4; nil if it cannot be sent.
    func redirected(_ status: Status, to target: URL) -> ClientRequest? {
        var next = self
        next.url = target
        let changesMethod =
            status == .seeOther
            || ((status == .movedPermanently || status == .found) && method == .post)
        if changesMethod {
            if method != .head { next.method = .get }
            next.body = .none
            for name: StaticString in ["content-type", "content-encoding", "content-language"] {
                next.fields.remove(name)
            }
        } else if !isRepeatable {
            return nil
        }
        if !Self.isSameOrigin(url, target) {
            // Credentials are for the first server only.
            for name: StaticString in ["authorization", "cookie", "proxy-authorization"] {
                next.fields.remove(name)
            }
        }
        return next
    }

    private static func isSameOrigin(_ one: URL, _ other: URL) -> Bool {
        one.scheme == other.scheme && one.authority.host == other.authority.host
            && one.port == other.port
    }
}

/// The body of a request that is sent in pieces.
public struct ClientBody: Sendable {
    let connection: ClientConnection

    /// Sends a piece, and waits until the kernel has taken it.
    public func write(_ bytes: [UInt8]) async throws(HTTPClientError) {
        try await connection.writeBody(bytes)
    }
}
