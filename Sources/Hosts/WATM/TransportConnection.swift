import WasmInterpreter
import WasmdEventLoop
import WasmdGuests

/// The side in clear of a connection through a transport, for a program. Belongs to a loop; to be
/// used by its tasks. The connection ends when the last reference is released.
public final class TransportConnection: Sendable {
    private let socket: MemorySocket
    private let session: TransportSession

    init(_ socket: MemorySocket, _ session: TransportSession) {
        self.socket = socket
        self.session = session
    }

    deinit { session.cancel() }

    /// Reads the available bytes, at most `limit`; waits if there are none. Empty at the end.
    ///
    /// - Throws: `LoopError.cancelled`, `LoopError.wrongLoop`.
    public func read(upTo limit: Int = 65_536) async throws(LoopError) -> [UInt8] {
        try await socket.read(upTo: limit)
    }

    /// Writes all bytes; waits while the guest does not read them.
    ///
    /// - Throws: `LoopError.closed` if the connection has ended; `LoopError.cancelled`,
    ///   `LoopError.wrongLoop`.
    public func write(_ bytes: [UInt8]) async throws(LoopError) { try await socket.write(bytes) }

    /// Ends writing. Most guests end the connection then: see `TransportOptions.keepsHalves`.
    public func finishWriting() { socket.endWriting() }

    /// Asks the guest to end. From any thread.
    public func close() { session.cancel() }

    /// How the connection ended; waits for it.
    public func outcome() async throws(LoopError) -> TransportOutcome { try await session.end() }
}

extension TransportSession {
    /// Waits until the worker begins.
    ///
    /// - Throws: `TransportError.notConnected` if the connection ends before; `LoopError`.
    func ready() async throws {
        while !isReady {
            let turn = changes.turn
            if let outcome { throw TransportError.notConnected(outcome) }
            try await guests.wait(for: changes, since: turn)
        }
    }

    /// Waits for the end.
    func end() async throws(LoopError) -> TransportOutcome {
        while true {
            let turn = changes.turn
            if let outcome { return outcome }
            try await guests.wait(for: changes, since: turn)
        }
    }
}

extension Transport {
    /// Connects to a remote through the transport, from a task of the guests' loop. Returns when the
    /// guest has connected.
    ///
    /// - Parameter remote: nil lets the guest choose, if it can; `options.addresses` must allow it.
    /// - Throws: `TransportError`, `LoopError`.
    public func dial(
        _ remote: TransportAddress?, on guests: GuestLoop
    ) async throws -> TransportConnection {
        try check(.dial, hasRemote: remote != nil)
        var sockets = TransportSession.Sockets()
        sockets.hasRemote = remote != nil
        sockets.connect = connector(to: remote, on: guests)
        return try await connect(.dial, sockets, on: guests)
    }

    /// Accepts the next connection of a listener through the transport. Returns when the guest has
    /// accepted it.
    ///
    /// - Throws: `TransportError`, `LoopError`, `GuestSocketError`.
    public func accept(
        from listener: Listener, on guests: GuestLoop
    ) async throws -> TransportConnection {
        try check(.listen)
        let stream = try await listener.accept()
        var sockets = TransportSession.Sockets()
        sockets.peer = try KernelSocket(
            adopting: try stream.release(), options.sockets, on: guests)
        return try await connect(.listen, sockets, on: guests)
    }

    private func connect(
        _ role: TransportRole, _ given: consuming TransportSession.Sockets, on guests: GuestLoop
    ) async throws -> TransportConnection {
        let (own, clear) = MemorySocket.makePair(options.sockets, on: guests)
        let session = TransportSession(self, role, on: guests)
        var sockets = given
        sockets.clear = clear
        session.start(sockets)
        try await session.ready()
        return TransportConnection(own, session)
    }

    /// Runs the entry of a guest that dials and listens by itself, until it returns, from a task of
    /// the guests' loop. Cancelling the task stops it. `options.addresses` must allow what it uses.
    ///
    /// - Parameter entry: an export without parameters; nil for that of the version.
    /// - Throws: `TransportError.role` if the module has no entry.
    public func run(entry: Name? = nil, on guests: GuestLoop) async throws -> TransportOutcome {
        if entry == nil || version == .v0 || version == .v1 { try check(.run) }
        let session = TransportSession(self, .run, entry: entry, on: guests)
        var sockets = TransportSession.Sockets()
        sockets.hasRemote = false
        sockets.connect = connector(to: nil, on: guests)
        return await session.run(sockets)
    }

    /// Connects guests to a remote, or to what they choose.
    func connector(
        to remote: TransportAddress?, counts: DatagramCounts = DatagramCounts(),
        on guests: GuestLoop
    ) -> TransportGuest.Connect {
        // The closure lives as long as the connection: a copy of the options would take 500 bytes.
        { [self] target in
            let address: TransportAddress
            switch target {
            case .chosen(let chosen): address = chosen
            case .remote:
                guard let remote else { throw NoRemote() }
                address = remote
            }
            if address.carriesDatagrams {
                guard carriesDatagrams else {
                    throw TransportError.datagrams(Self.streamsOnly(isClear: false))
                }
                return try await address.connectDatagrams(
                    options.resolver, .whole, options.sockets, counts: counts, on: guests)
            }
            return try await address.connect(
                options.resolver, options.sockets, on: guests, time: options.limits.connectTime)
        }
    }
}

/// A guest asked for the host's remote, and there is none.
struct NoRemote: Error, CustomStringConvertible {
    var description: String { "there is no remote: name one with --remote" }
}

extension TransportSession {
    /// Serves the connection in a task of its own.
    func start(_ sockets: consuming Sockets) {
        let given = SendableSockets(sockets: sockets)
        guests.loop.spawn { [self] in _ = await run(given.sockets) }
    }

    /// Moves the sockets to a task of the same loop.
    @safe private final class SendableSockets: @unchecked Sendable {
        let sockets: Sockets
        init(sockets: Sockets) { self.sockets = sockets }
    }
}
