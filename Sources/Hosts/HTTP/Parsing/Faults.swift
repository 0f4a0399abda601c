/// Why a request is refused. `status` is that of the response, after which the connection closes:
/// where the next request would start is not certain.
public enum RequestFault: Error, Equatable, Sendable {
    /// The request line is not `method SP target SP version`.
    case requestLine
    case target
    /// The major version is another one than 1.
    case version
    case targetTooLong
    case fieldsTooLarge
    case tooManyFields
    /// A line ends without CR, or has CR elsewhere.
    case lineEnd
    /// A field line starts with a blank: the obsolete folding.
    case folding
    /// No name, a blank before the colon, or a byte that may not be in a name.
    case fieldName
    /// A control character in a value.
    case fieldValue
    /// HTTP/1.1 without `Host`, or more than one.
    case hostCount
    case host
    case contentLength
    /// Several lengths that differ.
    case contentLengths
    /// Both a length and a transfer coding.
    case lengthAndCoding
    /// Chunked is not the last coding, or occurs twice, or the version has no codings.
    case transferEncoding
    /// A transfer coding other than chunked.
    case unknownCoding
    case bodyTooLarge
    case chunk
    case chunkExtension
    /// `Expect` asks for something else than 100-continue.
    case expectation
    /// The connection ended within a request.
    case truncated

    /// The status code of the response.
    public var status: Status {
        switch self {
        case .targetTooLong: .targetTooLong
        case .fieldsTooLarge, .tooManyFields: .fieldsTooLarge
        case .bodyTooLarge: .contentTooLarge
        case .unknownCoding: .notImplemented
        case .version: .versionNotSupported
        case .expectation: .expectationFailed
        default: .badRequest
        }
    }

    /// A sentence for the response's body and the log.
    public var reason: String {
        switch self {
        case .requestLine: "the request line is malformed"
        case .target: "the request target is malformed"
        case .version: "only HTTP/1.0 and HTTP/1.1 are spoken here"
        case .targetTooLong: "the request line is too long"
        case .fieldsTooLarge: "the header fields are too large"
        case .tooManyFields: "there are too many header fields"
        case .lineEnd: "a line does not end with CR LF"
        case .folding: "a header field is folded over several lines"
        case .fieldName: "the name of a header field is malformed"
        case .fieldValue: "a header field holds a control character"
        case .hostCount: "a request needs exactly one Host field"
        case .host: "the Host field is malformed"
        case .contentLength: "Content-Length is malformed"
        case .contentLengths: "several Content-Length fields differ"
        case .lengthAndCoding: "Content-Length and Transfer-Encoding exclude each other"
        case .transferEncoding: "Transfer-Encoding does not end with chunked"
        case .unknownCoding: "only the transfer coding chunked is known"
        case .bodyTooLarge: "the body is too large"
        case .chunk: "a chunk is malformed"
        case .chunkExtension: "the extensions of chunks are too large"
        case .expectation: "only the expectation 100-continue is known"
        case .truncated: "the connection ended within the request"
        }
    }
}

/// Why a response is not understood. The connection is of no more use.
public enum ResponseFault: Error, Equatable, Sendable {
    case statusLine
    case version
    /// The head has a fault that is the same in requests.
    case head(RequestFault)
    case contentLength
    case transferEncoding
    case bodyTooLarge
    case chunk
    /// The connection ended within a response.
    case truncated
    /// Bytes came that belong to no request.
    case unexpected
}

/// Why a message cannot be written: a mistake of the program, or bytes of a guest that may not be
/// in a message. Nothing of the refused part is written.
public enum WritingFault: Error, Equatable, Sendable {
    case method
    case target
    /// The name of a field is no token.
    case fieldName
    /// The value of a field has CR, LF, NUL or another control character.
    case fieldValue
    /// More bytes than the header section may have.
    case tooLarge
    /// A field that only the writer itself may write: length, coding.
    case framingField
    /// More or fewer bytes than the length that was announced.
    case length
    /// A call at the wrong time, as a body before its head.
    case order
}

/// What a parser takes before it refuses a message.
public struct MessageLimits: Equatable, Sendable {
    /// Bytes of the first line, without its end.
    public var line: Int = 16 * 1024
    /// Bytes of all field lines, with their ends, of head or trailers.
    public var fields: Int = 64 * 1024
    /// The number of field lines, of head or trailers.
    public var fieldCount: Int = 128
    /// Bytes of the body, without what chunks add.
    public var body: UInt64 = 64 << 20
    /// Bytes of the lines before chunks, beyond their sizes, in a whole body.
    public var chunkExtensions: Int = 16 * 1024

    public init() {}
}
