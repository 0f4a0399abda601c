/// Writes the response to one request as bytes.
///
///     var writer = ResponseWriter(request: head)
///     try writer.begin(response, body: .bytes(5), date: &date, to: &output)
///     try writer.write("hello".utf8.span, to: &output)
///     try writer.end(to: &output)
///     // writer.keepsAlive says whether the connection goes on.
///
/// The writer adds `Content-Length` or `Transfer-Encoding`, `Connection` and `Date`. Responses to
/// HEAD have the same head as to GET, and no body; pieces that are written are then dropped, as
/// with 204 and 304.
public struct ResponseWriter: Sendable {
    private let isHead: Bool
    private let version: Version
    private var body: BodyWriter?
    private var isEnded = false

    /// Whether the connection may carry another request. A server that stops sets it to false
    /// before
    /// `begin`, which then says so to the client.
    public var keepsAlive: Bool

    /// - Parameter request: what the response is for.
    public init(request: RequestHead) {
        self.init(method: request.method, version: request.version, keepsAlive: request.keepsAlive)
    }

    /// A response without a request that was understood: it ends the connection.
    public init() { self.init(method: .get, version: .http11, keepsAlive: false) }

    private init(method: Method, version: Version, keepsAlive: Bool) {
        isHead = method == .head
        self.version = version
        self.keepsAlive = keepsAlive
    }

    /// Writes `100 Continue`, for a request that waits for it, before the body is read.
    public static func writeContinue(to output: inout [UInt8]) {
        output.append(text: "HTTP/1.1 100 Continue\r\n\r\n")
    }

    /// Writes an interim response, such as 103; HTTP/1.0 has none, so nothing is written there.
    public func interim(_ head: ResponseHead, to output: inout [UInt8]) throws(WritingFault) {
        guard body == nil, !isEnded, head.status.isInformational,
            head.status != .switchingProtocols
        else { throw .order }
        try FramingFields.check(head.fields)
        if version == .http10 { return }
        Self.statusLine(head, to: &output)
        head.fields.write(to: &output)
        output.appendLineEnd()
    }

    /// Writes status line and fields.
    ///
    /// - Throws: If the fields hold a length or coding; nothing is written then.
    public mutating func begin(
        _ head: ResponseHead, body length: BodyLength, date: borrowing DateLine,
        to output: inout [UInt8]
    ) throws(WritingFault) {
        guard body == nil, !isEnded, !head.status.isInformational else { throw .order }
        try FramingFields.check(head.fields)
        let hasConnection = head.fields.contains("connection")
        if hasConnection, head.fields.list("connection", contains: "close") { keepsAlive = false }

        let form = form(head.status, length)
        if form == .untilClose { keepsAlive = false }
        Self.statusLine(head, to: &output)
        if !head.fields.contains("date") { output.append(contentsOf: date.bytes) }
        head.fields.write(to: &output)
        writeFraming(head.status, length, form, to: &output)
        if !keepsAlive {
            if !hasConnection { output.append(text: "Connection: close\r\n") }
        } else if version == .http10, !hasConnection {
            output.append(text: "Connection: keep-alive\r\n")
        }
        output.appendLineEnd()
        body = BodyWriter(form)
    }

    private func form(_ status: Status, _ length: BodyLength) -> BodyWriter.Form {
        if isHead || status.hasNoBody { return .suppressed }
        switch length {
        case .none: return .length(0)
        case .bytes(let count): return .length(count)
        case .unknown: return version == .http11 ? .chunked : .untilClose
        }
    }

    /// The fields that a GET would have, also for HEAD; 204 and 1xx have none (RFC 9110 8.6), and
    /// 304 none because its length would be that of another response.
    private func writeFraming(
        _ status: Status, _ length: BodyLength, _ form: BodyWriter.Form, to output: inout [UInt8]
    ) {
        if status.hasNoBody { return }
        switch length {
        case .none: output.append(text: "Content-Length: 0\r\n")
        case .bytes(let count):
            output.append(text: "Content-Length: ")
            output.append(decimal: count)
            output.appendLineEnd()
        case .unknown:
            if form == .chunked || (form == .suppressed && version == .http11) {
                output.append(text: "Transfer-Encoding: chunked\r\n")
            }
        }
    }

    @inline(__always)
    private static func statusLine(_ head: ResponseHead, to output: inout [UInt8]) {
        if head.status.code == 200, head.reason == nil {
            output.append(text: "HTTP/1.1 200 OK\r\n")
            return
        }
        output.append(text: "HTTP/1.1 ")
        output.append(decimal: UInt64(head.status.code))
        output.append(ASCII.space)
        if let reason = head.reason {
            for byte in reason { output.append(byte.isFieldByte ? byte : ASCII.question) }
        } else {
            output.append(text: head.status.reason)
        }
        output.appendLineEnd()
    }

    /// Writes a piece of the body.
    ///
    /// - Throws: `.length` if that is more than was announced; nothing is written then.
    public mutating func write(_ piece: borrowing Span<UInt8>, to output: inout [UInt8])
        throws(WritingFault)
    {
        guard body != nil else { throw .order }
        try body?.write(piece, to: &output)
    }

    /// Ends the response. Trailer fields are sent in chunked bodies only, and dropped elsewhere.
    ///
    /// - Throws: `.length` if bytes are missing: the connection must then be closed, without more.
    public mutating func end(trailers: Fields = Fields(), to output: inout [UInt8])
        throws(WritingFault)
    {
        guard let body else { throw .order }
        do throws(WritingFault) {
            try body.end(trailers: trailers, to: &output)
        } catch {
            keepsAlive = false
            throw error
        }
        self.body = nil
        isEnded = true
    }

    /// Writes a whole response with a body of known bytes.
    public mutating func write(
        _ head: ResponseHead, body: [UInt8], date: borrowing DateLine, to output: inout [UInt8]
    ) throws(WritingFault) {
        try begin(head, body: .bytes(UInt64(body.count)), date: date, to: &output)
        try write(body.span, to: &output)
        try end(to: &output)
    }

    /// Writes `101 Switching Protocols`, after which the connection belongs to another protocol.
    ///
    /// - Parameter fields: with `Upgrade` and `Connection`.
    public mutating func switchProtocols(_ fields: Fields, to output: inout [UInt8])
        throws(WritingFault)
    {
        guard body == nil, !isEnded, version == .http11 else { throw .order }
        try FramingFields.check(fields)
        Self.statusLine(ResponseHead(.switchingProtocols), to: &output)
        fields.write(to: &output)
        output.appendLineEnd()
        isEnded = true
        keepsAlive = false
    }
}

/// The `Date` field, which is made once a second.
public struct DateLine: Sendable {
    /// `Date: Sun, 06 Nov 1994 08:49:37 GMT` with its line end.
    private(set) var bytes: [UInt8]
    /// The second that the line names.
    public private(set) var date: HTTPDate

    public init(_ date: HTTPDate) {
        self.date = date
        bytes = Self.line(date)
    }

    /// Appends the line with its end.
    public func write(to output: inout [UInt8]) { output.append(contentsOf: bytes) }

    /// Makes the line anew if the second is another one. A server calls it when its clock was read.
    public mutating func update(_ date: HTTPDate) {
        if date == self.date { return }
        self.date = date
        bytes = Self.line(date)
    }

    private static func line(_ date: HTTPDate) -> [UInt8] {
        var bytes = [UInt8]("Date: ")
        date.append(to: &bytes)
        bytes.appendLineEnd()
        return bytes
    }
}
