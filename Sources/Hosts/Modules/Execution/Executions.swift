import Synchronization
import WasmdDocuments
import WasmdEventLoop
import WasmdStorage
import WasmdWasmiot

/// Executions that run, and the last ones that have ended. Those that nobody waited for are stored
/// when they end.
final class Executions: Sendable {
    private struct State {
        var running: [ObjectID: Execution] = [:]
        /// Ended, the oldest first.
        var ended: [Execution] = []
        var byteCount = 0
        var counts: [Execution.Status: Int] = [:]
    }

    let stored: Collection
    private let limit: Int
    /// Bytes of those that have ended, in memory.
    private let byteLimit: Int
    private let runningLimit: Int
    private let state = Mutex(State())

    /// - Parameter limit: of those that have ended.
    init(_ store: RecordStore, _ room: Room, limit: Int, runningLimit: Int) throws {
        stored = try Collection(store, "execution", Room(ofLast: limit, bytes: room.bytes))
        self.limit = max(limit, 1)
        byteLimit = room.bytes
        self.runningLimit = runningLimit
    }

    /// - Throws: `Failure` if too many run.
    func begin(
        _ entry: Collection.Entry, isScheduled: Bool, isAwaited: Bool
    ) throws -> Execution {
        let execution = Execution(
            stored.newID(), entry, isScheduled: isScheduled, isAwaited: isAwaited)
        let isFull = state.withLock { state in
            if state.running.count >= runningLimit { return true }
            state.running[execution.id] = execution
            return false
        }
        guard !isFull else {
            throw Failure(
                .serviceUnavailable, "the server is busy", "\(runningLimit) executions run")
        }
        return execution
    }

    /// Notes that an execution has ended.
    func ended(_ execution: Execution) {
        state.withLock { state in
            state.running[execution.id] = nil
            state.ended.append(execution)
            state.byteCount &+= execution.byteCount
            while state.ended.count > limit
                || (state.byteCount > byteLimit && state.ended.count > 1)
            {
                state.byteCount &-= state.ended.removeFirst().byteCount
            }
            state.counts[execution.status, default: 0] += 1
        }
    }

    /// Stores one that has ended.
    func keep(_ execution: Execution, on loop: EventLoop) async throws {
        try await stored.put(execution.id, execution.document, on: loop)
    }

    /// Whether one of a deployment runs that a schedule began.
    func runsBySchedule(_ deployment: ObjectID) -> Bool {
        state.withLock { state in
            state.running.values.contains { $0.deployment == deployment && $0.isScheduled }
        }
    }

    var runningCount: Int { state.withLock { $0.running.count } }

    /// How many have ended so.
    func count(_ status: Execution.Status) -> Int { state.withLock { $0.counts[status] ?? 0 } }

    func live(_ id: ObjectID) -> Execution? {
        state.withLock { state in state.running[id] ?? state.ended.last { $0.id == id } }
    }

    /// The document of an execution, also of one of an earlier process.
    func document(_ id: ObjectID) -> Document? { live(id)?.document ?? stored[id]?.document }

    /// Documents of all, the newest first.
    func documents(limit: Int, deployment: ObjectID?) -> [Document] {
        var known: [ObjectID: Document] = [:]
        for entry in stored.all() { known[entry.id] = entry.document }
        let live = state.withLock { $0.ended + Array($0.running.values) }
        for execution in live { known[execution.id] = execution.document }
        let text = deployment?.description
        let wanted = known.filter { text == nil || $0.value["deployment"]?.stringValue == text }
        return wanted.sorted { $1.key.bytes.lexicographicallyPrecedes($0.key.bytes) }
            .prefix(limit).map(\.value)
    }
}
