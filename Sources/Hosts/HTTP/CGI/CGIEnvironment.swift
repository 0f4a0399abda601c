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
    /// Variables in order, `name` and `value` as bytes without NUL.
    ///
    /// Left out, so that a request cannot pretend anything:
    /// - `Proxy`, which would become `HTTP_PROXY`, the proxy that programs use;
    /// - fields with `_` in their name, which are the same variable as another field with `-`;
    /// - `Authorization` and `Proxy-Authorization`: secrets of the client;
    /// - `Content-Length` and `Content-Type` as `HTTP_`, which have variables of their own, and
    ///   `Connection` and other fields of the connection, not of the request.
    public static func variables(_ request: RequestHead, _ context: CGIContext)
        -> [(name: [UInt8], value: [UInt8])]
    {
        var list = Variables()
        list.add("GATEWAY_INTERFACE", [UInt8]("CGI/1.1"))
        list.add("SERVER_PROTOCOL", [UInt8](request.version == .http10 ? "HTTP/1.0" : "HTTP/1.1"))
        list.add("SERVER_SOFTWARE", context.software)
        list.add("SERVER_NAME", context.serverName)
        var port: [UInt8] = []
        port.append(decimal: UInt64(context.serverPort))
        list.add("SERVER_PORT", port)
        list.add("REQUEST_METHOD", Array(request.method.name.utf8))
        list.add("SCRIPT_NAME", context.scriptName)
        list.add("PATH_INFO", context.pathInfo)
        list.add("PATH_TRANSLATED", context.pathInfo)
        list.add("QUERY_STRING", Array(request.target.query ?? []))
        list.add("REMOTE_ADDR", context.client.bytes)
        list.add("REMOTE_HOST", context.client.bytes)
        list.add("REMOTE_USER", [])
        list.add("AUTH_TYPE", [])
        if let length = context.contentLength {
            var digits: [UInt8] = []
            digits.append(decimal: length)
            list.add("CONTENT_LENGTH", digits)
        }
        if let type = request.fields.first("content-type") {
            list.add("CONTENT_TYPE", Array(type))
        }
        list.add("X_MATCHED_ROUTE", context.matchedRoute)
        list.add("X_RAW_PATH_INFO", context.rawPathInfo)
        list.add("X_FULL_URL", fullURL(request, context))
        list.addFields(request.fields)
        return list.variables
    }

    private static func fullURL(_ request: RequestHead, _ context: CGIContext) -> [UInt8] {
        var url = context.scheme
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
        url.append(contentsOf: request.target.path)
        if let query = request.target.query {
            url.append(ASCII.question)
            url.append(contentsOf: query)
        }
        return url
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

    private struct Variables {
        var variables: [(name: [UInt8], value: [UInt8])] = []

        /// Adds a variable. A value with NUL, which decoded paths never have, is cut there.
        mutating func add(_ name: StaticString, _ value: [UInt8]) {
            variables.append(([UInt8](name), Array(value.prefix { $0 != 0 })))
        }

        /// Adds `HTTP_` variables; repeated fields become one, with commas, cookies with
        /// semicolons.
        mutating func addFields(_ fields: Fields) {
            var positions: [[UInt8]: Int] = [:]
            for index in 0..<fields.count {
                let (name, value) = fields[index]
                if name.contains(ASCII.underscore) || CGIEnvironment.isWithheld(name) { continue }
                let variable =
                    [UInt8]("HTTP_")
                    + name.map { $0 == ASCII.minus ? ASCII.underscore : $0.uppercase }
                if let position = positions[variable] {
                    let isCookie = name.equals(lowercase: "cookie")
                    variables[position].value.append(isCookie ? ASCII.semicolon : ASCII.comma)
                    variables[position].value.append(ASCII.space)
                    variables[position].value.append(contentsOf: value)
                } else {
                    positions[variable] = variables.count
                    variables.append((variable, Array(value)))
                }
            }
        }
    }

    private static func isWithheld(_ name: ArraySlice<UInt8>) -> Bool {
        let withheld: [StaticString] = [
            "proxy", "authorization", "proxy-authorization", "content-length", "content-type",
            "connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade",
            "proxy-connection", "expect",
        ]
        return withheld.contains { name.equals(lowercase: $0) }
    }
}
