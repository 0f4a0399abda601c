/// Reads what a CGI program writes to its standard output (RFC 3875, section 6), piece by piece.
///
/// Header lines end with LF or CR LF, and an empty line ends them. Output that does not start with
/// a header line is a body of `text/plain`, as a program that only prints has it; so is output
/// whose first lines look like fields, but are not ended by an empty line and name neither
/// `Content-Type`,
/// `Location` nor `Status`. What the program says
/// about the connection or the length of the message is not taken over.
public struct CGIOutput: Sendable {
    /// Why the answer is 502.
    public enum Fault: Error, Equatable, Sendable {
        /// CR within a line, NUL or another control character in a field.
        case controlCharacter
        /// A line in the header that is no field.
        case line
        case status
        case location
        case contentType
        case tooLarge
        /// The output ended within the header.
        case truncated
    }

    public enum Event: Equatable, Sendable {
        case head(ResponseHead)
        /// Bytes of the body: those that were kept to find out whether there is a header.
        case kept([UInt8])
        /// Bytes of the body: a range of the input.
        case body(Range<Int>)
    }

    private enum State: Sendable {
        case header
        case kept([UInt8])
        case body
        case failed(Fault)
    }

    /// The most bytes of the header.
    public let limit: Int
    /// The most fields.
    public let fieldLimit: Int
    private var state = State.header
    /// Everything before the body.
    private var bytes: [UInt8] = []
    private var lineStart = 0
    private var lineCount = 0
    private var fields = Fields()
    private var status: Status?
    private var location: [UInt8]?
    private var hasType = false
    private var hasColon = false
    /// Whether one of the fields came that only a header of CGI has: an output whose first lines
    /// merely look like fields is a text.
    private var isCertain: Bool { hasType || location != nil || status != nil }

    public init(limit: Int = 64 * 1024, fieldLimit: Int = 128) {
        self.limit = limit
        self.fieldLimit = fieldLimit
    }

    /// The next part; nil if all of the input was taken.
    public mutating func next(_ input: borrowing Span<UInt8>, at position: inout Int)
        throws(Fault) -> Event?
    {
        do throws(Fault) {
            return try advance(input, at: &position)
        } catch {
            state = .failed(error)
            throw error
        }
    }

    private mutating func advance(_ input: borrowing Span<UInt8>, at position: inout Int)
        throws(Fault) -> Event?
    {
        position = min(max(position, 0), input.count)
        switch state {
        case .failed(let fault): throw fault
        case .kept(let kept):
            state = .body
            return .kept(kept)
        case .body:
            guard position < input.count else { return nil }
            let piece = position..<input.count
            position = input.count
            return .body(piece)
        case .header:
            while position < input.count {
                if bytes.count >= limit { return try endWithoutHeader(.tooLarge) }
                let byte = input[position]
                position &+= 1
                bytes.append(byte)
                guard byte == ASCII.lineFeed else {
                    if lineCount == 0, !canBeHeader(byte) { return try endWithoutHeader(.line) }
                    continue
                }
                if let event = try endLine() { return event }
            }
            return nil
        }
    }

    /// Whether the first line can still be a field with its newest byte: a token, then a colon,
    /// then anything.
    private mutating func canBeHeader(_ byte: UInt8) -> Bool {
        if hasColon || ByteSet.token.contains(byte) { return true }
        hasColon = byte == ASCII.colon && bytes.count > 1
        return hasColon || (byte == ASCII.carriageReturn && bytes.count == 1)
    }

    private mutating func endLine() throws(Fault) -> Event? {
        var line = bytes[lineStart..<(bytes.count &- 1)]
        if line.last == ASCII.carriageReturn { line.removeLast() }
        if line.isEmpty {
            if lineCount == 0 {
                // An empty first line: no field at all, and the line is no part of the body.
                bytes = []
                return try endWithoutHeader(.line)
            }
            return .head(try endHeader())
        }
        guard let colon = line.firstIndex(of: ASCII.colon), colon > line.startIndex,
            line[..<colon].allSatisfy(ByteSet.token.contains)
        else { return try endWithoutHeader(.line) }
        try take(name: line[..<colon], value: line[(colon &+ 1)...].trimmed)
        lineStart = bytes.count
        lineCount &+= 1
        return nil
    }

    /// The output has no header after all, unless a field of CGI came.
    private mutating func endWithoutHeader(_ fault: Fault) throws(Fault) -> Event {
        if isCertain { throw fault }
        state = bytes.isEmpty ? .body : .kept(bytes)
        bytes = []
        return .head(try Self.plainHead())
    }

    private static func plainHead() throws(Fault) -> ResponseHead {
        var head = ResponseHead(.ok)
        do throws(WritingFault) {
            try head.fields.append("Content-Type", "text/plain; charset=utf-8")
        } catch {
            throw .contentType
        }
        return head
    }

    private mutating func take(name: ArraySlice<UInt8>, value: ArraySlice<UInt8>) throws(Fault) {
        if value.contains(where: { !$0.isFieldByte }) { throw .controlCharacter }
        if lineCount >= fieldLimit { throw .tooLarge }
        if name.equals(lowercase: "status") {
            guard status == nil, let code = Self.status(value) else { throw .status }
            status = code
            return
        }
        if name.equals(lowercase: "location") {
            guard location == nil, !value.isEmpty else { throw .location }
            location = Array(value)
        }
        if name.equals(lowercase: "content-type") {
            guard !hasType, !value.isEmpty else { throw .contentType }
            hasType = true
        }
        if Self.belongsToConnection(name) { return }
        do throws(WritingFault) {
            try fields.append(name: name, value: value)
        } catch {
            throw .controlCharacter
        }
    }

    /// `404 Not Found`: three digits, then nothing or a space. 1xx cannot be an answer.
    private static func status(_ value: ArraySlice<UInt8>) -> Status? {
        let digits = value.prefix { $0 != ASCII.space }
        guard digits.count == 3, let number = decimal(digits),
            let status = Status(Int(truncatingIfNeeded: number)), !status.isInformational
        else { return nil }
        return status
    }

    private static func belongsToConnection(_ name: ArraySlice<UInt8>) -> Bool {
        let names: [StaticString] = [
            "content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "trailer",
            "te", "date", "proxy-connection",
        ]
        return names.contains { name.equals(lowercase: $0) }
    }

    private mutating func endHeader() throws(Fault) -> ResponseHead {
        state = .body
        bytes = []
        if let location, status == nil {
            // A path is a redirect as well: never a file of this machine (RFC 3875 6.2.2 would have
            // the server answer the path itself).
            if location.contains(ASCII.space) { throw .location }
            status = .found
        }
        if !hasType {
            fields = try Self.withPlainType(fields)
        }
        return ResponseHead(status ?? .ok, fields: fields)
    }

    private static func withPlainType(_ fields: Fields) throws(Fault) -> Fields {
        var fields = fields
        do throws(WritingFault) {
            try fields.append("Content-Type", "text/plain; charset=utf-8")
        } catch {
            throw .contentType
        }
        return fields
    }

    /// Says that the program ended.
    ///
    /// - Returns: The events that are left: a head for output without header lines, and its bytes.
    /// - Throws: `.truncated` within a header.
    public mutating func finish() throws(Fault) -> [Event] {
        switch state {
        case .failed(let fault): throw fault
        case .body: return []
        case .kept(let kept):
            state = .body
            return [.kept(kept)]
        case .header:
            // A header without its empty line, as `Status: 404` alone, has no body. Anything else
            // that is no field is a body without its last line end.
            if isCertain {
                guard lineStart == bytes.count else { throw .truncated }
                return [.head(try endHeader())]
            }
            let kept = bytes
            bytes = []
            state = .body
            let head = Event.head(try Self.plainHead())
            return kept.isEmpty ? [head] : [head, .kept(kept)]
        }
    }
}
