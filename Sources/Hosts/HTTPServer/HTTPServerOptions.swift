import WasmSystem
import WasmdEventLoop
import WasmdHTTP

/// How a server handles its connections.
public struct HTTPServerOptions: Sendable {
    /// Limits of requests; larger ones are refused with 413, 414 or 431.
    public var limits = MessageLimits()
    /// Connections at one time, of all loops together. One more gets 503 and is closed.
    public var connectionLimit = 16_384
    /// How long a connection may be idle between requests; it is then closed without a response.
    public var idleTimeout = Duration.seconds(75)
    /// How long a head may take from its first byte, and the first one from the connection's
    /// beginning. Then 408.
    public var headTimeout = Duration.seconds(15)
    /// How long the server waits for bytes of a body, or for a client to take bytes of a response,
    /// beyond what `minimumRate` allows. Then 408, or the connection is closed.
    public var transferTimeout = Duration.seconds(30)
    /// Bytes per second that a client has to send or read at least, on average. `transferTimeout`
    /// is how far it may be late.
    public var minimumRate = 1024
    /// How long a handler continues after its client has stopped sending. A client that only has no
    /// more requests, and waits for its answer, looks the same as one that has disconnected: its
    /// answer may take this long. Then the handler's task is cancelled.
    public var abandonedTimeout = Duration.seconds(1)
    /// The most bytes of a body that the handler has not read, which are read and discarded so that
    /// the connection can be reused. If there are more, it is closed.
    public var drainLimit = 256 * 1024
    /// How small writes are sent, and how the port is shared.
    public var listener = Listener.Options()
    /// Whether a client of a unix socket may connect, by who it is; nil for everybody. Clients that
    /// may not are closed.
    public var admits: (@Sendable (PeerCredentials) -> Bool)?
    /// Called after each request.
    public var log: (@Sendable (AccessRecord) -> Void)?

    public init() {}
}

/// A request that was answered, for the log.
public struct AccessRecord: Sendable {
    /// The address of the client; nil if it cannot be read.
    public var peer: SystemAddress?
    /// Nil if the request is malformed.
    public var request: RequestHead?
    /// 0 if the connection ended before a response began.
    public var status: UInt16
    /// Bytes of the response, with its head.
    public var byteCount: UInt64
    /// From the complete head to the end of the response.
    public var duration: Duration
    /// The error, if there was one.
    public var error: (any Error)?
}

/// Why a handler's call failed. A handler may rethrow it: if no response has begun, the server then
/// answers with `status`, and otherwise closes the connection.
public enum HTTPServerError: Error, Equatable, Sendable {
    /// The client has disconnected, or the server stops.
    case disconnected
    /// The client was too slow.
    case timedOut
    /// The body is malformed or too large.
    case request(RequestFault)
    /// The response cannot be written in the given form.
    case response(WritingFault)
    /// A response was begun before, or has ended; or the request is over.
    case order
    /// The connection failed.
    case loop(LoopError)

    public var status: Status {
        switch self {
        case .timedOut: .requestTimeout
        case .request(let fault): fault.status
        default: .internalServerError
        }
    }

    init(_ error: LoopError) {
        self =
            switch error {
            case .timedOut: .timedOut
            case .cancelled, .closed: .disconnected
            case .system(.pipe), .system(.connreset): .disconnected
            default: .loop(error)
            }
    }
}

/// The times of the options in nanoseconds: to convert a `Duration` takes two hundred instructions.
struct ServerTimes: Sendable {
    let idle: UInt64
    let head: UInt64
    let transfer: UInt64

    init(_ options: HTTPServerOptions) {
        func nanoseconds(_ duration: Duration) -> UInt64 {
            (LoopInstant(nanoseconds: 0) + duration).nanoseconds
        }
        idle = nanoseconds(options.idleTimeout)
        head = nanoseconds(options.headTimeout)
        transfer = nanoseconds(options.transferTimeout)
    }
}
