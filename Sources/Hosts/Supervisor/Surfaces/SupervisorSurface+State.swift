import WasmInterpreter
import WasmdDocuments
import WasmdHTTP
import WasmdHTTPServer

/// Moving an instance to another device: docs/supervisor.md.
extension SupervisorSurface {
    /// The type of a state.
    private static let type = "application/x-wasmd-state"

    /// Gives the state of an instance, or takes one over.
    func state(
        _ id: String, _ name: String, _ request: ServerRequest, _ response: ServerResponse
    ) async throws {
        let module = try module(id, name)
        if request.method == .put {
            let memory = Int(clamping: supervisor.options.limits.memory)
            let limit = memory > Int.max / 2 ? Int.max : max(memory * 2, 1 << 20)
            let body = try await request.body(limit: limit)
            try await supervisor.takeOver(body, for: module, on: request.loop)
            var head = ResponseHead(.ok)
            try head.fields.append("Module-Digest", "sha-256=\(module.digest)")
            return try await response.respond(json: Self.success(), head, on: request.loop)
        }
        let time = try Self.holdTime(request)
        let bytes = try await supervisor.giveState(of: module, holding: time, on: request.loop)
        var head = ResponseHead(bytes == nil ? .noContent : .ok)
        try head.fields.append("Module-Digest", "sha-256=\(module.digest)")
        try head.fields.append("Cache-Control", "no-store")
        guard let bytes else { return try await response.respond(head) }
        try head.fields.append("Content-Type", Self.type)
        try await response.respond(head, bytes)
    }

    /// Ends the hold of an instance: here, or at another device.
    func release(
        _ id: String, _ name: String, _ request: ServerRequest, _ response: ServerResponse
    ) async throws {
        let module = try module(id, name)
        let body = try await request.body(limit: 64 << 10)
        var target: URL?
        if !body.isEmpty {
            guard let document = try? JSONReader.read(body), document.objectValue != nil else {
                throw Refusal(.badRequest, "the body is no object of JSON")
            }
            if let member = document["to"], member != .null {
                guard let text = member.stringValue, let url = URL(Array(text.utf8)),
                    url.scheme == Array("http".utf8) || url.scheme == Array("https".utf8),
                    url.userInformation == nil
                else { throw Refusal(.badRequest, "'to' must be a URL, as http://HOST:PORT") }
                target = url
            }
        }
        try await supervisor.release(module, to: target, on: request.loop)
        try await response.respond(json: Self.success(), on: request.loop)
    }

    private func module(
        _ id: String, _ name: String
    ) throws(Refusal) -> DeployedModule {
        guard let deployment = supervisor.deployment(id) else {
            throw Refusal(.notFound, "\(SupervisorError.noDeployment)")
        }
        guard let module = deployment.module(name) else {
            throw Refusal(.notFound, "\(SupervisorError.noModule(name))")
        }
        return module
    }

    private static func holdTime(_ request: ServerRequest) throws(Refusal) -> Duration? {
        for (name, value) in Query(request.target.query).parameters
        where name.elementsEqual("hold".utf8) {
            let seconds = Int(String(decoding: value, as: UTF8.self))
            guard let seconds, 1...Supervisor.longestHold ~= seconds else {
                throw Refusal(
                    .badRequest,
                    "'hold' must be a number of seconds from 1 to \(Supervisor.longestHold)")
            }
            return .seconds(seconds)
        }
        return nil
    }
}
