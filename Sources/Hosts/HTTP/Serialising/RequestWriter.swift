/// Writes a request as bytes.
///
///     var writer = RequestWriter()
///     try writer.begin(head, body: .unknown, to: &output)
///
/// A `Host` field must be among the fields of the head: `URL.host` is its value. The writer adds
/// `Content-Length` or `Transfer-Encoding`.
public struct RequestWriter: Sendable {
    private var body: BodyWriter?
    private var isEnded = false

    public init() {}

    /// Writes request line and fields.
    ///
    /// - Parameter length: `.unknown` is chunked. `.none` writes no length for methods that have no
    ///   body as a rule, and a length of 0 for POST, PUT and PATCH (RFC 9110 8.6).
    /// - Throws: If the fields hold a length or coding, or not one `Host`; nothing is written then.
    public mutating func begin(
        _ head: RequestHead, body length: BodyLength, to output: inout [UInt8]
    ) throws(WritingFault) {
        guard body == nil, !isEnded else { throw .order }
        try FramingFields.check(head.fields)
        if head.fields.count(of: "host") != 1 { throw .fieldValue }
        head.method.append(to: &output)
        output.append(ASCII.space)
        output.append(contentsOf: head.target.bytes)
        output.append(text: " HTTP/1.1\r\n")
        head.fields.write(to: &output)
        switch length {
        case .none:
            let hasBodyAsRule = head.method == .post || head.method == .put || head.method == .patch
            if hasBodyAsRule { output.append(text: "Content-Length: 0\r\n") }
            body = BodyWriter(.length(0))
        case .bytes(let count):
            output.append(text: "Content-Length: ")
            output.append(decimal: count)
            output.appendLineEnd()
            body = BodyWriter(.length(count))
        case .unknown:
            output.append(text: "Transfer-Encoding: chunked\r\n")
            body = BodyWriter(.chunked)
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

    /// Ends the request. Trailer fields are sent in chunked bodies only.
    public mutating func end(trailers: Fields = Fields(), to output: inout [UInt8])
        throws(WritingFault)
    {
        guard let body else { throw .order }
        try body.end(trailers: trailers, to: &output)
        self.body = nil
        isEnded = true
    }
}
