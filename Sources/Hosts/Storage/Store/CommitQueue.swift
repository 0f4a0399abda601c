// Soundness: each continuation is in one job, and a job is finished once: by the thread that takes
// it from the queue, or by the one that could not add it.

import Synchronization
import WasmSystem
import WasmdDigests

/// A record that compaction copies.
struct MovedRecord: Sendable {
    var key: [UInt8]
    var value: [UInt8]
    var digests: [SHA256.Digest]
    /// Where it was: a record that was changed since is not copied.
    var location: Location
}

/// Something that the writing thread does, in order.
@safe struct CommitJob: Sendable {
    enum Work: Sendable {
        case transaction(Transaction)
        case moved([MovedRecord])
        /// Segments below the number no longer belong to the log.
        case first(UInt32)
        /// Continues in a new segment; the result is its number.
        case rotate
    }

    typealias Outcome = Result<UInt64, StorageError>

    @safe private enum Waiter: Sendable {
        case task(UnsafeContinuation<Outcome, Never>)
        case thread(ThreadOutcome)
    }

    let work: Work
    private let waiter: Waiter

    init(_ work: Work, _ continuation: UnsafeContinuation<Outcome, Never>) {
        self.work = work
        unsafe waiter = .task(continuation)
    }

    init(_ work: Work, _ outcome: ThreadOutcome) {
        self.work = work
        waiter = .thread(outcome)
    }

    func finish(_ outcome: Outcome) {
        switch waiter {
        case .task(let continuation): unsafe continuation.resume(returning: outcome)
        case .thread(let cell): cell.set(outcome)
        }
    }

    var byteCount: Int {
        switch work {
        case .transaction(let transaction): transaction.byteCount + 64
        case .moved(let records): records.reduce(64) { $0 + $1.value.count + $1.key.count }
        case .first, .rotate: 64
        }
    }
}

/// A result that a thread waits for.
final class ThreadOutcome: Sendable {
    private let outcome = Mutex<CommitJob.Outcome?>(nil)
    private let turn = WordCell()

    func set(_ outcome: CommitJob.Outcome) {
        self.outcome.withLock { $0 = outcome }
        turn.advance()
    }

    func wait() -> CommitJob.Outcome {
        while true {
            if let outcome = outcome.withLock({ $0 }) { return outcome }
            turn.wait(while: 0, nanoseconds: nil)
        }
    }
}

/// The jobs that wait for the writing thread.
final class CommitQueue: Sendable {
    private struct State: Sendable {
        var jobs: [CommitJob] = []
        var bytes = 0
        /// The number of jobs at which the thread is woken; nil while it does not wait.
        var wakesAt: Int?
        var isClosed = false
    }

    private let state = Mutex(State())
    private let turn = WordCell()
    private let limit: Int
    private let idleTime: Int64

    /// - Parameters:
    ///   - limit: bytes that may wait.
    ///   - idleTime: nanoseconds after which `take` calls `whenIdle`.
    init(limit: Int, idleTime: Int64 = 5_000_000) {
        self.limit = limit
        self.idleTime = idleTime
    }

    /// Adds a job, or finishes it with an error.
    func add(_ job: CommitJob) {
        let (error, wakes) = state.withLock { state -> (StorageError?, Bool) in
            if state.isClosed { return (.closed, false) }
            let size = job.byteCount
            if state.bytes > 0, state.bytes + size > limit { return (.tooManyWrites, false) }
            state.jobs.append(job)
            state.bytes += size
            guard let number = state.wakesAt, state.jobs.count >= number else {
                return (nil, false)
            }
            state.wakesAt = nil
            return (nil, true)
        }
        if wakes { turn.advance() }
        if let error { job.finish(.failure(error)) }
    }

    /// No job is added from now on.
    func close() {
        state.withLock { state in
            state.isClosed = true
            state.wakesAt = nil
        }
        turn.advance()
    }

    /// Waits until there are jobs, and takes them all; nil when the queue is closed and empty.
    ///
    /// - Parameters:
    ///   - expected: how many are likely to come together: so many are waited for, for a short
    ///     time, so that they share a sync.
    ///   - whenIdle: is called once if there is nothing to do for some milliseconds.
    func take(expected: Int, whenIdle: () -> Void) -> [CommitJob]? {
        park(count: 1, nanoseconds: idleTime)
        if isEmpty {
            whenIdle()
            park(count: 1, nanoseconds: nil)
        }
        if expected > 1 { park(count: expected, nanoseconds: Self.gatherTime) }
        return state.withLock { state in
            state.wakesAt = nil
            if state.jobs.isEmpty, state.isClosed { return nil }
            let jobs = state.jobs
            state.jobs = []
            state.jobs.reserveCapacity(jobs.count)
            state.bytes = 0
            return jobs
        }
    }

    /// How long the thread waits for others that wrote at the same time before.
    private static let gatherTime: Int64 = 100_000

    private var isEmpty: Bool { state.withLock { $0.jobs.isEmpty && !$0.isClosed } }

    /// Waits until there are `count` jobs, the queue is closed, or the time is over.
    private func park(count: Int, nanoseconds: Int64?) {
        let end = nanoseconds.map { SystemClock.monotonic.now &+ UInt64($0) }
        while true {
            let seen = turn.value
            let isOver = state.withLock { state in
                if state.jobs.count >= count || state.isClosed { return true }
                state.wakesAt = count
                return false
            }
            if isOver { return }
            var left: Int64?
            if let end {
                let now = SystemClock.monotonic.now
                if now >= end { return }
                left = Int64(truncatingIfNeeded: end - now)
            }
            turn.wait(while: seen, nanoseconds: left)
        }
    }
}
