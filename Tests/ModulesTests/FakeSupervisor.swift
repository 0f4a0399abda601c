import Synchronization
import Testing
import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP
import WasmdHTTPClient
import WasmdHTTPServer

/// A server that answers as the Python supervisor was recorded to do, without WebAssembly: `fibo`
/// and what is named in `results` are computed here.
final class FakeSupervisor: Sendable {
    struct State {
        /// Deployments by id: their nodes.
        var nodes: [String: Document] = [:]
        /// History by request id.
        var history: [String: Document] = [:]
        var deployCount = 0
        var registered: [String] = []
        var forwardedFor: [String] = []
        /// Paths and bodies of runs.
        var runs: [(path: String, bytes: Int)] = []
        /// How often a history URL answers 404 before it has the entry.
        var delays = 0
        var isIll = false
        var failsDeploying = false
        /// Nodes are refused with 500, and nothing changes.
        var refusesNodes = false
        /// The next node is taken, and nobody gets the answer.
        var losesNextAnswer = false
        /// Instances that were held are gone, and with them the holds.
        var hasNoHolds = false
        /// States of instances by `DEPLOYMENT/MODULE`; and where released ones are.
        var states: [String: [UInt8]] = [:]
        var held: [String] = []
        var released: [String: String] = [:]
        var deleted: [String] = []
        /// Whether entries are not answered, and how often one was asked for then.
        var holdsEntries = false
        var heldEntries = 0
        /// Runs that were cancelled, by their entries' ids.
        var cancelled: [String] = []
        /// The step of a migration at which the device dies, before or after it is done, so that
        /// nothing is answered any more: `GET state`, `PUT state`, `POST release`.
        var diesBefore: String?
        var diesAfter: String?
        /// Whether that happens each time: clients ask again for what can be asked again.
        var diesAlways = false
        var isDead = false
        /// Steps of a migration that are refused with 409, and the reason.
        var refuses: [String] = []
        var refusal = "the state cannot be saved"
        /// Runs wait this long.
        var runTime = Duration.zero
    }

    private struct Death: Error {}

    /// Ends the connection within an answer, as a process that is killed does.
    private static func die(_ response: ServerResponse) throws {
        try response.begin(ResponseHead(.ok), length: .bytes(10))
        throw Death()
    }

    let state = Mutex(State())
    let description: Document
    let health: Document
    let results: [String: Document]
    private let client: HTTPClient
    let port: UInt16
    private let server: HTTPServer
    private let box: Box

    private final class Box: Sendable {
        let owner = Mutex<FakeSupervisor?>(nil)
    }

    /// - Parameter results: by function: the result of history entries.
    static func start(
        on loop: EventLoop, description: Document, health: Document = .object([]),
        results: [String: Document] = [:]
    ) async throws -> FakeSupervisor {
        let box = Box()
        let server = HTTPServer { request, response in
            guard let owner = box.owner.withLock({ $0 }) else { return }
            try await owner.answer(request, response)
        }
        let address = try await server.listen(.ipv4([127, 0, 0, 1], port: 0), on: [loop])
        let made = FakeSupervisor(
            port: address?.port ?? 0, loop, description, health, results, server, box)
        box.owner.withLock { $0 = made }
        return made
    }

    private init(
        port: UInt16, _ loop: EventLoop, _ description: Document, _ health: Document,
        _ results: [String: Document], _ server: HTTPServer, _ box: Box
    ) {
        self.port = port
        self.description = description
        self.health = health
        self.results = results
        self.server = server
        self.box = box
        client = HTTPClient(on: loop)
    }

    var url: String { "http://127.0.0.1:\(port)" }

    private func json(
        _ response: ServerResponse, _ document: Document, _ status: Status = .ok,
        orchestrator: String? = nil
    ) async throws {
        var head = ResponseHead(status)
        try head.fields.append("Content-Type", "application/json")
        if let orchestrator { try head.fields.append("Custom-Orchestrator-Set", orchestrator) }
        try await response.respond(head, JSONWriter.write(document))
    }

    private func answer(_ request: ServerRequest, _ response: ServerResponse) async throws {
        let path = String(decoding: request.target.path, as: UTF8.self)
        let body = try await request.body()
        let words = path.split(separator: "/").map(String.init)
        if state.withLock({ $0.isDead }) { try Self.die(response) }
        if state.withLock({ $0.isIll }) {
            return try await json(response, .object([]), .serviceUnavailable)
        }
        switch words.first {
        case ".well-known": try await json(response, description)
        case "health":
            let isSet = state.withLock { state in
                if let host = request.fields.first("x-forwarded-for") {
                    state.forwardedFor.append(String(decoding: host, as: UTF8.self))
                }
                return !state.registered.isEmpty
            }
            try await json(response, health, orchestrator: isSet ? "true" : "false")
        case "register":
            let url = try JSONReader.read(body)["url"]?.stringValue ?? ""
            state.withLock { $0.registered.append(url) }
            try await json(response, .object([.init("status", "success")]))
        case "deploy" where words.count > 1:
            try await deployed(words, request, body, response)
        case "deploy" where state.withLock({ $0.refusesNodes }):
            try await json(
                response, .object([.init("status", "error")]), .internalServerError)
        case "deploy":
            let node = try JSONReader.read(body)
            let id = node["deploymentId"]?.stringValue ?? ""
            let (fails, isLost) = state.withLock { state -> (Bool, Bool) in
                state.nodes[id] = node
                state.deployCount += 1
                // Deploying again begins anew.
                state.states = state.states.filter { !$0.key.hasPrefix("\(id)/") }
                let isLost = state.losesNextAnswer
                state.losesNextAnswer = false
                state.hasNoHolds = isLost
                return (state.failsDeploying, isLost)
            }
            if isLost { try Self.die(response) }
            try await json(
                response, .object([.init("status", fails ? "error" : "success")]),
                fails ? .internalServerError : .ok)
        case "request-history" where request.method == .delete:
            state.withLock { $0.cancelled.append(words.last ?? "") }
            try await json(response, .object([.init("status", "success")]), .accepted)
        case "request-history":
            let holds = state.withLock { state in
                if state.holdsEntries { state.heldEntries += 1 }
                return state.holdsEntries
            }
            if holds { try await request.loop.sleep(for: .seconds(60)) }
            let entry = state.withLock { state -> Document? in
                if state.delays > 0 {
                    state.delays -= 1
                    return nil
                }
                return state.history[words.last ?? ""]
            }
            guard let entry else { return try await json(response, .object([]), .notFound) }
            let isOK = entry["success"] == .boolean(true)
            try await json(response, entry, isOK ? .ok : .internalServerError)
        default: try await run(words, request, body.count, response)
        }
    }

    /// Routes of a deployment that is here: the state of an instance.
    private func deployed(
        _ words: [String], _ request: ServerRequest, _ body: [UInt8], _ response: ServerResponse
    ) async throws {
        if words.count == 2 {
            state.withLock { state in
                state.nodes[words[1]] = nil
                state.deleted.append(words[1])
            }
            return try await json(response, .object([.init("status", "success")]))
        }
        let key = "\(words[1])/\(words[3])"
        let step = "\(request.method.name) \(words.last ?? "")"
        let (isDead, refusal) = state.withLock { state -> (Bool, String?) in
            if state.diesBefore == step { state.isDead = true }
            return (state.isDead, state.refuses.contains(step) ? state.refusal : nil)
        }
        if isDead { try Self.die(response) }
        if let refusal {
            return try await json(
                response, .object([.init("result", .string(refusal))]), .conflict)
        }
        // Answered, but nobody gets it.
        let dies = state.withLock { state in
            guard state.diesAfter == step else { return false }
            if !state.diesAlways { state.diesAfter = nil }
            return true
        }
        switch (request.method, words.last) {
        case (.get, "state"):
            state.withLock { $0.held.append(key) }
            if dies { try Self.die(response) }
            guard let bytes = state.withLock({ $0.states[key] }) else {
                return try await response.respond(ResponseHead(.noContent))
            }
            var head = ResponseHead(.ok)
            try head.fields.append("Module-Digest", "sha-256=00")
            try await response.respond(head, bytes)
        case (.put, "state"):
            let digest = request.fields.first("module-digest")
            let isRight = digest?.elementsEqual("sha-256=00".utf8) == true
            if isRight { state.withLock { $0.states[key] = body } }
            if dies { try Self.die(response) }
            try await json(response, .object([]), isRight ? .ok : .conflict)
        case (.post, "release") where state.withLock({ $0.hasNoHolds }):
            try await json(
                response, .object([.init("result", "the instance is not held")]), .conflict)
        default:
            let to = try JSONReader.read(body)["to"]?.stringValue ?? ""
            state.withLock { $0.released[key] = to }
            if dies { try Self.die(response) }
            try await json(response, .object([.init("status", "success")]))
        }
    }

    private func run(
        _ words: [String], _ request: ServerRequest, _ bytes: Int, _ response: ServerResponse
    ) async throws {
        guard words.count == 4, let node = state.withLock({ $0.nodes[words[0]] }) else {
            return try await json(response, .object([.init("error", "unknown")]), .notFound)
        }
        let time = state.withLock { $0.runTime }
        if time > .zero { try await request.loop.sleep(for: time) }
        let instruction = node["instructions"]?["modules"]?[words[2]]?[words[3]]
        let argument = Query(request.target.query).parameters.first.map {
            String(decoding: $0.value, as: UTF8.self)
        }
        let value = Self.fibo(Int(argument ?? "") ?? 0)
        var result = results[words[3]] ?? .array([.string(String(value)), .null])
        if let next = instruction?["to"], let base = next["url"]?.stringValue,
            let path = next["path"]?.stringValue
        {
            let url = try #require(URL(Array("\(base)\(path)?param0=\(value)".utf8)))
            let method = Method(Array((next["method"]?.stringValue ?? "").uppercased().utf8))
            let answer = try await client.send(ClientRequest(method ?? .get, url))
            result = try JSONReader.read(try await answer.body())["resultUrl"] ?? .null
        }
        let id = "\(words[0]):\(words[2]):\(words[3]):1"
        let entry = Document.object([
            .init("request_id", .string(id)), .init("result", result),
            .init("success", .boolean(result != .null)),
        ])
        state.withLock { state in
            state.history[id] = entry
            state.runs.append((String(decoding: request.target.bytes, as: UTF8.self), bytes))
        }
        try await json(
            response, .object([.init("resultUrl", .string("\(url)/request-history/\(id)"))]))
    }

    private static func fibo(_ number: Int) -> Int {
        var pair = (1, 1)
        for _ in 0..<max(0, min(number, 60)) { pair = (pair.1, pair.0 + pair.1) }
        return pair.0
    }
}
