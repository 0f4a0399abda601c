import WasmSystem
import WasmdEventLoop
import WasmdHTTP

/// How a client connects, and how long it waits.
public struct HTTPClientOptions: Sendable {
    /// Limits of responses.
    public var limits = MessageLimits()
    /// How long the look-up of the address and connecting may take.
    public var connectTimeout = Duration.seconds(10)
    /// How long the server may take from the end of the request to the head of its response.
    public var responseTimeout = Duration.seconds(60)
    /// How long the server may send no bytes of a body, or read none of it.
    public var transferTimeout = Duration.seconds(30)
    /// Redirects that are followed; 0 returns the first response unchanged.
    public var redirectLimit = 5
    /// Connections without a request that are kept for each server.
    public var idleLimit = 8
    /// How long they are kept.
    public var idleTimeout = Duration.seconds(30)
    /// A proxy for all requests, those of `https` as well: it gets the whole URL.
    public var proxy: HTTPProxy?
    /// Makes connections; nil connects to addresses that are given as numbers, and to `localhost`,
    /// without TLS. A connector adds look-ups of names and TLS.
    public var connector: HTTPConnector?
    /// Whether a URL may be requested: called for the first one and for each redirect. An error
    /// that it throws ends the request.
    public var check: (@Sendable (URL) throws -> Void)?

    public init() {}
}

/// Connects to a server.
public typealias HTTPConnector = @Sendable (HTTPDestination) async throws -> ByteStream

/// The destination for a connector.
public struct HTTPDestination: Sendable {
    public let host: Authority.Host
    public let port: UInt16
    /// Whether the connection must speak TLS.
    public let isSecure: Bool
    /// The loop of the stream.
    public let loop: EventLoop
    /// When to give up.
    public let deadline: LoopInstant
}

/// A forward proxy.
public struct HTTPProxy: Sendable {
    public var host: Authority.Host
    public var port: UInt16
    /// The value of `Proxy-Authorization`, if the proxy requires one.
    public var authorization: [UInt8]?

    public init(host: Authority.Host, port: UInt16, authorization: [UInt8]? = nil) {
        self.host = host
        self.port = port
        self.authorization = authorization
    }
}

/// Why a request got no response.
public enum HTTPClientError: Error, Equatable, Sendable {
    public enum Phase: Sendable { case connecting, sending, waiting, receiving }

    /// The scheme is unknown, or the URL has user information.
    case url
    /// The connector of the options is needed to find the name.
    case unknownName([UInt8])
    /// The connector of the options is needed for TLS.
    case noTLS
    case connecting(LoopError)
    case timedOut(Phase)
    /// The server has ended the connection before the response was complete.
    case disconnected
    /// The response is malformed, or larger than the limits.
    case response(ResponseFault)
    /// The request cannot be written in the given form.
    case request(WritingFault)
    case tooManyRedirects
    /// `Location` is missing or malformed.
    case redirect
    case cancelled
    case loop(LoopError)

    init(_ error: LoopError, _ phase: Phase) {
        self =
            switch error {
            case .timedOut: .timedOut(phase)
            case .cancelled: .cancelled
            case .closed, .system(.pipe), .system(.connreset): .disconnected
            default: .loop(error)
            }
    }
}
