import WasmInterpreter
import WasmdDigests

/// What is known of a run after its end. It holds no module, store or memory.
///
/// An object, since results, the ring of records and its readers share it.
public final class RunRecord: Sendable {
    public let id: RunID
    /// The SHA-256 of the module's bytes.
    public let module: SHA256.Digest
    /// The module's name as the host knows it: the scope's.
    public let moduleName: String
    /// The exported function that was called.
    public let function: Name
    /// Who asked for the run, as the host says: an address, a route, the name of a job.
    public let caller: String
    /// The name of the account; empty without one.
    public let account: String
    /// The trace that the run belongs to, if who asked for it said so.
    public let trace: RunTrace?
    /// Nanoseconds since 1970 when the run began.
    public let start: UInt64
    /// Nanoseconds in which the run waited for its place, before it began.
    public let queueTime: UInt64
    /// Nanoseconds from begin to end.
    public let duration: UInt64
    /// Nanoseconds in which the guest and the functions that it called computed.
    public let computingTime: UInt64
    /// Units of fuel that were used.
    public let fuel: UInt64
    /// The most bytes that the guest took, as `RunLimits.memory` counts them: seen when memories
    /// grew, when the guest waited or let others run, and at the end.
    public let peakMemory: UInt64
    /// Bytes of standard input that the guest read, if that is a stream, or bytes.
    public let bytesIn: UInt64
    /// Bytes of standard output that the guest wrote, if that is a stream of the host.
    public let bytesOut: UInt64
    /// Bytes of standard error that the guest wrote, if that goes to the log.
    public let logBytes: UInt64
    /// Limits that the guest reached, also those that it survived: growth that was refused.
    public let reached: RunLimitSet
    /// Whether its instance was a fork.
    public let isForked: Bool
    public let outcome: RunOutcome

    init(
        _ run: ActiveRun, _ measured: RunMeasures, isForked: Bool, _ outcome: RunOutcome
    ) {
        id = run.id
        module = run.module
        moduleName = run.moduleName
        function = run.function
        caller = run.caller
        account = run.account
        trace = run.trace
        start = run.start
        queueTime = measured.queueTime
        duration = measured.duration
        computingTime = measured.computingTime
        fuel = measured.fuel
        peakMemory = run.peakMemory
        bytesIn = measured.bytesIn
        bytesOut = measured.bytesOut
        logBytes = measured.logBytes
        reached = run.reached
        self.isForked = isForked
        self.outcome = outcome
    }

    /// Bytes that it takes, about.
    var byteCount: Int {
        300 + moduleName.utf8.count + function.utf8.count + caller.utf8.count
            + account.utf8.count + (outcome.trap?.byteCount ?? 0)
    }
}

/// Numbers of a run, as in its record.
struct RunMeasures {
    var queueTime: UInt64 = 0
    var duration: UInt64 = 0
    var computingTime: UInt64 = 0
    var fuel: UInt64 = 0
    var bytesIn: UInt64 = 0
    var bytesOut: UInt64 = 0
    var logBytes: UInt64 = 0
}
