// Soundness: a profiler is handed to a thread of the pool after its store has ended all calls, and
// the loop does not use it any more.

import WasmInterpreter
import WasmdEventLoop

/// What a run brings along besides its result.
public struct RunObservation: Hashable, Sendable {
    /// The time between samples of the profile; nil for no profile.
    public var profileInterval: Duration?
    /// Count how often each block of code runs. The module is compiled for this run alone.
    public var countsBlocks = false
    /// The longest time of an observed run: samples take memory.
    public var longestTime = Duration.seconds(60)

    public init(profileInterval: Duration? = nil, countsBlocks: Bool = false) {
        self.profileInterval = profileInterval
        self.countsBlocks = countsBlocks
    }

    /// A profile with a sample each millisecond.
    public static let profile = RunObservation(profileInterval: .milliseconds(1))
    /// Counts of blocks.
    public static let coverage = RunObservation(countsBlocks: true)
}

/// What was observed of a run.
public struct RunFindings: Sendable {
    public var profile: Profile?
    public var coverage: Coverage?

    public init(profile: Profile? = nil, coverage: Coverage? = nil) {
        self.profile = profile
        self.coverage = coverage
    }

    /// The forms in which they can be written. Making one takes as long as translating the functions
    /// that were seen.
    public enum Form: String, Sendable, CaseIterable {
        /// The profile for the Firefox Profiler, as JSON.
        case firefoxProfile = "profile.json"
        /// The profile as a flame graph, as SVG.
        case flameGraph = "flamegraph.svg"
        /// The counts as a tracefile of lcov.
        case lcov = "coverage.info"
    }

    /// A form as text; nil if what it needs was not observed.
    ///
    /// - Parameter module: the module's name, for titles.
    public func text(_ form: Form, module: String) -> String? {
        switch form {
        case .firefoxProfile:
            profile?.firefoxProfile(product: "wasmd", moduleFile: module)
        case .flameGraph: profile?.flameGraph(title: module)
        case .lcov: coverage?.lcov(moduleFile: module)
        }
    }

    /// The same on a thread of the pool.
    ///
    /// - Throws: `LoopError`.
    public func text(
        _ form: Form, module: String, on loop: EventLoop
    ) async throws -> String? {
        try await loop.blocking { [self] in text(form, module: module) }
    }
}

/// A profiler on its way to another thread.
struct FinishedProfiler: @unchecked Sendable {
    private let profiler: Profiler

    init(_ profiler: Profiler) { self.profiler = profiler }

    /// Names and lines of what it has seen.
    func profile() -> Profile { profiler.profile() }
}
