import Synchronization
import WasmSystem
import WasmdEventLoop
import WasmdGuests

/// Serves connections through a transport, or through several in a row.
///
///     let service = TransportService([transport], .dial, to: "10.0.0.7:443")
///     try await service.serve(listener, on: guests)
///
/// May be used on several loops, each with listeners and guests of its own. A guest that fails costs
/// its connection only. Transports can be replaced: new connections get the new ones, old ones go on.
public final class TransportService: Sendable {
    /// The limits of a service.
    public struct Options: Sendable {
        /// Open connections; more are closed at once.
        public var connectionLimit = 10_000
        /// How more connections can be allowed, for messages.
        public var remedy = "allow more with --max-connections"
        /// How long the session of a peer that sends datagrams lives without one.
        public var datagramIdleTime = Duration.seconds(60)
        /// Whether datagrams on the side in clear are carried in a stream, each with its length
        /// before it (2 bytes, the high one first), for guests that know streams only.
        public var framesDatagrams = false
        /// Called on the connection's loop when one has ended.
        public var ended: @Sendable (TransportSummary) -> Void = { _ in }
        /// Called when a connection is refused, with the reason.
        public var refused: @Sendable (String) -> Void = { _ in }

        public init() {}
    }

    public let role: TransportRole
    public let remote: TransportAddress?
    private let options: Options
    private let state: Mutex<State>
    private let count = Atomic<UInt64>(0)
    let datagrams = DatagramCounts()
    private let servesDatagrams = Atomic<Bool>(false)

    private struct State: Sendable {
        var chain: [Transport]
        var statistics = TransportStatistics()
        var houses: [TransportLoop] = []
        var isStopping = false
        var connectionLimit: Int
        /// When open connections were accepted, by their numbers.
        var beginnings: [UInt64: LoopInstant] = [:]
    }

    /// - Parameters:
    ///   - chain: in the order in which bytes from the side in clear pass them; not empty.
    ///   - role: `.dial`, `.listen` or `.relay`.
    ///   - remote: nil lets the guest choose, where it can.
    public init(
        _ chain: [Transport], _ role: TransportRole, to remote: TransportAddress?,
        _ options: Options = Options()
    ) {
        self.role = role
        self.remote = remote
        self.options = options
        state = Mutex(State(chain: chain, connectionLimit: options.connectionLimit))
    }

    /// Uses other transports for connections from now on.
    public func replace(_ chain: [Transport]) {
        state.withLock { state in
            state.chain = chain
            state.statistics.replacements &+= 1
        }
    }

    /// Transports of connections that begin now.
    public var chain: [Transport] { state.withLock { $0.chain } }

    /// Bytes of open connections are counted each second. From any thread.
    public var statistics: TransportStatistics {
        var statistics = state.withLock { $0.statistics }
        statistics.datagramsReceived = datagrams.received
        statistics.datagramsSent = datagrams.sent
        statistics.datagramsDropped = datagrams.dropped
        return statistics
    }

    var datagramIdleTime: Duration { options.datagramIdleTime }
    var framesDatagrams: Bool { options.framesDatagrams }

    /// Whether a side is one of datagrams.
    var hasDatagrams: Bool {
        remote?.carriesDatagrams == true || servesDatagrams.load(ordering: .relaxed)
    }

    /// Open connections; more are closed at once. A lower limit closes none that is open.
    public var connectionLimit: Int {
        get { state.withLock { $0.connectionLimit } }
        set { state.withLock { $0.connectionLimit = newValue } }
    }

    /// The ages of the open connections, in no order. From any thread.
    public var ages: [Duration] {
        let now = LoopInstant.now
        return state.withLock { $0.beginnings.values.map { now.since($0) } }
    }

    func count(forth: UInt64, back: UInt64) {
        state.withLock { state in
            state.statistics.bytesForth &+= forth
            state.statistics.bytesBack &+= back
        }
    }

    // MARK: Serving

    /// Accepts connections, from a task of the guests' loop, until the listener is closed or the task
    /// is cancelled.
    ///
    /// - Throws: what `Listener.accept` throws, but for `closed` and `cancelled`.
    public func serve(_ listener: Listener, on guests: GuestLoop) async throws {
        let house = house(of: guests)
        while true {
            let stream: ByteStream
            do throws(LoopError) {
                stream = try await listener.accept()
            } catch {
                if error == .closed || error == .cancelled { return }
                throw error
            }
            let peer = stream.peerAddress.map(TransportAddress.text) ?? "unknown"
            guard let number = admit() else { continue }
            do {
                let socket = try KernelSocket(
                    adopting: try stream.release(), socketLimits, on: guests)
                house.begin(socket, peer: peer, number: number, for: self)
            } catch {
                refuse(number, "\(error)")
            }
        }
    }

    /// Serves the peers of a socket for datagrams, from a task of the guests' loop, until it is closed
    /// or the task is cancelled: each peer has a session, as a connection.
    ///
    /// `Transport.checkDatagrams` tells whether the transports can do that; datagrams are dropped
    /// otherwise.
    ///
    /// - Throws: what `DatagramSocket.receive` throws, but for `closed`, `cancelled` and `system`.
    public func serve(_ socket: DatagramSocket, on guests: GuestLoop) async throws {
        servesDatagrams.store(true, ordering: .relaxed)
        try await DatagramPeers(socket, guests, self, house(of: guests)).serve()
    }

    struct Refusal: Error, CustomStringConvertible {
        let description: String
    }

    func tellRefusal(_ reason: String) { options.refused(reason) }

    private var socketLimits: GuestSocketLimits { chain.first?.options.sockets ?? .init() }

    /// The number of a connection that was accepted; nil if there is no room for it.
    private func admit() -> UInt64? {
        switch admitPeer() {
        case .success(let number): return number
        case .failure(let refusal):
            options.refused(refusal.description)
            return nil
        }
    }

    /// Counts a connection, and gives it a number.
    func admitPeer() -> Result<UInt64, Refusal> {
        let number = count.wrappingAdd(1, ordering: .relaxed).newValue
        let limit = state.withLock { state -> Int? in
            state.statistics.accepted &+= 1
            if state.statistics.live >= state.connectionLimit {
                state.statistics.refused &+= 1
                return state.connectionLimit
            }
            state.statistics.live += 1
            state.beginnings[number] = .now
            return nil
        }
        guard let limit else { return .success(number) }
        return .failure(
            Refusal(
                description:
                    "\(limit) connections are open, which is the limit: \(options.remedy)"))
    }

    private func refuse(_ number: UInt64, _ reason: String) {
        state.withLock { state in
            state.statistics.live -= 1
            state.statistics.refused &+= 1
            state.beginnings[number] = nil
        }
        options.refused(reason)
    }

    /// Serves one connection that was made already, and returns its end. From a task of the loop.
    public func serve(
        _ socket: GuestSocket, peer: String, on guests: GuestLoop
    ) async -> TransportSummary? {
        guard let number = admit() else {
            socket.guestDidClose([.reading, .writing])
            return nil
        }
        return await house(of: guests).serve(
            socket, peer: peer, number: number, for: self)
    }

    func note(_ summary: TransportSummary) {
        state.withLock { state in
            state.statistics.live -= 1
            state.beginnings[summary.number] = nil
            switch summary.outcome {
            case let outcome? where !outcome.isClean: state.statistics.failed &+= 1
            default: state.statistics.ended &+= 1
            }
        }
        options.ended(summary)
    }

    private func house(of guests: GuestLoop) -> TransportLoop {
        state.withLock { state in
            if let known = state.houses.first(where: { $0.guests === guests }) { return known }
            let made = TransportLoop(guests)
            state.houses.append(made)
            return made
        }
    }

    // MARK: Ending

    /// Whether connections are being ended.
    var isStopping: Bool { state.withLock { $0.isStopping } }

    /// Cancels all connections, and those that begin from now on. From any thread; workers have the
    /// time of their limits.
    public func cancelAll() {
        let houses = state.withLock { state in
            state.isStopping = true
            return state.houses
        }
        for house in houses { house.cancelAll() }
    }

    /// Cancels an open connection, whose worker has the time of its limits; false if there is none
    /// with this number. Waits for each loop.
    public func cancel(_ number: UInt64) async -> Bool {
        guard state.withLock({ $0.beginnings[number] != nil }) else { return false }
        for house in state.withLock({ $0.houses }) {
            if await house.guests.loop.spawn({ house.cancel(number) }).value { return true }
        }
        return false
    }

    /// The open connections of all loops by their numbers, at most `limit`; waits for each loop.
    public func connections(limit: Int = .max) async -> [TransportSummary] {
        var all: [TransportSummary] = []
        for house in state.withLock({ $0.houses }) {
            all += await house.guests.loop.spawn { house.summaries(limit: limit) }.value
        }
        return Array(all.sorted { $0.number < $1.number }.prefix(limit))
    }
}
