import Synchronization
import WasmInterpreter
import WasmSystem
import WasmWASI
import WasmdEventLoop
import WasmdGuests
import WasmdHTTP
import WasmdHTTPServer

/// Answers requests by running a program: CGI (RFC 3875), each request in an instance of its own.
///
/// The program finds the request in its environment and arguments (`CGIEnvironment`), the body as
/// standard input, and prints the response: header lines and a body, or only a body, which is
/// `text/plain` then.
///
/// | the program | the response |
/// |---|---|
/// | ends with 0 | what it printed |
/// | ends with another code, traps or cannot start, before it printed a header | 500 |
/// | exceeds its time | 504 |
/// | exceeds its memory or fuel | 500, which names the limit |
/// | prints a malformed header | 502 |
/// | does any of these when the response has begun | the connection is closed |
/// | is one more than may run | 503 with `Retry-After` |
public final class ProgramHandler: Sendable {
    public struct Options: Sendable {
        public var limits = GuestProgram.Limits()
        /// Bytes of a request's body; longer ones get 413.
        public var bodyLimit = 8 << 20
        /// Programs that run at one time.
        public var runLimit = 1024
        /// As `wasmd/1.2`: `SERVER_SOFTWARE`.
        public var software: [UInt8] = Array("wasmd".utf8)
        /// Is told how each run ended that did not end with 0.
        public var report: (@Sendable (RequestHead, GuestProgram.Outcome) -> Void)?

        public init() {}
    }

    private let program: GuestProgram
    private let world: WASI
    private let options: Options
    private let running = Atomic(0)
    private let guests = Mutex<[ObjectIdentifier: GuestLoop]>([:])

    /// - Parameter world: what each run sees beside its request: folders, variables, standard error.
    public init(_ program: GuestProgram, in world: WASI, _ options: Options = Options()) {
        self.program = program
        self.world = world
        self.options = options
    }

    /// Programs that run now.
    public var runningCount: Int { running.load(ordering: .relaxed) }

    /// Answers a request; a handler of `HTTPServer`.
    public func answer(_ request: ServerRequest, _ response: ServerResponse) async throws {
        let path: Path
        do throws(Path.Fault) {
            path = try Path(request.target.path)
        } catch {
            return try await response.respond(.badRequest, "The path is malformed.\n")
        }
        guard running.add(1, ordering: .relaxed).oldValue < options.runLimit else {
            running.subtract(1, ordering: .relaxed)
            return try await refuse(response)
        }
        defer { running.subtract(1, ordering: .relaxed) }
        let body = try await request.body(limit: options.bodyLimit)
        let output = ProgramOutput()
        let answer = ProgramResponse(response, output)
        let outcome = await program.run(
            in: world(for: request, path, body, output), limits: options.limits,
            on: try guestLoop(request.loop)
        ) {
            try await answer.flush()
        }
        try await end(outcome, answer, request, response)
    }

    private func guestLoop(_ loop: EventLoop) throws(SystemError) -> GuestLoop {
        try guests.withLock { (guests) throws(SystemError) in
            if let known = guests[ObjectIdentifier(loop)] { return known }
            let made = try GuestLoop(loop)
            guests[ObjectIdentifier(loop)] = made
            return made
        }
    }

    private func refuse(_ response: ServerResponse) async throws {
        var head = ResponseHead(.serviceUnavailable)
        try head.fields.append("Content-Type", "text/plain; charset=utf-8")
        try head.fields.append("Retry-After", "1")
        try await response.respond(
            head, Array("As many programs run as may (\(options.runLimit)).\n".utf8))
    }

    private func world(
        for request: ServerRequest, _ path: Path, _ body: [UInt8], _ output: ProgramOutput
    ) -> WASI {
        var context = CGIContext(
            scriptName: [], pathInfo: Self.decoded(path), rawPathInfo: Array(request.target.path),
            matchedRoute: Array("/...".utf8), serverName: Array("localhost".utf8),
            serverPort: request.localAddress?.port ?? 0, client: Self.client(of: request),
            software: options.software)
        if let bytes = request.head.authority, let authority = Authority(bytes) {
            context.serverName = authority.hostBytes
        }
        context.contentLength = body.isEmpty ? nil : UInt64(body.count)
        var world = world
        world.argumentBytes = CGIEnvironment.arguments(request.head, context)
        world.environmentBlock = CGIEnvironment.block(request.head, context)
        world.standardInput = .bytes(body)
        world.standardOutput = .stream(output)
        return world
    }

    /// The path with its segments decoded, as CGI has it.
    private static func decoded(_ path: Path) -> [UInt8] {
        var bytes: [UInt8] = []
        for segment in path.segments { bytes += [0x2f] + segment }
        if path.isFolder || bytes.isEmpty { bytes.append(0x2f) }
        return bytes
    }

    private static func client(of request: ServerRequest) -> IPAddress {
        let loopback = IPAddress(v4: 0x7f00_0001)
        switch request.peer {
        case .ipv4(let bytes, _)?:
            return IPAddress(v4: bytes.reduce(0) { $0 << 8 | UInt32($1) })
        case .ipv6(let bytes, _)?:
            let groups = stride(from: 0, to: bytes.count - 1, by: 2).map {
                UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1])
            }
            return IPAddress(v6: groups)?.unmapped ?? loopback
        default: return loopback
        }
    }

    private func end(
        _ outcome: GuestProgram.Outcome, _ answer: ProgramResponse, _ request: ServerRequest,
        _ response: ServerResponse
    ) async throws {
        if case .exited(0) = outcome {
            do {
                return try await answer.finish()
            } catch let fault as CGIOutput.Fault {
                return try await refuse(.failed(fault), answer, response)
            }
        }
        options.report?(request.head, outcome)
        try await refuse(outcome, answer, response)
    }

    /// A response that has begun cannot be taken back: the server closes the connection when the
    /// handler throws.
    private func refuse(
        _ outcome: GuestProgram.Outcome, _ answer: ProgramResponse, _ response: ServerResponse
    ) async throws {
        guard !answer.hasBegun else { throw HTTPServerError.order }
        let (status, text) = Self.refusal(outcome)
        try await response.respond(status, text + "\n")
    }

    private static func refusal(_ outcome: GuestProgram.Outcome) -> (Status, String) {
        switch outcome {
        case .exited(let code):
            (.internalServerError, "The program ended with \(code).")
        case .trapped(let trap) where trap.code == .deadlineExceeded:
            (.gatewayTimeout, "The program took too long.")
        case .trapped(let trap) where trap.code == .interrupted:
            (.serviceUnavailable, "The program was stopped.")
        case .trapped(let trap): (.internalServerError, "The program trapped: \(trap.code).")
        case .threw: (.internalServerError, "The program did not catch an exception.")
        case .failed(is CGIOutput.Fault):
            (.badGateway, "The program printed a malformed header.")
        case .failed: (.internalServerError, "The program could not run.")
        }
    }
}
