/// A part of a response, in the order in which they come.
public enum ResponseEvent: Equatable, Sendable {
    /// An interim response with 1xx, other than 101. The final one follows.
    case interim(ResponseHead)
    case head(ResponseHead)
    /// Bytes of the body: a range of the input.
    case body(Range<Int>)
    case end(trailers: Fields)
}

/// Parses the responses of a connection from pieces of bytes (RFC 9112). As `RequestParser`, it
/// copies heads only.
///
/// The body's end depends on the request, so each request must be announced before its response:
///
///     var parser = ResponseParser()
///     parser.expect(.get)
public struct ResponseParser: Sendable {
    private enum State: Sendable {
        case line
        case fields
        case length(UInt64)
        case chunked
        case untilClose
        case empty
        case tunnel
        case failed(ResponseFault)
    }

    public let limits: MessageLimits
    private var state = State.line
    private var lines = LineReader()
    private var fields = FieldReader()
    private var line = StatusLine()
    private var chunks = ChunkedBody()
    private var requests: [Method] = []
    private var answered = 0
    private var received: UInt64 = 0

    public init(limits: MessageLimits = MessageLimits()) {
        var limits = limits
        limits.line = min(max(limits.line, 0), Fields.maximumBytes)
        limits.fields = min(max(limits.fields, 0), Fields.maximumBytes)
        self.limits = limits
    }

    /// Announces a request whose response follows those of earlier ones.
    public mutating func expect(_ method: Method) {
        if answered == requests.count || answered >= 64 {
            requests.removeFirst(answered)
            answered = 0
        }
        requests.append(method)
    }

    /// The number of requests whose responses are not complete.
    public var pending: Int { requests.count &- answered }

    /// Whether nothing of a response came since the last one.
    public var isIdle: Bool {
        if case .line = state { return lines.bytes.isEmpty }
        return false
    }

    /// The next part of a response; see `RequestParser.next`.
    public mutating func next(_ input: borrowing Span<UInt8>, at position: inout Int)
        throws(ResponseFault) -> ResponseEvent?
    {
        do throws(ResponseFault) {
            return try advance(input, at: &position)
        } catch {
            state = .failed(error)
            throw error
        }
    }

    private mutating func advance(_ input: borrowing Span<UInt8>, at position: inout Int)
        throws(ResponseFault) -> ResponseEvent?
    {
        position = min(max(position, 0), input.count)
        switch state {
        case .line:
            guard position < input.count else { return nil }
            guard answered < requests.count else { throw .unexpected }
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
            return try readChunks(input, at: &position)
        case .untilClose:
            guard position < input.count else { return nil }
            let piece = position..<input.count
            received &+= UInt64(piece.count)
            if received > limits.body { throw .bodyTooLarge }
            position = input.count
            return .body(piece)
        case .empty:
            endResponse()
            return .end(trailers: Fields())
        case .tunnel:
            return nil
        case .failed(let fault):
            throw fault
        }
    }

    private mutating func endResponse() {
        answered &+= 1
        state = .line
    }

    private mutating func readLine(_ input: borrowing Span<UInt8>, at position: inout Int)
        throws(ResponseFault) -> Bool
    {
        do throws(RequestFault) {
            guard
                let range = try lines.next(
                    input, at: &position, limit: limits.line, tooLong: .fieldsTooLarge)
            else { return false }
            guard let line = try StatusLine(lines.bytes.span, range) else {
                throw .requestLine
            }
            self.line = line
            return true
        } catch {
            switch error {
            case .requestLine: throw .statusLine
            case .version: throw .version
            default: throw .head(error)
            }
        }
    }

    private mutating func readChunks(_ input: borrowing Span<UInt8>, at position: inout Int)
        throws(ResponseFault) -> ResponseEvent?
    {
        do throws(RequestFault) {
            switch try chunks.next(input, at: &position, limits: limits, bodyLimit: limits.body) {
            case .body(let piece): return .body(piece)
            case .end(let trailers):
                endResponse()
                return .end(trailers: trailers)
            case nil: return nil
            }
        } catch {
            throw error == .bodyTooLarge ? .bodyTooLarge : .chunk
        }
    }

    private mutating func readFields(_ input: borrowing Span<UInt8>, at position: inout Int)
        throws(ResponseFault) -> ResponseEvent?
    {
        do throws(RequestFault) {
            guard try fields.read(&lines, input, at: &position, limits: limits) else {
                return nil
            }
        } catch {
            throw .head(error)
        }
        var head = ResponseHead(line.status)
        head.fields = fields.take(&lines)
        head.version = line.version
        head.reason = head.fields.bytes[line.reason]
        head.keepsAlive = RequestRules.keepsAlive(
            head.fields, version: head.version, hasConnection: head.fields.contains("connection"))
        if head.status.isInformational, head.status != .switchingProtocols {
            state = .line
            return .interim(head)
        }
        let method = answered < requests.count ? requests[answered] : .get
        head.framing = try framing(head, method)
        if head.framing == .untilClose || head.framing == .tunnel { head.keepsAlive = false }
        received = 0
        switch head.framing {
        case .none: state = .empty
        case .length(let length): state = .length(length)
        case .chunked:
            chunks = ChunkedBody()
            state = .chunked
        case .untilClose: state = .untilClose
        case .tunnel:
            answered &+= 1
            state = .tunnel
        }
        return .head(head)
    }

    /// RFC 9112 6.3, in its order.
    private func framing(_ head: ResponseHead, _ method: Method) throws(ResponseFault) -> Framing {
        if head.status == .switchingProtocols { return .tunnel }
        if method == .head || head.status.hasNoBody { return .none }
        if method == .connect, (200...299).contains(head.status.code) { return .tunnel }
        let hasLength = head.fields.contains("content-length")
        if head.fields.contains("transfer-encoding") {
            // A length beside it is an attempt to smuggle a response.
            if hasLength { throw .transferEncoding }
            switch TransferCodings(head.fields) {
            case .chunked: return .chunked
            default: throw .transferEncoding
            }
        }
        guard hasLength else { return .untilClose }
        guard let length = try? RequestRules.contentLength(head.fields) else {
            throw .contentLength
        }
        if length > limits.body { throw .bodyTooLarge }
        return length == 0 ? .none : .length(length)
    }

    /// Says that the connection ended.
    ///
    /// - Returns: `.end` if that completes a response whose body ends so.
    /// - Throws: `.truncated` within a response, or the fault that came before.
    public mutating func finish() throws(ResponseFault) -> ResponseEvent? {
        switch state {
        case .untilClose:
            endResponse()
            return .end(trailers: Fields())
        case .line where lines.bytes.isEmpty, .tunnel: return nil
        case .failed(let fault): throw fault
        default:
            state = .failed(.truncated)
            throw .truncated
        }
    }
}

/// The parts of a status line (RFC 9112, section 4).
private struct StatusLine: Sendable {
    var version = Version.http11
    var status = Status.ok
    var reason: Range<Int> = 0..<0

    init() {}

    /// Nil for what is no status line. The space before an empty reason may be missing.
    init?(_ bytes: borrowing Span<UInt8>, _ line: Range<Int>) throws(RequestFault) {
        let start = line.lowerBound
        guard line.count >= 12, bytes.equals(start..<(start &+ 5), lowercase: "http/"),
            bytes[start] == 0x48, let major = bytes[start &+ 5].digit,
            bytes[start &+ 6] == ASCII.dot, let minor = bytes[start &+ 7].digit,
            bytes[start &+ 8] == ASCII.space,
            let hundreds = bytes[start &+ 9].digit, let tens = bytes[start &+ 10].digit,
            let ones = bytes[start &+ 11].digit,
            let status = Status(Int(hundreds) * 100 + Int(tens) * 10 + Int(ones))
        else { return nil }
        guard major == 1 else { throw .version }
        version = minor == 0 ? .http10 : .http11
        self.status = status
        if line.count == 12 {
            reason = line.upperBound..<line.upperBound
            return
        }
        guard bytes[start &+ 12] == ASCII.space else { return nil }
        reason = (start &+ 13)..<line.upperBound
        for index in reason where !bytes[index].isFieldByte { return nil }
    }
}
