import WasmdEventLoop
import WasmdGuests
import WasmdHTTP
import WasmdHTTPServer

/// A part of a server's address space with rules of its own: routes, scopes, forms of errors.
public protocol Surface: Sendable {
    /// In metrics and logs: `executor`.
    var name: StaticString { get }

    /// What a request is for; nil if its path is not one of this surface, so that the next surface
    /// of the listener is asked.
    ///
    /// Called once for each request, before anything else: must be cheap.
    func purpose(of head: RequestHead) -> Purpose?

    /// Answers a request that its sender may make.
    ///
    /// - Parameter requester: whose rights were checked against the purpose's scope.
    func answer(
        _ request: ServerRequest, _ response: ServerResponse, for requester: Requester
    ) async throws

    /// Names and origins that this surface admits beside those of the rules: for a surface that pages
    /// of other origins are made for. Asked only for requests that the rules would refuse. Without
    /// an implementation: none.
    var pages: SameOriginRules? { get }

    /// Answers a request that is refused before it reaches the surface, in the surface's form of
    /// errors. Without an implementation: a line of text.
    func refuse(
        _ refusal: AccessRefusal, _ response: ServerResponse, on loop: EventLoop
    ) async throws
}

extension Surface {
    public var pages: SameOriginRules? { nil }

    public func refuse(
        _ refusal: AccessRefusal, _ response: ServerResponse, on loop: EventLoop
    ) async throws {
        try await refusal.respond(
            response, Array("\(refusal.message)\n".utf8), type: "text/plain; charset=utf-8")
    }
}

/// Why a request does not reach its surface.
public struct AccessRefusal: Error, Sendable, Equatable {
    public let status: Status
    /// A sentence without a full stop.
    public let message: String
    /// The limit that was reached, as the configuration names it.
    public var limit: String?
    /// Seconds after which it may be tried again.
    public var retryAfter: Int?
    /// The value of `WWW-Authenticate`.
    public var challenge: String?

    public init(_ status: Status, _ message: String) {
        self.status = status
        self.message = message
    }

    /// Writes the response: status, the fields of the refusal, and a body in the surface's form.
    public func respond(
        _ response: ServerResponse, _ body: [UInt8], type: String
    ) async throws {
        var head = ResponseHead(status)
        try head.fields.append("Content-Type", type)
        if let retryAfter { try head.fields.append("Retry-After", "\(retryAfter)") }
        if let challenge { try head.fields.append("WWW-Authenticate", challenge) }
        try await response.respond(head, body)
    }
}

/// Is told of the requests of a listener. Called on the loops of the connections: must not wait.
public protocol ServingObserver: Sendable {
    /// A request begins. `ended` follows for each.
    func began(_ purpose: Purpose)
    func ended(_ request: borrowing ServedRequest)

    /// A new span for a request, if it will be recorded.
    ///
    /// - Parameter parent: what the request says it belongs to.
    func span(under parent: TraceParent?) -> TraceParent?
}

extension ServingObserver {
    public func span(under parent: TraceParent?) -> TraceParent? { nil }
}

/// A request that was answered.
public struct ServedRequest: Sendable {
    public let purpose: Purpose
    public let requester: Requester
    public let head: RequestHead
    /// 0 if the client went away before a response began.
    public let status: UInt16
    /// Bytes of the response, with its head; without the body of a server's own error.
    public let byteCount: UInt64
    /// Nanoseconds on the clock of 1970 and on the monotonic one.
    public let start: UInt64
    public let duration: UInt64
    /// What ended the request, if it did not end well.
    public let error: (any Error)?
    /// The run that answered it, if the surface says so by `ServerResponse.mark`.
    public var run: RunID?
}
