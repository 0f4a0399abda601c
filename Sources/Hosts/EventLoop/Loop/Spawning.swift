import Synchronization
import WasmSystem

/// A task that was started on a loop.
public struct LoopTask<Success: Sendable>: Sendable {
    let task: Task<Success, Never>

    /// Cancels the task's current and later waits.
    public func cancel() { task.cancel() }

    /// What the task returned; waits for it. The caller's cancellation does not cancel the task.
    public var value: Success { get async { await task.value } }
}

/// How soon a task gets its turn.
public enum LoopPriority: Sendable {
    /// In the order in which tasks can run.
    case normal
    /// One turn of one such task between two polls of the descriptors: for tasks that compute.
    case background
}

extension EventLoop {
    /// Starts a task on the loop; from any thread. It begins in a later turn of the loop.
    ///
    /// Costs one allocation of some 1 KiB for the task, two for its body.
    @discardableResult
    public func spawn<Success: Sendable>(
        priority: LoopPriority = .normal, _ body: sending @escaping () async -> Success
    ) -> LoopTask<Success> {
        let number = tasks.begin()
        let tasks = tasks
        let task = Task(
            executorPreference: self, priority: priority == .normal ? .medium : .utility
        ) {
            let result = await body()
            tasks.ended(number)
            return result
        }
        tasks.started(number, task)
        return LoopTask(task: task)
    }

    /// Runs `body` on the calling thread, which is the loop's until it returns. When `body` has
    /// returned, all tasks of the loop are cancelled, and `run` returns when they have ended. Once
    /// for each loop.
    ///
    /// - Throws: what `body` throws.
    public func run<Success: Sendable>(
        _ body: sending @escaping (EventLoop) async throws -> Success
    ) throws -> Success {
        let result = Outcome<Success>()
        begin(result, body)
        runUntilFinished()
        return try result.get()
    }

    func begin<Success: Sendable>(
        _ outcome: Outcome<Success>, _ body: sending @escaping (EventLoop) async throws -> Success
    ) {
        spawn { [self] in
            do {
                outcome.set(.success(try await body(self)))
            } catch {
                outcome.set(.failure(error))
            }
            tasks.endAll()
        }
    }
}

/// The result of the body of `run`.
final class Outcome<Success: Sendable>: Sendable {
    private let result = Mutex<Result<Success, any Error>?>(nil)

    func set(_ result: Result<Success, any Error>) { self.result.withLock { $0 = result } }

    func get() throws -> Success {
        // The loop ends only after the body has; nothing else sets the result.
        guard let result = result.withLock({ $0 }) else { throw LoopError.closed }
        return try result.get()
    }
}
