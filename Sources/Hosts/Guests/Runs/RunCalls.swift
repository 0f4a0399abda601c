import WasmInterpreter
import WasmdEventLoop

/// The calls of a run that makes several of one instance: see `RunRequest.body`.
///
/// Used by the task of the run only.
public final class RunCalls {
    public let instance: Instance
    /// The run, as others see it: to stop it.
    public let run: ActiveRun
    private let guests: GuestLoop
    private(set) var computingTime: UInt64

    /// The loop that the run is on.
    public var loop: EventLoop { guests.loop }

    init(_ instance: Instance, _ run: ActiveRun, _ guests: GuestLoop, _ computingTime: UInt64) {
        self.instance = instance
        self.run = run
        self.guests = guests
        self.computingTime = computingTime
    }

    /// Calls a function of the instance, in turns with other guests.
    ///
    /// - Throws: as `GuestLoop.finish`; `CallError` for arguments of other types.
    public func call(_ function: Function, _ arguments: [Value] = []) async throws -> [Value] {
        let execution = try function.start(arguments)
        execution.measuresTime = true
        let before = computingTime
        defer { computingTime = before &+ execution.computingTime }
        return try await guests.finish(execution) {
            run.noteProgress(computingTime: before &+ execution.computingTime)
        }
    }
}
