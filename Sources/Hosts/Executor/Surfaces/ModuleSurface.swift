import WasmInterpreter
import WasmdDocuments
import WasmdEventLoop
import WasmdGuests
import WasmdHTTP
import WasmdHTTPServer
import WasmdOperation

/// The executor's own surface: modules under `/wasm`, jobs under `/jobs`.
///
/// | request | answer |
/// |---|---|
/// | `POST /wasm` | 202 with the id of a new module and its job |
/// | `GET /wasm?limit=&after=` | 200 with a page of records |
/// | `GET /wasm/{id}` | 200 with the record, or the binary if that is accepted |
/// | `PUT /wasm/{id}`, `DELETE /wasm/{id}` | 202 with id and job |
/// | `POST /wasm/{id}` | 200 with the results, or the output of a program |
/// | `GET /jobs?limit=` | 200 with the last writes |
/// | `GET /jobs/{id}` | 200 with the state of a write |
///
/// Errors are `{"error": {"code": 404, "message": "…", "limit": "…"}}`.
public final class ModuleSurface: Surface {
    public let name: StaticString = "executor"

    let executor: Executor
    let jobs = WriteJobs()

    enum Route: Sendable { case list, module, jobs, job }
    let router: Router<Route>

    public init(_ executor: Executor) {
        self.executor = executor
        var router = Router<Route>()
        // These patterns are well formed and differ.
        try? router.add(nil, "/wasm", .list)
        try? router.add(nil, "/wasm/:id", .module)
        try? router.add(nil, "/jobs", .jobs)
        try? router.add(nil, "/jobs/:id", .job)
        self.router = router
    }

    public func purpose(of head: RequestHead) -> Purpose? {
        locate(head.target.path).map { Purposes.of($0.route, head.method) }
    }

    public func refuse(
        _ refusal: AccessRefusal, _ response: ServerResponse, on loop: EventLoop
    ) async throws {
        try await Failure(refusal).send(response, loop)
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
            try await Failure(error).send(response, request.loop)
        }
    }

    private func serve(
        _ request: ServerRequest, _ response: ServerResponse, _ requester: Requester
    ) async throws {
        guard let (route, text) = locate(request.target.path) else {
            throw Failure(.notFound, "there is nothing at this path")
        }
        switch (route, request.method) {
        case (.list, .post): try await create(request, response, requester)
        case (.list, .get), (.list, .head): try await list(request, response, requester)
        case (.module, .get), (.module, .head):
            try await show(id(text), request, response, requester)
        case (.module, .put): try await change(id(text), request, response, requester)
        case (.module, .delete): try await delete(id(text), request, response, requester)
        case (.module, .post): try await run(id(text), request, response, requester)
        case (.job, .get), (.job, .head):
            try await job(id(text), request, response, requester)
        case (.jobs, .get), (.jobs, .head):
            let limit = try Query(request).number("limit", in: 1...1000) ?? 100
            let found = jobs.recent(limit, of: requester.tenant?.name)
            try await response.respond(
                json: .object([.init("items", .array(found.map(Self.document)))]), to: request)
        default:
            let allowed =
                switch route {
                case .list: "GET, HEAD, POST"
                case .module: "GET, HEAD, POST, PUT, DELETE"
                case .jobs, .job: "GET, HEAD"
                }
            if request.method == .options {
                var head = ResponseHead(.noContent)
                try head.fields.append("Allow", allowed)
                try await response.respond(head)
                return
            }
            throw Failure(.methodNotAllowed, "this path takes \(allowed)", allow: allowed)
        }
    }

    private func id(_ text: some Sequence<UInt8>) throws -> ModuleID {
        do throws(ModuleID.Fault) {
            return try ModuleID(text)
        } catch {
            throw Failure(.notFound, "there is no module with this id: \(error)")
        }
    }

    // MARK: Writing

    private func create(
        _ request: ServerRequest, _ response: ServerResponse, _ requester: Requester
    ) async throws {
        let draft = try await DraftBody.read(
            request, executor.options.moduleLimit, executor.uploads)
        guard draft.bytes != nil else { throw Failure(.badRequest, "'wasm' is missing") }
        let key = request.fields.first("idempotency-key").map { Array($0) }
        let tenant = requester.tenant
        let made = try await noting(.save, nil, tenant) {
            try await executor.create(draft, for: tenant, key: key, on: request.loop)
        }
        let job = try jobs.add(.save, made.id, for: tenant)
        try await accept(
            made.id, job, response, request.loop, location: "/wasm/\(made.id)",
            isReplay: !made.isNew)
    }

    private func change(
        _ id: ModuleID, _ request: ServerRequest, _ response: ServerResponse,
        _ requester: Requester
    ) async throws {
        // Before the body is read: an unknown id costs no upload.
        _ = try await executor.record(id, for: requester.tenant, on: request.loop)
        let draft = try await DraftBody.read(
            request, executor.options.moduleLimit, executor.uploads)
        let tenant = requester.tenant
        try await noting(.modify, id, tenant) {
            try await executor.change(id, draft, for: tenant, on: request.loop)
        }
        try await accept(id, try jobs.add(.modify, id, for: tenant), response, request.loop)
    }

    private func delete(
        _ id: ModuleID, _ request: ServerRequest, _ response: ServerResponse,
        _ requester: Requester
    ) async throws {
        let tenant = requester.tenant
        try await noting(.delete, id, tenant) {
            try await executor.delete(id, for: tenant, on: request.loop)
        }
        try await accept(id, try jobs.add(.delete, id, for: tenant), response, request.loop)
    }

    /// Writes, and keeps a job for a write that was tried and failed: its id is in the error.
    private func noting<Result>(
        _ kind: WriteJobs.Kind, _ id: ModuleID?, _ tenant: Tenant?,
        _ write: () async throws -> Result
    ) async throws -> Result {
        do {
            return try await write()
        } catch let error as ExecutorError {
            guard case .storage = error else { throw error }
            var failure = Failure(error)
            failure.job = try jobs.add(
                kind, id ?? ModuleID.make(), for: tenant, .failed("\(error)"))
            throw failure
        }
    }

    private func accept(
        _ id: ModuleID, _ job: ModuleID, _ response: ServerResponse, _ loop: EventLoop,
        location: String? = nil, isReplay: Bool = false
    ) async throws {
        var head = ResponseHead(.accepted)
        if let location { try head.fields.append("Location", location) }
        if isReplay { try head.fields.append("Idempotent-Replayed", "true") }
        try await response.respond(
            json: .object([
                .init("id", .string(id.description)), .init("job", .string(job.description)),
            ]), head, on: loop)
    }

    private func job(
        _ id: ModuleID, _ request: ServerRequest, _ response: ServerResponse,
        _ requester: Requester
    ) async throws {
        guard let job = jobs[id], requester.tenant == nil || job.owner == requester.tenant?.name
        else { throw Failure(.notFound, "there is no job with this id") }
        try await response.respond(json: Self.document(job), on: request.loop)
    }

    private static func document(_ job: WriteJobs.Job) -> Document {
        var members: [Document.Member] = [
            .init("id", .string(job.id.description)),
            .init("wasm", .string(job.module.description)),
            .init("job_type", .string(job.kind.rawValue)), .init("state", .string(job.state.name)),
            .init("time", .integer(job.time)),
        ]
        if case .failed(let text) = job.state { members.append(.init("error", .string(text))) }
        return .object(members)
    }

    // MARK: Reading

    private func list(
        _ request: ServerRequest, _ response: ServerResponse, _ requester: Requester
    ) async throws {
        let query = try Query(request)
        let limit = try query.number("limit", in: 1...1000) ?? 100
        let after = try query.text("after").map { try id($0.utf8) }
        let page = try await executor.page(
            for: requester.tenant, after: after, limit: limit, on: request.loop)
        var members: [Document.Member] = [
            .init("items", .array(page.records.map { $0.json() })),
            .init("next", page.next.map { .string($0.description) } ?? .null),
        ]
        if !page.damaged.isEmpty {
            members.append(
                .init("damaged", .array(page.damaged.map { .string($0.description) })))
        }
        try await response.respond(json: .object(members), to: request)
    }

    private func show(
        _ id: ModuleID, _ request: ServerRequest, _ response: ServerResponse,
        _ requester: Requester
    ) async throws {
        var record = try await executor.record(
            id, for: requester.tenant, on: request.loop)
        let wantsBinary =
            request.fields.acceptance(of: "application/wasm")
            > request.fields.acceptance(of: "application/json")
        if wantsBinary { return try await BinaryAnswer.send(record, executor, request, response) }
        let query = try Query(request)
        var wasm: Document?
        if try query.text("wasm") != "false" {
            let bytes: [UInt8]
            (record, bytes) = try await executor.contents(
                id, for: requester.tenant, on: request.loop)
            if try query.text("encoding") == "base64" {
                let (record, text) = (record, bytes)
                let answer = try await request.loop.computing(over: bytes.count) {
                    JSONWriter.write(record.json(wasm: ByteText.document(text)))
                }
                return try await response.respond(JSONAnswer.head, answer, to: request)
            }
            wasm = .bytes(bytes)
        }
        try await response.respond(json: record.json(wasm: wasm), to: request)
    }
}

extension ModuleRecord {
    /// The record as clients get it.
    func json(wasm: Document? = nil) -> Document {
        var members: [Document.Member] = [.init("id", .string(id.description))]
        if let wasm { members.append(.init("wasm", wasm)) }
        var metadata: [Document.Member] = [
            .init("run_function", function.map { .string($0) } ?? .null),
            .init("size", .integer(Int64(size))),
            .init(
                "param",
                .array(
                    parameters.map { parameter in
                        .object([
                            .init("name", .string(parameter.name)),
                            .init(
                                "param_type", parameter.type.map { .string($0.name) } ?? .null),
                        ])
                    })),
        ]
        if let results {
            metadata.append(
                .init("results", .array(results.map { $0.map { .string($0.name) } ?? .null })))
        }
        if keeps { metadata.append(.init("keep", .boolean(true))) }
        members += [
            .init("meta_data", .object(metadata)), .init("imports", imports),
            .init("exports", exports), .init("sha256", .string(digest.description)),
            .init("created", .integer(created)), .init("changed", .integer(changed)),
        ]
        return .object(members)
    }
}
