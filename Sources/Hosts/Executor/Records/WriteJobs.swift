import Synchronization
import WasmdOperation

/// The last writes and how they ended, for clients that ask.
public final class WriteJobs: Sendable {
    public enum Kind: String, Sendable { case save = "SAVE", modify = "MODIFY", delete = "DELETE" }

    public enum State: Sendable, Equatable {
        case queued, running, done
        case failed(String)

        public var name: String {
            switch self {
            case .queued: "queued"
            case .running: "running"
            case .done: "done"
            case .failed: "failed"
            }
        }
    }

    public struct Job: Sendable, Equatable {
        public let id: ModuleID
        public let module: ModuleID
        public let kind: Kind
        /// The tenant that asked for it.
        public let owner: String?
        public var state: State
    }

    private struct Contents: Sendable {
        var jobs: [ModuleID: Job] = [:]
        /// In the order of their beginning; a ring once it is full.
        var order: [ModuleID] = []
        var next = 0
    }

    private let capacity: Int
    private let contents = Mutex(Contents())

    /// - Parameter capacity: jobs that are remembered.
    public init(capacity: Int = 10_000) { self.capacity = max(capacity, 1) }

    /// The job with an id, if it is remembered.
    public subscript(id: ModuleID) -> Job? { contents.withLock { $0.jobs[id] } }

    /// Notes that a job begins.
    func begin(_ kind: Kind, _ module: ModuleID, for tenant: Tenant?) throws -> ModuleID {
        let id = try ModuleID.make()
        contents.withLock { contents in
            contents.jobs[id] = Job(
                id: id, module: module, kind: kind, owner: tenant?.name, state: .running)
            if contents.order.count < capacity {
                contents.order.append(id)
            } else {
                contents.jobs[contents.order[contents.next]] = nil
                contents.order[contents.next] = id
                contents.next = (contents.next + 1) % capacity
            }
        }
        return id
    }

    /// Notes how a job ended.
    func end(_ id: ModuleID, _ state: State) {
        contents.withLock { $0.jobs[id]?.state = state }
    }
}
