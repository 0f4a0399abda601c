import WasmInterpreter
import WasmSystem
import WasmWASI
import WasmdDigests
import WasmdEventLoop

/// Runs guests with places, limits, records, logs, totals and cancellation: one for a process.
///
/// ```swift
/// let runs = GuestRuns()
/// let module = try await cache.module(bytes, on: loop)
/// let guest = try await module.prepared(on: loop)
/// let result = await runs.run(RunRequest(guest, of: module, in: world), on: guests)
/// ```
///
/// All members may be used on any thread, `run` from a task of the loop.
public final class GuestRuns: Sendable {
    public struct Options: Sendable {
        /// Runs at one time, and waiting.
        public var places = RunPlaces(running: 1024, waiting: 1024)
        /// Limits that hold for all runs.
        public var limits: RunLimits?
        /// Records that are kept, and their bytes.
        public var keptRecords = 1000
        public var keptRecordBytes = 4 << 20
        /// Lines of logs that are kept, and their bytes.
        public var keptLines = 10_000
        public var keptLineBytes = 8 << 20
        /// Called with the record of each run, on its loop; must not wait. For metrics.
        public var observer: (@Sendable (RunRecord) -> Void)?

        public init() {}
    }

    /// Places; its `total` has the totals of all runs.
    public let queue: RunQueue
    /// Runs that have begun.
    public let active: ActiveRuns
    /// Profiles of modules that are running.
    public let profiling: RunProfiling
    /// Runs that have ended, the last ones.
    public let records: Feed<RunRecord>
    /// What guests wrote to standard error.
    public let log: Feed<LogLine>
    let observer: (@Sendable (RunRecord) -> Void)?

    public init(_ options: Options = Options()) {
        queue = RunQueue(places: options.places)
        queue.total.limits = options.limits
        let active = ActiveRuns()
        self.active = active
        profiling = RunProfiling(active)
        observer = options.observer
        records = Feed(capacity: options.keptRecords, byteLimit: options.keptRecordBytes)
        log = Feed(capacity: options.keptLines, byteLimit: options.keptLineBytes)
    }

    /// Waits for a place and runs a guest once. Cancelling the task ends the wait and the run.
    ///
    /// - Parameter pause: see `GuestLoop.finish`.
    public func run(
        _ request: consuming RunRequest, on guests: GuestLoop, pause: () async throws -> Void = {}
    ) async -> RunResult {
        var limits = request.limits
        queue.total.lower(&limits)
        request.module.lower(&limits)
        request.account?.lower(&limits)
        do throws(RunRefusal) {
            var queueTime: UInt64 = 0
            let place: RunPlace
            if let free = try queue.tryEnter(module: request.module, account: request.account) {
                place = free
            } else {
                let arrival = SystemClock.monotonic.now
                place = try await queue.wait(
                    request.module, request.account, limits.waitingTime, guests.loop)
                queueTime = SystemClock.monotonic.now &- arrival
            }
            var run = GuestRun(self, request.guest, limits, queueTime: queueTime)
            let result = await run.finish(&request, on: guests, pause)
            place.giveBack()
            return result
        } catch {
            return refuse(request, error)
        }
    }

    private func refuse(_ request: RunRequest, _ refusal: RunRefusal) -> RunResult {
        for scope in [queue.total, request.module, request.account] {
            scope?.addRefusal(refusal.limit)
        }
        let outcome: RunOutcome =
            switch refusal {
            case .limit(let limit, _): .limit(limit, nil)
            case .closed, .cancelled: .cancelled(nil)
            }
        return RunResult(
            outcome: outcome, record: nil, refusal: refusal, values: [], error: refusal,
            findings: nil)
    }
}
