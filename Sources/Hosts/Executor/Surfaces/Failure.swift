import WasmInterpreter
import WasmdDocuments
import WasmdEventLoop
import WasmdGuests
import WasmdHTTP
import WasmdHTTPServer
import WasmdOperation
import WasmdStorage

/// An answer of the executor's own surface that tells what went wrong.
struct Failure: Error {
    let status: Status
    let message: String
    var limit: String?
    var frames: [String] = []
    var allow: String?
    var challenge: String?
    var retryAfter: Int?

    init(_ status: Status, _ message: String, allow: String? = nil) {
        self.status = status
        self.message = message
        self.allow = allow
    }

    init(_ refusal: AccessRefusal) {
        self.init(refusal.status, refusal.message)
        limit = refusal.limit
        challenge = refusal.challenge
        retryAfter = refusal.retryAfter
    }

    /// For surfaces with another form of errors.
    var refusal: AccessRefusal {
        var refusal = AccessRefusal(status, message)
        refusal.limit = limit
        refusal.retryAfter = retryAfter ?? (status == .serviceUnavailable ? 1 : nil)
        return refusal
    }

    init(_ error: any Error) {
        switch error {
        case let failure as Failure: self = failure
        case let refusal as AccessRefusal: self.init(refusal)
        case let error as ExecutorError: self.init(Self.status(error), "\(error)")
        case let error as LinkError: self.init(.conflict, "the module cannot be linked: \(error)")
        case let error as StorageError: self.init(Self.status(error), "\(error)")
        case LoopError.tooManyCalls: self.init(.serviceUnavailable, "the server is busy")
        default: self.init(.internalServerError, "\(error)")
        }
        if case .tooLarge? = error as? ExecutorError { limit = "module" }
    }

    private static func status(_ error: ExecutorError) -> Status {
        switch error {
        case .notFound: .notFound
        case .invalidModule, .invalid: .badRequest
        case .tooLarge: .contentTooLarge
        case .importMissing: .conflict
        case .busy, .stopping: .serviceUnavailable
        case .storage(let error): status(error)
        case .damaged: .internalServerError
        }
    }

    private static func status(_ error: StorageError) -> Status {
        error.isFull ? .insufficientStorage : .serviceUnavailable
    }

    /// Throws what a run's end is for its client, if it is no success.
    static func check(_ result: RunResult) throws(Failure) {
        let outcome = result.outcome
        var failure: Failure
        switch outcome {
        case .returned, .exited: return
        case .limit(.time, _): failure = Failure(.gatewayTimeout, "the run took too long")
        case .limit(let limit, _) where result.refusal != nil:
            let text = result.refusal.map { "\($0)" } ?? limit.name
            failure = Failure(.serviceUnavailable, "too many runs: \(text)")
        case .limit(let limit, _):
            failure = Failure(.internalServerError, "the run reached its limit of \(limit.name)")
        case .trapped, .threw, .failed: failure = Failure(.internalServerError, "\(outcome)")
        case .cancelled: failure = Failure(.serviceUnavailable, "the run was stopped")
        }
        if case .limit(let limit, _) = outcome { failure.limit = limit.name }
        failure.frames = outcome.trap?.frames ?? []
        throw failure
    }

    func send(_ response: ServerResponse, _ loop: EventLoop) async throws {
        guard !response.hasBegun else { throw HTTPServerError.order }
        var members: [Document.Member] = [
            .init("code", .integer(Int64(status.code))), .init("message", .string(message)),
        ]
        if let limit { members.append(.init("limit", .string(limit))) }
        if !frames.isEmpty {
            members.append(.init("backtrace", .array(frames.map { .string($0) })))
        }
        var head = ResponseHead(status)
        if let seconds = retryAfter ?? (status == .serviceUnavailable ? 1 : nil) {
            try head.fields.append("Retry-After", "\(seconds)")
        }
        if let challenge { try head.fields.append("WWW-Authenticate", challenge) }
        if let allow { try head.fields.append("Allow", allow) }
        try await response.respond(
            json: .object([.init("error", .object(members))]), head, on: loop)
    }
}

extension ServerResponse {
    /// Writes a whole response that is JSON.
    func respond(
        json: Document, _ head: ResponseHead = ResponseHead(.ok), on loop: EventLoop
    ) async throws {
        var head = head
        try head.fields.append("Content-Type", "application/json")
        try await respond(head, await JSONAnswer.bytes(json, on: loop))
    }
}
