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
        /// Members of the answer: `result` and others, without what is too large to be kept.
        var members: [Document.Member] = []
        /// The whole answer, until the one who waits for it has it.
        var answer: [Document.Member]?
        var failure: Failure?
        var steps: [(document: Document, byteCount: Int)] = []
        var stepBytes = 0
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
    /// Whether somebody takes its answer.
    private let isAwaited: Bool
    /// Ends with an event `end`.
    let events = Feed<Event>(capacity: 1024, byteLimit: 1 << 20)
    /// Their bytes, for streams.
    let encodedEvents = SharedEvents(capacity: 64, byteLimit: 1 << 18)
    private let state = Mutex(State())

    /// Steps that are kept in the document: the last ones.
    private static let stepLimit = 200
    /// Bytes that they take in memory.
    private static let stepByteLimit = 1 << 20
    /// Bytes of one member of a step or of a failure in memory, and of the kept answer.
    private static let partLimit = 64 << 10
    private static let answerLimit = 4 << 20

    /// - Parameter isAwaited: whether `takeAnswer` will be called.
    init(
        _ id: ObjectID, _ deployment: Collection.Entry, isScheduled: Bool, isAwaited: Bool
    ) {
        self.id = id
        self.deployment = deployment.id
        name = deployment.name ?? ""
        started = Clock.text
        self.isScheduled = isScheduled
        self.isAwaited = isAwaited
    }

    var status: Status { state.withLock { $0.status } }
    var failure: Failure? { state.withLock { $0.failure } }

    /// The members of the answer, whole: once, as they are kept after that.
    func takeAnswer() -> [Document.Member] {
        state.withLock { state -> [Document.Member] in
            defer { state.answer = nil }
            return state.answer ?? state.members
        }
    }

    // MARK: Bounds

    /// A member as it is kept: what takes more than so many bytes is cut or left out.
    private static func short(_ member: Document.Member, _ limit: Int) -> Document.Member {
        let size = member.value.heapSize
        guard size > limit else { return member }
        guard let text = member.value.stringValue else {
            return .init(
                member.name,
                .string("left out: it takes \(size) bytes in memory, \(limit) at most are kept"))
        }
        let start = String(decoding: text.utf8.prefix(limit), as: UTF8.self)
        return .init(member.name, .string("\(start)… (cut: \(text.utf8.count) bytes)"))
    }

    private static func short(_ failure: Failure) -> Failure {
        var failure = failure
        switch failure.body {
        case .json(let document):
            guard let members = document.objectValue else { break }
            failure.body = .json(.object(members.map { short($0, partLimit) }))
        case .text(let text):
            guard text.utf8.count > partLimit else { break }
            failure.body = .text(String(decoding: text.utf8.prefix(partLimit), as: UTF8.self))
        }
        return failure
    }

    // MARK: Progress

    private func send(_ name: String, _ data: Document) {
        events.append(Event(name: name, data: data), byteCount: data.heapSize)
    }

    /// A function was called and has returned.
    func note(step: Document) {
        let step = Document.object(
            (step.objectValue ?? []).map { Self.short($0, Self.partLimit) })
        let size = step.heapSize
        state.withLock { state in
            state.steps.append((step, size))
            state.stepBytes += size
            state.stepCount += 1
            while state.steps.count > 1,
                state.steps.count > Self.stepLimit || state.stepBytes > Self.stepByteLimit
            {
                state.stepBytes -= state.steps.removeFirst().byteCount
            }
        }
        send("step", step)
    }

    /// A link to a result is followed.
    func note(link: String) {
        send("link", .object([Self.short(.init("url", .string(link)), Self.partLimit)]))
    }

    /// Ends it, once.
    func end(_ result: Result<[Document.Member], any Error>) {
        state.withLock { state in
            guard state.status == .running else { return }
            state.ended = Clock.text
            switch result {
            case .success(let members):
                state.status = .succeeded
                state.members = members.map { Self.short($0, Self.answerLimit) }
                if isAwaited { state.answer = members }
            case .failure(let error):
                let isCancelled = state.isCancelled || error is CancellationError
                state.status = isCancelled ? .cancelled : .failed
                state.failure =
                    isCancelled
                    ? Failure(.conflict, "the execution was cancelled")
                    : Self.short(Failure(error))
            }
            state.cancel = nil
        }
        let document = document
        let size = document.heapSize
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
                .init("steps", .array(state.steps.map(\.document))),
            ]
            members += state.members
            if case .json(let error)? = state.failure?.body {
                members.append(.init("error", error))
            }
            return .object(members)
        }
    }
}
