import WasmSystem
import WasmdEventLoop
import WasmdHTTP

/// How a server treats its connections.
public struct HTTPServerOptions: Sendable {
    /// What requests may have; what is more is refused with 413, 414 or 431.
    public var limits = MessageLimits()
    /// Connections at one time, of all loops together. One more gets 503 and is closed.
    public var connectionLimit = 16_384
    /// How long a connection may be idle between requests; it is then closed without a word.
    public var idleTimeout = Duration.seconds(75)
    /// How long a head may take from its first byte, and the first one from the connection's beginning.
    /// Then 408.
    public var headTimeout = Duration.seconds(15)
    /// How long the server waits for bytes of a body, or for a client to take bytes of a response,
    /// beyond what `minimumRate` allows. Then 408, or the connection is closed.
    public var transferTimeout = Duration.seconds(30)
    /// Bytes a second that a client has to send or take at least, on average. `transferTimeout` is what
    /// it may fall behind.
    public var minimumRate = 1024
    /// How long a handler goes on after its client has stopped sending. A client that only says that it
    /// has no more requests, and waits for its answer, cannot be told from one that is gone: its answer
    /// has this long. Then the handler's task is cancelled.
    public var abandonedTimeout = Duration.seconds(1)
    /// Bytes of a body that a handler has not read, which are read and dropped so that the connection
    /// can be used again. With more of them it is closed.
    public var drainLimit = 256 * 1024
    /// How small writes leave, and how the port is shared.
    public var listener = Listener.Options()
    /// Called after each request.
    public var log: (@Sendable (AccessRecord) -> Void)?

    public init() {}
}

/// A request that was answered, for the log.
public struct AccessRecord: Sendable {
    /// The address of the client; nil if it is not known.
    public var peer: SystemAddress?
    /// Nil if the request was not understood.
    public var request: RequestHead?
    /// 0 if the connection ended before a response began.
    public var status: UInt16
    /// Bytes of the response, with its head.
    public var byteCount: UInt64
    /// From the complete head to the end of the response.
    public var duration: Duration
    /// What went wrong, if anything did.
    public var error: (any Error)?
}

/// Why a handler's call failed. A handler may let it pass: where no response has begun, the server then
/// answers with `status`, and otherwise closes the connection.
public enum HTTPServerError: Error, Equatable, Sendable {
    /// The client is gone, or the server stops.
    case disconnected
    /// The client was too slow.
    case timedOut
    /// The body is malformed or too large.
    case request(RequestFault)
    /// The response cannot be written as it was given.
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
