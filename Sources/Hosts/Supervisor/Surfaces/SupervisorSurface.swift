import WasmInterpreter
import WasmSystem
import WasmdDocuments
import WasmdEventLoop
import WasmdGuests
import WasmdHTTP
import WasmdHTTPServer
import WasmdOperation
import WasmdStorage
import WasmdWasmiot

/// The routes of a *wasmiot* supervisor: `docs/supervisor.md`.
public final class SupervisorSurface: Surface {
    public let name: StaticString = "supervisor"
    let supervisor: Supervisor
    /// Events of the lines of runs.
    let shared = SharedEvents()

    public init(_ supervisor: Supervisor) { self.supervisor = supervisor }

    public func purpose(of head: RequestHead) -> Purpose? {
        guard let path = try? Path(head.target.path), let route = SupervisorRoute(path) else {
            return nil
        }
        return SupervisorPurposes.of(route, head.method)
    }

    public func refuse(
        _ refusal: AccessRefusal, _ response: ServerResponse, on loop: EventLoop
    ) async throws {
        try await Refusal(refusal).send(response, loop)
    }

    public func answer(
        _ request: ServerRequest, _ response: ServerResponse, for requester: Requester
    ) async throws {
        do {
            try await serve(request, response, requester)
        } catch let error as HTTPServerError {
            throw error
        } catch LoopError.cancelled {
            throw LoopError.cancelled
        } catch {
            try await Refusal(error, right: supervisor.options.usesRightStatuses)
                .send(response, request.loop)
        }
    }

    private func serve(
        _ request: ServerRequest, _ response: ServerResponse, _ requester: Requester
    ) async throws {
        // A path that leads above the root is one that does not exist.
        guard let path = try? Path(request.target.path), let route = SupervisorRoute(path) else {
            throw Refusal(.notFound, "there is nothing at this path")
        }
        guard route.takes(request.method) else {
            throw Refusal(
                .methodNotAllowed, "this path takes \(route.methods)", allow: route.methods)
        }
        if request.method == .options {
            var head = ResponseHead(.ok)
            try head.fields.append("Allow", route.methods)
            return try await response.respond(head)
        }
        let loop = request.loop
        switch route {
        case .description:
            try await response.respond(
                json: supervisor.machine.description(
                    interfaces: supervisor.skills.names,
                    functions: supervisor.skills.functions, supervisor.options.description),
                try head(request), on: loop)
        case .thing:
            try await response.respond(
                json: ThingDescription.document(supervisor, origin: Self.origin(request)),
                try head(request), on: loop)
        case .health: try await health(request, response)
        case .register: try await register(request, response)
        case .deployments where request.method == .post: try await deploy(request, response)
        case .deployments: try await list(request, response)
        case .deployment(let id):
            try await supervisor.delete(id)
            try await response.respond(json: Self.success(), on: loop)
        case .state(let deployment, let module):
            try await state(deployment, module, request, response)
        case .release(let deployment, let module):
            try await release(deployment, module, request, response)
        case .api: try await response.respond(json: Self.document, on: loop)
        case .history where Self.wantsEvents(request): try await allEvents(response, loop)
        case .history:
            let entries = supervisor.history.all.map(\.document)
            try await response.respond(json: .array(entries), try head(request), on: loop)
        case .entry(let id) where request.method == .delete: try await cancel(id, response, loop)
        case .entry(let id) where Self.wantsEvents(request):
            try await events(of: id, nil, response, loop)
        case .entry(let id): try await entry(id, request, response)
        case .result(let deployment, let module, let file):
            try await self.file(deployment, module, file, request, response)
        case .runFile(let deployment, let module, _, let file):
            try await self.file(deployment, module, file, request, response)
        case .run(let deployment, let module, let function):
            try await run(deployment, module, function, request, response, requester)
        }
    }

    /// With the fields that let pages of other origins read the response.
    func head(_ request: ServerRequest, _ status: Status = .ok) throws -> ResponseHead {
        var head = ResponseHead(status)
        try addOrigin(request, to: &head)
        return head
    }

    func addOrigin(_ request: ServerRequest, to head: inout ResponseHead) throws {
        guard request.fields.contains("origin") else { return }
        let added = try supervisor.cors.fields(for: request.head)
        for index in 0..<added.count {
            try head.fields.append(name: added[index].name, value: added[index].value)
        }
    }

    static func success(_ members: [Document.Member] = []) -> Document {
        .object([.init("status", "success")] + members)
    }

    /// `http://HOST`, as the client names the server.
    static func origin(_ request: ServerRequest) -> String {
        let host = request.head.authority.map { Array($0) } ?? []
        if !host.isEmpty { return "http://" + String(decoding: host, as: UTF8.self) }
        let local = request.localAddress
        let address = local.flatMap { DeviceAddress(listener: $0).text } ?? "localhost"
        return "http://\(address):\(local?.port ?? 80)"
    }

    // MARK: The device

    private func health(_ request: ServerRequest, _ response: ServerResponse) async throws {
        var head = try head(request)
        try head.fields.append(
            "Custom-Orchestrator-Set", supervisor.orchestrator == nil ? "false" : "true")
        try await response.respond(
            json: .object([
                .init("cpuUsage", .double(supervisor.machine.processorUsage)),
                .init("memoryUsage", .double(supervisor.machine.memoryUsage)),
            ]), head, on: request.loop)
    }

    private func register(_ request: ServerRequest, _ response: ServerResponse) async throws {
        let right = supervisor.options.usesRightStatuses
        let body = try await request.body(limit: 64 << 10)
        let document = Self.isJSON(request) ? (try? JSONReader.read(body)) ?? .null : .null
        guard let member = document["url"] else {
            throw Refusal(right ? .badRequest : .notFound, "No url found")
        }
        guard let text = member.stringValue, let url = URL(Array(text.utf8)),
            url.scheme == Array("http".utf8) || url.scheme == Array("https".utf8)
        else {
            throw Refusal(right ? .badRequest : .notFound, "Orchestrator url is invalid")
        }
        try await supervisor.setOrchestrator(url)
        try await response.respond(json: Self.success(), on: request.loop)
    }

    /// Whether the body is said to be JSON: other types are not read as such.
    static func isJSON(_ request: ServerRequest) -> Bool {
        guard let type = request.fields.contentType else { return false }
        return type.matches("application/json") || type.name.suffix(5) == Array("+json".utf8)
    }

    /// Nil if it is no JSON.
    private func json(_ body: [UInt8], _ loop: EventLoop) async throws -> Document? {
        do {
            return try await ClientJSON.read(body, on: loop)
        } catch is JSONError {
            return nil
        }
    }

    // MARK: Deployments

    private func deploy(_ request: ServerRequest, _ response: ServerResponse) async throws {
        let right = supervisor.options.usesRightStatuses
        let loop = request.loop
        let body = try await request.body(limit: supervisor.options.nodeLimit)
        let read = Self.isJSON(request) ? try await json(body, loop) : nil
        guard let document = read, !Self.isEmpty(document) else {
            let message = "Non-existent or malformed deployment data"
            if right { throw Refusal(.badRequest, message) }
            return try await response.respond(
                json: .object([.init("message", .string(message))]), on: loop)
        }
        guard document.objectValue != nil else {
            throw SupervisorError.node(DocumentFault("", expected: "an object"))
        }
        for name in ["modules", "deploymentId"] where document[name] == nil {
            throw SupervisorError.missing(name)
        }
        if let modules = document["modules"], Self.isEmpty(modules) {
            if right { throw Refusal(.badRequest, "No modules listed") }
            return try await response.respond(
                json: .object([.init("message", "No modules listed")]), on: loop)
        }
        let node: DeploymentNode
        do throws(DocumentFault) {
            node = try DeploymentNode(document)
        } catch {
            throw SupervisorError.node(error)
        }
        let deployment = try await supervisor.deploy(node, on: loop)
        var members: [Document.Member] = [.init("deploymentId", .string(deployment.id))]
        let warnings = deployment.warnings
        if !warnings.isEmpty {
            let texts = warnings.map { Document.string(HarmlessText.text($0, lines: 10)) }
            members.append(.init("warnings", .array(texts)))
        }
        try await response.respond(json: Self.success(members), on: loop)
    }

    /// What Python takes for false.
    private static func isEmpty(_ document: Document) -> Bool {
        switch document {
        case .null, .boolean(false), .integer(0): true
        case .string(let text): text.isEmpty
        case .array(let elements): elements.isEmpty
        case .object(let members): members.isEmpty
        default: false
        }
    }

    private func list(_ request: ServerRequest, _ response: ServerResponse) async throws {
        try await response.respond(
            json: .object([
                .init(
                    "deployments", .array(supervisor.deployments.map(\.node.document)))
            ]), try head(request), on: request.loop)
    }

    // MARK: History

    private func entry(
        _ id: String, _ request: ServerRequest, _ response: ServerResponse
    ) async throws {
        guard let entry = supervisor.history[id] else {
            throw Refusal.noEntry
        }
        // What the entry says of the run is no failure of this request.
        let isRight = supervisor.options.usesRightStatuses
        let status: Status = entry.isSuccess || isRight ? .ok : .internalServerError
        try await response.respond(
            json: entry.document, try head(request, status), on: request.loop)
    }

    /// Ends a run: now if it runs, else when its turn comes.
    private func cancel(
        _ id: String, _ response: ServerResponse, _ loop: EventLoop
    ) async throws {
        guard let ticket = supervisor.pending[id], ticket.cancel() else {
            guard supervisor.history[id] == nil else {
                throw Refusal(.conflict, "the run has ended")
            }
            throw Refusal(.notFound, "there is no such run")
        }
        try await response.respond(json: Self.success(), on: loop)
    }
}
