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
            request: request, response: response, cors: orchestrator.options.cors)
        do {
            if request.method == .options { return try await allow(exchange) }
            try await serve(exchange)
        } catch let error as HTTPServerError {
            throw error
        } catch LoopError.cancelled {
            throw LoopError.cancelled
        } catch {
            try await exchange.fail(
                Failure(error), right: orchestrator.options.usesRightStatuses)
        }
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
        case ("device", "logs") where words.count == 2: try await logs(exchange)
        case ("zoneRiskLevels", nil): try await zones(exchange)
        case ("deploymentCertificates", nil): try await certificates(exchange)
        case ("deploy", nil) where exchange.request.method == .post:
            try await deployHere(exchange)
        case (let name?, nil) where Card(rawValue: name) != nil:
            if let card = Card(rawValue: name) { try await cards(exchange, card) }
        case (_, "modules") where words.count == 4 && words[2] == ModuleRegistry.datalist:
            try await datalist(exchange, words[0], words[3])
        default: try await own(exchange, words)
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
        case []:
            try await exchange.text(Self.page, type: "text/html; charset=utf-8")
        default: throw Failure.badURL
        }
    }

    private static let page = """
        <!DOCTYPE html>
        <html lang="en"><head><meta charset="utf-8"><title>wasmd orchestrator</title></head>
        <body><h1>wasmd orchestrator</h1>
        <ul><li><a href="/file/module">modules</a></li>
        <li><a href="/file/device">devices</a></li>
        <li><a href="/file/manifest">deployments</a></li>
        <li><a href="/device/logs">logs</a></li></ul></body></html>

        """

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
