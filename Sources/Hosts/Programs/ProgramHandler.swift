import WasmWASI
import WasmdGuests
import WasmdHTTP
import WasmdHTTPServer

/// Answers all requests by one program: its path is the root, and the path of the request is
/// `PATH_INFO`. See `ProgramRunner`.
public final class ProgramHandler: Sendable {
    public typealias Options = ProgramOptions

    private let program: WebProgram
    private let runner: ProgramRunner

    /// - Parameter world: what each run sees beside its request: folders, variables, standard error.
    public convenience init(
        _ program: ServedProgram, in world: WASI, _ options: Options = Options()
    ) {
        self.init(WebProgram(program), ProgramRunner(in: world, options))
    }

    public init(_ program: WebProgram, _ runner: ProgramRunner) {
        self.program = program
        self.runner = runner
    }

    /// Programs that run now.
    public var runningCount: Int { runner.runningCount }

    /// Answers a request; a handler of `HTTPServer`.
    public func answer(_ request: ServerRequest, _ response: ServerResponse) async throws {
        if request.target.form == .asterisk { return try await Self.options(response) }
        let path: Path
        do throws(Path.Fault) {
            path = try Path(request.target.path)
        } catch {
            return try await response.respond(.badRequest, "The path is malformed.\n")
        }
        let raw = request.target.rawPath
        let base = ProgramRoute(
            path, raw: raw, scriptSegments: 0, pattern: Array("/...".utf8))
        let route = program.route(path, raw: raw, base: base, segments: 0)
        try await runner.answer(request, response, with: program.program, at: route)
    }

    /// The response to `OPTIONS *`: what the server can do, whatever its programs are.
    static func options(_ response: ServerResponse) async throws {
        try await response.respondToServerOptions()
    }
}
