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
    /// The write that failed.
    var job: ModuleID?
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
        switch error as? ExecutorError {
        case .tooLarge?: limit = "module"
        case .recordTooLarge?: limit = "record"
        default: break
        }
    }

    private static func status(_ error: ExecutorError) -> Status {
        switch error {
        case .notFound: .notFound
        case .invalidModule, .invalid: .badRequest
        case .tooLarge: .contentTooLarge
        case .importMissing, .keyTaken: .conflict
        case .recordTooLarge: .contentTooLarge
        case .busy, .stopping, .changed: .serviceUnavailable
        case .storage(let error): status(error)
        case .damaged: .internalServerError
        }
    }

    private static func status(_ error: StorageError) -> Status {
        switch error {
        case .full: .insufficientStorage
        case .damaged, .blobDamaged, .noBlob, .system: .internalServerError
        default: .serviceUnavailable
        }
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
        if let job { members.append(.init("job", .string(job.description))) }
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
        json: Document, _ head: ResponseHead? = nil, on loop: EventLoop
    ) async throws {
        var whole = JSONAnswer.head
        if let head {
            whole = head
            try whole.fields.append("Content-Type", "application/json")
        }
        try await respond(whole, await JSONAnswer.bytes(json, on: loop))
    }

    /// Writes a response that is JSON, compressed if the client prefers that. A long one is sent while
    /// it is made: a module as numbers is four times as long as the module.
    func respond(
        json: Document, _ head: ResponseHead = JSONAnswer.head, to request: ServerRequest,
        mayCompress: Bool = true
    ) async throws {
        var (writer, walk, bytes) = (JSONWriter(), JSONWalk(json), [UInt8]())
        var isOver = false
        while !isOver, bytes.count < Self.longestWhole {
            if !bytes.isEmpty { await request.loop.yieldToOthers() }
            isOver = walk.step(&writer, upTo: EventLoop.smallWork)
            bytes += writer.take()
        }
        if isOver {
            return mayCompress
                ? try await respond(head, bytes, to: request) : try await respond(head, bytes)
        }
        var head = head
        if mayCompress { try head.fields.append("Vary", "Accept-Encoding") }
        let compresses = mayCompress && request.fields.prefersGzip
        if compresses { try head.fields.append("Content-Encoding", "gzip") }
        try begin(head)
        if request.method == .head { return try await end() }
        var encoder = GzipEncoder()
        while true {
            if compresses {
                var compressed: [UInt8] = []
                encoder.compress(bytes.span, flush: isOver ? .finish : .none, to: &compressed)
                bytes = compressed
            }
            if !bytes.isEmpty { try await write(bytes) }
            if isOver { return try await end() }
            await request.loop.yieldToOthers()
            isOver = walk.step(&writer, upTo: Self.compressionStep)
            bytes = writer.take()
        }
    }

    /// Writes a whole response, compressed by gzip if the client prefers that and it is long.
    func respond(
        _ head: ResponseHead, _ body: [UInt8], to request: ServerRequest
    ) async throws {
        guard body.count >= Self.longBody else { return try await respond(head, body) }
        var head = head
        try head.fields.append("Vary", "Accept-Encoding")
        guard request.fields.prefersGzip else { return try await respond(head, body) }
        try head.fields.append("Content-Encoding", "gzip")
        var encoder = GzipEncoder()
        var compressed: [UInt8] = []
        var start = 0
        while start < body.count {
            let end = min(start + Self.compressionStep, body.count)
            encoder.compress(
                body.span.extracting(start..<end), flush: end == body.count ? .finish : .none,
                to: &compressed)
            start = end
            if start < body.count { await request.loop.yieldToOthers() }
        }
        try await respond(head, compressed)
    }

    /// Shorter bodies are sent as they are.
    private static let longBody = 1024
    /// Bytes of JSON that are made before any are sent, so that its length can be told.
    private static let longestWhole = 1 << 20
    /// Bytes that are compressed at a time: below a millisecond.
    private static let compressionStep = 32 << 10
}
