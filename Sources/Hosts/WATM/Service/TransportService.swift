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
        /// Called on the connection's loop when one has ended.
        public var ended: @Sendable (TransportSummary) -> Void = { _ in }
        /// Called when a connection is refused, with the reason.
        public var refused: @Sendable (String) -> Void = { _ in }

        public init() {}
    }

    let role: TransportRole
    let remote: TransportAddress?
    private let options: Options
    private let state: Mutex<State>
    private let count = Atomic<UInt64>(0)

    private struct State: Sendable {
        var chain: [Transport]
        var statistics = TransportStatistics()
        var houses: [TransportLoop] = []
        var isStopping = false
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
        state = Mutex(State(chain: chain))
    }

    /// Uses other transports for connections from now on.
    public func replace(_ chain: [Transport]) {
        state.withLock { state in
            state.chain = chain
            state.statistics.replacements &+= 1
        }
    }

    var chain: [Transport] { state.withLock { $0.chain } }

    public var statistics: TransportStatistics { state.withLock { $0.statistics } }

    func change(_ body: @Sendable (inout TransportStatistics) -> Void) {
        state.withLock { body(&$0.statistics) }
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
            guard admits() else { continue }
            do {
                let socket = try KernelSocket(
                    adopting: try stream.release(), socketLimits, on: guests)
                house.begin(socket, peer: peer, number: nextNumber(), for: self)
            } catch {
                refuse("\(error)")
            }
        }
    }

    private var socketLimits: GuestSocketLimits { chain.first?.options.sockets ?? .init() }

    private func nextNumber() -> UInt64 { count.wrappingAdd(1, ordering: .relaxed).newValue }

    /// Whether there is room for a connection that was accepted.
    private func admits() -> Bool {
        let limit = options.connectionLimit
        let isFull = state.withLock { state in
            state.statistics.accepted &+= 1
            if state.statistics.live >= limit { return true }
            state.statistics.live += 1
            return false
        }
        guard isFull else { return true }
        state.withLock { $0.statistics.refused &+= 1 }
        options.refused(
            "\(limit) connections are open, which is the limit: allow more with --max-connections")
        return false
    }

    private func refuse(_ reason: String) {
        state.withLock { state in
            state.statistics.live -= 1
            state.statistics.refused &+= 1
        }
        options.refused(reason)
    }

    /// Serves one connection that was made already, and returns its end. From a task of the loop.
    public func serve(
        _ socket: GuestSocket, peer: String, on guests: GuestLoop
    ) async -> TransportSummary? {
        guard admits() else {
            socket.guestDidClose([.reading, .writing])
            return nil
        }
        return await house(of: guests).serve(
            socket, peer: peer, number: nextNumber(), for: self)
    }

    func note(_ summary: TransportSummary) {
        state.withLock { state in
            state.statistics.live -= 1
            switch summary.outcome {
            case let outcome? where !outcome.isClean: state.statistics.failed &+= 1
            default: state.statistics.ended &+= 1
            }
            state.statistics.bytesForth &+= summary.bytesForth
            state.statistics.bytesBack &+= summary.bytesBack
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

    /// The open connections of all loops; waits for each loop.
    public func connections(on loop: EventLoop) async -> [TransportSummary] {
        var all: [TransportSummary] = []
        for house in state.withLock({ $0.houses }) {
            all += await house.guests.loop.spawn { house.summaries }.value
        }
        return all.sorted { $0.number < $1.number }
    }
}
