import Synchronization
import WasmSystem
import WasmdDocuments
import WasmdEventLoop
import WasmdGuests
import WasmdImages

/// Runs an image for clients: delivers what they send, and returns what leaves the image for them.
///
///     let server = try ImageServer(image)
///     server.start(on: loop)
///     let request = try server.open()
///     defer { server.close(request) }
///     server.post(envelope, for: request)
///     let answer = try await request.next(until: deadline, on: loop)
///
/// The exchange is used by one thread of a pool at a time, while there is something to do. All
/// methods may be called on any thread.
public final class ImageServer: Sendable {
    public let image: Image
    public let options: Options
    private let exchange: Mutex<Exchange>
    private let pool = BlockingPool(named: "wasmd-image", threadLimit: 1)
    private let state: Mutex<State>
    let sockets = SocketTable()
    /// What arrived at the console for none of the clients.
    public let console = Feed<Document>(capacity: 1000, byteLimit: 4 << 20)

    private struct Job: Sendable {
        let run: @Sendable (Exchange) -> Void
        /// Is told when the batch after it is durable.
        let request: PendingRequest?
        /// Called instead of `run` if the server ends before.
        var drop: (@Sendable () -> Void)?
    }

    private struct State: Sendable {
        var jobs: [Job] = []
        var isDriving = false
        /// Whether an attempt is due because the last one failed.
        var isRetrying = false
        var isStopping = false
        var loop: EventLoop?
        var requests: [Int64: PendingRequest] = [:]
        /// Requests whose message is in the image, and that end when no message is in flight: those of
        /// an attempt that failed afterwards.
        var idle: [PendingRequest] = []
        var lastNumber: Int64
        var pendingBytes = 0
        var version = 0
        var sites: [[UInt8]: (version: Int, site: Site?)] = [:]
        var failure: ImageError?
        var statistics = Statistics()
    }

    /// What it did, and has to do.
    public struct Statistics: Sendable {
        public var exchange = Exchange.Statistics()
        public var waiting = 0
        public var requests = 0
        public var late: UInt64 = 0
        public var sockets = 0
    }

    /// Opens the exchange of an image.
    ///
    /// - Throws: `ImageError`.
    public init(_ image: Image, _ options: Options = Options()) throws(ImageError) {
        self.image = image
        self.options = options
        let exchange = try Exchange(
            ImageStore(image), options: options.exchange, endpoints: [Self.endpoint])
        self.exchange = Mutex(exchange)
        // Answers to requests of an earlier process must not meet one of this process.
        let start = Int64(clamping: SystemClock.realtime.now / 1000)
        state = Mutex(State(lastNumber: start))
    }

    /// The object that stands for the server in the image.
    static let endpoint: [UInt8] = Array("/server".utf8)

    /// Begins to deliver the messages that wait.
    public func start(on loop: EventLoop) {
        state.withLock { $0.loop = loop }
        add(Job(run: { _ in }, request: nil))
    }

    /// Ends after the batch that is delivered now. What is not handled stays in the image.
    public func stop() {
        let (requests, jobs) = state.withLock { state in
            state.isStopping = true
            defer { state.jobs = [] }
            return (Array(state.requests.values), state.jobs)
        }
        for request in requests { request.add(.failed(.closed)) }
        for job in jobs { job.drop?() }
        if case .log(let log) = options.exchange.output { log.tellLosses(isLast: true) }
    }

    public var statistics: Statistics {
        var statistics = state.withLock { state in
            var statistics = state.statistics
            statistics.requests = state.requests.count
            return statistics
        }
        statistics.sockets = sockets.count
        return statistics
    }

    /// Why the image could not be written lately; nil while it can.
    public var failure: ImageError? { state.withLock { $0.failure } }

    /// The same in words, with what helps.
    public var problem: String? { failure.map { Self.text(of: $0) } }

    // MARK: Requests

    /// Why a request is not taken.
    public enum Overload: Error, Sendable { case requests, bytes, stopping }

    /// A place for answers.
    ///
    /// - Parameter byteCount: bytes that the request holds until it is closed.
    func open(
        _ end: PendingRequest.End = .answer, byteCount: Int = 0
    ) throws(Overload) -> PendingRequest {
        let result = state.withLock { state -> Result<PendingRequest, Overload> in
            if state.isStopping { return .failure(.stopping) }
            guard state.requests.count < options.requestLimit else { return .failure(.requests) }
            guard state.pendingBytes + byteCount <= options.pendingBytes else {
                return .failure(.bytes)
            }
            state.lastNumber += 1
            let request = PendingRequest(state.lastNumber, end, byteCount: byteCount)
            state.requests[request.number] = request
            state.pendingBytes += byteCount
            return .success(request)
        }
        return try result.get()
    }

    /// Answers that come later are dropped.
    func close(_ request: PendingRequest) {
        state.withLock { state in
            guard state.requests.removeValue(forKey: request.number) != nil else { return }
            state.pendingBytes -= request.byteCount
        }
    }

    /// Sends a message into the image.
    func post(_ envelope: Envelope, for request: PendingRequest? = nil) {
        add(
            Job(
                run: { exchange in
                    do {
                        try exchange.post(envelope, for: request?.number)
                    } catch {
                        request?.add(.refused(error as? MessageError ?? .refused("\(error)")))
                    }
                }, request: request))
    }

    /// Runs something between two batches.
    ///
    /// - Throws: what `body` throws; `ImageError.closed` if the server ends before.
    public func perform<Value: Sendable>(
        on loop: EventLoop, _ body: @escaping @Sendable (Exchange) throws -> Value
    ) async throws -> Value {
        let results = Feed<Result<Value, any Error>>(capacity: 1)
        var subscription = results.subscribe()
        add(
            Job(
                run: { exchange in results.append(Result { try body(exchange) }) }, request: nil,
                drop: { results.append(.failure(ImageError.closed)) }))
        guard let result = await subscription.next()?.elements.first else {
            throw LoopError.cancelled
        }
        return try result.get()
    }

    // MARK: Sites

    /// What answers requests for a host, from the time of the last change of the namespace.
    func site(_ host: [UInt8], on loop: EventLoop) async throws -> Site? {
        let known = state.withLock { state -> Site?? in
            guard let entry = state.sites[host], entry.version == state.version else { return nil }
            return .some(entry.site)
        }
        if let known { return known }
        let (version, site) = try await perform(on: loop) { exchange in
            (exchange.namespace.version, try Site(host, exchange.namespace))
        }
        state.withLock { state in
            // Clients may name any number of hosts.
            if state.sites.count >= 1000 { state.sites = [:] }
            state.sites[host] = (version, site)
        }
        return site
    }

    // MARK: The exchange

    private func add(_ job: Job) {
        let (isTaken, loop) = state.withLock { state -> (Bool, EventLoop?) in
            if state.isStopping { return (false, nil) }
            state.jobs.append(job)
            guard !state.isDriving, let loop = state.loop else { return (true, nil) }
            state.isDriving = true
            return (true, loop)
        }
        if !isTaken { job.drop?() }
        if let loop { drive(on: loop) }
    }

    private func drive(on loop: EventLoop) {
        loop.spawn { [self] in
            let isSound: Bool
            do {
                isSound = try await loop.blocking(on: pool) { self.drive() }
            } catch {
                // No thread: the next job tries again.
                state.withLock { $0.isDriving = false }
                return
            }
            if isSound { return }
            // The image may become writable again. One attempt is due then, however many jobs have
            // failed meanwhile.
            let isFirst = state.withLock { state in
                defer { state.isRetrying = true }
                return !state.isRetrying
            }
            guard isFirst else { return }
            let hasWaited = (try? await loop.sleep(for: options.retryTime)) != nil
            let hasFailed = state.withLock { state in
                state.isRetrying = false
                return state.failure != nil
            }
            guard hasWaited else { return }
            // If nothing waits, the attempt writes something all the same.
            let value = Array("\(SystemClock.realtime.now)".utf8)
            add(Job(run: { exchange in if hasFailed { exchange.probe(value) } }, request: nil))
        }
    }

    /// Delivers until there is nothing to do; false if the image cannot be written.
    private func drive() -> Bool {
        exchange.withLock { exchange in
            var idle = state.withLock { state in
                defer { state.idle = [] }
                return state.idle
            }
            while true {
                let jobs = state.withLock { state -> [Job]? in
                    if state.isStopping || (state.jobs.isEmpty && exchange.isIdle) {
                        state.isDriving = false
                        return nil
                    }
                    defer { state.jobs = [] }
                    return state.jobs
                }
                guard let jobs else { return true }
                for job in jobs { job.run(exchange) }
                var handled = jobs.compactMap(\.request)
                do throws(ImageError) {
                    for output in try exchange.runBatch() { route(output, exchange) }
                } catch {
                    idle += handled.filter { $0.end == .idle }
                    fail(error, withdrawn: Set(exchange.withdraw()), idle)
                    return false
                }
                note(exchange)
                idle += handled.filter { $0.end == .idle }
                handled.removeAll { $0.end != .handled }
                for request in handled { request.add(.ended) }
                if exchange.isIdle {
                    for request in idle { request.add(.ended) }
                    idle = []
                }
            }
        }
    }

    private func note(_ exchange: Exchange) {
        state.withLock { state in
            // Without a commit nobody knows whether the image can be written again.
            if exchange.statistics.commits != state.statistics.exchange.commits {
                state.failure = nil
            }
            state.version = exchange.namespace.version
            state.statistics.exchange = exchange.statistics
            state.statistics.waiting = exchange.waitingCount
        }
    }

    /// Tells the clients whose messages are not in the image. Those of others are handled as soon as
    /// the image can be written, so their clients wait on.
    private func fail(_ error: ImageError, withdrawn: Set<Int64>, _ idle: [PendingRequest]) {
        let (requests, isNew) = state.withLock { state in
            defer {
                state.failure = error
                state.isDriving = false
            }
            state.idle = idle.filter {
                !withdrawn.contains($0.number) && state.requests[$0.number] != nil
            }
            return (withdrawn.compactMap { state.requests[$0] }, state.failure == nil)
        }
        for request in requests { request.add(.failed(error)) }
        if isNew { options.report(Self.text(of: error)) }
    }

    private static func text(of error: ImageError) -> String {
        let text = "the image cannot be written: \(error)"
        // What the disk has is not known until the file is opened again.
        if case .failedSync = error { return text + "; restart the server" }
        return text
    }

    private func request(_ identifier: Document?) -> PendingRequest? {
        guard let identifier else { return nil }
        let number =
            identifier.integerValue ?? identifier.doubleValue.flatMap { Int64(exactly: $0) }
        guard let number else { return nil }
        return state.withLock { $0.requests[number] }
    }

    /// Brings what left the image to whoever waits for it.
    private func route(_ output: Exchange.Output, _ exchange: Exchange) {
        switch output {
        case .console(let document):
            let envelope = Envelope(document)
            // A message without a receiver comes back to its sender.
            if let request = request(envelope.responseID ?? envelope.requestID),
                request.end == .idle
            {
                return request.add(.answer(envelope))
            }
            console.append(document, byteCount: PendingRequest.weight(document))
            options.console?(document)
        case .endpoint(_, let envelope):
            if envelope.responseID != nil || envelope.isError {
                if let request = request(envelope.responseID) {
                    request.add(.answer(envelope))
                } else {
                    state.withLock { $0.statistics.late += 1 }
                }
                return
            }
            let failure = sockets.take(envelope)
            guard let failure, let reply = envelope.reply(failure.payload) else { return }
            // If its queue is full, the sender has more to do than to learn this.
            try? exchange.post(reply)
        }
    }
}
