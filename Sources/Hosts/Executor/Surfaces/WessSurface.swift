import WasmSystem
import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP
import WasmdHTTPServer
import WasmdOperation
import WasmdStorage

/// The surface of *wess* 1.4.3: its routes, codes, words and misspellings, so that its clients work
/// unchanged.
///
/// | request | answer |
/// |---|---|
/// | `POST /` | 202 with the id of a new module |
/// | `PUT /:id`, `DELETE /:id` | 202 |
/// | `GET /:id` | 202 with the module and its metadata |
/// | `GET /` | 202 with the number of modules |
/// | `POST /:id` | 200 with the results of the function |
/// | `GET /metrics` | 200 with its counts, for Prometheus |
///
/// Writes are durable when they are answered.
public final class WessSurface: Surface {
    public let name: StaticString = "wess"
    let executor: Executor
    private let observer: (any WessObserver)?
    let metrics: WessMetrics

    public init(_ executor: Executor, observer: (any WessObserver)? = nil) {
        self.executor = executor
        self.observer = observer
        metrics = executor.startWessMetrics()
    }

    /// A response: its code, and what `message` says.
    struct Answer {
        var status: Status
        var message: Document
        /// Seconds.
        var retryAfter: Int?

        init(_ status: Status, _ message: Document) {
            self.status = status
            self.message = message
        }

        init(_ refusal: AccessRefusal) {
            self.init(refusal.status, .string(refusal.message))
            retryAfter = refusal.retryAfter
        }
    }

    /// The paths of the surface, as its metrics name them.
    enum Route: String, CaseIterable {
        case root = "/"
        case module = "/:id"
        case metrics = "/metrics"

        /// As in the field `Allow`.
        var methods: String {
            switch self {
            case .root: "GET, HEAD, POST"
            case .module: "GET, HEAD, POST, PUT, DELETE"
            case .metrics: "GET, HEAD"
            }
        }
    }

    /// What requests are for.
    private enum Purposes {
        static let create = Purpose("wess", "/", needs: .write, tenants: .admitted)
        static let count = Purpose("wess", "/", needs: .read, tenants: .admitted)
        static let run = Purpose("wess", "/:id", needs: .run, tenants: .admitted)
        static let show = Purpose("wess", "/:id", needs: .read, tenants: .admitted)
        static let change = Purpose("wess", "/:id", needs: .write, tenants: .admitted)
        /// They count what all do.
        static let metrics = Purpose("wess", "/metrics", needs: .read, tenants: .refused)
        static let other = Purpose("wess", "(other)", needs: nil, tenants: .admitted)
    }

    /// This surface owns all paths.
    public func purpose(of head: RequestHead) -> Purpose? {
        let path = head.target.path
        let isRoot = path.elementsEqual("/".utf8)
        switch head.method {
        case .post: return isRoot ? Purposes.create : Purposes.run
        case .get, .head:
            if path.elementsEqual("/metrics".utf8) { return Purposes.metrics }
            return isRoot ? Purposes.count : Purposes.show
        case .put, .delete: return isRoot ? Purposes.other : Purposes.change
        default: return Purposes.other
        }
    }

    public func refuse(
        _ refusal: AccessRefusal, _ response: ServerResponse, on loop: EventLoop
    ) async throws {
        let body = Document.object([.init("message", .string(refusal.message))])
        try await refusal.respond(
            response, await JSONAnswer.bytes(body, on: loop), type: "application/json")
    }

    public func answer(
        _ request: ServerRequest, _ response: ServerResponse, for requester: Requester
    ) async throws {
        let path = try? Path(request.target.path)
        let isMetrics = path?.segments.first?.elementsEqual("metrics".utf8) == true
        let route: Route? =
            switch path?.segments.count {
            // Only "/" itself is the root: its rights are not those of "/." or "//".
            case 0 where request.target.path.elementsEqual("/".utf8): .root
            // As in wess, other methods take this for an id.
            case 1 where isMetrics && (request.method == .get || request.method == .head): .metrics
            case 1: .module
            default: nil
            }
        let start = SystemClock.monotonic.now
        metrics.began(route)
        defer { metrics.ended(since: start) }
        if route == .metrics {
            var head = ResponseHead(.ok)
            try head.fields.append("Content-Type", MetricRegistry.mediaType)
            return try await response.respond(head, metrics.registry.text())
        }
        let answer: Answer
        do {
            answer = try await self.answer(
                request, route, path?.segments.first ?? [], requester)
        } catch let error as HTTPServerError {
            throw error
        } catch LoopError.tooManyCalls {
            answer = Answer(.serviceUnavailable, "the server is busy")
        } catch let error as LoopError {
            throw error
        } catch {
            answer = Self.failure(error)
        }
        if answer.status.code >= 400 { metrics.failed() }
        let body = Document.object([.init("message", answer.message)])
        var head = ResponseHead(answer.status)
        try head.fields.append("Content-Type", "application/json")
        if let seconds = answer.retryAfter ?? (answer.status == .serviceUnavailable ? 1 : nil) {
            try head.fields.append("Retry-After", "\(seconds)")
        }
        if answer.status == .methodNotAllowed, let route {
            try head.fields.append("Allow", route.methods)
        }
        try await response.respond(json: body, head, to: request, mayCompress: false)
    }

    private func answer(
        _ request: ServerRequest, _ route: Route?, _ id: [UInt8], _ requester: Requester
    ) async throws -> Answer {
        switch (route, request.method) {
        case (nil, _): Answer(.notFound, "Not Found")
        case (.root, .post): try await create(request, requester)
        // Version 1.4.3 asks for a parameter that this path does not have; meant is the number.
        case (.root, .get), (.root, .head):
            Answer(.accepted, .integer(Int64(executor.count(for: requester.tenant))))
        case (.module, .put): try await change(request, id, requester)
        case (.module, .delete): try await delete(request, id, requester)
        case (.module, .get), (.module, .head): try await show(request, id, requester)
        case (.module, .post): try await run(request, id, requester)
        default: Answer(.methodNotAllowed, "Method Not Allowed")
        }
    }

    // MARK: Writing

    private func create(
        _ request: ServerRequest, _ requester: Requester
    ) async throws -> Answer {
        switch try await draft(request) {
        case .failure(let fault): return fault.answer
        case .success(let draft):
            do {
                let made = try await executor.create(
                    draft, for: requester.tenant, on: request.loop)
                observer?.wrote("CREATE", made.id)
                return Self.accepted(made.id)
            } catch let error as ExecutorError {
                return try Self.invalid(error)
            }
        }
    }

    private func change(
        _ request: ServerRequest, _ text: [UInt8], _ requester: Requester
    ) async throws -> Answer {
        guard let id = try? ModuleID(text), try await exists(id, requester, request.loop) else {
            return Self.unknown
        }
        switch try await draft(request) {
        case .failure(let fault): return fault.answer
        case .success(let draft):
            do {
                try await executor.change(
                    id, draft, for: requester.tenant, on: request.loop)
                observer?.wrote("UPDATE", id)
                return Self.accepted(id)
            } catch let error as ExecutorError {
                return try Self.invalid(error)
            }
        }
    }

    private func delete(
        _ request: ServerRequest, _ text: [UInt8], _ requester: Requester
    ) async throws -> Answer {
        guard let id = try? ModuleID(text) else { return Self.unknown }
        do {
            try await executor.delete(id, for: requester.tenant, on: request.loop)
        } catch ExecutorError.notFound {
            return Self.unknown
        }
        observer?.wrote("DELETE", id)
        return Self.accepted(id)
    }

    private func exists(
        _ id: ModuleID, _ requester: Requester, _ loop: EventLoop
    ) async throws -> Bool {
        do {
            _ = try await executor.record(id, for: requester.tenant, on: loop)
            return true
        } catch ExecutorError.notFound {
            return false
        }
    }

    private static func accepted(_ id: ModuleID) -> Answer {
        Answer(.accepted, .object([.init("id", .string(id.description))]))
    }

    /// The answer for a module that is not valid.
    ///
    /// - Throws: every other error.
    private static func invalid(_ error: ExecutorError) throws(ExecutorError) -> Answer {
        switch error {
        case .invalidModule, .tooLarge: Answer(.badRequest, .string("Invalid Wasm: \(error)"))
        default: throw error
        }
    }

    static let unknown = Answer(.notFound, "Invalid Id: Error: Not found")

    /// What is wrong with a body.
    private struct Fault: Error {
        let answer: Answer
        init(_ text: String) { answer = Answer(.badRequest, .string(text)) }
    }

    private func draft(_ request: ServerRequest) async throws -> Result<Executor.Draft, Fault> {
        let limit = executor.options.moduleLimit
        let share = executor.uploads.share()
        do {
            var draft = try await JSONBody.read(
                request, limit: limit * 5 + (1 << 20), share: share
            ) { try WessDraft.read($0) }
            draft.upload = share
            return .success(draft)
        } catch let error as JSONError {
            return .failure(Fault("Inavlid Json: \(error)"))
        } catch let error as WessDraft.Fault {
            return .failure(Fault("Inavlid Json: \(error)"))
        }
    }

    // MARK: Reading

    private func show(
        _ request: ServerRequest, _ text: [UInt8], _ requester: Requester
    ) async throws -> Answer {
        let id: ModuleID
        do throws(ModuleID.Fault) {
            id = try ModuleID(text)
        } catch {
            return Answer(.badRequest, .string("Invalid ID: \(error)"))
        }
        do {
            let (record, bytes) = try await executor.contents(
                id, for: requester.tenant, on: request.loop)
            return Answer(
                .accepted,
                .object([
                    .init("wasm", .bytes(bytes)), .init("metadata", WessDraft.metadata(record)),
                ]))
        } catch ExecutorError.notFound {
            return Answer(.notFound, "Error: Not found")
        }
    }

    private static func failure(_ error: any Error) -> Answer {
        switch error {
        case ExecutorError.notFound: unknown
        case let refusal as AccessRefusal: Answer(refusal)
        case ExecutorError.busy(let text): Answer(.serviceUnavailable, .string(text))
        case ExecutorError.changed: Answer(.serviceUnavailable, .string("\(error)"))
        case ExecutorError.recordTooLarge: Answer(.contentTooLarge, .string("\(error)"))
        case ExecutorError.storage(let error):
            Answer(error.isFull ? .insufficientStorage : .serviceUnavailable, .string("\(error)"))
        default: Answer(.internalServerError, .string("Error: \(error)"))
        }
    }
}

/// Is told what the surface of *wess* did.
public protocol WessObserver: Sendable {
    /// - Parameter action: `CREATE`, `UPDATE` or `DELETE`, before the answer leaves.
    func wrote(_ action: String, _ id: ModuleID)
}

extension StorageError {
    /// Whether there is no room.
    var isFull: Bool { if case .full = self { true } else { false } }
}
