import WasmInterpreter
import WasmdDocuments
import WasmdImages

/// Delivers messages between the instances of an image, one after the other, and keeps their state.
///
///     let exchange = try Exchange(store)
///     try exchange.post(Envelope(sendTo: counter, payload: members))
///     while !exchange.isIdle {
///         for output in try exchange.runBatch() { print(output) }
///     }
///
/// Deliveries are done in batches. A batch ends with a commit of all changed states, of all
/// messages that wait and of the new names; only then is what it sent out of the image returned. If
/// a guest fails, the batch is undone and done again with a commit after each delivery, so that
/// only the delivery that failed has no effect: its sender gets `othismo.error`.
///
/// Used by one thread at a time. Calls wait for the disk and for guests.
public final class Exchange {
    let store: any ObjectStore
    let engine: Engine
    let options: Options
    var namespace: Namespace

    /// Messages now, and as of the last commit.
    var queue = MessageQueue()
    var committedQueue = MessageQueue()
    var dequeued: [Int64] = []
    var outputs: [Output] = []
    /// What left the image with a commit, and was not returned yet.
    var released: [Output] = []
    /// Instances in memory, and those that were called since the last commit.
    var live: [[UInt8]: GuestInstance] = [:]
    var changed: [[UInt8]: GuestInstance] = [:]
    /// Synchronous requests that wait, the innermost last.
    var frames: [Frame] = []
    /// Bytes of messages that were delivered since the last commit.
    var deliveredBytes = 0
    /// How many deliveries get a commit of their own, because one of them failed.
    var carefulDeliveries = 0
    var deadline: ContinuousClock.Instant?
    /// The revision of the store that everything in memory is based on.
    var revision: UInt64 = 0
    /// What the exchange did so far.
    public internal(set) var statistics = Statistics()

    public struct Statistics: Sendable, Hashable {
        public var deliveries = 0
        public var commits = 0
        public var failures = 0
        public var wakings = 0
    }

    struct Frame {
        let requester: [UInt8]
        let request: Document?
        var response: [UInt8]?
    }

    /// Reads the messages that wait.
    ///
    /// - Parameter endpoints: paths whose messages leave the exchange.
    public init(
        _ store: any ObjectStore, engine: Engine = Engine(), options: Options = Options(),
        endpoints: [[UInt8]] = []
    ) throws(ImageError) {
        self.store = store
        self.engine = engine
        self.options = options
        revision = try store.revision()
        namespace = try Namespace(store)
        namespace.endpoints = Set(endpoints)
        try readQueue()
    }

    /// Reads the messages that wait in the store. Those from outside that it does not have yet stay.
    func readQueue() throws(ImageError) {
        let saved = try store.messages()
        let posted = committedQueue.unsaved
        queue = MessageQueue()
        for message in saved {
            queue.append(
                MessageQueue.Message(
                    key: message.key, target: message.target, sender: message.sender,
                    bytes: message.bytes))
        }
        for message in posted { queue.append(message) }
        committedQueue = queue
    }

    /// Whether no message waits.
    public var isIdle: Bool { queue.isEmpty }
    /// How many messages wait.
    public var waitingCount: Int { queue.count }

    // MARK: From outside

    /// Adds a message from outside. It is durable after the next `runBatch` that returns.
    ///
    /// - Parameter request: the number by which `withdraw` names the message; nil for one that waits
    ///   until the image can be written.
    /// - Throws: `MessageError.queueFull`, `.malformed`; `ImageError`.
    public func post(_ envelope: Envelope, for request: Int64? = nil) throws {
        var message = try message(envelope, sender: nil)
        message.request = request
        if let limit = limit(reachedBy: message) { throw limit }
        guard hasRoom(for: message) else { throw MessageError.queueFullOfBytes }
        queue.append(message)
        committedQueue.append(message)
    }

    /// Removes the messages with a request that no commit has, after `runBatch` has thrown: a client
    /// that is told so sends again, and its message must not be handled twice.
    ///
    /// - Returns: the numbers of their requests.
    public func withdraw() -> [Int64] {
        _ = queue.withdraw()
        return committedQueue.withdraw()
    }

    /// The limit of its receiver that a message would break if it waited.
    func limit(reachedBy message: MessageQueue.Message) -> MessageError? {
        let load = queue.load(of: message.target)
        if load.count >= options.queueLimit { return .queueFull(limit: options.queueLimit) }
        return load.bytes + message.byteCount > options.queueBytes ? .queueFullOfBytes : nil
    }

    /// Whether a message may wait beside all others.
    func hasRoom(for message: MessageQueue.Message) -> Bool {
        queue.byteCount + message.byteCount <= options.waitingBytes
    }

    func message(
        _ envelope: Envelope, sender: [UInt8]?
    ) throws -> MessageQueue.Message {
        let bytes: [UInt8]
        do throws(BSONError) {
            bytes = try envelope.encoded()
        } catch {
            throw MessageError.malformed(error)
        }
        let wanted = envelope.sendTo ?? Namespace.root
        let target = try namespace.resolve(wanted).path ?? wanted
        return MessageQueue.Message(
            key: nil, target: target, sender: sender, bytes: bytes, envelope: envelope)
    }
}
