import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP
import WasmdHTTPServer
import WasmdOperation

/// The surface of the first executor: modules are named in the query.
///
/// | request | answer |
/// |---|---|
/// | `POST /` | 200 with the new id as a JSON text |
/// | `PUT /?id=`, `DELETE /?id=` | 200 with the id |
/// | `GET /` | 200 with all ids |
/// | `GET /wasm/?id=` | 200 with the module and its metadata |
/// | `GET /run/?id=` | 200 with the results of its function |
///
/// On a listener that it shares with the module surface, it owns `/`, `/run/`, and `/wasm/` with an
/// `id`, and a browser that asks for `/` is sent to the console. Alone it owns all paths.
public final class QuerySurface: Surface {
    public let name: StaticString = "query"
    private let executor: Executor
    private let isAlone: Bool

    /// - Parameter isAlone: whether no other surface is at the listener.
    public init(_ executor: Executor, isAlone: Bool = false) {
        self.executor = executor
        self.isAlone = isAlone
    }

    /// What requests are for.
    private enum Purposes {
        static let read = Purpose("query", "/", needs: .read, tenants: .admitted)
        static let write = Purpose("query", "/", needs: .write, tenants: .admitted)
        static let run = Purpose("query", "/run/", needs: .run, tenants: .admitted)
        static let show = Purpose("query", "/wasm/", needs: .read, tenants: .admitted)
        static let other = Purpose("query", "(other)", needs: nil, tenants: .admitted)
    }

    private enum Route { case root, run, wasm }

    private static func route(_ path: ArraySlice<UInt8>) -> Route? {
        guard path.count <= 6 else { return nil }
        if path.elementsEqual("/".utf8) { return .root }
        if path.elementsEqual("/run/".utf8) || path.elementsEqual("/run".utf8) { return .run }
        return path.elementsEqual("/wasm/".utf8) || path.elementsEqual("/wasm".utf8)
            ? .wasm : nil
    }

    public func purpose(of head: RequestHead) -> Purpose? {
        let route = Self.route(head.target.path)
        if !isAlone {
            guard let route else { return nil }
            if route == .wasm {
                guard let query = head.target.query,
                    let pairs = try? URLEncodedForm.pairs(Array(query)),
                    pairs.contains(where: { $0.name.elementsEqual("id".utf8) })
                else { return nil }
            }
        }
        if head.method == .options { return Purposes.other }
        switch route {
        case .root: return head.method.isSafe ? Purposes.read : Purposes.write
        case .run: return Purposes.run
        case .wasm: return Purposes.show
        case nil: return Purposes.other
        }
    }

    public func refuse(
        _ refusal: AccessRefusal, _ response: ServerResponse, on loop: EventLoop
    ) async throws {
        let isPage = refusal.status == .notFound
        let text = isPage ? "Page not found" : refusal.message
        try await refusal.respond(
            response, Array(text.utf8), type: "text/plain; charset=utf-8")
    }

    /// What is wrong with a request: a code and a text.
    private struct Fault: Error {
        let status: Status
        let text: String
    }

    public func answer(
        _ request: ServerRequest, _ response: ServerResponse, for requester: Requester
    ) async throws {
        let route = Self.route(request.target.path)
        if route == .root, !isAlone, request.method.isSafe, Self.isBrowser(request) {
            var head = ResponseHead(.seeOther)
            try head.fields.append("Location", "/console")
            try head.fields.append("Vary", "Accept")
            return try await response.respond(head)
        }
        do {
            let answer = try await self.answer(request, route, requester)
            try await response.respond(json: answer, on: request.loop)
        } catch let fault as Fault {
            try await response.respond(fault.status, fault.text)
        } catch ExecutorError.notFound {
            try await response.respond(.notFound, "wasm not exist")
        } catch ExecutorError.invalidModule {
            try await response.respond(.badRequest, "Invalid Wasm")
        } catch let failure as Failure {
            try await refuse(failure.refusal, response, on: request.loop)
        } catch let refusal as AccessRefusal {
            try await refuse(refusal, response, on: request.loop)
        } catch let error as HTTPServerError {
            throw error
        } catch LoopError.cancelled {
            throw LoopError.cancelled
        } catch {
            try await refuse(Failure(error).refusal, response, on: request.loop)
        }
    }

    /// Whether a request names HTML as what it takes.
    private static func isBrowser(_ request: ServerRequest) -> Bool {
        request.fields.list("accept").contains { element in
            MediaType(element)?.matches("text/html") == true
        }
    }

    private func answer(
        _ request: ServerRequest, _ route: Route?, _ requester: Requester
    ) async throws -> Document {
        let tenant = requester.tenant
        switch (route, request.method) {
        case (.root, .post):
            let made = try await executor.create(
                try await draft(request), for: tenant, on: request.loop)
            return .string(made.id.description)
        case (.root, .put):
            let id = try id(request)
            _ = try await executor.record(id, for: tenant, on: request.loop)
            try await executor.change(
                id, try await draft(request), for: tenant, on: request.loop)
            return .string(id.description)
        case (.root, .delete):
            let id = try id(request)
            try await executor.delete(id, for: tenant, on: request.loop)
            return .string(id.description)
        case (.root, .get), (.root, .head): return try await list(tenant, request.loop)
        case (.run, .get), (.run, .head):
            return try await run(try id(request), request, requester)
        case (.wasm, .get), (.wasm, .head):
            let (record, bytes) = try await executor.contents(
                try id(request), for: tenant, on: request.loop)
            return Self.job(record, bytes)
        default: throw Fault(status: .notFound, text: "Page not found")
        }
    }

    /// The job that stored a module.
    private static func job(_ record: ModuleRecord, _ bytes: [UInt8]) -> Document {
        let kind = record.changed == record.created ? WriteJobs.Kind.save : .modify
        return .object([
            .init("wasm", .bytes(bytes)),
            .init(
                "meta_data",
                .object([
                    .init("id", .string(record.id.description)),
                    .init("run_function", record.function.map { .string($0) } ?? .null),
                    .init("size", .integer(Int64(record.size))),
                    .init("job_type", .string(kind.rawValue)),
                ])),
        ])
    }

    private func id(_ request: ServerRequest) throws -> ModuleID {
        let query = try Query(request)
        guard let text = query.all("id").last, let id = try? ModuleID(text) else {
            throw Fault(status: .badRequest, text: "Invalid Wasm ID")
        }
        return id
    }

    private func draft(_ request: ServerRequest) async throws -> Executor.Draft {
        let limit = executor.options.moduleLimit
        do {
            let share = executor.uploads.share()
            var draft = try await JSONBody.read(
                request, limit: limit * 5 + (1 << 20), share: share
            ) { try ModuleDraft.read($0) }
            draft.upload = share
            guard draft.bytes != nil else { throw Fault(status: .badRequest, text: "Invalid Wasm") }
            return draft
        } catch HTTPServerError.request(.bodyTooLarge) {
            throw ExecutorError.tooLarge(limit: limit)
        } catch is JSONError {
            throw Fault(status: .badRequest, text: "Invalid Wasm")
        } catch is ModuleDraft.Fault {
            throw Fault(status: .badRequest, text: "Invalid Wasm")
        }
    }

    private func list(_ tenant: Tenant?, _ loop: EventLoop) async throws -> Document {
        var ids: [Document] = []
        var after: ModuleID?
        while true {
            let page = executor.modules.ids(of: tenant?.name, after: after, limit: 1000)
            ids += page.map { .string($0.description) }
            guard page.count == 1000, let last = page.last else { return .array(ids) }
            after = last
            await loop.yieldToOthers()
        }
    }

    private func run(
        _ id: ModuleID, _ request: ServerRequest, _ requester: Requester
    ) async throws -> Document {
        let stored = try await executor.entry(id, for: requester.tenant, on: request.loop)
        do {
            let result = try await executor.call(
                stored, ModuleCall(caller: "GET /run/", requester: requester), on: request.loop)
            request.mark(result.run.record?.id.words ?? (0, 0))
            try Failure.check(result.run)
            return .array(result.results)
        } catch let fault as ArgumentFault {
            throw Fault(status: .badRequest, text: "\(fault)")
        } catch let missing as FunctionMissing {
            throw Fault(
                status: .badRequest, text: "the module exports no function '\(missing.name)'")
        }
    }
}
