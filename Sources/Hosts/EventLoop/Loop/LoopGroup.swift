import WasmSystem

/// Loops that belong together, by default one for each core.
///
/// ```swift
/// let group = try LoopGroup()
/// try group.run { loop in
///     for loop in group.loops { loop.spawn { await serve(on: loop) } }
///     ...
/// }
/// ```
public final class LoopGroup: Sendable {
    /// The first one runs on the thread that calls `run`.
    public let loops: [EventLoop]
    /// Runs calls that block.
    public let pool: BlockingPool
    private let tasks = TaskRegistry()

    /// - Parameters:
    ///   - count: how many loops, at least one; nil for one for each processor.
    ///   - blockingThreads: how many threads at most run calls that block.
    /// - Throws: `EMFILE`, `ENFILE`: a loop needs two descriptors.
    public init(count: Int? = nil, blockingThreads: Int = 4) throws(SystemError) {
        let pool = BlockingPool(threadLimit: blockingThreads)
        let calculations = BlockingPool.ofCalculations()
        var loops: [EventLoop] = []
        for _ in 0..<max(count ?? availableProcessors(), 1) {
            loops.append(try EventLoop(pool: pool, calculations: calculations, tasks: tasks))
        }
        self.loops = loops
        self.pool = pool
    }

    /// Tasks that were started on the loops and have not ended.
    public var taskCount: Int { tasks.count }

    /// Runs `body` on the first loop and the calling thread, the other loops on threads of their
    /// own. When `body` has returned, all tasks of the group are cancelled, and `run` returns when
    /// they have ended. Once for each group.
    ///
    /// - Throws: what `body` throws; `EAGAIN` if the system refuses a thread.
    public func run<Success: Sendable>(
        _ body: sending @escaping (EventLoop) async throws -> Success
    ) throws -> Success {
        let result = Outcome<Success>()
        var threads: [SystemThread] = []
        for loop in loops.dropFirst() {
            let options = SystemThread.Options("wasmd-loop", takesSignals: false)
            guard let thread = SystemThread.start(options, { loop.runUntilFinished() }) else {
                tasks.endAll()
                for thread in threads { thread.join() }
                throw SystemError.again
            }
            threads.append(thread)
        }
        loops[0].begin(result, body)
        loops[0].runUntilFinished()
        for thread in threads { thread.join() }
        return try result.get()
    }
}
