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
    /// A proxy for all requests. Those of `https` go through `CONNECT`, so that it does not see
    /// them.
    public var proxy: HTTPProxy?
    /// Finds the addresses of names; nil allows only addresses that are given as numbers, and
    /// `localhost`.
    public var resolver: Resolver?
    /// Whether an address may be connected to, called for each after the look-up; not for the
    /// destinations of a proxy, which the proxy looks up.
    public var isAllowed: @Sendable (HostAddress) -> Bool = { _ in true }
    /// The same with the host and port of the request; nil allows what `isAllowed` allows.
    public var isAllowedFor: (@Sendable (HostAddress, Authority.Host, UInt16) -> Bool)?
    /// The program that speaks TLS; nil refuses `https`.
    public var tls: TLSProgram?
    /// Makes connections instead of the client, those with TLS too.
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
    /// Whether the proxy speaks TLS for the client: it gets whole URLs of `https` as well. Few do.
    public var speaksTLS: Bool

    public init(
        host: Authority.Host, port: UInt16, authorization: [UInt8]? = nil, speaksTLS: Bool = false
    ) {
        self.host = host
        self.port = port
        self.authorization = authorization
        self.speaksTLS = speaksTLS
    }
}

/// Why a request got no response.
public enum HTTPClientError: Error, Equatable, Sendable {
    public enum Phase: Sendable { case connecting, sending, waiting, receiving }

    /// The scheme is unknown, or the URL has user information.
    case url
    /// The options have no resolver to find the name with.
    case unknownName([UInt8])
    /// Why the name has no address that may be connected to.
    case name(NameError)
    /// `isAllowed` of the options refuses all addresses of the host.
    case addressNotAllowed
    /// The options name no TLS program.
    case noTLS
    case tls(TLSError)
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

extension HTTPClientError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .url: "only URLs of http and https without a user can be requested"
        case .unknownName(let name):
            "'\(String(decoding: name, as: UTF8.self))' needs a resolver, and there is none"
        case .name(let error): "\(error)"
        case .addressNotAllowed: "the host's address may not be connected to"
        case .noTLS:
            "https needs a program that speaks TLS: install the package 'openssl' and name it"
        case .tls(let error): "\(error)"
        case .connecting(let error): "cannot connect: \(error)"
        case .timedOut(.connecting): "timed out while connecting"
        case .timedOut(.sending): "timed out while sending the request"
        case .timedOut(.waiting): "the server did not answer in time"
        case .timedOut(.receiving): "timed out within the response"
        case .disconnected: "the server ended the connection before the response was complete"
        case .response(let fault): "the response is refused: \(fault)"
        case .request(let fault): "the request cannot be written: \(fault)"
        case .tooManyRedirects: "too many redirects"
        case .redirect: "a redirect without a usable Location"
        case .cancelled: "cancelled"
        case .loop(let error): "\(error)"
        }
    }
}
