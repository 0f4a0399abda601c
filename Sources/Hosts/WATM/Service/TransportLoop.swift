// Soundness: everything but the initialiser and `cancelAll` is used on the loop's thread only.

import WasmSystem
import WasmdEventLoop
import WasmdGuests

/// The connections of a service on one loop.
@safe final class TransportLoop: @unchecked Sendable {
    let guests: GuestLoop
    private var connections: [UInt64: Connection] = [:]
    private var countTimer: LoopTimer?

    @safe private final class Connection: @unchecked Sendable {
        let service: TransportService
        let peer: String
        let began = LoopInstant.now
        /// What of its bytes is in the statistics already.
        var counted = (forth: UInt64(0), back: UInt64(0))
        /// One for each transport; more may come while the first connects.
        var sessions: [TransportSession] = []
        var isCancelled = false

        init(_ service: TransportService, peer: String) {
            self.service = service
            self.peer = peer
        }
    }

    init(_ guests: GuestLoop) { self.guests = guests }

    /// Serves a connection in a task of its own.
    func begin(
        _ socket: GuestSocket, peer: String, number: UInt64, for service: TransportService
    ) {
        guests.loop.spawn { [self] in
            let connection = open(peer, number, service)
            // One session has no task of its own, and no more frames than it needs: both would take
            // memory for as long as the connection lives.
            let chain = service.chain
            if chain.count == 1, service.role != .listen,
                let only = session(of: chain[...], connection)
            {
                let outcome = await only.run(sockets(socket, only, [], connection))
                close(number, connection, outcome)
            } else {
                let outcome = await run(socket, connection, chain)
                close(number, connection, outcome)
            }
        }
    }

    /// Serves a connection to its end.
    func serve(
        _ socket: GuestSocket, peer: String, number: UInt64, for service: TransportService
    ) async -> TransportSummary {
        let connection = open(peer, number, service)
        let outcome = await run(socket, connection, service.chain)
        return finish(number, connection, outcome)
    }

    private func open(
        _ peer: String, _ number: UInt64, _ service: TransportService
    ) -> Connection {
        let connection = Connection(service, peer: peer)
        connections[number] = connection
        countLater()
        connection.isCancelled = service.isStopping
        return connection
    }

    /// Not inlined: a summary would be part of the task's memory.
    @inline(never)
    private func close(
        _ number: UInt64, _ connection: Connection, _ outcome: TransportOutcome
    ) {
        _ = finish(number, connection, outcome)
    }

    private func finish(
        _ number: UInt64, _ connection: Connection, _ outcome: TransportOutcome
    ) -> TransportSummary {
        connections[number] = nil
        let summary = summary(number, connection, outcome)
        count(connection)
        connection.service.note(summary)
        return summary
    }

    private func summary(
        _ number: UInt64, _ connection: Connection, _ outcome: TransportOutcome?
    ) -> TransportSummary {
        // The session of the accepted socket.
        let outer = connection.sessions.first
        let counts = outer?.byteCounts ?? (forth: 0, back: 0)
        return TransportSummary(
            number: number, peer: connection.peer, role: connection.service.role,
            age: LoopInstant.now.since(connection.began),
            startTime: outer?.readyTime.map { $0.since(connection.began) },
            bytesForth: counts.forth, bytesBack: counts.back, outcome: outcome)
    }

    // MARK: Sessions

    private func run(
        _ socket: GuestSocket, _ connection: Connection, _ chain: [Transport]
    ) async -> TransportOutcome {
        do {
            // One session has no task of its own.
            if chain.count == 1, let only = session(of: chain[...], connection) {
                var sockets = sockets(socket, only, [], connection)
                if connection.service.role == .listen {
                    (sockets.peer, sockets.clear, sockets.connect) = (socket, nil, nil)
                    sockets.clear = try await connectInClear(
                        for: connection.service, only.transport)
                }
                return await only.run(sockets)
            }
            if connection.service.role == .listen {
                try await listen(socket, chain, connection)
            } else {
                let first = session(of: chain[...], connection)
                guard let first else { throw NoTransport() }
                first.start(sockets(socket, first, chain.dropFirst(), connection))
            }
        } catch {
            socket.guestDidClose([.reading, .writing])
            return .unreachable("\(error)")
        }
        var outcome = TransportOutcome.ended
        var index = 0
        while index < connection.sessions.count {
            guard let end = try? await connection.sessions[index].end() else { return .cancelled }
            if outcome.isClean, index == 0 || !end.isClean { outcome = end }
            index += 1
        }
        return outcome
    }

    private struct NoTransport: Error, CustomStringConvertible {
        var description: String { "there is no transport" }
    }

    private func session(
        of chain: ArraySlice<Transport>, _ connection: Connection
    ) -> TransportSession? {
        guard let transport = chain.first else { return nil }
        return add(TransportSession(transport, connection.service.role, on: guests), connection)
    }

    private func add(
        _ session: TransportSession, _ connection: Connection
    ) -> TransportSession {
        connection.sessions.append(session)
        if connection.isCancelled { session.cancel() }
        return session
    }

    /// The sockets of a session that dials or relays: it connects to the remote, or to the next
    /// transport.
    private func sockets(
        _ socket: GuestSocket, _ session: TransportSession, _ rest: ArraySlice<Transport>,
        _ connection: Connection
    ) -> TransportSession.Sockets {
        var sockets = TransportSession.Sockets()
        let service = connection.service
        if service.role == .relay { sockets.peer = socket } else { sockets.clear = socket }
        guard let next = rest.first else {
            sockets.hasRemote = service.remote != nil
            sockets.connect = session.transport.connector(
                to: service.remote, counts: service.datagrams, on: guests)
            return sockets
        }
        sockets.connect = { [self] _ in
            let (ours, theirs) = link(session.transport, next, service)
            let inner = add(TransportSession(next, service.role, on: guests), connection)
            inner.start(self.sockets(theirs, inner, rest.dropFirst(), connection))
            return ours
        }
        return sockets
    }

    /// The sessions of a listener: the last transport has the accepted socket.
    private func listen(
        _ socket: GuestSocket, _ chain: [Transport], _ connection: Connection
    ) async throws {
        guard let first = chain.first else { throw NoTransport() }
        let clear = try await connectInClear(for: connection.service, first)
        var peer = socket
        for (index, transport) in chain.enumerated().reversed() {
            let session = add(TransportSession(transport, .listen, on: guests), connection)
            var sockets = TransportSession.Sockets()
            sockets.peer = peer
            if index == 0 {
                sockets.clear = clear
            } else {
                let (ours, theirs) = link(transport, chain[index - 1], connection.service)
                sockets.clear = ours
                peer = theirs
            }
            session.start(sockets)
        }
    }

    /// A connection between two transports in a row: of datagrams if both know them, and there are
    /// some on a side of the service.
    private func link(
        _ one: Transport, _ other: Transport, _ service: TransportService
    ) -> (GuestSocket, GuestSocket) {
        let limits = one.options.sockets
        guard one.carriesDatagrams, other.carriesDatagrams, service.hasDatagrams else {
            return MemorySocket.makePair(limits, on: guests)
        }
        // What passes inside is not what the service sends and receives.
        return GuestDatagrams.makePair(limits, counts: DatagramCounts(), on: guests)
    }

    /// The connection of a listener to the server behind it.
    private func connectInClear(
        for service: TransportService, _ transport: Transport
    ) async throws -> GuestSocket {
        guard let remote = service.remote else { throw NoRemote() }
        if remote.carriesDatagrams {
            guard transport.carriesDatagrams || service.framesDatagrams else {
                throw TransportError.datagrams(Transport.streamsOnly(isClear: true))
            }
            return try await remote.connectDatagrams(
                transport.options.resolver, transport.carriesDatagrams ? .whole : .framed,
                transport.options.sockets, counts: service.datagrams, on: guests)
        }
        return try await remote.connect(
            transport.options.resolver, transport.options.sockets, on: guests,
            time: transport.options.limits.connectTime)
    }

    // MARK: All

    /// The open connections, at most `limit`: those with the lowest numbers.
    func summaries(limit: Int) -> [TransportSummary] {
        connections.keys.sorted().prefix(limit).compactMap { number in
            connections[number].map { summary(number, $0, nil) }
        }
    }

    /// How often the bytes of open connections are counted.
    private static let countInterval = Duration.seconds(1)

    private func countLater() {
        guard countTimer == nil, !connections.isEmpty else { return }
        countTimer = LoopTimer(at: .after(Self.countInterval), on: guests.loop) { [weak self] in
            guard let self else { return }
            countTimer = nil
            for connection in connections.values { count(connection) }
            countLater()
        }
    }

    /// Adds what a connection carried since it was counted the last time.
    private func count(_ connection: Connection) {
        guard let now = connection.sessions.first?.byteCounts else { return }
        let (forth, back) = (
            now.forth &- connection.counted.forth, now.back &- connection.counted.back
        )
        guard forth > 0 || back > 0 else { return }
        connection.counted = now
        connection.service.count(forth: forth, back: back)
    }

    /// Cancels all connections. From any thread.
    func cancelAll() {
        _ = guests.loop.callOnLoop { [self] in
            for connection in connections.values { cancel(connection) }
        }
    }

    /// Cancels a connection; false if there is none with this number.
    func cancel(_ number: UInt64) -> Bool {
        guard let connection = connections[number] else { return false }
        cancel(connection)
        return true
    }

    private func cancel(_ connection: Connection) {
        connection.isCancelled = true
        for session in connection.sessions { session.cancel() }
    }
}
