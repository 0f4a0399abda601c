import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP
import WasmdHTTPServer
import WasmdWasmiot

/// Routes of logs, cards, zones and certificates: documents with the time of their arrival.
extension OrchestratorSurface {
    private static let recordLimit = 1 << 20

    private func body(_ exchange: Exchange) async throws -> Document {
        try await UploadBody.read(
            exchange.request, limit: Self.recordLimit, orchestrator.store
        ).document
    }

    private func message(_ text: String) -> Document {
        .object([.init("message", .string(text))])
    }

    /// Documents that came after a time, if the query names one.
    private func list(_ exchange: Exchange, _ collection: Collection) async throws {
        var earliest: Int64?
        if let after = Query(exchange.request.target.query)["after"] {
            let text = String(decoding: after, as: UTF8.self)
            guard let time = ISOTime.milliseconds(text) else {
                throw Failure(.badRequest, "malformed request", "'after' is no time of ISO 8601")
            }
            earliest = time
        }
        var ids = collection.ids[...]
        try await exchange.list {
            while let id = ids.popFirst() {
                guard let document = collection[id]?.document else { continue }
                guard let earliest else { return document }
                let time = document["dateReceived"]?.stringValue.flatMap {
                    ISOTime.milliseconds($0)
                }
                if let time, time > earliest { return document }
            }
            return nil
        }
    }

    /// Adds a document with its id and the time.
    private func add(
        _ document: Document, to collection: Collection, on loop: EventLoop
    ) async throws -> Document {
        var document = document
        let id = collection.newID()
        document.set("dateReceived", Clock.text)
        document.set("_id", .string(id.description))
        try await collection.put(id, document, on: loop)
        return document
    }

    func logs(_ exchange: Exchange) async throws {
        let logs = orchestrator.logs
        switch Self.method(exchange) {
        case .get: try await list(exchange, logs)
        case .post:
            try admitDevice(exchange, .write)
            let data = try await body(exchange)["logData"]
            let document =
                data?.stringValue.flatMap {
                    try? JSONReader.read(Array($0.utf8), options: .tolerant)
                } ?? data
            guard let document, document.objectValue != nil else {
                throw Failure(
                    .internalServerError, right: .badRequest,
                    body: .json(message("Log not received nor saved")))
            }
            _ = try await add(document, to: logs, on: exchange.loop)
            try await exchange.json(message("Log received and saved"))
        default: throw Failure.badURL
        }
    }

    /// Deletes all documents of a collection, or those with an id or with a value of a member.
    private func delete(
        _ exchange: Exchange, _ collection: Collection, _ text: String?, by member: String
    ) async throws {
        var ids = collection.ids
        if let text {
            ids = collection.all().filter { entry in
                entry.id.description == text.lowercased()
                    || entry.document[member]?.stringValue?.utf8.elementsEqual(text.utf8) == true
            }.map(\.id)
            guard !ids.isEmpty else {
                throw Failure(.notFound, "message", only: "nothing has the id '\(text)'")
            }
        }
        let count = try await collection.delete(ids)
        try await exchange.json(.object([.init("deletedCount", .integer(Int64(count)))]))
    }

    func cards(_ exchange: Exchange, _ card: Card, _ text: String?) async throws {
        guard let collection = orchestrator.cards[card] else { throw Failure.badURL }
        switch Self.method(exchange) {
        case .delete: try await delete(exchange, collection, text, by: card.key)
        case _ where text != nil: throw Failure.badURL
        case .get: try await list(exchange, collection)
        case .post:
            let read = try card.read(try await body(exchange))
            let stored = try await add(read, to: collection, on: exchange.loop)
            var answer = message(card.received)
            if let member = card.member { answer.set(member, stored) }
            try await exchange.json(answer)
        default: throw Failure.badURL
        }
    }

    func zones(_ exchange: Exchange, _ text: String?) async throws {
        let collection = orchestrator.zones
        switch Self.method(exchange) {
        case .delete: try await delete(exchange, collection, text, by: "zone")
        case _ where text != nil: throw Failure.badURL
        case .get: try await list(exchange, collection)
        case .post:
            let (zones, levels) = try Zones.read(try await body(exchange))
            let list = Document.array(levels.map { .string($0) })
            var known = NamedValues<ObjectID>()
            for entry in collection.all() {
                guard let name = entry.document["zone"]?.stringValue else { continue }
                if known[name] == nil { known[name] = entry.id }
            }
            for zone in zones {
                let id = zone["zone"]?.stringValue.flatMap { known[$0] } ?? collection.newID()
                var document = zone
                document.set("_id", .string(id.description))
                document.set("dateReceived", Clock.text)
                try await collection.put(id, document, on: exchange.loop)
            }
            let stored = collection.all().first { $0.document["type"] == "riskLevels" }
            let id = stored?.id ?? collection.newID()
            try await collection.put(
                id,
                .object([
                    .init("type", "riskLevels"), .init("levels", list),
                    .init("lastUpdated", Clock.text), .init("_id", .string(id.description)),
                    .init("dateReceived", Clock.text),
                ]), on: exchange.loop)
            try await exchange.json(
                .object([
                    .init(
                        "message",
                        "Zone and risk-level definitions parsed and saved successfully"),
                    .init("zones", .array(zones)), .init("riskLevels", list),
                ]))
        default: throw Failure.badURL
        }
    }

    func certificates(_ exchange: Exchange, _ text: String?) async throws {
        let collection = orchestrator.certificates
        switch Self.method(exchange) {
        case .delete: try await delete(exchange, collection, text, by: "deploymentId")
        case .get where text == nil: try await list(exchange, collection)
        default: throw Failure.badURL
        }
    }
}
