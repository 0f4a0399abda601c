import Synchronization
import WasmInterpreter
import WasmWASI
import WasmdEventLoop
import WasmdGuests
import WasmdOperation

/// A run of a stored program of WASI.
struct ProgramCall: Sendable {
    /// The arguments after the program's name.
    var arguments: [[UInt8]] = []
    /// The environment, each as `NAME=VALUE`.
    var environment: [[UInt8]] = []
    /// Standard input.
    var input: [UInt8] = []
    var caller = ""
    var observation: RunObservation?
    /// Whose run it is.
    var requester = Requester()
}

/// How a program ended.
struct ProgramResult {
    let output: [UInt8]
    let run: RunResult
}

extension Executor {
    /// Bytes of a program's output if the limits have none.
    private static let outputLimit: UInt64 = 64 << 20

    /// Runs a program of WASI in a fresh instance, with an empty folder of its own in memory.
    ///
    /// - Throws: `ExecutorError`, `LinkError`. What happens in the program is no error: see
    ///   `ProgramResult.run`.
    func run(
        _ stored: StoredModule, _ call: ProgramCall, on loop: EventLoop
    ) async throws -> ProgramResult {
        let (stored, _, module) = try await loaded(stored, on: loop)
        var world = WASI()
        world.argumentBytes = [Array(stored.record.id.description.utf8)] + call.arguments
        world.standardInput = .bytes(call.input)
        for variable in call.environment { world.environmentBlock += variable + [0] }
        let output = OutputBuffer(limit: Int(clamping: Self.outputLimit))
        world.standardOutput = .buffer(output)
        world.folders = [.init(MemoryFolder(byteLimit: 64 << 20), guestPath: "/")]
        let guest = try await guest(
            of: module, for: call.requester.tenant, in: world, on: loop)
        var request = RunRequest(guest, of: module, in: world)
        request.limits = options.limits
        request.limits.output = min(request.limits.output ?? Self.outputLimit, Self.outputLimit)
        request.caller = call.caller
        request.observation = call.observation
        let result = try await run(request, for: call.requester, on: loop)
        let bytes = try await loop.computing(over: output.byteCount) { output.bytes }
        return ProgramResult(output: bytes, run: result)
    }
}
