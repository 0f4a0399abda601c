import WasmdEventLoop
import WasmdHTTP
import WasmdHTTPClient
import WasmdOperation

/// Sends requests of guests from one loop, to hosts that a policy allows: the only way by which
/// they leave.
///
/// The policy is asked about each URL, also those of redirects, and about each address that a name
/// leads to. No proxy is used, whatever the environment says.
public final class OutboundClient: Sendable {
    public struct Options: Sendable {
        /// The program that speaks TLS; nil refuses `https`.
        public var tls: TLSProgram?
        /// Finds the addresses of names.
        public var resolver = Resolver.ofSystem()
        /// Bytes of the body of a response.
        public var bodyLimit = 16 << 20
        /// How long a request may take, until the end of its response.
        public var time = Duration.seconds(120)

        public init() {}
    }

    public let policy: OutboundPolicy
    public let loop: EventLoop
    private let client: HTTPClient
    private let options: Options

    /// Redirects that are followed, each only to an allowed host.
    private static let redirectLimit = 10

    public init(_ policy: OutboundPolicy, _ options: Options = Options(), on loop: EventLoop) {
        self.policy = policy
        self.loop = loop
        self.options = options
        var client = HTTPClientOptions()
        client.redirectLimit = Self.redirectLimit
        client.resolver = options.resolver
        client.tls = options.tls
        client.proxy = nil
        client.isAllowedFor = { policy.allows($0, for: $1, port: $2) }
        client.check = { url in
            guard policy.allows(redirect: url) else { throw GuestHTTPError.notAllowed }
        }
        self.client = HTTPClient(client, on: loop)
    }

    /// A response that was read to its end.
    struct Answer: Sendable {
        var status: UInt16
        var fields: Fields
        var body: [UInt8]
    }

    /// Sends a request; from a task of the loop.
    ///
    /// - Throws: `GuestHTTPError`, `HTTPClientError`.
    func send(
        _ method: Method, _ url: OutboundURL, _ fields: Fields, _ body: [UInt8]
    ) async throws -> Answer {
        var fields = fields
        if let authorization = url.authorization, !fields.contains("authorization") {
            try fields.append("Authorization", authorization)
        }
        let isBare = body.isEmpty && (method == .get || method == .head || method == .options)
        var request = ClientRequest(
            method, url.url, fields: fields, body: isBare ? .none : .bytes(body))
        request.deadline = .after(options.time)
        let response = try await client.send(request)
        let bytes = try await response.body(limit: options.bodyLimit)
        return Answer(status: response.status.code, fields: response.fields, body: bytes)
    }
}
