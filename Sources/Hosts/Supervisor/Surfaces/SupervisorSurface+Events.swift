import WasmInterpreter
import WasmdDocuments
import WasmdEventLoop
import WasmdGuests
import WasmdHTTP
import WasmdHTTPServer

/// Runs as server-sent events, for clients that would ask again and again.
///
/// | event | data |
/// |---|---|
/// | `run` | `{"request_id", "resultUrl"}`: the run has begun |
/// | `line` | `{"loglevel", "message", "request_id"}`: what the module has printed |
/// | `end` | the entry of the history |
extension SupervisorSurface {
    /// Whether the client accepts events.
    static func wantsEvents(_ request: ServerRequest) -> Bool {
        guard request.method != .head, let accepted = request.fields.first("accept") else {
            return false
        }
        return String(decoding: accepted, as: UTF8.self).lowercased().utf8
            .split(separator: UInt8(ascii: ","))
            .contains { part in
                part.split(separator: UInt8(ascii: ";")).first.map { type in
                    String(decoding: Array(type), as: UTF8.self)
                        .split(separator: " ").first == "text/event-stream"
                } ?? false
            }
    }

    /// The events of one run; the stream ends with it.
    ///
    /// - Parameter url: the first event names it; nil for a run that began before.
    func events(
        of id: String, _ url: String?, _ response: ServerResponse, _ loop: EventLoop
    ) async throws {
        // Subscribed before the look, so that no end is missed.
        let source = FeedReader(supervisor.lines.subscribe(recent: 1000))
        guard supervisor.pending[id] != nil || supervisor.history[id] != nil else {
            throw Refusal.noEntry
        }
        let events = try await response.events()
        if let url {
            try await events.send(
                "run",
                .object([.init("request_id", .string(id)), .init("resultUrl", .string(url))]))
        }
        func send(_ batch: FeedSubscription<ModuleLine>.Batch) async throws {
            try await events.send(
                encoded: try encoded(batch) { !$0.isEnd && $0.run.utf8.elementsEqual(id.utf8) })
        }
        // What is there already comes before a wait; the stream ends after the entry.
        func isOver() async throws -> Bool {
            let entry = supervisor.history[id]
            // Lines of the run are there before its entry is.
            while let batch = source.nextNow() { try await send(batch) }
            guard let entry else {
                return supervisor.pending[id] == nil && supervisor.history[id] == nil
            }
            try await events.send("end", entry.document)
            return true
        }
        var goesOn = try await !isOver()
        try await events.follow(while: { goesOn && !supervisor.isStopping }) { end in
            let batch = try await source.next(until: end, on: loop)
            if let batch { try await send(batch) }
            goesOn = try await !isOver()
            return batch
        } send: { _ in
        }
    }

    /// The lines and ends of all runs, until the client goes.
    func allEvents(_ response: ServerResponse, _ loop: EventLoop) async throws {
        let source = FeedReader(supervisor.lines.subscribe())
        let events = try await response.events()
        try await events.follow(while: { !supervisor.isStopping }) { end in
            try await source.next(until: end, on: loop)
        } send: { batch in
            if batch.lost > 0 {
                try await events.send(
                    "lost", .object([.init("lines", .integer(Int64(clamping: batch.lost)))]))
            }
            try await events.send(encoded: try encoded(batch) { _ in true })
        }
    }

    /// The events of those lines that a stream wants. An end without an entry has none.
    private func encoded(
        _ batch: FeedSubscription<ModuleLine>.Batch, where isWanted: (ModuleLine) -> Bool
    ) throws -> [[UInt8]] {
        var result: [[UInt8]] = []
        for (offset, line) in batch.elements.enumerated() where isWanted(line) {
            let entry = line.isEnd ? supervisor.history[line.run] : nil
            if line.isEnd, entry == nil { continue }
            result.append(
                try shared.bytes(batch.first + UInt64(offset)) {
                    ServerSentEvent(
                        type: Array((line.isEnd ? "end" : "line").utf8),
                        data: JSONWriter.write(entry?.document ?? Self.lineDocument(line)))
                })
        }
        return result
    }

    private static func lineDocument(_ line: ModuleLine) -> Document {
        .object([
            .init("loglevel", .string(line.level.rawValue)),
            .init("message", .string(HarmlessText.text(line.bytes))),
            .init("request_id", .string(line.run)),
        ])
    }
}

extension EventSink {
    fileprivate func send(_ type: String, _ document: Document) async throws {
        try await send(
            ServerSentEvent(type: Array(type.utf8), data: JSONWriter.write(document)))
    }
}
