import WasmInterpreter
import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP
import WasmdHTTPServer
import WasmdOperation
import WasmdStorage
import WasmdWasmiot

/// A refusal, in the form that clients of *wasmiot* know: of the Python supervisor `status` and
/// `result`, of the Rust one `error`.
struct Refusal: Error {
    let status: Status
    let message: String
    var allow: String?
    var retryAfter: Int?
    var challenge: String?
    /// Whether the body has a member `error`. The original orchestrator takes one for the end of a
    /// chain, and asks again where there is none.
    var isFinal = true

    /// There is no entry of the run: not yet, or none at all.
    static var noEntry: Refusal {
        var refusal = Refusal(.notFound, "no matching entry in history")
        refusal.isFinal = false
        return refusal
    }

    init(_ refusal: AccessRefusal) {
        status = refusal.status
        message = refusal.message
        retryAfter = refusal.retryAfter
        challenge = refusal.challenge
    }

    init(_ status: Status, _ message: String, allow: String? = nil) {
        self.status = status
        self.message = message
        self.allow = allow
    }

    /// - Parameter right: whether the status is what HTTP says: see
    ///   `Supervisor.Options.usesRightStatuses`.
    init(_ error: any Error, right: Bool) {
        switch error {
        case let refusal as Refusal: self = refusal
        case let error as SupervisorError: self.init(Self.status(error, right), "\(error)")
        case let error as StorageError: self.init(Self.status(error), "\(error)")
        case let fault as StateFault: self.init(Self.status(fault), "\(fault)")
        case RunFault.moved:
            self.init(.conflict, "the instance has moved to another device")
        case let fault as RunFault: self.init(fault.status, "\(fault)")
        case LoopError.tooManyCalls: self.init(.serviceUnavailable, "the server is busy")
        default: self.init(.internalServerError, "\(error)")
        }
    }

    private static func status(_ error: SupervisorError, _ right: Bool) -> Status {
        switch error {
        case .noDeployment: .notFound
        case .noModule: right ? .notFound : .internalServerError
        case .node: .badRequest
        case .missing: right ? .badRequest : .internalServerError
        case .fetching: right ? .badGateway : .internalServerError
        case .tooMany: .serviceUnavailable
        case .storage(let error): status(error)
        }
    }

    private static func status(_ fault: StateFault) -> Status {
        switch fault {
        case .malformed: .badRequest
        case .busy: .serviceUnavailable
        case .tooLarge, .file: .insufficientStorage
        case .snapshot, .openFiles, .otherModule, .held, .notHeld: .conflict
        }
    }

    private static func status(_ error: StorageError) -> Status {
        if case .full = error { .insufficientStorage } else { .serviceUnavailable }
    }

    func send(_ response: ServerResponse, _ loop: EventLoop) async throws {
        guard !response.hasBegun else { throw HTTPServerError.order }
        var head = ResponseHead(status)
        let pause = retryAfter ?? (status == .serviceUnavailable ? 1 : nil)
        if let pause { try head.fields.append("Retry-After", "\(pause)") }
        if let challenge { try head.fields.append("WWW-Authenticate", challenge) }
        if let allow { try head.fields.append("Allow", allow) }
        var members: [Document.Member] = []
        if isFinal { members.append(.init("error", .string(message))) }
        members.append(.init("result", .string(message)))
        members.append(.init("status", "error"))
        try await response.respond(json: .object(members), head, on: loop)
    }
}

extension ServerResponse {
    /// Writes a whole response that is JSON, large ones in steps.
    func respond(
        json: Document, _ head: ResponseHead = ResponseHead(.ok), on loop: EventLoop
    ) async throws {
        var head = head
        try head.fields.append("Content-Type", "application/json")
        var writer = JSONWriter()
        var walk = JSONWalk(json)
        var bytes: [UInt8] = []
        while !walk.step(&writer, upTo: 64 << 10) {
            bytes += writer.take()
            await loop.yieldToOthers()
        }
        try await respond(head, bytes + writer.take())
    }
}
