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

/// A response of server-sent events (WHATWG HTML, 9.2).
public struct EventSink: Sendable {
    let response: ServerResponse

    /// Sends an event.
    public func send(_ event: ServerSentEvent) async throws {
        var bytes: [UInt8] = []
        try ServerSentEventWriter.write(event, to: &bytes)
        try await response.write(bytes)
    }

    /// Bytes of events that are sent at once.
    private static let pieceSize = 1 << 16

    /// Sends events that are there together, with few writes.
    public func send(_ events: some Sequence<ServerSentEvent>) async throws {
        var bytes: [UInt8] = []
        for event in events {
            try ServerSentEventWriter.write(event, to: &bytes)
            guard bytes.count >= Self.pieceSize else { continue }
            try await response.write(bytes)
            bytes.removeAll(keepingCapacity: true)
        }
        if !bytes.isEmpty { try await response.write(bytes) }
    }

    /// Sends a comment, which keeps the connection alive through proxies, and detects whether the
    /// client is still there.
    public func comment(_ text: [UInt8] = []) async throws {
        var bytes: [UInt8] = []
        ServerSentEventWriter.comment(text, to: &bytes)
        try await response.write(bytes)
    }
}

extension EventSink {
    /// How often a silent stream looks whether it should end, and after how many silent times it
    /// sends a comment, so that proxies keep the connection.
    private static let interval = Duration.milliseconds(250)
    private static let silence = 60

    /// Sends what comes until there is an end, and ends the response.
    ///
    /// - Parameters:
    ///   - goesOn: asked before each wait, four times a second at least.
    ///   - next: what comes until a time; nil if nothing does.
    ///   - send: sends it.
    public func follow<Batch>(
        while goesOn: () -> Bool, next: (LoopInstant) async throws -> Batch?,
        send: (Batch) async throws -> Void
    ) async throws {
        var silent = 0
        while goesOn() {
            if let batch = try await next(.after(Self.interval)) {
                silent = 0
                try await send(batch)
                continue
            }
            if Task.isCancelled { break }
            silent += 1
            if silent >= Self.silence {
                silent = 0
                try await comment()
            }
        }
        try await response.end()
    }
}

extension ServerResponse {
    /// Begins a response of server-sent events. `end()` ends it.
    public func events(_ fields: Fields = Fields()) async throws(HTTPServerError) -> EventSink {
        var head = ResponseHead(.ok, fields: fields)
        do throws(WritingFault) {
            try head.fields.append("Content-Type", "text/event-stream")
            try head.fields.append("Cache-Control", "no-store")
        } catch {
            throw .response(error)
        }
        try begin(head)
        try await flush()
        return EventSink(response: self)
    }
}
