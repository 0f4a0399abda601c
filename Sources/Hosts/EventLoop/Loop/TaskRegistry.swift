import Synchronization

/// The tasks of the loops of a group: they are cancelled, and waited for, when the group ends.
final class TaskRegistry: Sendable {
    private protocol Cancellable: Sendable { func cancel() }

    private struct Handle<Success: Sendable>: Cancellable {
        let task: Task<Success, Never>
        func cancel() { task.cancel() }
    }

    private struct State {
        /// Nil between the start of a task and the moment when its handle is set.
        var tasks = SlotTable<(any Cancellable)?>()
        var isEnding = false
        var loops: [WeakLoop] = []
    }

    private struct WeakLoop: Sendable { weak let loop: EventLoop? }

    private let state = Mutex(State())

    func add(_ loop: EventLoop) { state.withLock { $0.loops.append(WeakLoop(loop: loop)) } }

    var count: Int { state.withLock { $0.tasks.count } }

    /// Whether the group ends and no task is left.
    var isFinished: Bool { state.withLock { $0.isEnding && $0.tasks.count == 0 } }

    func begin() -> UInt64 { state.withLock { $0.tasks.insert(nil) } }

    func started<Success>(_ number: UInt64, _ task: Task<Success, Never>) {
        let isEnding = state.withLock { state in
            // It may have ended already, on another thread.
            state.tasks.update(number, Handle(task: task)) && state.isEnding
        }
        if isEnding { task.cancel() }
    }

    func ended(_ number: UInt64) {
        let loops: [WeakLoop] = state.withLock { state in
            state.tasks.remove(number)
            return state.isEnding && state.tasks.count == 0 ? state.loops : []
        }
        for loop in loops { loop.loop?.wake() }
    }

    /// Cancels all tasks, also those that are started from now on.
    func endAll() {
        let (tasks, loops) = state.withLock { state in
            state.isEnding = true
            return (state.tasks.elements, state.loops)
        }
        for task in tasks { task?.cancel() }
        for loop in loops { loop.loop?.wake() }
    }
}
