/// The method of a request (RFC 9110, section 9). Any token is one; its case counts.
public enum Method: Hashable, Sendable {
    case get, head, post, put, delete, connect, options, trace, patch
    /// A token that is none of the above, of ASCII.
    case other(String)

    /// The method of a token, or nil if the bytes are none.
    public init?(_ bytes: some Collection<UInt8>) {
        guard !bytes.isEmpty, bytes.allSatisfy(ByteSet.token.contains) else { return nil }
        let token = Array(bytes)
        self.init(token: token.span, 0..<token.count)
    }

    /// The method of bytes that were checked to be a token.
    init(token bytes: borrowing Span<UInt8>, _ range: Range<Int>) {
        switch range.count {
        case 3 where bytes.equals(range, "GET"): self = .get
        case 3 where bytes.equals(range, "PUT"): self = .put
        case 4 where bytes.equals(range, "POST"): self = .post
        case 4 where bytes.equals(range, "HEAD"): self = .head
        case 5 where bytes.equals(range, "PATCH"): self = .patch
        case 5 where bytes.equals(range, "TRACE"): self = .trace
        case 6 where bytes.equals(range, "DELETE"): self = .delete
        case 7 where bytes.equals(range, "OPTIONS"): self = .options
        case 7 where bytes.equals(range, "CONNECT"): self = .connect
        default:
            var name = ""
            for index in range { name.unicodeScalars.append(Unicode.Scalar(bytes[index])) }
            self = .other(name)
        }
    }

    /// The token as it is sent.
    public var name: String {
        switch self {
        case .get: "GET"
        case .head: "HEAD"
        case .post: "POST"
        case .put: "PUT"
        case .delete: "DELETE"
        case .connect: "CONNECT"
        case .options: "OPTIONS"
        case .trace: "TRACE"
        case .patch: "PATCH"
        case .other(let name): name
        }
    }

    /// Whether the method is defined to change nothing (RFC 9110 9.2.1).
    public var isSafe: Bool {
        switch self {
        case .get, .head, .options, .trace: true
        default: false
        }
    }

    /// Whether several identical requests have the effect of one (RFC 9110 9.2.2), so that a client
    /// may send it again on another connection.
    public var isIdempotent: Bool { isSafe || self == .put || self == .delete }

    func append(to bytes: inout [UInt8]) {
        switch self {
        case .get: bytes.append(text: "GET")
        case .post: bytes.append(text: "POST")
        default: bytes.append(contentsOf: name.utf8)
        }
    }
}

/// The version of a message. Only the minor number of HTTP/1 occurs.
public enum Version: Comparable, Sendable {
    case http10
    /// HTTP/1.1, and messages that say a higher minor number (RFC 9110 2.5).
    case http11
}
