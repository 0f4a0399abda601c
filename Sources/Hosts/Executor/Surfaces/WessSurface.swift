import WasmInterpreter
import WasmdDocuments
import WasmdEventLoop
import WasmdGuests
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
///
/// Writes are durable when they are answered.
public final class WessSurface: Surface {
    public let name: StaticString = "wess"
    private let executor: Executor
    private let observer: (any WessObserver)?

    public init(_ executor: Executor, observer: (any WessObserver)? = nil) {
        self.executor = executor
        self.observer = observer
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

    /// What requests are for.
    private enum Purposes {
        static let create = Purpose("wess", "/", needs: .write)
        static let count = Purpose("wess", "/", needs: .read)
        static let run = Purpose("wess", "/:id", needs: .run)
        static let show = Purpose("wess", "/:id", needs: .read)
        static let change = Purpose("wess", "/:id", needs: .write)
        static let other = Purpose("wess", "(other)", needs: nil)
    }

    /// This surface owns all paths.
    public func purpose(of head: RequestHead) -> Purpose? {
        let path = head.target.path
        if path.elementsEqual("/".utf8) {
            switch head.method {
            case .post: return Purposes.create
            case .get, .head: return Purposes.count
            default: return Purposes.other
            }
        }
        switch head.method {
        case .post: return Purposes.run
        case .get: return Purposes.show
        case .put, .delete: return Purposes.change
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
        let answer: Answer
        do {
            answer = try await self.answer(request, requester)
        } catch let error as HTTPServerError {
            throw error
        } catch let error as LoopError {
            throw error
        } catch {
            answer = Self.failure(error)
        }
        let body = Document.object([.init("message", answer.message)])
        var head = ResponseHead(answer.status)
        try head.fields.append("Content-Type", "application/json")
        if let seconds = answer.retryAfter ?? (answer.status == .serviceUnavailable ? 1 : nil) {
            try head.fields.append("Retry-After", "\(seconds)")
        }
        try await response.respond(head, await JSONAnswer.bytes(body, on: request.loop))
    }

    private func answer(
        _ request: ServerRequest, _ requester: Requester
    ) async throws -> Answer {
        guard let path = try? Path(request.target.path), path.segments.count <= 1 else {
            return Answer(.notFound, "Not Found")
        }
        let id = path.segments.first
        switch (request.method, id) {
        case (.post, nil): return try await create(request, requester)
        case (.get, nil):
            return Answer(.accepted, .integer(Int64(executor.count(for: requester.tenant))))
        case (.head, nil): return Answer(.badRequest, "Param \"id\" not found")
        case (.put, let id?): return try await change(request, id, requester)
        case (.delete, let id?): return try await delete(request, id, requester)
        case (.get, let id?): return try await show(request, id, requester)
        case (.post, let id?): return try await run(request, id, requester)
        default: return Answer(.methodNotAllowed, "Method Not Allowed")
        }
    }

    // MARK: Writing

    private func create(
        _ request: ServerRequest, _ requester: Requester
    ) async throws -> Answer {
        switch try await draft(request) {
        case .failure(let fault): return fault.answer
        case .success(let draft):
            let id = try await executor.create(draft, for: requester.tenant, on: request.loop)
            observer?.wrote("CREATE", id)
            return Self.accepted(id)
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
            try await executor.change(
                id, draft, for: requester.tenant, on: request.loop)
            observer?.wrote("UPDATE", id)
            return Self.accepted(id)
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

    private static let unknown = Answer(.notFound, "Invalid Id: Error: Not found")

    /// What is wrong with a body.
    private struct Fault: Error {
        let answer: Answer
        init(_ text: String) { answer = Answer(.badRequest, .string(text)) }
    }

    private func draft(_ request: ServerRequest) async throws -> Result<Executor.Draft, Fault> {
        let limit = executor.options.moduleLimit
        let document: Document
        do {
            document = try await JSONBody.read(request, limit: limit * 5 + (1 << 20))
        } catch let error as JSONError {
            return .failure(Fault("Inavlid Json: \(error)"))
        }
        var draft: Executor.Draft
        do throws(WessDraft.Fault) {
            draft = try WessDraft.read(document)
        } catch {
            return .failure(Fault("Inavlid Json: \(error)"))
        }
        do {
            _ = try await executor.compile(draft.bytes ?? [], on: request.loop)
        } catch ExecutorError.invalidModule(let text) {
            return .failure(Fault("Invalid Wasm: \(text)"))
        } catch let error as ExecutorError {
            guard case .tooLarge = error else { throw error }
            return .failure(Fault("Invalid Wasm: \(error)"))
        }
        if draft.results == nil { draft.results = .some(nil) }
        return .success(draft)
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
        let record: ModuleRecord
        do {
            record = try await executor.record(
                id, for: requester.tenant, on: request.loop)
        } catch ExecutorError.notFound {
            return Answer(.notFound, "Error: Not found")
        }
        let bytes = try await executor.bytes(record, on: request.loop)
        return Answer(
            .accepted,
            .object([
                .init("wasm", .bytes(bytes)), .init("metadata", WessDraft.metadata(record)),
            ]))
    }

    // MARK: Running

    private func run(
        _ request: ServerRequest, _ text: [UInt8], _ requester: Requester
    ) async throws -> Answer {
        guard let id = try? ModuleID(text), try await exists(id, requester, request.loop) else {
            return Self.unknown
        }
        let record = try await executor.record(
            id, for: requester.tenant, on: request.loop)
        let arguments: [Document]
        do {
            let document = try await JSONBody.read(request, limit: 1 << 20, packsBytes: false)
            guard let elements = document.arrayValue else {
                return Answer(.badRequest, "Invalid Json: invalid type: expected a sequence")
            }
            arguments = elements.filter { $0 != .null }
        } catch let error as JSONError {
            return Answer(.badRequest, .string("Invalid Json: \(error)"))
        }
        return try await run(record, arguments, request, requester)
    }

    private func run(
        _ record: ModuleRecord, _ arguments: [Document], _ request: ServerRequest,
        _ requester: Requester
    ) async throws -> Answer {
        let name = record.function ?? ""
        do {
            let result = try await executor.call(
                record,
                ModuleCall(
                    arguments: .list(arguments), wraps: true, caller: "wess", requester: requester),
                on: request.loop)
            if let refusal = result.run.refusal { throw ExecutorError.busy("\(refusal)") }
            guard result.run.outcome.kind == .succeeded else {
                return Self.failed("Function Execution Error: \(Self.text(result.run.outcome))")
            }
            // Results are paired with the declared types: fewer declared ones cut the rest off,
            // and what is declared as null, or as a type that JSON cannot say, is null.
            guard let declared = record.results else {
                return Answer(.ok, .array(result.results))
            }
            return Answer(
                .ok,
                .array(
                    zip(result.results, declared).map { value, type in
                        switch type {
                        case .i32, .i64, .f32, .f64: value
                        default: .null
                        }
                    }))
        } catch ArgumentFault.count(let expected, let found) {
            return Answer(
                .badRequest, .string("Length Args Error: expect: \(expected), found: \(found)"))
        } catch ArgumentFault.type(let type, _) {
            return Answer(.badRequest, .string("Invalid Type: \(type.name.uppercased())"))
        } catch let missing as FunctionMissing {
            return Self.failed(
                "Instantiate Function Error `\(missing.name)`: no function with this name")
        } catch let error as LinkError {
            return Self.failed("InitializingError: \(error)")
        } catch ExecutorError.invalid(let text) {
            return Self.failed("Instantiate Function Error `\(name)`: \(text)")
        } catch ExecutorError.damaged(let text) {
            return Self.failed("Compiling Error: \(text)")
        } catch let fault as ArgumentFault {
            return Self.failed("Function Execution Error: \(fault)")
        }
    }

    private static func failed(_ text: String) -> Answer {
        Answer(.internalServerError, .string("Error: \(text)"))
    }

    private static func text(_ outcome: RunOutcome) -> String {
        switch outcome {
        case .limit(let limit, _): "\(limit.name) reached"
        default: "\(outcome)"
        }
    }

    private static func failure(_ error: any Error) -> Answer {
        switch error {
        case ExecutorError.notFound: unknown
        case let refusal as AccessRefusal: Answer(refusal)
        case ExecutorError.busy(let text): Answer(.serviceUnavailable, .string(text))
        case ExecutorError.storage(let error):
            Answer(error.isFull ? .insufficientStorage : .serviceUnavailable, .string("\(error)"))
        case ExecutorError.tooLarge: Answer(.contentTooLarge, .string("\(error)"))
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
