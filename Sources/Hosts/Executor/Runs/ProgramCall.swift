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
    /// Standard input.
    var input: [UInt8] = []
    var caller = ""
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
        _ record: ModuleRecord, _ call: ProgramCall, on loop: EventLoop
    ) async throws -> ProgramResult {
        let module = try await module(record, on: loop)
        var world = WASI()
        world.argumentBytes = [Array(record.id.description.utf8)] + call.arguments
        world.standardInput = .bytes(call.input)
        let output = OutputBuffer()
        world.standardOutput = .buffer(output)
        world.folders = [.init(MemoryFolder(byteLimit: 64 << 20), guestPath: "/")]
        let guest = try await guest(
            of: module, for: call.requester.tenant, in: world, on: loop)
        var request = RunRequest(guest, of: module, in: world)
        request.limits = options.limits
        request.limits.output = min(request.limits.output ?? Self.outputLimit, Self.outputLimit)
        request.caller = call.caller
        let result = try await run(&request, for: call.requester, on: loop)
        return ProgramResult(output: output.bytes, run: result)
    }
}
