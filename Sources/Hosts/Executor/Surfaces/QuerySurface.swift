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
public final class QuerySurface: Surface {
    public let name: StaticString = "query"
    private let executor: Executor

    public init(_ executor: Executor) { self.executor = executor }

    /// What requests are for.
    private enum Purposes {
        static let read = Purpose("query", "/", needs: .read)
        static let write = Purpose("query", "/", needs: .write)
        static let run = Purpose("query", "/run/", needs: .run)
        static let show = Purpose("query", "/wasm/", needs: .read)
        static let options = Purpose("query", "(options)", needs: nil)
    }

    /// Paths of this surface: `/`, `/run/`, and `/wasm/` with `id=`.
    public func purpose(of head: RequestHead) -> Purpose? {
        let path = head.target.path
        let purpose: Purpose
        if path.elementsEqual("/".utf8) {
            purpose = head.method.isSafe ? Purposes.read : Purposes.write
        } else if path.elementsEqual("/run/".utf8) || path.elementsEqual("/run".utf8) {
            purpose = Purposes.run
        } else {
            guard path.elementsEqual("/wasm/".utf8) || path.elementsEqual("/wasm".utf8),
                let query = head.target.query,
                let pairs = try? URLEncodedForm.pairs(Array(query)),
                pairs.contains(where: { $0.name.elementsEqual("id".utf8) })
            else { return nil }
            purpose = Purposes.show
        }
        return head.method == .options ? Purposes.options : purpose
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
        do {
            let answer = try await self.answer(request, requester)
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
        } catch let error as ExecutorError {
            try await refuse(Failure(error).refusal, response, on: request.loop)
        }
    }

    private func answer(
        _ request: ServerRequest, _ requester: Requester
    ) async throws -> Document {
        let tenant = requester.tenant
        let isRoot = request.target.path.elementsEqual("/".utf8)
        let isRun = request.target.path.starts(with: "/run".utf8)
        switch request.method {
        case .post where isRoot:
            let id = try await executor.create(
                try await draft(request), for: tenant, on: request.loop)
            return .string(id.description)
        case .put where isRoot:
            let id = try id(request)
            _ = try await executor.record(id, for: tenant, on: request.loop)
            try await executor.change(
                id, try await draft(request), for: tenant, on: request.loop)
            return .string(id.description)
        case .delete where isRoot:
            let id = try id(request)
            try await executor.delete(id, for: tenant, on: request.loop)
            return .string(id.description)
        case .get where isRoot: return try await list(tenant, request.loop)
        case .get where isRun: return try await run(try id(request), request, requester)
        case .get:
            let record = try await executor.record(
                try id(request), for: tenant, on: request.loop)
            let bytes = try await executor.bytes(record, on: request.loop)
            return record.json(wasm: .bytes(bytes))
        default: throw Fault(status: .notFound, text: "Page not found")
        }
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
            let draft = try ModuleDraft.read(
                try await JSONBody.read(request, limit: limit * 5 + (1 << 20)))
            guard draft.bytes != nil else { throw Fault(status: .badRequest, text: "Invalid Wasm") }
            return draft
        } catch is JSONError {
            throw Fault(status: .badRequest, text: "Invalid Wasm")
        } catch is ModuleDraft.Fault {
            throw Fault(status: .badRequest, text: "Invalid Wasm")
        }
    }

    private func list(_ tenant: Tenant?, _ loop: EventLoop) async throws -> Document {
        var ids: [Document] = []
        var after: ModuleID?
        repeat {
            let (records, hasMore) = try await executor.page(
                for: tenant, after: after, limit: 1000, on: loop)
            ids += records.map { .string($0.id.description) }
            after = hasMore ? records.last?.id : nil
        } while after != nil
        return .array(ids)
    }

    private func run(
        _ id: ModuleID, _ request: ServerRequest, _ requester: Requester
    ) async throws -> Document {
        let record = try await executor.record(
            id, for: requester.tenant, on: request.loop)
        do {
            let result = try await executor.call(
                record, ModuleCall(caller: "GET /run/", requester: requester), on: request.loop)
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
