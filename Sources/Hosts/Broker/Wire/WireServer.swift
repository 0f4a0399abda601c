import Synchronization
import WasmSystem
import WasmdEventLoop
import WasmdHTTPServer

/// Serves the wire protocol of a broker: `WireCommand`.
///
/// ```swift
/// let server = WireServer(broker)
/// try await server.serve(sockets, on: group.loops)
/// ```
///
/// Each answer goes to the connection that asked. A connection that does not take its answers, or
/// sends nonsense without end, is closed; others notice nothing.
public final class WireServer: Sendable {
    public struct Options: Hashable, Sendable {
        /// Connections at a time; more are closed at once.
        public var connections = 1000
        /// How long an answer may wait for its client.
        public var writeTime = Duration.seconds(10)
        /// Bytes that are no command, one after the other, after which a connection is closed.
        public var nonsense = 1 << 20
        public var permissions = TopicPermissions.all
        /// Topics that all clients together may make, and each connection: the others of the
        /// broker's are for bridges and operators. `TopicShare` says which ones count.
        public var topics = 500
        public var connectionTopics = 100

        public init() {}
    }

    /// What a server did.
    public struct Statistics: Hashable, Sendable {
        /// Connections now, accepted ones so far, those refused because there were too many, and
        /// those closed because their client was too slow or sent nonsense.
        public var connections = 0
        public var accepted: UInt64 = 0
        public var refused: UInt64 = 0
        public var cutOff: UInt64 = 0
        /// Commands, and reads that were none or that the broker has refused.
        public var commands: UInt64 = 0
        public var ignored: UInt64 = 0
    }

    let broker: Broker
    /// The topics that clients have made.
    private let share: TopicShare
    private let state: Mutex<State>

    private struct State: Sendable {
        var options: Options
        var statistics = Statistics()
        var listeners: [Listener] = []
        var streams: [ObjectIdentifier: ByteStream] = [:]
        var isStopped = false
    }

    public init(_ broker: Broker, _ options: Options = Options()) {
        self.broker = broker
        share = TopicShare("port_topics", limit: options.topics)
        state = Mutex(State(options: options))
    }

    public var options: Options {
        get { state.withLock { $0.options } }
        set {
            share.limit = newValue.topics
            state.withLock { $0.options = newValue }
        }
    }

    /// The topics that a connection may make.
    func makeShare() -> TopicShare {
        TopicShare("connection_topics", limit: options.connectionTopics, of: share)
    }

    public var statistics: Statistics { state.withLock { $0.statistics } }

    func count(_ change: (inout Statistics) -> Void) { state.withLock { change(&$0.statistics) } }

    /// Serves connections of sockets that listen, until the loops end: one listener for each loop.
    ///
    /// - Throws: `SystemError`
    public func serve(_ sockets: ListeningSockets, on loops: [EventLoop]) async throws {
        for listener in try sockets.listeners(loops) {
            let isStopped = state.withLock { state in
                state.listeners.append(listener)
                return state.isStopped
            }
            if isStopped { listener.close() }
            listener.loop.spawn { await self.accept(listener) }
        }
    }

    /// Closes listeners and connections. From any thread.
    public func stop() {
        let (listeners, streams) = state.withLock { state in
            state.isStopped = true
            defer { state.listeners = [] }
            return (state.listeners, Array(state.streams.values))
        }
        for listener in listeners { listener.close() }
        for stream in streams { stream.close() }
    }

    private func accept(_ listener: Listener) async {
        defer { listener.close() }
        while let stream = try? await listener.accept() {
            let isAdmitted = state.withLock { state in
                guard !state.isStopped, state.statistics.connections < state.options.connections
                else {
                    state.statistics.refused &+= 1
                    return false
                }
                state.streams[ObjectIdentifier(stream)] = stream
                state.statistics.connections += 1
                state.statistics.accepted &+= 1
                return true
            }
            guard isAdmitted else {
                stream.close()
                continue
            }
            listener.loop.spawn {
                await WireConnection(stream, self).run()
                self.state.withLock { state in
                    state.streams[ObjectIdentifier(stream)] = nil
                    state.statistics.connections -= 1
                }
            }
        }
    }
}
