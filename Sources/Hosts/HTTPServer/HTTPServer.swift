import Synchronization
import WasmSystem
import WasmdEventLoop
import WasmdHTTP

/// A server of HTTP/1.1 on loops: RFC 9110, RFC 9112.
///
/// ```swift
/// let server = HTTPServer { request, response in
///     try await response.respond(ResponseHead(.ok), Array("hello\n".utf8))
/// }
/// try group.run { loop in
///     try await server.listen(.ipv4([127, 0, 0, 1], port: 8080), on: group.loops)
///     _ = try await SignalStream([Signals.termination], on: loop).next()
///     await server.stop(grace: .seconds(3), on: loop)
/// }
/// ```
///
/// The handler runs in the connection's task, on its loop. It is cancelled when the client
/// disconnects.
public final class HTTPServer: Sendable {
    /// Answers a request. An error thrown before a response begins becomes one: the status of an
    /// `HTTPServerError`, else 500; later, the connection is closed. Without a response it is 500
    /// too.
    public typealias Handler = @Sendable (ServerRequest, ServerResponse) async throws -> Void
    /// Answers requests without a body that have a fixed answer: it is called first, and must not
    /// wait. Nil leaves the request to the handler.
    public typealias FixedAnswers = @Sendable (RequestHead) -> FixedAnswer?

    public let options: HTTPServerOptions
    let handler: Handler
    let fixed: FixedAnswers?
    let times: ServerTimes
    private let count = Atomic(0)
    private let served = Atomic<UInt64>(0)
    private let stopping = Atomic(false)
    private let loops = Mutex<[ServerLoop]>([])

    public init(
        _ options: HTTPServerOptions = HTTPServerOptions(), fixed: FixedAnswers? = nil,
        handler: @escaping Handler
    ) {
        self.options = options
        times = ServerTimes(options)
        self.fixed = fixed
        self.handler = handler
    }

    /// The number of connections now.
    public var connectionCount: Int { count.load(ordering: .relaxed) }

    /// Whether `stop` was called.
    public var isStopping: Bool { stopping.load(ordering: .relaxed) }

    /// Counts a connection; false if there are too many.
    func begin() -> Bool {
        let before = count.add(1, ordering: .relaxed).oldValue
        if before < options.connectionLimit { return true }
        end()
        return false
    }

    func end() { count.subtract(1, ordering: .relaxed) }

    /// Listens on an address, and serves its connections on the loops; several addresses may be
    /// served.
    ///
    /// The kernel distributes connections of the internet among the loops, which have sockets that
    /// share the port; a connection of a unix socket goes to the loop that accepts it first.
    ///
    /// - Returns: the address, with the port that the kernel chose.
    /// - Throws: `EADDRINUSE`, `EACCES` and others of bind(2).
    @discardableResult
    public func listen(
        _ address: SystemAddress, on loops: [EventLoop]
    ) async throws -> SystemAddress? {
        guard !loops.isEmpty else { return nil }
        let sockets = try ListeningSockets(
            address, loopCount: loops.count, options: options.listener)
        try await serve(sockets, on: loops)
        return sockets.address
    }

    /// Serves the connections of sockets that were made before, one for each loop.
    public func serve(_ sockets: ListeningSockets, on loops: [EventLoop]) async throws {
        for listener in try sockets.listeners(loops) { try await serve(listener) }
    }

    /// Serves the connections of a listener on its loop.
    public func serve(_ listener: Listener) async throws {
        let room = room(of: listener.loop)
        await listener.loop.spawn {
            room.listeners.append(listener)
            listener.loop.spawn { await room.accept(listener) }
        }.value
        if isStopping { listener.close() }
    }

    private func room(of loop: EventLoop) -> ServerLoop {
        loops.withLock { loops in
            if let room = loops.first(where: { $0.loop === loop }) { return room }
            let room = ServerLoop(loop, self)
            loops.append(room)
            return room
        }
    }

    /// Stops: listeners and idle connections are closed at once, others after the current request,
    /// for at most `grace`. Then they are cancelled. Returns when none is left.
    ///
    /// - Parameter loop: that of the caller.
    public func stop(grace: Duration, on loop: EventLoop) async {
        stopping.store(true, ordering: .relaxed)
        let rooms = loops.withLock { $0 }
        for room in rooms { await room.loop.spawn { room.stop() }.value }
        let end = LoopInstant.after(grace)
        var pause = Duration.milliseconds(1)
        while connectionCount > 0 {
            if LoopInstant.now >= end {
                for room in rooms { await room.loop.spawn { room.cancelAll() }.value }
            }
            guard (try? await loop.sleep(for: pause)) != nil else { break }
            pause = min(pause * 2, .milliseconds(50))
        }
        if Task.isCancelled {
            for room in rooms { room.loop.spawn { room.cancelAll() } }
        }
        // Each loop's state refers to the server: this breaks the cycle.
        loops.withLock { $0 = [] }
    }
}
