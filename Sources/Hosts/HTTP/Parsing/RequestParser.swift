/// A part of a request, in the order in which they come.
public enum RequestEvent: Equatable, Sendable {
    /// The request line and the fields are complete.
    case head(RequestHead)
    /// Bytes of the body: a range of the input.
    case body(Range<Int>)
    /// The request is complete. Trailer fields are kept apart from those of the head.
    case end(trailers: Fields)
}

/// Parses the requests of a connection from pieces of bytes (RFC 9112).
///
/// The caller owns the input and says where parsing stands. The parser copies heads, and gives
/// bodies out as ranges of the input: back-pressure is not to call it.
///
///     var parser = RequestParser()
///     var position = 0
///     while let event = try parser.next(input.span, at: &position) { ... }
///     // nil: all of `input` was taken, more is needed.
///
/// Several requests may be in one input; after `.end` the next call starts the next request. After
/// a fault the parser throws it again for ever. What is forbidden because other parsers would
/// understand it differently is refused here: see `RequestFault`.
public struct RequestParser: Sendable {
    private enum State: Sendable {
        case line
        case fields
        case length(UInt64)
        case chunked
        case empty
        case tunnel
        case failed(RequestFault)
    }

    public let limits: MessageLimits
    private var state = State.line
    private var lines = LineReader()
    private var fields = FieldReader()
    private var line = RequestLine()
    private var chunks = ChunkedBody()
    private var bodyLimit: UInt64

    public init(limits: MessageLimits = MessageLimits()) {
        var limits = limits
        limits.line = min(max(limits.line, 0), Fields.maximumBytes)
        limits.fields = min(max(limits.fields, 0), Fields.maximumBytes)
        self.limits = limits
        bodyLimit = limits.body
    }

    /// Whether the connection may end here without loss: no byte of a request came since the last
    /// one. A server closes such a connection silently when it was idle for too long.
    public var isIdle: Bool {
        if case .line = state { return lines.bytes.isEmpty }
        if case .tunnel = state { return true }
        return false
    }

    /// Bytes of a body of known length that were not taken; 0 without one.
    public var bodyRest: UInt64 { if case .length(let rest) = state { rest } else { 0 } }

    /// Whether the head of a request is complete and its body is not.
    public var isInBody: Bool {
        switch state {
        case .length, .chunked: true
        default: false
        }
    }

    /// The next part of a request.
    ///
    /// - Parameters:
    ///   - input: bytes that came. What is before `position` was taken already.
    ///   - position: moved behind what was taken; at most to the end of `input`.
    /// - Returns: nil if all of the input was taken and nothing is complete.
    /// - Throws: Why the request is refused.
    public mutating func next(_ input: borrowing Span<UInt8>, at position: inout Int)
        throws(RequestFault) -> RequestEvent?
    {
        do throws(RequestFault) {
            return try advance(input, at: &position)
        } catch {
            state = .failed(error)
            throw error
        }
    }

    private mutating func advance(_ input: borrowing Span<UInt8>, at position: inout Int)
        throws(RequestFault) -> RequestEvent?
    {
        position = min(max(position, 0), input.count)
        switch state {
        case .line:
            guard try readLine(input, at: &position) else { return nil }
            state = .fields
            return try readFields(input, at: &position)
        case .fields:
            return try readFields(input, at: &position)
        case .length(let rest):
            guard position < input.count else { return nil }
            let count = min(rest, UInt64(input.count &- position))
            let piece = position..<(position &+ Int(truncatingIfNeeded: count))
            position = piece.upperBound
            state = rest == count ? .empty : .length(rest &- count)
            return .body(piece)
        case .chunked:
            let event = try chunks.next(
                input, at: &position, limits: limits, bodyLimit: bodyLimit)
            switch event {
            case .body(let piece): return .body(piece)
            case .end(let trailers):
                startNext()
                return .end(trailers: trailers)
            case nil: return nil
            }
        case .empty:
            startNext()
            return .end(trailers: Fields())
        case .tunnel:
            return nil
        case .failed(let fault):
            throw fault
        }
    }

    private mutating func startNext() {
        state = .line
        bodyLimit = limits.body
    }

    /// Reads the request line. Empty lines before it are skipped (RFC 9112 2.2), as many as fit in
    /// the limit of a line.
    private mutating func readLine(_ input: borrowing Span<UInt8>, at position: inout Int)
        throws(RequestFault) -> Bool
    {
        while true {
            let skipped = lines.start
            if skipped > limits.line { throw .requestLine }
            guard
                let range = try lines.next(
                    input, at: &position, limit: limits.line, tooLong: .targetTooLong)
            else { return false }
            if range.isEmpty { continue }
            line = try RequestLine(lines.bytes.span, range)
            return true
        }
    }

    private mutating func readFields(_ input: borrowing Span<UInt8>, at position: inout Int)
        throws(RequestFault) -> RequestEvent?
    {
        guard try fields.read(&lines, input, at: &position, limits: limits) else { return nil }
        let fields = fields.take(&lines)
        let method = Method(token: fields.bytes.span, line.method)
        guard let target = Target(fields.bytes, line.target, method: method) else { throw .target }
        var head = RequestHead(
            method: method, target: target, version: line.version, fields: fields)
        try RequestRules.apply(to: &head, bodyLimit: bodyLimit)
        switch head.framing {
        case .length(let length): state = .length(length)
        case .chunked:
            state = .chunked
            chunks = ChunkedBody()
        default: state = .empty
        }
        return .head(head)
    }

    /// Lowers the limit of the body that follows: what a route allows. Call it after `.head`.
    ///
    /// - Throws: `.bodyTooLarge` if the announced length is more.
    public mutating func limitBody(to limit: UInt64) throws(RequestFault) {
        bodyLimit = min(bodyLimit, limit)
        let isTooLarge =
            switch state {
            case .length(let length): length > bodyLimit
            case .chunked: chunks.total > bodyLimit
            default: false
            }
        if isTooLarge {
            state = .failed(.bodyTooLarge)
            throw .bodyTooLarge
        }
    }

    /// Ends parsing: what follows in the input belongs to another protocol, as after 101 or a
    /// CONNECT that succeeded. Call it after `.end`; from then on nothing is taken.
    public mutating func switchProtocols() { state = .tunnel }

    /// Says that the connection ended.
    ///
    /// - Throws: `.truncated` within a request, or the fault that came before.
    public mutating func finish() throws(RequestFault) {
        if case .failed(let fault) = state { throw fault }
        if isIdle { return }
        // Empty lines after the last request are no beginning of one.
        if case .line = state, lines.start == lines.bytes.count { return }
        state = .failed(.truncated)
        throw .truncated
    }
}

/// Where the parts of a request line are (RFC 9112, section 3).
struct RequestLine: Sendable {
    var method: Range<Int> = 0..<0
    var target: Range<Int> = 0..<0
    var version = Version.http11

    init() {}

    /// Checks and splits a line: single spaces, and no other blank.
    init(_ bytes: borrowing Span<UInt8>, _ line: Range<Int>) throws(RequestFault) {
        var index = line.lowerBound
        while index < line.upperBound, ByteSet.token.contains(bytes[index]) { index &+= 1 }
        method = line.lowerBound..<index
        guard !method.isEmpty, index < line.upperBound, bytes[index] == ASCII.space else {
            throw .requestLine
        }
        let start = index &+ 1
        index = start
        while index < line.upperBound, bytes[index] > 0x20, bytes[index] != 0x7f { index &+= 1 }
        target = start..<index
        guard !target.isEmpty, index < line.upperBound, bytes[index] == ASCII.space else {
            throw .requestLine
        }
        version = try Self.version(bytes, (index &+ 1)..<line.upperBound)
    }

    /// `HTTP/1.x`; other major versions are a fault of their own.
    private static func version(_ bytes: borrowing Span<UInt8>, _ range: Range<Int>)
        throws(RequestFault) -> Version
    {
        // "HTTP/" in this case only.
        guard range.count == 8, bytes[range.lowerBound] == 0x48,
            bytes[range.lowerBound &+ 1] == 0x54, bytes[range.lowerBound &+ 2] == 0x54,
            bytes[range.lowerBound &+ 3] == 0x50, bytes[range.lowerBound &+ 4] == ASCII.slash,
            let major = bytes[range.lowerBound &+ 5].digit,
            bytes[range.lowerBound &+ 6] == ASCII.dot,
            let minor = bytes[range.lowerBound &+ 7].digit
        else { throw .requestLine }
        guard major == 1 else { throw .version }
        return minor == 0 ? .http10 : .http11
    }
}
