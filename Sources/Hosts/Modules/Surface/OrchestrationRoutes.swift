import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP
import WasmdHTTPServer
import WasmdWasmiot

/// Routes of devices, deployments and executions.
extension OrchestratorSurface {
    private func count(_ count: Int) -> Document {
        .object([.init("deletedCount", .integer(Int64(count)))])
    }

    private func body(_ exchange: Exchange) async throws -> UploadBody {
        try await UploadBody.read(
            exchange.request, limit: orchestrator.options.bodyLimit, orchestrator.store)
    }

    // MARK: Devices

    func devices(_ exchange: Exchange, _ words: [String]) async throws {
        let devices = orchestrator.devices
        switch (Self.method(exchange), words.count) {
        case (.get, 0): try await exchange.json(.array(devices.all().map(\.json)))
        case (.get, 1):
            guard let device = devices.find(words[0]) else { throw unknownDevice(words[0]) }
            try await exchange.json(device.json)
        case (.delete, 0):
            let own = devices.all().filter(\.isOrchestrator).map(\.id)
            let ids = Set(devices.all().map(\.id) + devices.collection.ids).subtracting(own)
            let removed = try await devices.delete(Array(ids), canReturn: true)
            try await exchange.json(count(removed))
        case (.delete, 1):
            guard let device = devices.find(words[0]), !device.isOrchestrator else {
                throw unknownDevice(words[0])
            }
            try await exchange.json(count(try await devices.delete([device.id], canReturn: true)))
        case (.post, 2) where words == ["discovery", "reset"]:
            orchestrator.resetDiscovery(on: exchange.loop)
            try await exchange.empty()
        case (.post, 2) where words == ["discovery", "register"]: try await register(exchange)
        case (.post, 2) where words[1] == "blacklist" || words[1] == "unblacklist":
            try await setBlacklisted(words[1] == "blacklist", words[0], exchange)
        default: throw Failure.badURL
        }
    }

    private func unknownDevice(_ text: String) -> Failure {
        Failure(.notFound, "error", only: "Device with ID '\(text)' not found")
    }

    private func register(_ exchange: Exchange) async throws {
        let document = try await body(exchange).document
        let registration: DeviceRegistration
        do throws(DocumentFault) {
            registration = try DeviceRegistration(document)
        } catch {
            throw Failure(.badRequest, "malformed registration", "\(error)")
        }
        guard registration.name != Device.orchestrator else {
            throw Failure(
                .badRequest, "malformed registration", "'orchestrator' is the name of this server")
        }
        let device = try await orchestrator.devices.register(registration, on: exchange.loop)
        let orchestrator = orchestrator
        let loop = exchange.loop
        loop.spawn { await orchestrator.introduce(device, on: loop) }
        try await exchange.empty()
    }

    private func setBlacklisted(
        _ value: Bool, _ text: String, _ exchange: Exchange
    ) async throws {
        guard let id = ObjectID(text) else {
            throw Failure(
                .badRequest, "error",
                only: "Invalid device ID format or database error: '\(text)' is no id")
        }
        let changed = try await orchestrator.devices.update(id, on: exchange.loop) {
            $0.isBlacklisted = value
        }
        guard changed != nil else { throw unknownDevice(text) }
        try await exchange.json(
            .object([
                .init(
                    "message",
                    .string("Device \(text) has been \(value ? "" : "un")blacklisted")),
                .init("deviceId", .string(text)),
            ]))
    }

    // MARK: Deployments

    func deployments(_ exchange: Exchange, _ words: [String]) async throws {
        let deployments = orchestrator.deployments
        switch (Self.method(exchange), words.count) {
        case (.get, 0): try await exchange.json(.array(deployments.all().map(\.document)))
        case (.get, 1):
            guard let entry = deployments.find(words[0]).first else {
                throw Failure(
                    .badRequest, right: .notFound,
                    "Failed querying for deployment id: \(words[0])")
            }
            try await exchange.json(entry.document)
        case (.post, 0):
            let document = try await body(exchange).document
            let id = try await orchestrator.createDeployment(document, on: exchange.loop)
            try await exchange.text("\"\(id)\"", .created, type: "text/plain; charset=utf-8")
        case (.post, 1):
            let entry = try deployment(words[0])
            let answer = try await orchestrator.deploy(
                entry.id, entry.document, on: exchange.loop)
            try await exchange.json(answer)
        case (.post, 2) where words[1] == "migrate":
            let entry = try deployment(words[0])
            let document = try await body(exchange).document
            let (orchestrator, loop) = (orchestrator, exchange.loop)
            // Goes on if the client goes: a move that is half done would be worse.
            let moving = loop.spawn { () -> Result<Document, any Error> in
                do {
                    return .success(try await orchestrator.migrate(entry, document, on: loop))
                } catch { return .failure(error) }
            }
            try await exchange.json(try await moving.value.get())
        case (.put, 1): try await update(exchange, words[0], isFailover: false)
        case (.put, 2) where words[0] == "failover":
            try await update(exchange, words[1], isFailover: true)
        case (.delete, 0):
            try await exchange.json(count(try await delete(deployments.ids)))
        case (.delete, 1): try await deleteOne(exchange, words[0])
        default: throw Failure.badURL
        }
    }

    func deployment(_ text: String) throws -> Collection.Entry {
        guard let entry = orchestrator.deployments.find(text).first else {
            throw Failure(.notFound, "no deployment matches ID '\(text)'")
        }
        return entry
    }

    private func update(
        _ exchange: Exchange, _ text: String, isFailover: Bool
    ) async throws {
        let entry = try deployment(text)
        var manifest = try await body(exchange).document
        if isFailover {
            guard let inner = manifest["deployment"] else {
                throw Failure(
                    .badRequest, "Failed validating manifest", "'deployment' is missing")
            }
            manifest = inner
        }
        let isInFailover: Bool? = isFailover ? manifest["isInFailover"] == .boolean(true) : nil
        let document = try await orchestrator.resolve(
            entry.id, manifest, isInFailover: isInFailover, on: exchange.loop)
        guard entry.document["active"] == .boolean(true) else {
            return try await exchange.empty()
        }
        try await exchange.json(
            try await orchestrator.deploy(entry.id, document, on: exchange.loop))
    }

    private func delete(_ ids: [ObjectID]) async throws -> Int {
        for id in ids { try await orchestrator.datalist.begin(id.description) }
        return try await orchestrator.deployments.delete(ids)
    }

    private func deleteOne(_ exchange: Exchange, _ text: String) async throws {
        guard let id = ObjectID(text) else {
            throw Failure(.badRequest, "message", only: "Invalid deployment id")
        }
        guard orchestrator.deployments[id] != nil else {
            throw Failure(.notFound, "message", only: "Deployment not found")
        }
        try await exchange.json(count(try await delete([id])))
    }

    // MARK: The orchestrator as a supervisor

    /// `POST /deploy`
    func deployHere(_ exchange: Exchange) async throws {
        let document = try await body(exchange).document
        guard let modules = document["instructions"]?["modules"]?.objectValue else {
            throw Failure(
                .badRequest, "malformed deployment", "'instructions.modules' is missing")
        }
        if modules.contains(where: { $0.name == ModuleRegistry.datalist }),
            let id = document["deploymentId"]?.stringValue
        {
            try await orchestrator.datalist.begin(id)
        }
        try await exchange.json(.object([.init("status", "ok")]))
    }

    /// `/DEPLOYMENT/modules/core:Datalist/FUNCTION`
    func datalist(_ exchange: Exchange, _ deployment: String, _ function: String) async throws {
        let entry = try self.deployment(deployment)
        let id = entry.id.description
        switch (Self.method(exchange), function) {
        case (.get, "get"):
            try await exchange.list(
                orchestrator.datalist.history(id), after: #"{"result":["#, before: "]}")
        case (.get, "push"), (.put, "push"), (.post, "push"):
            try await push(exchange, id)
        case (.post, ModuleRegistry.initFunction):
            try await orchestrator.datalist.begin(id)
            try await exchange.json(.object([.init("result", .string(id))]))
        case (.delete, "delete"):
            try await orchestrator.datalist.begin(id)
            try await exchange.empty(.accepted)
        default: throw Failure.badURL
        }
    }

    private func push(_ exchange: Exchange, _ deployment: String) async throws {
        let body = try await UploadBody.read(
            exchange.request, limit: Datalist.bodyLimit, orchestrator.store)
        let file = body.files.first { $0.field == "entry" } ?? body.files.first
        let value =
            try await file?.bytes(
                orchestrator.store, limit: Datalist.entryLimit, what: "the entry",
                on: exchange.loop) ?? Query(exchange.request.target.query)["param0"]
        guard let value else {
            throw Failure(
                .badRequest, "the entry is missing", "send 'param0' or a file 'entry'")
        }
        let text = String(decoding: value, as: UTF8.self)
        try await orchestrator.datalist.push(deployment, text, on: exchange.loop)
        let host = exchange.request.head.authority ?? []
        let base = String(decoding: host, as: UTF8.self)
        try await exchange.json(
            .object([
                .init(
                    "resultUrl",
                    .string("http://\(base)/\(deployment)/modules/core:Datalist/get"))
            ]))
    }
}
