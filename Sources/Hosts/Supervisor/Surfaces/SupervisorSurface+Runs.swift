import WasmInterpreter
import WasmSystem
import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP
import WasmdHTTPServer
import WasmdOperation
import WasmdWasmiot

extension SupervisorSurface {
    /// How long the answer to a POST may wait for the end of its run: with it, the client need not
    /// ask again.
    private static let patience = Duration.milliseconds(50)
    /// Bytes of a form's parts that are no files.
    private static let fieldLimit = 1 << 20

    /// Runs a function: GET when the run has ended, POST soon.
    func run(
        _ id: String, _ name: String, _ function: String, _ request: ServerRequest,
        _ response: ServerResponse, _ requester: Requester
    ) async throws {
        guard let deployment = supervisor.deployment(id) else {
            throw SupervisorError.noDeployment
        }
        guard let module = deployment.module(name) else { throw SupervisorError.noModule(name) }
        if module.scope.isFull {
            throw SupervisorError.tooMany("\(module.scope.waitingCount) runs of '\(name)' wait")
        }
        let arguments = try Self.arguments(request)
        let files = try await files(request)
        var call = RunCall(
            deployment: deployment, module: module, function: function,
            method: request.method == .post ? "POST" : "GET", arguments: arguments, files: files,
            origin: Self.origin(request),
            caller: "\(request.method.name) /\(id)/modules/\(name)/\(function)",
            account: requester.account.runs)
        call.trace = requester.runTrace
        (call.time, call.fuel) = try Self.limits(request)
        let (ticket, task) = supervisor.begin(call, on: request.loop)
        let url = call.origin + "/request-history/" + Supervisor.path(id: ticket.id)
        if Self.wantsEvents(request) {
            return try await events(of: ticket.id, url, response, request.loop)
        }
        if request.method == .post {
            try await waitBriefly(ticket, request.loop)
        } else {
            await task.value
        }
        var members: [Document.Member] = []
        var head = ResponseHead(.ok)
        switch ticket.result {
        case .success(let entry)?:
            if entry.isSuccess {
                if !entry.outputs.isEmpty {
                    members.append(
                        .init("outputs", .array(entry.outputs.map { .string($0) })))
                }
                members.append(.init("result", entry.result))
            } else if supervisor.options.usesRightStatuses {
                head = ResponseHead(ticket.fault?.status ?? .internalServerError)
                members = [
                    .init("error", entry.result), .init("result", entry.result),
                    .init("status", "error"),
                ]
            }
        case .failure(let error)?: throw error
        case nil where supervisor.options.usesRightStatuses:
            head = ResponseHead(.accepted)
            try head.fields.append("Location", url)
        case nil: break
        }
        try await response.respond(
            json: .object(members + [.init("resultUrl", .string(url))]), head, on: request.loop)
    }

    /// Limits that a request asks for.
    private static func limits(
        _ request: ServerRequest
    ) throws(Refusal) -> (time: Duration?, fuel: UInt64?) {
        var time: Duration?
        var fuel: UInt64?
        if let field = request.fields.first("run-timeout") {
            guard let number = Quantity.nanoseconds(String(decoding: field, as: UTF8.self)) else {
                throw Refusal(.badRequest, "Run-Timeout must be a duration, for example 500ms")
            }
            time = .nanoseconds(Int64(clamping: number))
        }
        if let field = request.fields.first("run-fuel") {
            guard let number = UInt64(String(decoding: field, as: UTF8.self)) else {
                throw Refusal(.badRequest, "Run-Fuel must be a whole number")
            }
            fuel = number
        }
        return (time, fuel)
    }

    private func waitBriefly(_ ticket: RunTicket, _ loop: EventLoop) async throws {
        let end = LoopInstant.after(Self.patience)
        var pause = Duration.microseconds(500)
        while ticket.result == nil, LoopInstant.now < end {
            try await loop.sleep(for: pause)
            pause = min(pause * 2, .milliseconds(8))
        }
    }

    /// The parameters of the query; the first of those with the same name.
    ///
    /// Names are members of the entry, which is stored: they are compared as they are there, after
    /// malformed UTF-8 is repaired, and have no zero byte.
    private static func arguments(_ request: ServerRequest) throws(Refusal) -> [RunEntry.Text] {
        var seen: Set<Name> = []
        var arguments: [RunEntry.Text] = []
        for (bytes, value) in Query(request.target.query).parameters {
            guard !bytes.contains(0) else {
                throw Refusal(.badRequest, "the name of an argument has a zero byte")
            }
            let name = String(decoding: bytes, as: UTF8.self)
            guard seen.insert(Name(name)).inserted else { continue }
            arguments.append(.init(name: name, text: String(decoding: value, as: UTF8.self)))
        }
        return arguments
    }

    /// The files of a form; other bodies are not read.
    private func files(_ request: ServerRequest) async throws -> [RunCall.File] {
        guard request.method == .post,
            request.fields.contentType?.matches("multipart/form-data") == true
        else { return [] }
        let limit = supervisor.options.fileLimit
        try request.limitBody(to: UInt64(clamping: limit + (1 << 20)))
        var limits = MultipartParser.Limits()
        limits.parts = 100
        limits.partBytes = limit
        limits.fieldBytes = Self.fieldLimit
        var files: [RunCall.File] = []
        do {
            var parser = try MultipartParser(
                contentType: Array(request.fields.first("content-type") ?? []), limits: limits)
            var name: String?
            var content: [UInt8] = []
            while let piece = try await request.next() {
                for event in try parser.feed(piece) {
                    switch event {
                    case .begin(let header):
                        content = []
                        name = nil
                        // Fields that are no files are passed over, as the original does.
                        guard header.fileName != nil else { continue }
                        guard let text = String(validating: header.name, as: UTF8.self) else {
                            throw Refusal(.badRequest, "the name of a file is no UTF-8")
                        }
                        name = text
                    case .content(let bytes): if name != nil { content += bytes }
                    case .end:
                        guard let ended = name else { continue }
                        let isKnown = files.contains { $0.name.utf8.elementsEqual(ended.utf8) }
                        guard !isKnown else {
                            throw Refusal(.badRequest, "the file '\(ended)' comes twice")
                        }
                        files.append(.init(name: ended, bytes: content))
                        content = []
                    }
                }
            }
            try parser.finish()
        } catch let error as FormError {
            throw Refusal(.badRequest, "the form is malformed: \(error)")
        }
        return files
    }
}

extension Supervisor {
    /// An id of a run in a URL: colons may stay.
    static func path(id: String) -> String {
        id.utf8.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
            .map { String(decoding: PercentCoding.encode(Array($0)), as: UTF8.self) }
            .joined(separator: ":")
    }
}
