import WasmdDocuments
import WasmdEventLoop
import WasmdGuests
import WasmdHTTP
import WasmdHTTPServer
import WasmdWasmiot

/// Routes of executions.
extension OrchestratorSurface {
    /// `POST /execute/DEPLOYMENT`: the result; events, if the client accepts only those; or at once
    /// where the result will be.
    func execute(_ exchange: Exchange, _ text: String) async throws {
        let entry = try deployment(text)
        let body = try await UploadBody.read(
            exchange.request, limit: orchestrator.options.bodyLimit, orchestrator.store)
        let fields = exchange.request.fields
        if fields.list("prefer", contains: "respond-async") {
            let (execution, _) = try orchestrator.begin(
                entry, body, isKept: true, on: exchange.loop)
            return try await accept(exchange, execution)
        }
        if fields.list("accept", contains: "text/event-stream") {
            let (execution, task) = try orchestrator.begin(
                entry, body, isKept: true, on: exchange.loop)
            do {
                try await events(exchange, execution)
            } catch {
                // Who began it here is gone; nobody else knows of it.
                _ = execution.cancel()
                await task.value
                throw error
            }
            return
        }
        try await exchange.json(
            try await orchestrator.execute(entry, body, on: exchange.loop))
    }

    private func accept(_ exchange: Exchange, _ execution: Execution) async throws {
        let path = "/executions/\(execution.id)"
        var head = ResponseHead(.accepted)
        try head.fields.append("Content-Type", "application/json; charset=utf-8")
        try head.fields.append("Location", path)
        try head.fields.append("Preference-Applied", "respond-async")
        try await exchange.respond(
            head,
            JSONWriter.write(
                .object([
                    .init("execution", .string(execution.id.description)),
                    .init("url", .string(path)), .init("events", .string("\(path)/events")),
                ])))
    }

    /// Routes below `/executions`.
    func executions(_ exchange: Exchange, _ words: [String]) async throws {
        let executions = orchestrator.executions
        switch (Self.method(exchange), words.count) {
        case (.get, 0): try await list(exchange)
        case (.get, 1):
            guard let id = ObjectID(words[0]), let document = executions.document(id) else {
                throw unknown(words[0])
            }
            try await exchange.json(document)
        case (.get, 2) where words[1] == "events":
            guard let id = ObjectID(words[0]) else { throw unknown(words[0]) }
            if let execution = executions.live(id) {
                try await events(exchange, execution)
            } else if let document = executions.document(id) {
                // Of an earlier process: only its end is known.
                let sink = try await begin(exchange)
                try await sink.send(
                    ServerSentEvent(type: Array("end".utf8), data: JSONWriter.write(document)))
                try await exchange.response.end()
            } else {
                throw unknown(words[0])
            }
        case (.delete, 1):
            guard let id = ObjectID(words[0]), let document = executions.document(id) else {
                throw unknown(words[0])
            }
            guard executions.live(id)?.cancel() == true else {
                throw Failure(
                    .conflict, "the execution has ended",
                    document["status"]?.stringValue ?? "it has ended")
            }
            try await exchange.json(.object([.init("status", "cancelling")]), .accepted)
        default: throw Failure.badURL
        }
    }

    private func unknown(_ text: String) -> Failure {
        Failure(.notFound, "no execution has the id '\(text)'")
    }

    private func list(_ exchange: Exchange) async throws {
        let query = Query(exchange.request.target.query)
        var limit = 100
        if let text = query["limit"].map({ String(decoding: $0, as: UTF8.self) }) {
            guard let number = Int(text), (1...10_000).contains(number) else {
                throw Failure(
                    .badRequest, "malformed request", "'limit' must be a number from 1 to 10000")
            }
            limit = number
        }
        var id: ObjectID?
        if let text = query["deployment"].map({ String(decoding: $0, as: UTF8.self) }) {
            id = try deployment(text).id
        }
        let documents = orchestrator.executions.documents(limit: limit, deployment: id)
        try await exchange.json(.array(documents))
    }

    private func begin(_ exchange: Exchange) async throws -> EventSink {
        var head = ResponseHead(.ok)
        try exchange.addOrigin(to: &head)
        return try await exchange.response.events(head.fields)
    }

    /// Sends the events of an execution, also those that were, until its end.
    private func events(_ exchange: Exchange, _ execution: Execution) async throws {
        let source = FeedReader(execution.events.subscribe(recent: .max))
        let sink = try await begin(exchange)
        var isOver = false
        try await sink.follow(while: { !isOver }) { end in
            try await source.next(until: end, on: exchange.loop)
        } send: { batch in
            if batch.lost > 0 { try await sink.comment(Array("\(batch.lost) events lost".utf8)) }
            isOver = batch.elements.contains { $0.name == "end" }
            let numbered = batch.elements.enumerated()
            try await sink.send(
                encoded: try numbered.map { offset, event in
                    try execution.encodedEvents.bytes(batch.first + UInt64(offset)) {
                        ServerSentEvent(
                            type: Array(event.name.utf8), data: JSONWriter.write(event.data))
                    }
                })
        }
        if !isOver { throw LoopError.cancelled }
    }
}
