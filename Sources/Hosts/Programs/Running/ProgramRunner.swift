import Synchronization
import WasmInterpreter
import WasmSystem
import WasmWASI
import WasmdEventLoop
import WasmdGuests
import WasmdHTTP
import WasmdHTTPServer

/// Answers requests by running programs: CGI (RFC 3875), each request in an instance of its own.
/// Several programs share the limits of one runner.
///
/// A program finds the request in its environment and arguments (`CGIEnvironment`), the body as
/// standard input, and prints the response: header lines and a body, or only a body, which is
/// `text/plain` then.
///
/// | the program | the response |
/// |---|---|
/// | ends with 0 | what it printed |
/// | ends with another code, traps or cannot start, before it printed a header | 500 |
/// | exceeds its time | 504 |
/// | reaches another limit | 500, which names the limit |
/// | prints a malformed header | 502 |
/// | does any of these when the response has begun | the connection is closed |
/// | is one more than may run and wait | 503 with `Retry-After` |
public final class ProgramRunner: Sendable {
    public let options: ProgramOptions
    /// Places, records, logs and totals of all runs.
    public let runs: GuestRuns
    private let world: WASI
    private let guests = Mutex<[ObjectIdentifier: GuestLoop]>([:])

    /// - Parameter world: what each run sees beside its request: folders, variables. What programs
    ///   write to standard error goes to the log of `runs`.
    public init(in world: WASI, _ options: ProgramOptions = ProgramOptions()) {
        self.world = world
        self.options = options
        var settings = GuestRuns.Options()
        settings.places = options.places
        runs = GuestRuns(settings)
    }

    /// Programs that run now.
    public var runningCount: Int { runs.queue.total.runningCount }

    /// Answers a request. A slow sender of a small body does not count as a run.
    public func answer(
        _ request: ServerRequest, _ response: ServerResponse, with program: ServedProgram,
        at route: ProgramRoute
    ) async throws {
        if runs.queue.total.isFull {
            return try await ProgramRefusal.busy("Too many requests are being answered", response)
        }
        let input = try await ProgramInput(request, limit: options.bodyLimit)
        let output = ProgramOutput()
        let answer = ProgramResponse(response, output)
        var run = program.request(in: world(for: request, route, input, output))
        run.function = route.function
        run.limits = options.limits
        let body = input.stream
        let result = await runs.run(run, on: try guestLoop(request.loop)) {
            try await answer.flush()
            try await body?.refill(from: request)
        }
        await body?.stop()
        if let refusal = result.refusal {
            return try await ProgramRefusal.busy("\(refusal)", response)
        }
        try await end(result, body, answer, request, response)
    }

    /// Runs an export outside of a request, with the same limits.
    ///
    /// - Parameter limit: the most bytes that it may print; more are an error for it.
    func output(
        of function: Name, of program: ServedProgram, limit: Int, on loop: EventLoop
    ) async throws -> (result: RunResult, output: [UInt8]) {
        let buffer = OutputBuffer(limit: limit)
        var world = WASI()
        world.standardInput = .null
        world.standardOutput = .buffer(buffer)
        var run = program.request(in: world)
        run.function = function
        run.limits = options.limits
        return (await runs.run(run, on: try guestLoop(loop)), buffer.bytes)
    }

    private func guestLoop(_ loop: EventLoop) throws(SystemError) -> GuestLoop {
        try guests.withLock { (guests) throws(SystemError) in
            if let known = guests[ObjectIdentifier(loop)] { return known }
            let made = try GuestLoop(loop)
            guests[ObjectIdentifier(loop)] = made
            return made
        }
    }

    // MARK: Before

    private func world(
        for request: ServerRequest, _ route: ProgramRoute, _ input: ProgramInput,
        _ output: ProgramOutput
    ) -> WASI {
        var context = CGIContext(
            scriptName: route.scriptName, pathInfo: route.pathInfo,
            rawPathInfo: route.rawPathInfo, matchedRoute: route.pattern,
            serverName: Array("localhost".utf8), serverPort: request.localAddress?.port ?? 0,
            client: Self.client(of: request), software: options.software)
        if !options.trustedProxies.isEmpty { take(request.fields, over: &context) }
        if let bytes = context.authority?[...] ?? request.head.authority,
            let authority = Authority(bytes)
        {
            context.serverName = authority.hostBytes
        }
        context.contentLength = input.contentLength(of: request.head)
        var world = world
        world.argumentBytes = CGIEnvironment.arguments(request.head, context)
        world.environmentBlock = CGIEnvironment.block(request.head, context)
        for parameter in route.parameters {
            // Segments of a path hold no NUL.
            world.environmentBlock +=
                parameter.variable + [UInt8(ascii: "=")] + parameter.value + [0]
        }
        world.standardInput = input.source
        world.standardOutput = .stream(output)
        return world
    }

    /// What a trusted proxy says of its client.
    private func take(_ fields: Fields, over context: inout CGIContext) {
        let forwarding = Forwarding(
            peer: context.client, trusted: options.trustedProxies, fields: fields)
        context.client = forwarding.client
        if let scheme = forwarding.scheme { context.scheme = scheme }
        context.authority = forwarding.host
    }

    private static func client(of request: ServerRequest) -> IPAddress {
        let loopback = IPAddress(v4: 0x7f00_0001)
        switch request.peer {
        case .ipv4(let bytes, _)?:
            return IPAddress(v4: bytes.reduce(0) { $0 << 8 | UInt32(truncatingIfNeeded: $1) })
        case .ipv6(let bytes, _)?:
            let groups = stride(from: 0, to: bytes.count - 1, by: 2).map {
                UInt16(truncatingIfNeeded: bytes[$0]) << 8
                    | UInt16(truncatingIfNeeded: bytes[$0 + 1])
            }
            return IPAddress(v6: groups)?.unmapped ?? loopback
        default: return loopback
        }
    }

    // MARK: After

    private func end(
        _ result: RunResult, _ body: BodyStream?, _ answer: ProgramResponse,
        _ request: ServerRequest, _ response: ServerResponse
    ) async throws {
        // The server answers a body that is malformed, too large or too slow.
        if let fault = body?.fault, !answer.hasEnded { throw fault }
        if result.outcome.kind == .succeeded {
            do {
                return try await answer.finish()
            } catch let fault as CGIOutput.Fault {
                options.reportFault?(request.head, result, fault)
                return try await refuse(ProgramRefusal.malformedHeader, answer, response)
            }
        }
        options.report?(request.head, result)
        if answer.hasEnded { return }
        try await refuse(ProgramRefusal.response(to: result), answer, response)
    }

    /// A response that has begun cannot be taken back: the server closes the connection when the
    /// handler throws.
    private func refuse(
        _ refusal: (status: Status, text: String), _ answer: ProgramResponse,
        _ response: ServerResponse
    ) async throws {
        guard !answer.hasBegun else { throw HTTPServerError.order }
        try await response.respond(refusal.status, refusal.text + "\n")
    }
}
