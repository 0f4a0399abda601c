import WasmSystem
import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP
import WasmdHTTPServer
import WasmdOperation
import WasmdWasmiot

/// The HTTP surface of wasmiot's orchestrator. Repeated and trailing slashes of paths do not count.
public final class OrchestratorSurface: Surface {
    public let name: StaticString = "orchestrator"
    let orchestrator: Orchestrator

    public init(_ orchestrator: Orchestrator) { self.orchestrator = orchestrator }

    public func purpose(of head: RequestHead) -> Purpose? { OrchestratorPurposes.of(head) }

    public func answer(
        _ request: ServerRequest, _ response: ServerResponse, for requester: Requester
    ) async throws {
        let exchange = Exchange(
            request: request, response: response, requester: requester,
            cors: orchestrator.cors)
        do {
            if request.method == .options { return try await allow(exchange) }
            try await serve(exchange)
        } catch let error as HTTPServerError {
            throw error
        } catch let refusal as AccessRefusal where !response.hasBegun {
            try await refuse(refusal, response, on: request.loop)
        } catch LoopError.cancelled {
            throw LoopError.cancelled
        } catch {
            try await exchange.fail(
                Failure(error), right: orchestrator.options.usesRightStatuses)
        }
    }

    public var pages: SameOriginRules? { orchestrator.pages }

    public func refuse(
        _ refusal: AccessRefusal, _ response: ServerResponse, on loop: EventLoop
    ) async throws {
        let document = Document.object([
            .init("errorText", .string(refusal.message)),
            .init("error", .string(refusal.limit ?? "access")),
        ])
        try await refusal.respond(
            response, JSONWriter.write(document), type: "application/json; charset=utf-8")
    }

    private func allow(_ exchange: Exchange) async throws {
        if CORSPolicy.isPreflight(exchange.request.head) {
            let head = try exchange.cors.preflight(exchange.request.head)
            return try await exchange.response.respond(head)
        }
        var head = ResponseHead(.noContent)
        try head.fields.append("Allow", "GET,HEAD,PUT,PATCH,POST,DELETE")
        try await exchange.respond(head)
    }

    private func serve(_ exchange: Exchange) async throws {
        guard let words = Self.words(exchange.request) else { throw Failure.badURL }
        switch (words.first, words.dropFirst().first) {
        case ("file", "module"): try await modules(exchange, Array(words.dropFirst(2)))
        case ("file", "device"): try await devices(exchange, Array(words.dropFirst(2)))
        case ("file", "manifest"): try await deployments(exchange, Array(words.dropFirst(2)))
        case ("execute", let text?) where words.count == 2 && exchange.request.method == .post:
            try await execute(exchange, text)
        case ("executions", _): try await executions(exchange, Array(words.dropFirst()))
        case ("device", "logs") where words.count == 2: try await logs(exchange)
        case ("zoneRiskLevels", _) where words.count <= 2:
            try await zones(exchange, words.dropFirst().first)
        case ("deploymentCertificates", _) where words.count <= 2:
            try await certificates(exchange, words.dropFirst().first)
        case ("deploy", nil) where exchange.request.method == .post:
            try await deployHere(exchange)
        case ("import", nil) where exchange.request.method == .post:
            try await importAll(exchange)
        case ("export", nil) where Self.method(exchange) == .get: try await exportAll(exchange)
        case (let name?, _) where Card(rawValue: name) != nil && words.count <= 2:
            if let card = Card(rawValue: name) {
                try await cards(exchange, card, words.dropFirst().first)
            }
        case (_, "modules") where words.count == 4 && words[2] == ModuleRegistry.datalist:
            try admitDevice(exchange, Self.method(exchange) == .get ? .read : .write)
            try await datalist(exchange, words[0], words[3])
        default: try await own(exchange, words)
        }
    }

    /// Lets pass who has the scope, and devices that are registered, which have no token.
    func admitDevice(_ exchange: Exchange, _ scope: Scopes) throws {
        let requester = exchange.requester
        if requester.tenant != nil { throw AccessRefusal.tenantRefused }
        if requester.account.token == nil, scope != .read { try refuseForeignPage(exchange) }
        if requester.account.scopes.contains(scope) { return }
        if let address = requester.address, orchestrator.devices.has(address) { return }
        let names = scope.names.joined(separator: " ")
        guard requester.account.token == nil else {
            throw AccessRefusal(.forbidden, "this token has no scope '\(names)'")
        }
        var refusal = AccessRefusal(
            .unauthorized,
            "a token is needed, or the address of a registered device: send 'Authorization: "
                + "Bearer TOKEN'")
        refusal.challenge = "Bearer realm=\"wasmd\""
        throw refusal
    }

    /// Refuses pages of other origins what devices may do without a token: the listener judges only
    /// requests that need one.
    private func refuseForeignPage(_ exchange: Exchange) throws {
        let head = exchange.request.head
        guard head.fields.contains("origin") || head.fields.contains("sec-fetch-site") else {
            return
        }
        let rules = SameOriginRules(machine: CurrentProcess.hostName).union(orchestrator.pages)
        guard rules.judge(head, acts: true) == .allowed else {
            throw AccessRefusal(
                .forbidden, "pages of other origins may not change anything here")
        }
    }

    /// What the orchestrator says about itself.
    private func own(_ exchange: Exchange, _ words: [String]) async throws {
        guard Self.method(exchange) == .get else { throw Failure.badURL }
        switch words {
        case ["health"]: try await exchange.json(.object([.init("status", "ok")]))
        case [".well-known", "wasmiot-device-description"]:
            try await exchange.json(Orchestrator.description)
        case ["core"]:
            let core = orchestrator.registry.all().filter(\.isCore).map(\.json)
            try await exchange.json(.array(core))
        case _ where words.isEmpty || words == ["utils.js"]:
            if let file = orchestrator.options.web?.file(words) {
                return try await exchange.file(file)
            }
            guard words.isEmpty else {
                return try await exchange.text(
                    WebPage.script, type: "text/javascript; charset=utf-8")
            }
            try await exchange.text(WebPage.page, type: "text/html; charset=utf-8")
        case ["openapi.json"]:
            try await exchange.json(Self.document(version: orchestrator.options.version))
        case ["docs"]:
            try await exchange.text(
                WebPage.documentation(Self.api), type: "text/html; charset=utf-8")
        case _ where words.first == "files" && (2...3).contains(words.count):
            try await storedFile(exchange, words[words.count - 1])
        default:
            guard let file = orchestrator.options.web?.file(words) else { throw Failure.badURL }
            try await exchange.file(file)
        }
    }

    /// A file by the `fileName` of a module's document.
    private func storedFile(_ exchange: Exchange, _ name: String) async throws {
        for record in orchestrator.registry.all() {
            let files = [record.binary].compactMap { $0 } + record.dataFiles.map(\.file)
            for file in files where file.digest.description == name {
                return try await exchange.file(
                    file, of: record.id, orchestrator.store, type: file.mediaType)
            }
        }
        throw Failure.badURL
    }

    /// The segments of a request's path; nil if one is no UTF-8.
    private static func words(_ request: ServerRequest) -> [String]? {
        guard let path = try? Path(request.target.path) else { return nil }
        var words: [String] = []
        for segment in path.segments {
            guard let word = String(validating: segment, as: UTF8.self) else { return nil }
            words.append(word)
        }
        return words
    }

    /// HEAD is answered as GET.
    static func method(_ exchange: Exchange) -> Method {
        exchange.request.method == .head ? .get : exchange.request.method
    }
}
