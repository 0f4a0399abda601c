// Soundness: a connection is used by its loop's thread only; the streams check this.

import WasmdEventLoop
import WasmdHTTP

/// A WebSocket of a client (RFC 6455).
///
/// One task receives, and tasks of the same loop send. Pings are answered while a task receives.
public final class WebSocketConnection: @unchecked Sendable {
    public enum Message: Equatable, Sendable {
        case text([UInt8])
        case binary([UInt8])
    }

    private let stream: ByteStream
    private var parser: WebSocketParser
    private var input: InputBuffer
    private var queue: [UInt8] = []
    private var isWriting = false
    private var hasSentClose = false
    /// How long the client may take to read the bytes of one write.
    private let timeout: Duration
    /// The code of the client's close; nil before it, or without a code.
    public private(set) var closeCode: WebSocketCloseCode?
    /// Whether the client has closed.
    public private(set) var isClosed = false

    init(_ stream: ByteStream, rest: [UInt8], limit: Int, timeout: Duration) {
        self.stream = stream
        self.timeout = timeout
        parser = WebSocketParser(role: .server, limit: limit)
        input = InputBuffer(capacity: 4096)
        input.append(rest)
    }

    /// Waits for a message; nil when the client has closed.
    ///
    /// - Throws: `WebSocketFault` for bytes that are no WebSocket frames, after the connection was
    ///   closed with its code; `LoopError`.
    public func receive() async throws -> Message? {
        while true {
            while let event = try await parse() {
                switch event {
                case .text(let bytes): return .text(bytes)
                case .binary(let bytes): return .binary(bytes)
                case .ping(let bytes):
                    if !hasSentClose { try await send { WebSocketWriter.pong(bytes, to: &$0) } }
                case .pong: continue
                case .close(let code, _):
                    closeCode = code
                    isClosed = true
                    try? await close(code)
                    return nil
                }
            }
            if isClosed { return nil }
            if try await stream.read(into: &input) == 0 { throw WebSocketFault.truncated }
        }
    }

    private func parse() async throws -> WebSocketEvent? {
        do throws(WebSocketFault) {
            let (bytes, end) = (input.bytes, input.end)
            var position = input.start
            let event = try parser.next(bytes.span.extracting(first: end), at: &position)
            input.consume(to: position)
            return event
        } catch {
            try? await close(error.code)
            throw error
        }
    }

    public func send(text: String) async throws(LoopError) {
        let bytes = Array(text.utf8)
        try await send { WebSocketWriter.message(bytes.span, isText: true, to: &$0) }
    }

    public func send(binary bytes: [UInt8]) async throws(LoopError) {
        try await send { WebSocketWriter.message(bytes.span, isText: false, to: &$0) }
    }

    public func ping(_ payload: [UInt8] = []) async throws(LoopError) {
        try await send { WebSocketWriter.ping(payload, to: &$0) }
    }

    /// Closes; `receive` then waits for the client's close. Later calls do nothing.
    public func close(
        _ code: WebSocketCloseCode? = .normal, reason: String = ""
    ) async throws(LoopError) {
        if hasSentClose { return }
        try await send { WebSocketWriter.close(code, reason: reason, to: &$0) }
        hasSentClose = true
    }

    /// Appends a frame; the first task that does so writes all frames that are added meanwhile.
    private func send(_ write: (inout [UInt8]) -> Void) async throws(LoopError) {
        guard stream.loop.isCurrent else { throw .wrongLoop }
        if hasSentClose { throw .closed }
        write(&queue)
        while isWriting, !queue.isEmpty {
            // Another task writes these bytes too. Waiting bounds the bytes in the queue.
            try await stream.loop.sleep(for: .milliseconds(1))
        }
        guard !queue.isEmpty else { return }
        isWriting = true
        defer { isWriting = false }
        while !queue.isEmpty {
            var bytes: [UInt8] = []
            swap(&bytes, &queue)
            stream.writeDeadline = .after(timeout)
            try await stream.write(bytes)
        }
    }
}

extension ServerResponse {
    /// Makes the connection a WebSocket, as the request asks for. It is closed when the handler
    /// returns.
    ///
    /// - Parameters:
    ///   - protocol: one that the client has offered, or nil.
    ///   - limit: the most bytes of a message.
    /// - Throws: `WebSocketHandshake.Fault` if the request does not ask for one, or is wrong;
    ///   respond with its status.
    public func webSocket(
        for request: ServerRequest, protocol subprotocol: [UInt8]? = nil, limit: Int = 1 << 20
    ) async throws -> WebSocketConnection {
        try connection.check(number)
        let fields = try WebSocketHandshake.accept(request.head, subprotocol: subprotocol)
        let rest = try await connection.upgrade(fields)
        return WebSocketConnection(
            connection.stream, rest: rest, limit: limit,
            timeout: connection.options.transferTimeout)
    }
}
