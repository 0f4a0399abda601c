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
    private let store: any ObjectStore
    private let engine: Engine
    private let options: Options
    var namespace: Namespace

    /// Messages now, and as of the last commit.
    private var queue = MessageQueue()
    private var committedQueue = MessageQueue()
    private var dequeued: [Int64] = []
    private var outputs: [Output] = []
    /// What left the image with a commit, and was not returned yet.
    private var released: [Output] = []
    /// Instances in memory, and those that were called since the last commit.
    private var live: [[UInt8]: GuestInstance] = [:]
    private var changed: [[UInt8]: GuestInstance] = [:]
    /// Synchronous requests that wait, the innermost last.
    private var frames: [Frame] = []
    /// How many deliveries get a commit of their own, because one of them failed.
    private var carefulDeliveries = 0
    private var deadline: ContinuousClock.Instant?
    /// What the exchange did so far.
    public private(set) var statistics = Statistics()

    public struct Statistics: Sendable, Hashable {
        public var deliveries = 0
        public var commits = 0
        public var failures = 0
        public var wakings = 0
    }

    private struct Frame {
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
        namespace = try Namespace(store)
        namespace.endpoints = Set(endpoints)
        for message in try store.messages() {
            queue.append(
                MessageQueue.Message(
                    key: message.key, target: message.target, sender: message.sender,
                    bytes: message.bytes))
        }
        committedQueue = queue
    }

    /// Whether no message waits.
    public var isIdle: Bool { queue.isEmpty }
    /// How many messages wait.
    public var waitingCount: Int { queue.count }

    // MARK: From outside

    /// Adds a message from outside. It is durable after the next `runBatch` that returns.
    ///
    /// - Throws: `MessageError.queueFull`, `.malformed`; `ImageError`.
    public func post(_ envelope: Envelope) throws {
        let message = try message(envelope, sender: nil)
        if queue.count(for: message.target) >= options.queueLimit {
            throw MessageError.queueFull(limit: options.queueLimit)
        }
        queue.append(message)
        committedQueue.append(message)
    }

    private func message(
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
        return MessageQueue.Message(key: nil, target: target, sender: sender, bytes: bytes)
    }

    // MARK: Batches

    /// Delivers messages until none waits or the batch is full, and commits.
    ///
    /// - Returns: what left the image.
    /// - Throws: `ImageError`; nothing since the last commit has happened then.
    public func runBatch() throws(ImageError) -> [Output] {
        let end = ContinuousClock.now + options.batchTime
        var count = 0
        while !queue.isEmpty, count < options.batchDeliveries {
            let isCareful = carefulDeliveries > 0
            do {
                try deliverNext()
                count += 1
                if isCareful {
                    carefulDeliveries -= 1
                    try commit()
                }
            } catch let error as ImageError {
                try rollBack()
                throw error
            } catch {
                guard isCareful else {
                    try rollBack()
                    carefulDeliveries = count + 1
                    count = 0
                    continue
                }
                let failure = error as? DeliveryFailure
                try drop(failure?.error ?? .refused("\(error)"))
            }
            if isCareful || (count & 15 == 0 && ContinuousClock.now >= end) { break }
        }
        do {
            try commit()
        } catch let error as ImageError {
            try rollBack()
            throw error
        } catch {
            // A state that cannot be stored: find out which delivery made it.
            try rollBack()
            carefulDeliveries = max(count, 1)
        }
        defer { released = [] }
        return released
    }

    /// Undoes the delivery that failed, and reports the error in its place.
    private func drop(_ error: MessageError) throws(ImageError) {
        statistics.failures += 1
        carefulDeliveries -= 1
        try rollBack()
        guard let message = queue.popFirst() else { return }
        if let key = message.key { dequeued.append(key) }
        do {
            try report(error, on: Envelope(message.bytes), at: message.target)
            try commit()
        } catch let error as ImageError {
            throw error
        } catch {
            // A message that waits was written by us.
        }
    }

    /// Undoes everything since the last commit.
    private func rollBack() throws(ImageError) {
        queue = committedQueue
        dequeued = []
        outputs = []
        frames = []
        for path in changed.keys { live[path] = nil }
        changed = [:]
        try namespace.reload()
    }

    private func commit() throws {
        var changes = ObjectChanges()
        changes.bindings = namespace.newBindings
        var saved: Set<[UInt8]> = []
        for (path, guest) in changed {
            let bytes: [UInt8]
            do throws(MessageError) {
                bytes = try guest.saved()
            } catch {
                throw DeliveryFailure(error: error)
            }
            if let key = guest.key {
                changes.states.append((key, bytes))
            } else {
                saved.insert(path)
                changes.objects.append(
                    .init(path: path, kind: .instance, source: .bytes(bytes)))
            }
        }
        for (path, object) in namespace.newObjects where !saved.contains(path) {
            changes.objects.append(object)
        }
        changes.dequeued = dequeued
        changes.enqueued = queue.unsaved.map {
            .init(target: $0.target, sender: $0.sender, bytes: $0.bytes)
        }
        if !changes.isEmpty {
            queue.setKeys(try store.commit(changes))
            statistics.commits += 1
        }
        // All of this is durable now, whatever fails afterwards.
        released += outputs
        outputs = []
        dequeued = []
        namespace.committed()
        committedQueue = queue
        sendToSleep()
        changed = [:]
        for path in saved {
            if let object = try? store.object(at: path) {
                live[path]?.key = object.key
            } else {
                // Loaded again by the next message.
                live[path] = nil
            }
        }
    }

    /// Frees instances that were not called lately.
    private func sendToSleep() {
        guard live.count > options.liveInstances else { return }
        live = live.filter { changed[$0.key] != nil }
        if live.count > options.liveInstances { live = [:] }
    }

    // MARK: Deliveries

    private func deliverNext() throws {
        guard let message = queue.popFirst() else { return }
        deadline = .now + options.deliveryTimeout
        try deliver(message)
    }

    private func deliver(_ message: MessageQueue.Message) throws {
        statistics.deliveries += 1
        if let key = message.key { dequeued.append(key) }
        let envelope: Envelope
        do throws(BSONError) {
            envelope = try Envelope(message.bytes)
        } catch {
            // Only another program can have put this into the image.
            try report(.malformed(error), on: Envelope(sendTo: nil), at: message.target)
            return
        }
        switch try namespace.resolve(message.target) {
        case .console, .nothing: outputs.append(.console(envelope.document))
        case .endpoint(let path): outputs.append(.endpoint(path, envelope))
        case .service, .native: try serve(envelope, at: message.target)
        case .object(let object) where object.kind == .module:
            try report(.notAnInstance(path: object.path), on: envelope, at: object.path)
        case .object(let object): try deliver(envelope, message.bytes, to: object.path)
        case .new(let object): try deliver(envelope, message.bytes, to: object.path)
        }
    }

    /// Lets an object of the host handle a message.
    private func serve(_ envelope: Envelope, at path: [UInt8]) throws {
        let payload: [Document.Member]
        do {
            payload = try answer(envelope, at: path)
        } catch let error as MessageError {
            return try report(error, on: envelope, at: path)
        }
        if let reply = envelope.reply(payload) { try dispatch(reply, from: path) }
    }

    private func answer(_ envelope: Envelope, at path: [UInt8]) throws -> [Document.Member] {
        switch try namespace.resolve(path) {
        case .service: try NamespaceService.handle(envelope, &namespace)
        default:
            throw MessageError.badRequest("this object of the host does not know the message")
        }
    }

    private func deliver(_ envelope: Envelope, _ bytes: [UInt8], to path: [UInt8]) throws {
        let guest: GuestInstance
        do {
            guest = try wake(path)
        } catch let error as MessageError {
            return try report(error, on: envelope, at: path)
        }
        try call(guest, envelope, bytes)
    }

    /// Calls a guest that is in memory; what goes wrong undoes the batch.
    private func call(_ guest: GuestInstance, _ envelope: Envelope, _ bytes: [UInt8]) throws {
        changed[guest.path] = guest
        guest.sendCount = 0
        do {
            try guest.deliver(envelope, bytes, deadline: deadline)
        } catch let error as MessageError {
            throw DeliveryFailure(error: error)
        }
    }

    /// The instance at a path, which is loaded if it is not in memory.
    private func wake(_ path: [UInt8]) throws -> GuestInstance {
        if let guest = live[path] { return guest }
        let bytes: [UInt8]
        var key: ObjectKey?
        if let new = namespace.newObjects[path] {
            switch new.source {
            case .bytes(let given): bytes = given
            case .copy(let source): bytes = try store.bytes(of: source)
            }
        } else {
            guard let object = try store.object(at: path) else {
                throw MessageError.noObject(path: path)
            }
            key = object.key
            bytes = try store.bytes(of: object.key)
        }
        statistics.wakings += 1
        let guest = try GuestInstance(
            path: path, key: key, bytes: bytes, engine: engine, limits: options.limits,
            deadline: deadline
        ) { [unowned self] guest, bytes, mode in
            try self.send(from: guest, bytes, mode)
        }
        live[path] = guest
        return guest
    }

    // MARK: Sending

    /// What an import of a guest does. Returns a handle, or the length of an answer.
    private func send(
        from guest: GuestInstance, _ bytes: [UInt8], _ mode: GuestInstance.SendMode
    ) throws -> Int64 {
        guest.sendCount += 1
        guard guest.sendCount <= options.sendLimit else {
            throw MessageError.tooManySends(limit: options.sendLimit)
        }
        var envelope: Envelope
        do throws(BSONError) {
            envelope = try Envelope(bytes)
        } catch {
            guard mode == .synchronous else { return 0 }
            var reply = Envelope(sendTo: guest.path, payload: MessageError.malformed(error).payload)
            reply.responseID = nil
            return try answer(guest, reply.encoded())
        }
        let handle = guest.nextHandle()
        if envelope.responseID != nil {
            if envelope.sendTo == nil { envelope.sendTo = guest.current?.replyTo }
            try dispatch(envelope, from: guest.path)
            return mode == .synchronous ? 0 : handle
        }
        if mode == .cast {
            envelope.replyTo = nil
            envelope.requestID = nil
            try dispatch(envelope, from: guest.path)
            return handle
        }
        if envelope.replyTo == nil { envelope.replyTo = guest.path }
        if let request = envelope.requestID {
            if mode == .request { guest.note(request, handle) }
        } else {
            envelope.requestID = .integer(handle)
        }
        guard mode == .synchronous else {
            try dispatch(envelope, from: guest.path)
            return handle
        }
        guard let response = try ask(envelope, from: guest) else { return 0 }
        return try answer(guest, response)
    }

    private func answer(_ guest: GuestInstance, _ response: [UInt8]) throws -> Int64 {
        try guest.answer(response)
        return Int64(response.count)
    }

    /// Puts a message where it belongs: into the request that waits for it, or into the queue.
    private func dispatch(_ envelope: Envelope, from sender: [UInt8]) throws {
        if envelope.responseID != nil || envelope.isError {
            let target = try envelope.sendTo.map { try namespace.resolve($0).path ?? $0 }
            for index in frames.indices.reversed()
            where frames[index].response == nil && frames[index].requester == target
                && isSameIdentifier(frames[index].request, envelope.responseID)
            {
                frames[index].response = try encoded(envelope)
                return
            }
        }
        let message = try message(envelope, sender: sender)
        let isLimited =
            message.target != Namespace.root && !namespace.endpoints.contains(message.target)
        guard !isLimited || queue.count(for: message.target) < options.queueLimit else {
            return try report(
                .queueFull(limit: options.queueLimit), on: envelope, at: message.target)
        }
        queue.append(message)
    }

    private func encoded(_ envelope: Envelope) throws -> [UInt8] {
        do throws(BSONError) {
            return try envelope.encoded()
        } catch {
            throw MessageError.malformed(error)
        }
    }

    /// Reports why a message was not handled: to whoever waits for an answer, or to the console.
    private func report(
        _ error: MessageError, on envelope: Envelope, at path: [UInt8]
    ) throws {
        if envelope.isError {
            outputs.append(.console(envelope.document))
            return
        }
        if let reply = envelope.reply(error.payload) {
            try dispatch(reply, from: path)
        } else {
            outputs.append(
                .console(Envelope(sendTo: Namespace.root, payload: error.payload).document))
        }
    }

    // MARK: Synchronous requests

    /// Sends a message and returns the answer, if the receiver gives it at once; nil if it is busy
    /// (it is waiting itself, or is the sender), does not answer, or is not there.
    private func ask(_ envelope: Envelope, from guest: GuestInstance) throws -> [UInt8]? {
        let wanted = envelope.sendTo ?? Namespace.root
        let target = try namespace.resolve(wanted)
        let path: [UInt8]
        switch target {
        case .object(let object) where object.kind == .instance: path = object.path
        case .new(let object): path = object.path
        case .service, .native, .object:
            return try framed(envelope, guest) {
                try deliver(message(envelope, sender: guest.path))
            }
        case .console, .endpoint, .nothing:
            try dispatch(envelope, from: guest.path)
            return nil
        }
        guard frames.count < options.depthLimit, live[path]?.isBusy != true else {
            try dispatch(envelope, from: guest.path)
            return nil
        }
        return try framed(envelope, guest) {
            // What was sent before is delivered before.
            while let earlier = queue.popFirst(for: path) { try deliver(earlier) }
            if live[path]?.isBusy == true { return try dispatch(envelope, from: guest.path) }
            try deliverNested(envelope, to: path)
        }
    }

    private func framed(
        _ envelope: Envelope, _ guest: GuestInstance, _ body: () throws -> Void
    ) throws -> [UInt8]? {
        frames.append(Frame(requester: guest.path, request: envelope.requestID))
        let depth = frames.count
        defer { if frames.count >= depth { frames.removeLast(frames.count - depth + 1) } }
        try body()
        return frames.count >= depth ? frames[depth - 1].response : nil
    }

    /// Delivers to an instance while another one waits. In a careful delivery a failure undoes only
    /// what the receiver did, and the one that waits gets the error.
    private func deliverNested(_ envelope: Envelope, to path: [UInt8]) throws {
        let bytes = try encoded(envelope)
        statistics.deliveries += 1
        guard carefulDeliveries > 0 else { return try deliver(envelope, bytes, to: path) }
        let guest: GuestInstance
        do {
            guest = try wake(path)
        } catch let error as MessageError {
            return try report(error, on: envelope, at: path)
        }
        let wasChanged = changed[path] != nil
        guard let checkpoint = guest.checkpoint() else {
            return try call(guest, envelope, bytes)
        }
        do {
            try call(guest, envelope, bytes)
        } catch let failure as DeliveryFailure {
            guard guest.restore(checkpoint) else { throw failure }
            if !wasChanged { changed[path] = nil }
            statistics.failures += 1
            try report(failure.error, on: envelope, at: path)
        }
    }
}
