import Synchronization
import WasmdDocuments
import WasmdEventLoop
import WasmdGuests
import WasmdHTTPServer
import WasmdWasmiot

/// One run of a deployment: what it is at, what came of it, and events for those who follow it.
final class Execution: Sendable {
    enum Status: String, Sendable { case running, succeeded, failed, cancelled }

    /// What happened, as a server-sent event.
    struct Event: Sendable {
        let name: String
        let data: Document
    }

    private struct State {
        var status = Status.running
        var ended: Document?
        /// Members of the answer: `result` and others.
        var members: [Document.Member] = []
        var failure: Failure?
        var steps: [Document] = []
        var stepCount = 0
        var byteCount = 0
        /// Cancels the task; also while it is about to begin.
        var cancel: (@Sendable () -> Void)?
        var isCancelled = false
    }

    let id: ObjectID
    let deployment: ObjectID
    private let name: String
    private let started: Document
    /// Whether a schedule began it.
    let isScheduled: Bool
    /// Ends with an event `end`.
    let events = Feed<Event>(capacity: 1024, byteLimit: 4 << 20)
    /// Their bytes, for streams.
    let encodedEvents = SharedEvents(capacity: 64, byteLimit: 1 << 18)
    private let state = Mutex(State())

    /// Steps that are kept in the document: the last ones.
    private static let stepLimit = 200

    init(_ id: ObjectID, _ deployment: Collection.Entry, isScheduled: Bool) {
        self.id = id
        self.deployment = deployment.id
        name = deployment.name ?? ""
        started = Clock.text
        self.isScheduled = isScheduled
    }

    var status: Status { state.withLock { $0.status } }
    var failure: Failure? { state.withLock { $0.failure } }
    var members: [Document.Member] { state.withLock { $0.members } }

    // MARK: Progress

    private func send(_ name: String, _ data: Document) {
        events.append(Event(name: name, data: data), byteCount: JSONWriter.write(data).count)
    }

    /// A function was called and has returned.
    func note(step: Document) {
        state.withLock { state in
            state.steps.append(step)
            state.stepCount += 1
            if state.steps.count > Self.stepLimit { state.steps.removeFirst() }
        }
        send("step", step)
    }

    /// A link to a result is followed.
    func note(link: String) { send("link", .object([.init("url", .string(link))])) }

    /// Ends it, once.
    func end(_ result: Result<[Document.Member], any Error>) {
        state.withLock { state in
            guard state.status == .running else { return }
            state.ended = Clock.text
            switch result {
            case .success(let members):
                state.status = .succeeded
                state.members = members
            case .failure(let error):
                let isCancelled = state.isCancelled || error is CancellationError
                state.status = isCancelled ? .cancelled : .failed
                state.failure =
                    isCancelled
                    ? Failure(.conflict, "the execution was cancelled") : Failure(error)
            }
            state.cancel = nil
        }
        let document = document
        let size = JSONWriter.write(document).count
        state.withLock { $0.byteCount = size }
        events.append(Event(name: "end", data: document), byteCount: size)
    }

    /// About what its documents and events take in memory.
    var byteCount: Int { state.withLock { $0.byteCount } &+ events.byteCount }

    /// What cancels it; called at once if that was asked for already.
    func setCancel(_ cancel: @escaping @Sendable () -> Void) {
        let isCancelled = state.withLock { state in
            if state.status == .running { state.cancel = cancel }
            return state.isCancelled
        }
        if isCancelled { cancel() }
    }

    /// Whether it was asked to end.
    var isCancelled: Bool { state.withLock { $0.isCancelled } }

    /// Asks it to end.
    ///
    /// - Returns: false if it has ended.
    func cancel() -> Bool {
        let (isRunning, cancel) = state.withLock { state -> (Bool, (@Sendable () -> Void)?) in
            guard state.status == .running else { return (false, nil) }
            state.isCancelled = true
            return (true, state.cancel)
        }
        cancel?()
        return isRunning
    }

    var document: Document {
        state.withLock { state in
            var members: [Document.Member] = [
                .init("_id", .string(id.description)),
                .init("deployment", .string(deployment.description)), .init("name", .string(name)),
                .init("status", .string(state.status.rawValue)), .init("startedAt", started),
                .init("endedAt", state.ended ?? .null),
                .init("isScheduled", .boolean(isScheduled)),
                .init("stepCount", .integer(Int64(state.stepCount))),
                .init("steps", .array(state.steps)),
            ]
            members += state.members
            if case .json(let error)? = state.failure?.body {
                members.append(.init("error", error))
            }
            return .object(members)
        }
    }
}
