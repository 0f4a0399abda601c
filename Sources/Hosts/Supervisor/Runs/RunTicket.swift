import Synchronization
import WasmInterpreter
import WasmdEventLoop
import WasmdGuests

/// A run that was begun, as others see it. All members may be used on any thread.
public final class RunTicket: Sendable {
    public let id: String

    private struct State {
        var result: Result<RunEntry, SupervisorError>?
        /// What ends the guest, while it runs.
        var active: ActiveRun?
        var isCancelled = false
        /// What waits for the run's turn, its guest and the next endpoint, until it has ended.
        var task: LoopTask<Void>?
        /// Why the run failed, for the status of its answer.
        var fault: RunFault?
    }
    private let state = Mutex(State())

    init(_ id: String) { self.id = id }

    /// The run's end; nil before.
    var result: Result<RunEntry, SupervisorError>? { state.withLock { $0.result } }
    var fault: RunFault? { state.withLock { $0.fault } }
    var isCancelled: Bool { state.withLock { $0.isCancelled } }

    func end(_ result: Result<RunEntry, SupervisorError>) {
        state.withLock { state in
            state.result = result
            state.active = nil
            state.task = nil
        }
    }

    /// The run goes on in a task, unless it has ended meanwhile.
    func goesOn(in task: LoopTask<Void>) {
        state.withLock { state in
            if state.result == nil { state.task = task }
        }
    }

    func fail(_ fault: RunFault?) { state.withLock { $0.fault = fault } }

    /// The guest begins.
    ///
    /// - Throws: `RunFault.cancelled`.
    func begin(_ run: ActiveRun) throws(RunFault) {
        let isCancelled = state.withLock { state in
            state.active = run
            return state.isCancelled
        }
        if isCancelled { throw .cancelled }
    }

    func endGuest() { state.withLock { $0.active = nil } }

    /// Ends the run: now if it runs, else when its turn comes. Returns whether it had not ended.
    func cancel() -> Bool {
        let (active, hasEnded) = state.withLock { state in
            guard state.result == nil else { return (nil as ActiveRun?, true) }
            state.isCancelled = true
            return (state.active, false)
        }
        active?.cancel()
        return !hasEnded
    }

    /// Ends the run at once, also where it waits: for the end of a server.
    func stop() {
        guard cancel() else { return }
        state.withLock { $0.task }?.cancel()
    }
}

/// The runs that have begun and are not in the history yet, by their ids.
final class PendingRuns: Sendable {
    private let tickets = Mutex<[Name: RunTicket]>([:])
    private let stopping = Atomic(false)

    subscript(id: String) -> RunTicket? { tickets.withLock { $0[Name(id)] } }
    var count: Int { tickets.withLock { $0.count } }

    func add(_ ticket: RunTicket) { tickets.withLock { $0[Name(ticket.id)] = ticket } }
    func remove(_ ticket: RunTicket) { tickets.withLock { $0[Name(ticket.id)] = nil } }

    /// Whether runs that begin end at once.
    var isStopping: Bool { stopping.load(ordering: .relaxed) }

    /// Ends all runs; whoever adds one later looks at `isStopping` when it has its task.
    func stopAll() {
        // Ordered by the locks: a ticket that is not in the list yet, or has no task yet, is seen by
        // its own caller.
        stopping.store(true, ordering: .relaxed)
        for ticket in tickets.withLock({ Array($0.values) }) { ticket.stop() }
    }

    /// Ids of all, in no order.
    var ids: [String] { tickets.withLock { $0.values.map(\.id) } }
}
