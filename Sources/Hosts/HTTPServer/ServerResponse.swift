// Soundness: a connection is used by its loop's thread only; its functions check this.

import WasmdEventLoop
import WasmdHTTP

/// The response to a request: in one call, or in pieces whose number and size need not be known
/// before.
///
/// Calls return when the kernel has taken the bytes, but for whole small responses: the handler waits
/// for a client that does not read.
public struct ServerResponse: Sendable {
    let connection: Connection
    let number: UInt64

    /// Whether `begin` or `respond` was called.
    public var hasBegun: Bool { connection.hasBegun }

    /// A number that a handler leaves for what logs its requests, such as the id of a run. Not sent;
    /// zeros at the begin of each request.
    public var mark: (high: UInt64, low: UInt64) {
        get { connection.mark }
        nonmutating set { if (try? connection.check(number)) != nil { connection.mark = newValue } }
    }

    /// Bytes of the response so far, with the head: sent, or about to be.
    public var byteCount: UInt64 { connection.byteCount }

    /// The status that the client gets when its handler ends now, with an error or without one; 0
    /// if the client is gone and gets none.
    public func status(after error: (any Error)?) -> UInt16 {
        if connection.hasBegun { return connection.status }
        if case .disconnected? = error as? HTTPServerError { return 0 }
        if Task.isCancelled { return connection.isStopping ? 503 : 0 }
        return ((error as? HTTPServerError)?.status ?? .internalServerError).code
    }

    /// Writes a whole response. Its length is announced; a HEAD request gets the head only.
    ///
    /// A small one is sent when the tasks that can run now have run, or a fifth of a millisecond
    /// after its handler was called if a request begins then: the responses of a turn are sent one
    /// after the other.
    public func respond(_ head: ResponseHead, _ body: [UInt8] = []) async throws(HTTPServerError) {
        try connection.check(number)
        try await connection.respond(head, body)
    }

    /// Writes a whole response with a text.
    public func respond(
        _ status: Status, _ text: String, type: StaticString = "text/plain; charset=utf-8"
    ) async throws(HTTPServerError) {
        var head = ResponseHead(status)
        do throws(WritingFault) {
            try head.fields.append("Content-Type", String(describing: type))
        } catch {
            throw .response(error)
        }
        try await respond(head, Array(text.utf8))
    }

    /// Writes the response to `OPTIONS *`: what the server can do, whatever its paths are.
    public func respondToServerOptions() async throws(HTTPServerError) {
        var head = ResponseHead(.noContent)
        do throws(WritingFault) {
            try head.fields.append("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")
        } catch {
            throw .response(error)
        }
        try await respond(head)
    }

    /// Writes an interim response, such as `103 Early Hints`.
    public func interim(_ head: ResponseHead) async throws(HTTPServerError) {
        try connection.check(number)
        try await connection.interim(head)
    }

    /// Begins a response whose body follows in pieces. The head is sent with the first of them, or
    /// by `flush`.
    ///
    /// - Parameter length: `.unknown` sends chunks, or ends the body with the connection for
    ///   clients of HTTP/1.0.
    public func begin(
        _ head: ResponseHead, length: BodyLength = .unknown
    ) throws(HTTPServerError) {
        try connection.check(number)
        try connection.begin(head, length)
    }

    /// Writes a piece of the body, and waits until the kernel has taken it.
    public func write(_ bytes: [UInt8]) async throws(HTTPServerError) {
        try connection.check(number)
        try await connection.write(bytes)
    }

    /// Sends the bytes of the response that are buffered.
    public func flush() async throws(HTTPServerError) {
        try connection.check(number)
        try await connection.flush()
    }

    /// Ends a response that was begun.
    ///
    /// - Parameter trailers: sent in chunked bodies only, and discarded elsewhere.
    public func end(trailers: Fields = Fields()) async throws(HTTPServerError) {
        try connection.check(number)
        try await connection.end(trailers)
    }
}
