/// What a message says about the end of its body (RFC 9112, section 6).
public enum Framing: Equatable, Sendable {
    /// There is no body.
    case none
    /// The body has this many bytes, at least one.
    case length(UInt64)
    /// The body is in chunks.
    case chunked
    /// The body ends with the connection: responses only.
    case untilClose
    /// What follows is no HTTP any more: after 101, and after a successful CONNECT.
    case tunnel
}

/// The first line and the header fields of a request.
public struct RequestHead: Equatable, Sendable {
    public var method: Method
    public var version: Version
    /// The target as it was sent, split by its form.
    public internal(set) var target: Target
    /// The header fields, in order.
    public var fields: Fields
    /// How the body ends. Of received requests only; writers take a `BodyLength`.
    public internal(set) var framing: Framing
    /// Whether the connection may carry another request after this one (RFC 9112 9.3).
    public internal(set) var keepsAlive: Bool
    /// Whether the client waits for `100 Continue` before it sends its body (RFC 9110 10.1.1).
    public internal(set) var expectsContinue: Bool

    /// A request to send.
    ///
    /// - Throws: `WritingFault.target` if the target is none.
    public init(method: Method, target: some Collection<UInt8>, fields: Fields = Fields())
        throws(WritingFault)
    {
        if case .other(let name) = method, Method(Array(name.utf8)) != method { throw .method }
        let bytes = Array(target)
        guard let target = Target(bytes, 0..<bytes.count, method: method) else { throw .target }
        self.method = method
        self.target = target
        self.fields = fields
        version = .http11
        framing = .none
        keepsAlive = true
        expectsContinue = false
    }

    init(method: Method, target: Target, version: Version, fields: Fields) {
        self.method = method
        self.target = target
        self.version = version
        self.fields = fields
        framing = .none
        keepsAlive = version == .http11
        expectsContinue = false
    }

    /// The authority that the request names: of an absolute or authority target, else of the `Host`
    /// field; nil if there is none.
    public var authority: ArraySlice<UInt8>? {
        if let authority = target.authority { return authority }
        guard let host = fields.first("host"), !host.isEmpty else { return nil }
        return host
    }
}

/// The status line and the header fields of a response.
public struct ResponseHead: Equatable, Sendable {
    public var status: Status
    public var version: Version
    /// The header fields, in order.
    public var fields: Fields
    /// The reason phrase that was received; nil writes that of the registry.
    public var reason: ArraySlice<UInt8>?
    /// How the body ends. Of received responses only.
    public internal(set) var framing: Framing
    /// Whether the connection may carry another request after this response.
    public internal(set) var keepsAlive: Bool

    /// A response to send.
    public init(_ status: Status, fields: Fields = Fields()) {
        self.status = status
        self.fields = fields
        version = .http11
        framing = .none
        keepsAlive = true
        reason = nil
    }
}
