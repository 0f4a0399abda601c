import WasmdEventLoop
import WasmdHTTP

/// A response of server-sent events (WHATWG HTML, 9.2).
public struct EventSink: Sendable {
    let response: ServerResponse

    /// Sends an event.
    public func send(_ event: ServerSentEvent) async throws {
        var bytes: [UInt8] = []
        try ServerSentEventWriter.write(event, to: &bytes)
        try await response.write(bytes)
    }

    /// Bytes of events that are sent at once: what a stream holds whose client does not read.
    private static let pieceSize = 1 << 14

    /// Sends events that are there together, with few writes.
    ///
    /// - Parameter events: their bytes, as `SharedEvents` has them.
    public func send(encoded events: some Sequence<[UInt8]>) async throws {
        var bytes: [UInt8] = []
        for event in events {
            bytes += event
            guard bytes.count >= Self.pieceSize else { continue }
            try await response.write(bytes)
            bytes.removeAll(keepingCapacity: true)
        }
        if !bytes.isEmpty { try await response.write(bytes) }
    }

    /// Lets others run before what takes time: see `follow`.
    public func yield() async { await response.connection.room.yieldStream() }

    /// Sends a comment, which keeps the connection alive through proxies, and detects whether the
    /// client is still there.
    public func comment(_ text: [UInt8] = []) async throws {
        var bytes: [UInt8] = []
        ServerSentEventWriter.comment(text, to: &bytes)
        try await response.write(bytes)
    }
}

// MARK: Following

extension EventSink {
    /// How often a silent stream looks whether it should end, and after how many silent times it
    /// sends a comment, so that proxies keep the connection.
    private static let interval = Duration.milliseconds(250)
    private static let silence = 60

    /// Sends what comes until there is an end, and ends the response.
    ///
    /// Streams leave the loop to others: each turn of a stream is one between two polls of the
    /// loop, and a stream that has sent waits for longer the more streams there are. What comes
    /// meanwhile is sent together.
    ///
    /// - Parameters:
    ///   - goesOn: asked before each wait, four times a second at least.
    ///   - next: what comes until a time; nil if nothing does.
    ///   - send: sends it.
    public func follow<Batch>(
        while goesOn: () -> Bool, next: (LoopInstant) async throws -> Batch?,
        send: (Batch) async throws -> Void
    ) async throws {
        let room = response.connection.room
        room.streams += 1
        defer { room.streams -= 1 }
        var silent = 0
        while goesOn() {
            if let batch = try await next(.after(Self.interval)) {
                silent = 0
                await room.yieldStream()
                try await send(batch)
                try await pause()
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

    /// Lets a stream that has sent wait: a turn takes some 20 µs, so that all of them together take
    /// about a fifth of the loop's time.
    private func pause() async throws {
        let room = response.connection.room
        let pause = Duration.microseconds(100) * room.streams
        guard pause >= .milliseconds(1) else { return }
        try await room.loop.sleep(for: min(pause, Self.interval))
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
        connection.limitUnsent(Connection.unsentEventLimit)
        try begin(head)
        try await flush()
        return EventSink(response: self)
    }
}
