/// Which pages of other origins may use a server through a browser (Fetch standard, 3.2).
public struct CORSPolicy: Equatable, Sendable {
    /// Origins that are allowed, as `http://host:port`, compared without regard to case.
    public var origins: [[UInt8]] = []
    /// Any origin; credentials are never allowed then.
    public var allowsAnyOrigin = false
    /// Origins on loopback, with any port.
    public var allowsLoopback = false
    /// The value of `Access-Control-Allow-Methods`.
    public var methods: [UInt8] = [UInt8]("GET,HEAD,PUT,PATCH,POST,DELETE")
    /// Fields of responses that pages may read; empty sends nothing.
    public var exposedFields: [UInt8] = []
    /// Seconds that a browser may keep the answer to a preflight; nil sends nothing.
    public var maximumAge: UInt64?

    public init() {}

    /// This policy, which also allows the origins of another one.
    public func union(_ other: CORSPolicy) -> CORSPolicy {
        var both = self
        both.origins += other.origins
        both.allowsAnyOrigin = allowsAnyOrigin || other.allowsAnyOrigin
        both.allowsLoopback = allowsLoopback || other.allowsLoopback
        return both
    }

    /// Whether a page of an origin is allowed.
    public func allows(_ origin: ArraySlice<UInt8>) -> Bool {
        if allowsAnyOrigin { return true }
        if origins.contains(where: { $0.equalsIgnoringCase(origin) }) { return true }
        guard allowsLoopback, let url = Origin(origin) else { return false }
        return url.isLoopback
    }

    /// Whether a request is a preflight: OPTIONS that asks for a method.
    public static func isPreflight(_ request: RequestHead) -> Bool {
        request.method == .options && request.fields.contains("origin")
            && request.fields.contains("access-control-request-method")
    }

    /// Fields to add to a response, also one with an error; none if the request has no origin or an
    /// origin that is not allowed, but for `Vary`.
    public func fields(for request: RequestHead) throws(WritingFault) -> Fields {
        var fields = Fields()
        let values = request.fields.all("origin")
        if !allowsAnyOrigin { try fields.append("Vary", "Origin") }
        guard values.count == 1, allows(values[0]) else { return fields }
        if allowsAnyOrigin {
            try fields.append("Access-Control-Allow-Origin", "*")
        } else {
            try fields.append("Access-Control-Allow-Origin", values[0])
        }
        if !exposedFields.isEmpty {
            try fields.append("Access-Control-Expose-Headers", exposedFields)
        }
        return fields
    }

    /// The response to a preflight: 204, and without the fields that allow if the origin may not.
    public func preflight(_ request: RequestHead) throws(WritingFault) -> ResponseHead {
        var head = ResponseHead(.noContent)
        head.fields = try fields(for: request)
        try head.fields.append("Vary", "Access-Control-Request-Headers")
        guard head.fields.contains("access-control-allow-origin") else { return head }
        try head.fields.append("Access-Control-Allow-Methods", methods)
        let wanted = request.fields.list("access-control-request-headers")
            .filter { $0.allSatisfy(ByteSet.token.contains) }
        if !wanted.isEmpty {
            try head.fields.append(
                "Access-Control-Allow-Headers",
                Array(wanted.joined(separator: CollectionOfOne(ASCII.comma))))
        }
        if let maximumAge {
            try head.fields.append("Access-Control-Max-Age", decimal: maximumAge)
        }
        return head
    }
}

/// An origin as browsers send it: scheme, host, port (RFC 6454, section 7).
public struct Origin: Equatable, Sendable {
    /// In lower case.
    public let scheme: [UInt8]
    public let authority: Authority

    /// Reads `scheme://host:port`; nil for `null` and anything else.
    public init?(_ bytes: ArraySlice<UInt8>) {
        guard let url = URL(bytes), url.path == [ASCII.slash], url.query == nil,
            url.fragment == nil, url.userInformation == nil, bytes.last != ASCII.slash
        else { return nil }
        scheme = url.scheme
        authority = Authority(host: url.authority.host, port: url.port)
    }

    /// `localhost`, names below it, and loopback addresses.
    public var isLoopback: Bool { authority.isLoopback }
}

extension Authority {
    /// `localhost`, names below it, and loopback addresses.
    public var isLoopback: Bool {
        switch host {
        case .address(let address): address.isLoopback
        case .name(let name):
            name.equals("localhost") || name.suffix(10).elementsEqual(".localhost".utf8)
        }
    }
}
