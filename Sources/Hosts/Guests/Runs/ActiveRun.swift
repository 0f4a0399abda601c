import Synchronization
import WasmInterpreter
import WasmSystem
import WasmdDigests
import WasmdEventLoop

/// A run that has begun and not ended, as others see it. All members may be used on any thread.
public final class ActiveRun: Sendable {
    public let id: RunID
    public let module: SHA256.Digest
    public let moduleName: String
    public let function: Name
    public let caller: String
    public let account: String
    public let trace: RunTrace?
    /// Bytes that it may take, and its time.
    public let memoryLimit: UInt64
    public let timeLimit: Duration?
    /// Nanoseconds since 1970 when it began.
    public let start: UInt64

    /// Nanoseconds on the monotonic clock when it began.
    let begin: UInt64
    private let handle: InterruptHandle
    private let resources: ResourceAccount
    private let isCancelled = Atomic(false)
    private let computed = Atomic<UInt64>(0)
    private let peak = Atomic<UInt64>(0)
    private let reachedLimits = Atomic<UInt16>(0)
    private let loop: EventLoop
    private let profiled: Mutex<ProfiledRun>

    init(_ request: borrowing RunRequest, _ store: Store, on loop: EventLoop) {
        start = SystemClock.realtime.now
        id = RunID.make(at: start)
        module = request.digest
        moduleName = request.module.name
        function = request.function
        caller = request.caller
        self.account = request.account?.name ?? ""
        trace = request.trace
        memoryLimit = request.limits.memory
        timeLimit = request.limits.time
        begin = SystemClock.monotonic.now
        handle = store.interruptHandle
        resources = store.account
        self.loop = loop
        profiled = Mutex(ProfiledRun(store))
    }

    /// Nanoseconds since it began.
    public var age: UInt64 { SystemClock.monotonic.now &- begin }

    /// Nanoseconds in which the guest computed, up to its last turn.
    public var computingTime: UInt64 { computed.load(ordering: .relaxed) }

    /// Bytes that the guest takes now.
    public var memory: UInt64 { UInt64(clamping: resources.byteCount) }

    /// Stops the run, wherever it is: its outcome is `cancelled`.
    public func cancel() {
        isCancelled.store(true, ordering: .relaxed)
        handle.interrupt()
    }

    var wasCancelled: Bool { isCancelled.load(ordering: .relaxed) }

    /// Ends the run because of a limit, at the next check of its store.
    func stop(at limit: RunLimit) {
        note(limit)
        handle.interrupt()
    }

    func note(_ limit: RunLimit) {
        reachedLimits.bitwiseOr(RunLimitSet(limit).rawValue, ordering: .relaxed)
    }

    var reached: RunLimitSet { RunLimitSet(rawValue: reachedLimits.load(ordering: .relaxed)) }

    /// Only the run's own thread writes.
    func noteProgress(computingTime: UInt64) {
        computed.store(computingTime, ordering: .relaxed)
        notePeak(memory)
    }

    func notePeak(_ bytes: UInt64) {
        if bytes > peak.load(ordering: .relaxed) { peak.store(bytes, ordering: .relaxed) }
    }

    var peakMemory: UInt64 { peak.load(ordering: .relaxed) }
}

// Profiles of runs that are active already. The store belongs to the loop.
extension ActiveRun {
    /// Profiles the run from its next turn on; from any thread.
    func startProfile(_ session: ProfileSession) {
        loop.spawn { [self] in profiled.withLock { $0.start(session) } }
    }

    /// Takes what was found so far; from a task of any loop.
    func endProfile(_ session: ProfileSession) async {
        await loop.spawn { [self] in profiled.withLock { $0.finish(session) } }.value
    }

    /// The run's own task, before the first turn.
    func startProfileAtOnce(_ session: ProfileSession) {
        profiled.withLock { $0.start(session) }
    }

    /// The run's own task, after the last turn: nobody uses the store any more.
    func finishProfile() {
        profiled.withLock { $0.end() }
    }
}

extension ActiveRun: StoreLimiter {
    /// Allows all; the account refuses what does not fit, and this takes note of it.
    public func shouldGrowMemory(from current: UInt64, to wanted: UInt64) -> Bool {
        let bytes = memory
        let growth = wanted > current ? wanted - current : 0
        if growth > resources.limit - min(resources.limit, bytes) {
            note(.memory)
        } else {
            notePeak(bytes + growth)
        }
        return true
    }
}

/// The runs of a process that have begun and not ended.
public final class ActiveRuns: Sendable {
    private struct State {
        var slots: [ActiveRun?] = []
        var free: [Int] = []
    }

    private let state = Mutex(State())

    init() {}

    /// Returns the number to remove it by.
    func insert(_ run: ActiveRun) -> Int {
        state.withLock { state in
            if let index = state.free.popLast() {
                state.slots[index] = run
                return index
            }
            state.slots.append(run)
            return state.slots.count - 1
        }
    }

    func remove(_ number: Int) {
        state.withLock { state in
            state.slots[number] = nil
            state.free.append(number)
        }
    }

    /// All of them, the oldest first. Linear.
    public var all: [ActiveRun] {
        state.withLock { $0.slots.compactMap { $0 } }.sorted { $0.id < $1.id }
    }

    public var count: Int { state.withLock { $0.slots.count - $0.free.count } }

    /// The run with an id; nil if it does not run. Linear.
    public subscript(id: RunID) -> ActiveRun? {
        state.withLock { state in
            for case let run? in state.slots where run.id == id { return run }
            return nil
        }
    }

    /// Stops a run: its outcome is `cancelled`. Returns whether there was one.
    @discardableResult
    public func cancel(_ id: RunID) -> Bool {
        guard let run = self[id] else { return false }
        run.cancel()
        return true
    }

    /// Stops all runs of a scope, or all.
    public func cancelAll(where matches: (ActiveRun) -> Bool = { _ in true }) {
        for run in all where matches(run) { run.cancel() }
    }
}
