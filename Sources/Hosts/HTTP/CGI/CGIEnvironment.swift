/// Where a request was routed, and over which connection it came: what a CGI program is told beside
/// the request itself.
public struct CGIContext: Sendable {
    /// The path that leads to the program, decoded, as `/folder/program`: `SCRIPT_NAME`.
    public var scriptName: [UInt8]
    /// What follows it in the path, decoded: empty, or with a leading slash. `PATH_INFO`.
    public var pathInfo: [UInt8]
    /// The same, as it was sent: `X_RAW_PATH_INFO`.
    public var rawPathInfo: [UInt8]
    /// The pattern of the route: `X_MATCHED_ROUTE`.
    public var matchedRoute: [UInt8]
    /// `http`, or `https` if a trusted proxy says so.
    public var scheme: [UInt8] = [UInt8]("http")
    /// The host that the client asked for, without port. `SERVER_NAME`.
    public var serverName: [UInt8]
    public var serverPort: UInt16
    /// The client, by `Forwarding`.
    public var client: IPAddress
    /// Host and port that the client asked for, if a trusted proxy says so; nil to take those of the
    /// request. Part of `X_FULL_URL`.
    public var authority: [UInt8]?
    /// As `wasmd/1.2`.
    public var software: [UInt8]
    /// The length of the body if it is known: also of a body that came in chunks and was collected.
    public var contentLength: UInt64?

    public init(
        scriptName: [UInt8], pathInfo: [UInt8], rawPathInfo: [UInt8], matchedRoute: [UInt8],
        serverName: [UInt8], serverPort: UInt16, client: IPAddress, software: [UInt8]
    ) {
        self.scriptName = scriptName
        self.pathInfo = pathInfo
        self.rawPathInfo = rawPathInfo
        self.matchedRoute = matchedRoute
        self.serverName = serverName
        self.serverPort = serverPort
        self.client = client
        self.software = software
    }
}

/// The environment variables and arguments of a CGI program (RFC 3875, section 4.1), with those
/// that WAGI adds.
public enum CGIEnvironment {
    /// Variables in order as one block: `NAME=value`, each followed by NUL, so that a request costs
    /// no allocation for each of them.
    ///
    /// Left out, so that a request cannot pretend anything:
    /// - `Proxy`, which would become `HTTP_PROXY`, the proxy that programs use;
    /// - fields with `_` in their name, which are the same variable as another field with `-`;
    /// - `Authorization` and `Proxy-Authorization`: secrets of the client;
    /// - `Content-Length` and `Content-Type` as `HTTP_`, which have variables of their own, and
    ///   `Connection` and other fields of the connection, not of the request.
    public static func block(_ request: RequestHead, _ context: CGIContext) -> [UInt8] {
        var block = Block(fields: request.fields)
        block.add("GATEWAY_INTERFACE") { $0.append(text: "CGI/1.1") }
        block.add("SERVER_PROTOCOL") {
            $0.append(text: request.version == .http10 ? "HTTP/1.0" : "HTTP/1.1")
        }
        block.add("SERVER_SOFTWARE", context.software)
        block.add("SERVER_NAME", context.serverName)
        block.add("SERVER_PORT") { $0.append(decimal: UInt64(context.serverPort)) }
        block.add("REQUEST_METHOD", request.method.name.utf8)
        block.add("SCRIPT_NAME", context.scriptName)
        block.add("PATH_INFO", context.pathInfo)
        block.add("PATH_TRANSLATED", context.pathInfo)
        block.add("QUERY_STRING", request.target.query ?? [])
        let client = context.client.bytes
        block.add("REMOTE_ADDR", client)
        block.add("REMOTE_HOST", client)
        block.add("REMOTE_USER", [])
        block.add("AUTH_TYPE", [])
        if let length = context.contentLength {
            block.add("CONTENT_LENGTH") { $0.append(decimal: length) }
        }
        if let type = request.fields.first("content-type") { block.add("CONTENT_TYPE", type) }
        block.add("X_MATCHED_ROUTE", context.matchedRoute)
        block.add("X_RAW_PATH_INFO", context.rawPathInfo)
        block.add("X_FULL_URL") { appendFullURL(request, context, to: &$0) }
        block.addFields(request.fields)
        return block.bytes
    }

    private static func appendFullURL(
        _ request: RequestHead, _ context: CGIContext, to url: inout [UInt8]
    ) {
        url.append(contentsOf: context.scheme)
        url.append(text: "://")
        if let authority = context.authority {
            url.append(contentsOf: authority)
        } else if let authority = request.authority {
            url.append(contentsOf: authority)
        } else {
            url.append(contentsOf: context.serverName)
            url.append(ASCII.colon)
            url.append(decimal: UInt64(context.serverPort))
        }
        url.append(contentsOf: request.target.rawPath)
        if let query = request.target.query {
            url.append(ASCII.question)
            url.append(contentsOf: query)
        }
    }

    /// The arguments of the program: its name, and the words of a query without `=`, decoded
    /// (RFC 3875 4.4), or the parts of one with `=` as they were sent, which is what WAGI passes.
    /// Words that hold NUL are left out.
    public static func arguments(_ request: RequestHead, _ context: CGIContext) -> [[UInt8]] {
        guard let query = request.target.query, !query.isEmpty else { return [context.scriptName] }
        if query.contains(ASCII.equals) {
            return [context.scriptName] + query.split(separator: 0x26).map { Array($0) }
        }
        let words = query.split(separator: 0x2b).map(PercentCoding.decodeForm)
        return [context.scriptName] + words.filter { !$0.contains(0) }
    }

    private struct Block {
        var bytes: [UInt8] = []

        init(fields: Fields) { bytes.reserveCapacity(512 + 2 * fields.byteCount) }

        /// Adds a variable. A value with NUL, which decoded paths never have, is cut there.
        mutating func add(_ name: StaticString, _ value: some Collection<UInt8>) {
            add(name) { bytes in
                let start = bytes.count
                bytes.append(contentsOf: value)
                if let end = bytes[start...].firstIndex(of: 0) {
                    bytes.removeSubrange(end...)
                }
            }
        }

        /// Adds a variable whose value `write` appends, without NUL.
        mutating func add(_ name: StaticString, write: (inout [UInt8]) -> Void) {
            bytes.append(text: name)
            bytes.append(ASCII.equals)
            write(&bytes)
            bytes.append(0)
        }

        /// Adds `HTTP_` variables; repeated fields become one, with commas, cookies with
        /// semicolons. The parser limits the number of fields, so that comparing each with all is
        /// cheap.
        mutating func addFields(_ fields: Fields) {
            for index in 0..<fields.count {
                let (name, value) = fields[index]
                if CGIEnvironment.isWithheld(name)
                    || (0..<index).contains(where: { fields[$0].name.equalsIgnoringCase(name) })
                {
                    continue
                }
                bytes.append(text: "HTTP_")
                for byte in name {
                    bytes.append(byte == ASCII.minus ? ASCII.underscore : byte.uppercase)
                }
                bytes.append(ASCII.equals)
                bytes.append(contentsOf: value)
                let separator = name.equals(lowercase: "cookie") ? ASCII.semicolon : ASCII.comma
                for other in index + 1..<max(fields.count, index + 1)
                where fields[other].name.equalsIgnoringCase(name) {
                    bytes.append(separator)
                    bytes.append(ASCII.space)
                    bytes.append(contentsOf: fields[other].value)
                }
                bytes.append(0)
            }
        }
    }

    private static let withheld: [StaticString] = [
        "proxy", "authorization", "proxy-authorization", "content-length", "content-type",
        "connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade",
        "proxy-connection", "expect",
    ]

    private static func isWithheld(_ name: ArraySlice<UInt8>) -> Bool {
        name.contains(ASCII.underscore) || withheld.contains { name.equals(lowercase: $0) }
    }
}
