// Soundness: each continuation is resumed by exactly one of the two closures that a call is added
// with: the pool calls exactly one of them, once.

import Synchronization
import WasmSystem

/// A few threads for calls that block in the kernel: opening files, `fsync`, reading folders.
///
/// Threads are started when they are needed, and end after ten seconds without a call.
public final class BlockingPool: Sendable {
    /// How many threads there are at most.
    public let threadLimit: Int
    /// How many calls may wait for a thread.
    public let queueLimit: Int

    private struct Call: Sendable {
        let number: UInt64
        let run: @Sendable () -> Void
        let cancel: @Sendable () -> Void
    }

    private struct State: Sendable {
        var queue: [Call] = []
        var threads = 0
        var idle = 0
        var lastNumber: UInt64 = 0
        var total: UInt64 = 0
        var running = 0
    }

    private let threadOptions: SystemThread.Options
    private let state = Mutex(State())
    /// Counts calls that were added, for threads that wait.
    private let turn = WordCell()

    /// - Parameter name: of its threads, of at most 15 bytes.
    public init(
        named name: StaticString = "wasmd-blocking", threadLimit: Int = 4, queueLimit: Int = 1024
    ) {
        threadOptions = SystemThread.Options(name, takesSignals: false)
        self.threadLimit = max(threadLimit, 1)
        self.queueLimit = max(queueLimit, 1)
    }

    /// As many threads as there are processors, at most four: more would take longer each.
    static func ofCalculations() -> BlockingPool {
        BlockingPool(named: "wasmd-compute", threadLimit: min(availableProcessors(), 4))
    }

    /// The number of calls that run now.
    public var runningCount: Int { state.withLock { $0.running } }
    /// The number of calls that wait for a thread.
    public var queuedCount: Int { state.withLock { $0.queue.count } }
    /// The number of calls that were started so far.
    public var totalCount: UInt64 { state.withLock { $0.total } }
    /// The number of threads now.
    public var threadCount: Int { state.withLock { $0.threads } }

    /// Adds a call; nil if too many wait. `cancel` is called instead of `run` if the call is
    /// cancelled before it starts, or no thread can be started.
    func add(
        _ run: @escaping @Sendable () -> Void, cancel: @escaping @Sendable () -> Void
    ) -> UInt64? {
        let (number, startsThread) = state.withLock { state -> (UInt64?, Bool) in
            guard state.queue.count < queueLimit else { return (nil, false) }
            state.lastNumber += 1
            state.queue.append(Call(number: state.lastNumber, run: run, cancel: cancel))
            guard state.queue.count > state.idle, state.threads < threadLimit else {
                return (state.lastNumber, false)
            }
            state.threads += 1
            return (state.lastNumber, true)
        }
        guard let number else { return nil }
        if startsThread {
            if !SystemThread.startDetached(threadOptions, { [self] in work() }) { threadFailed() }
        }
        turn.advance()
        return number
    }

    /// Removes a call that has not started from the queue.
    func cancel(_ number: UInt64) {
        let call = state.withLock { state -> Call? in
            guard let index = state.queue.firstIndex(where: { $0.number == number }) else {
                return nil
            }
            return state.queue.remove(at: index)
        }
        call?.cancel()
    }

    private func threadFailed() {
        let calls = state.withLock { state -> [Call] in
            state.threads -= 1
            guard state.threads == 0 else { return [] }
            defer { state.queue = [] }
            return state.queue
        }
        for call in calls { call.cancel() }
    }

    private func work() {
        while true {
            let seen = turn.value
            if let call = next() {
                call.run()
                state.withLock { $0.running -= 1 }
                continue
            }
            state.withLock { $0.idle += 1 }
            let end = SystemClock.monotonic.now &+ 10_000_000_000
            var isOver = false
            while turn.value == seen, !isOver {
                turn.wait(while: seen, nanoseconds: 10_000_000_000)
                isOver = SystemClock.monotonic.now >= end
            }
            let ends = state.withLock { state in
                state.idle -= 1
                guard isOver, state.queue.isEmpty else { return false }
                state.threads -= 1
                return true
            }
            if ends { return }
        }
    }

    private func next() -> Call? {
        state.withLock { state in
            guard !state.queue.isEmpty else { return nil }
            state.running += 1
            state.total += 1
            return state.queue.removeFirst()
        }
    }
}

extension EventLoop {
    /// Bytes that a task may decode or encode on its loop in one piece: about a millisecond.
    public static let smallWork = 64 << 10

    /// Runs a calculation whose time depends on bytes that others choose: here if they are few,
    /// else on a thread beside those of `pool`, so that it holds neither the loop nor the disk.
    ///
    /// Values with many parts should end inside `body` too: to free them takes time as well.
    ///
    /// - Throws: as `blocking`.
    public func computing<Success: Sendable>(
        over byteCount: Int, _ body: @escaping @Sendable () throws -> Success
    ) async throws -> Success {
        byteCount <= Self.smallWork ? try body() : try await blocking(on: calculations, body)
    }

    /// Runs a call that blocks on a thread of the pool, and waits for it without holding the loop.
    ///
    /// A call that has not begun when the task is cancelled is not made; one that has begun runs to
    /// its end, and is waited for.
    ///
    /// - Throws: `LoopError.tooManyCalls`, `.cancelled`; what `body` throws.
    ///
    /// - Parameter other: a pool beside the loop's own: for calls that compute for long, which must
    ///   not keep others from the disk.
    public func blocking<Success: Sendable>(
        on other: BlockingPool? = nil, _ body: @escaping @Sendable () throws -> Success
    ) async throws -> Success {
        // The result goes through the lock, and not with the continuation: tools that look for races
        // see locks, and nothing of the runtime's continuations.
        let cell = Mutex(BlockingCall<Success>())
        let pool = other ?? pool
        await withTaskCancellationHandler {
            await unsafe withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
                @Sendable func finish(_ result: Result<Success, any Error>) {
                    cell.withLock { $0.result = result }
                    unsafe continuation.resume()
                }
                let number = pool.add {
                    finish(Result { try body() })
                } cancel: {
                    finish(.failure(LoopError.cancelled))
                }
                guard let number else { return finish(.failure(LoopError.tooManyCalls)) }
                let isCancelled = cell.withLock { call in
                    call.number = number
                    return call.isCancelled
                }
                if isCancelled { pool.cancel(number) }
            }
        } onCancel: {
            let number = cell.withLock { call in
                call.isCancelled = true
                return call.number
            }
            // 0 is no call: the task has not added one yet, and checks its cancellation itself.
            if number != 0 { pool.cancel(number) }
        }
        guard let result = cell.withLock({ $0.result }) else { throw LoopError.cancelled }
        return try result.get()
    }
}

private struct BlockingCall<Success: Sendable>: Sendable {
    /// Of the call in the pool; 0 before it is added.
    var number: UInt64 = 0
    var isCancelled = false
    /// Set before the task continues.
    var result: Result<Success, any Error>?
}
