// Soundness: a connection is used by its loop's thread only; its functions check this.

import WasmSystem
import WasmdEventLoop
import WasmdHTTP

/// A request of a client, with access to its body.
///
/// Valid for its handler as long as that runs; afterwards its functions throw
/// `HTTPServerError.order`.
public struct ServerRequest: Sendable {
    public let head: RequestHead
    let connection: Connection
    let number: UInt64

    public var method: Method { head.method }
    public var target: Target { head.target }
    public var fields: Fields { head.fields }

    /// The loop that the request is answered on.
    public var loop: EventLoop { connection.loop }

    /// The address of the client; nil if it cannot be read. Costs a call of the kernel the first
    /// time.
    public var peer: SystemAddress? { connection.peer }

    /// See `ServerResponse.mark`.
    public func mark(_ words: (high: UInt64, low: UInt64)) {
        if (try? connection.check(number)) != nil { connection.mark = words }
    }

    /// The server's address of the connection.
    public var localAddress: SystemAddress? { connection.stream.localAddress }

    /// Lowers the limit of the body below that of the server's options; before it is read.
    ///
    /// - Throws: `.request(.bodyTooLarge)` if the announced length is more.
    public func limitBody(to limit: UInt64) throws(HTTPServerError) {
        try connection.check(number)
        try connection.limitBody(limit)
    }

    /// Lets a client that waits for `100 Continue` send its body. `next` does so too; a handler that
    /// reads the body in another task, while it may begin its response, calls this before.
    public func acceptBody() async throws(HTTPServerError) {
        try connection.check(number)
        try await connection.acceptBody()
    }

    /// The next bytes of the body; nil at its end. The client must wait while this is not called.
    ///
    /// A client that waits for `100 Continue` gets it with the first call.
    public func next() async throws(HTTPServerError) -> [UInt8]? {
        try connection.check(number)
        return try await connection.nextPiece()
    }

    /// The whole body, if all of it has arrived and none was read: without waiting. Nil otherwise;
    /// then `body` and `next` are as before.
    ///
    /// - Parameter limit: if it is longer, `.request(.bodyTooLarge)`.
    public func bufferedBody(limit: Int) throws(HTTPServerError) -> [UInt8]? {
        try limitBody(to: UInt64(clamping: limit))
        return try connection.bufferedBody(head.framing)
    }

    /// The whole body.
    ///
    /// - Parameter limit: if it is longer, `.request(.bodyTooLarge)`; nil leaves it to the options.
    public func body(limit: Int? = nil) async throws(HTTPServerError) -> [UInt8] {
        if let limit { try limitBody(to: UInt64(clamping: limit)) }
        guard var body = try await next() else { return [] }
        while let piece = try await next() { body += piece }
        return body
    }

    /// Fields after the body, when its end was read.
    public var trailers: Fields { connection.trailers }
}
