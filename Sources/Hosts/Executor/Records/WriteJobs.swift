import Synchronization
import WasmSystem
import WasmdOperation

/// The last writes and how they ended, for clients that ask.
public final class WriteJobs: Sendable {
    public enum Kind: String, Sendable { case save = "SAVE", modify = "MODIFY", delete = "DELETE" }

    /// A client learns of a job when it has ended: a write is durable when it is answered.
    public enum State: Sendable, Equatable {
        case done
        case failed(String)

        public var name: String {
            switch self {
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
        public let state: State
        /// When it ended, in milliseconds since 1970.
        public let time: Int64
    }

    private struct Contents: Sendable {
        var jobs: [ModuleID: Job] = [:]
        /// In the order of their end; a ring once it is full.
        var order: [ModuleID] = []
        var next = 0
    }

    private let capacity: Int
    private let contents = Mutex(Contents())

    /// - Parameter capacity: jobs that are remembered.
    public init(capacity: Int = 10_000) { self.capacity = max(capacity, 1) }

    /// The job with an id, if it is remembered.
    public subscript(id: ModuleID) -> Job? { contents.withLock { $0.jobs[id] } }

    /// The last jobs of a tenant or of all, the newest first.
    public func recent(_ limit: Int, of owner: String?) -> [Job] {
        contents.withLock { contents in
            let count = contents.order.count
            var found: [Job] = []
            for back in 1..<(count + 1) where found.count < limit {
                // The newest is before `next`, which is 0 until the ring is full.
                let id = contents.order[(contents.next + count - back) % count]
                guard let job = contents.jobs[id], owner == nil || job.owner == owner else {
                    continue
                }
                found.append(job)
            }
            return found
        }
    }

    /// Notes how a job ended, and returns its id.
    func add(
        _ kind: Kind, _ module: ModuleID, for tenant: Tenant?, _ state: State = .done
    ) throws -> ModuleID {
        let id = try ModuleID.make()
        contents.withLock { contents in
            contents.jobs[id] = Job(
                id: id, module: module, kind: kind, owner: tenant?.name, state: state,
                time: Int64(clamping: SystemClock.realtime.now / 1_000_000))
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
}
