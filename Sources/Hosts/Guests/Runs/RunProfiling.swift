// Soundness: the store of a run is used by its loop's thread only. A `ProfiledRun` is attached and
// finished on that thread, between two turns of the guest.

import Synchronization
import WasmInterpreter
import WasmSystem
import WasmdDigests
import WasmdEventLoop

/// Profiles of modules whose runs come and go: all runs of a module that are active, or begin, in
/// some time.
///
/// ```swift
/// let profile = try await runs.profiling.profile([digest], for: .seconds(5), on: loop)
/// ```
///
/// While nothing is profiled, a run costs one atomic load more.
public final class RunProfiling: Sendable {
    public struct Options: Hashable, Sendable {
        /// The time between samples.
        public var interval = Duration.milliseconds(1)
        /// The most samples of a profile: later ones are not taken.
        public var sampleLimit = 1_000_000
        /// The most runs whose samples are kept.
        public var runLimit = 100_000

        public init() {}
    }

    private let sessions = Mutex<[ProfileSession]>([])
    private let count = Atomic(0)
    private let active: ActiveRuns

    init(_ active: ActiveRuns) { self.active = active }

    /// Profiles at one time; more are refused.
    public static let sessionLimit = 8

    /// Profiles the runs of modules for a time; all modules without digests. Cancelling the task
    /// ends it at once.
    ///
    /// - Returns: one profile of all runs; its samples are empty if none was seen.
    /// - Throws: `RunProfilingError.tooMany`; `LoopError`.
    public func profile(
        _ modules: Set<SHA256.Digest>?, for time: Duration, _ options: Options = Options(),
        on loop: EventLoop
    ) async throws -> (profile: Profile, runs: Int) {
        let session = ProfileSession(modules, options)
        let isAdded = sessions.withLock { sessions in
            guard sessions.count < Self.sessionLimit else { return false }
            sessions.append(session)
            return true
        }
        guard isAdded else { throw RunProfilingError.tooMany(limit: Self.sessionLimit) }
        count.add(1, ordering: .relaxed)
        for run in active.all where session.isWanted(run.module) { run.startProfile(session) }
        let result: Result<Void, any Error>
        do {
            try await loop.sleep(for: time)
            result = .success(())
        } catch {
            result = .failure(error)
        }
        count.subtract(1, ordering: .relaxed)
        sessions.withLock { $0.removeAll { $0 === session } }
        for run in active.all where session.isWanted(run.module) { await run.endProfile(session) }
        try result.get()
        let (profilers, runs) = session.finish()
        let profile = try await loop.blocking {
            Profile.merged(profilers.map { $0.profile() }, interval: options.interval)
        }
        return (profile, runs)
    }

    /// The profile that a run which begins now belongs to.
    func session(for module: SHA256.Digest) -> ProfileSession? {
        guard count.load(ordering: .relaxed) > 0 else { return nil }
        return sessions.withLock { $0.first { $0.isWanted(module) } }
    }
}

/// Why nothing is profiled.
public enum RunProfilingError: Error, Hashable, Sendable {
    case tooMany(limit: Int)
}

extension RunProfilingError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .tooMany(let limit): "\(limit) profiles are being made, the limit"
        }
    }
}

/// One profile that is being made.
final class ProfileSession: Sendable {
    private let modules: Set<SHA256.Digest>?
    private let options: RunProfiling.Options
    private let state = Mutex(State())

    private struct State: Sendable {
        var profilers: [FinishedProfiler] = []
        var sampleCount = 0
        /// Runs that were looked at.
        var runs = 0
        var isOver = false
    }

    init(_ modules: Set<SHA256.Digest>?, _ options: RunProfiling.Options) {
        self.modules = modules
        self.options = options
    }

    func isWanted(_ module: SHA256.Digest) -> Bool { modules?.contains(module) ?? true }

    /// A profiler for one more run; nil if there are enough samples.
    func makeProfiler() -> Profiler? {
        state.withLock { state in
            guard !state.isOver, state.runs < options.runLimit,
                state.sampleCount < options.sampleLimit
            else { return nil }
            state.runs += 1
            return Profiler(interval: options.interval, isOneOfMany: true)
        }
    }

    /// Takes what a profiler has found; it is not used any more.
    func add(_ profiler: Profiler) {
        let sampleCount = profiler.sampleCount
        guard sampleCount > 0 else { return }
        let finished = FinishedProfiler(profiler)
        state.withLock { state in
            guard !state.isOver else { return }
            state.profilers.append(finished)
            state.sampleCount += sampleCount
        }
    }

    func finish() -> (profilers: [FinishedProfiler], runs: Int) {
        state.withLock { state in
            state.isOver = true
            return (state.profilers, state.runs)
        }
    }
}

/// The store of a run, as profiles see it: nothing once the run has ended.
struct ProfiledRun: @unchecked Sendable {
    private var store: Store?
    private var session: ProfileSession?
    private var profiler: Profiler?

    init(_ store: Store) { self.store = store }

    /// Attaches a profiler, unless the run has one.
    mutating func start(_ session: ProfileSession) {
        guard let store, store.profiler == nil, let made = session.makeProfiler() else { return }
        profiler = made
        store.profiler = made
        self.session = session
    }

    /// Gives what was found to the session.
    mutating func finish() {
        guard let session, let profiler else { return }
        if store?.profiler === profiler { store?.profiler = nil }
        self.session = nil
        self.profiler = nil
        session.add(profiler)
    }

    mutating func finish(_ session: ProfileSession) {
        if self.session === session { finish() }
    }

    /// The end of the run.
    mutating func end() {
        finish()
        store = nil
    }
}
