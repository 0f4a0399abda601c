import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP
import WasmdHTTPServer
import WasmdWasmiot

/// Routes below `/file/module`.
extension OrchestratorSurface {
    private var registry: ModuleRegistry { orchestrator.registry }

    func modules(_ exchange: Exchange, _ words: [String]) async throws {
        switch (Self.method(exchange), words.count) {
        case (.get, 0): try await exchange.json(.array(registry.all().map(\.json)))
        case (.get, 1): try await exchange.json(.array([registry.one(words[0]).json]))
        case (.get, 2):
            try admitDevice(exchange, .read)
            try await file(exchange, words[0], words[1])
        case (.post, 0): try await create(exchange)
        case (.post, 2) where words[1] == "upload": try await describe(exchange, words[0])
        case (.delete, 0):
            let count = try await registry.deleteAll()
            try await exchange.json(.object([.init("deletedCount", .integer(Int64(count)))]))
        case (.delete, 1):
            try await registry.delete(words[0])
            try await exchange.empty()
        default: throw Failure.badURL
        }
    }

    private func create(_ exchange: Exchange) async throws {
        let body = try await UploadBody.read(
            exchange.request, limit: orchestrator.options.bodyLimit, orchestrator.store)
        let (record, isDescribed) = try await registry.create(body, on: exchange.loop)
        var members: [Document.Member] = [.init("id", .string(record.id.description))]
        if isDescribed { members += Self.description(record) }
        try await exchange.json(.object(members), .created)
    }

    private func describe(_ exchange: Exchange, _ text: String) async throws {
        let body = try await UploadBody.read(
            exchange.request, limit: orchestrator.options.bodyLimit, orchestrator.store)
        let record = try await registry.describe(text, body, on: exchange.loop)
        let orchestrator = orchestrator
        let loop = exchange.loop
        loop.spawn { await orchestrator.announce(record.id, on: loop) }
        try await exchange.json(.object(Self.description(record)))
    }

    private static func description(_ record: ModuleRecord) -> [Document.Member] {
        var members: [Document.Member] = [
            .init("description", record.document["description"] ?? .null)
        ]
        if let warnings = record.document["warnings"] {
            members.append(.init("warnings", warnings))
        }
        return members
    }

    /// The description, the binary or a data file of a module.
    private func file(_ exchange: Exchange, _ text: String, _ name: String) async throws {
        if name == "description" {
            let record = try registry.one(text)
            if let description = record.document["description"] {
                return try await exchange.json(description)
            }
            // Before the module is described: as clients know it.
            return try await exchange.text("", type: "application/json")
        }
        guard let record = registry.first(text) else {
            throw Failure(.badRequest, "err", only: "Failed querying for module id: \(text)")
        }
        let isBinary = name == "wasm"
        guard let file = isBinary ? record.binary : record.dataFile(name) else {
            throw Failure(
                .badRequest, "err", only: "file '\(name)' missing from module '\(record.name)'")
        }
        try await exchange.file(
            file, of: record.id, orchestrator.store,
            type: isBinary ? "application/wasm" : "application/octet-stream")
    }
}
