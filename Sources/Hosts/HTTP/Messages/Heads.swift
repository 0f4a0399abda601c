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
        guard let target = Target(Array(target)[...], method: method) else { throw .target }
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

/// The target of a request in its four forms (RFC 9112 3.2), without a fragment.
///
/// Nothing is decoded: `Path` and `Query` do that.
public struct Target: Equatable, Sendable {
    public enum Form: Sendable {
        /// `/path?query`
        case origin
        /// `http://authority/path?query`
        case absolute
        /// `host:port`, of CONNECT only
        case authority
        /// `*`, of OPTIONS only
        case asterisk
    }

    public let form: Form
    /// All of it, as it was sent.
    public let bytes: ArraySlice<UInt8>
    /// In absolute and authority form; without user information.
    public let authority: ArraySlice<UInt8>?
    /// The scheme in absolute form: `http` or `https` in any case.
    public let scheme: ArraySlice<UInt8>?
    /// The path; `/` if an absolute target has none, empty in authority and asterisk form.
    public let path: ArraySlice<UInt8>
    /// What is after the first question mark, if there is one.
    public let query: ArraySlice<UInt8>?

    /// Reads a target; nil if it is none for the method. Bytes from 128 on and characters that
    /// RFC 3986 forbids, but clients send, such as `|`, are kept in path and query.
    init?(_ bytes: ArraySlice<UInt8>, method: Method) {
        guard let first = bytes.first,
            bytes.allSatisfy({ $0 > 0x20 && $0 != 0x7f && $0 != 0x23 })
        else { return nil }
        self.bytes = bytes
        if method == .connect {
            guard let authority = Authority(bytes), authority.port != nil else { return nil }
            form = .authority
            self.authority = bytes
            scheme = nil
            path = []
            query = nil
            return
        }
        if first == ASCII.slash {
            form = .origin
            authority = nil
            scheme = nil
            (path, query) = Self.split(bytes)
            return
        }
        if first == 0x2a, bytes.count == 1 {
            guard method == .options else { return nil }
            form = .asterisk
            authority = nil
            scheme = nil
            path = []
            query = nil
            return
        }
        guard let colon = bytes.firstIndex(of: ASCII.colon) else { return nil }
        let scheme = bytes[bytes.startIndex..<colon]
        guard scheme.equals(lowercase: "http") || scheme.equals(lowercase: "https"),
            bytes[colon...].starts(with: [ASCII.colon, ASCII.slash, ASCII.slash])
        else { return nil }
        let rest = bytes[(colon &+ 3)...]
        let end = rest.firstIndex { $0 == ASCII.slash || $0 == ASCII.question } ?? rest.endIndex
        let authority = rest[rest.startIndex..<end]
        guard !authority.isEmpty, Authority(authority) != nil else { return nil }
        form = .absolute
        self.authority = authority
        self.scheme = scheme
        let (path, query) = Self.split(rest[end...])
        self.path = path.isEmpty ? [ASCII.slash] : path
        self.query = query
    }

    private static func split(_ bytes: ArraySlice<UInt8>) -> (ArraySlice<UInt8>, ArraySlice<UInt8>?)
    {
        guard let mark = bytes.firstIndex(of: ASCII.question) else { return (bytes, nil) }
        return (bytes[bytes.startIndex..<mark], bytes[(mark &+ 1)...])
    }
}
