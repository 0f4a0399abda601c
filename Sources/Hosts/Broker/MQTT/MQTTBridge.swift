import Synchronization
import WasmSystem
import WasmdEventLoop

/// Sends messages of a broker to a server of MQTT 3.1.1, and brings messages of that into the
/// broker.
///
/// With quality 1, a message is kept by a named subscription of the broker until the server has
/// acknowledged it, over lost connections, and for durable topics over the end of the process; it
/// may arrive twice. A message of the server is acknowledged when the broker has accepted it.
///
/// Messages do not go in circles: those that came through a bridge are not sent, unless `forwards`
/// says so, and never those of the same bridge.
public final class MQTTBridge: Sendable {
    public let options: MQTTBridgeOptions
    let broker: Broker
    private let state = Mutex(MQTTBridgeStatistics())
    /// Called with each change: connected, or why not.
    private let report: @Sendable (String) -> Void

    public init(
        _ broker: Broker, _ options: MQTTBridgeOptions,
        report: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.broker = broker
        self.options = options
        self.report = report
    }

    public var statistics: MQTTBridgeStatistics { state.withLock { $0 } }

    func count(_ change: (inout MQTTBridgeStatistics) -> Void) { state.withLock { change(&$0) } }

    /// Keeps a connection until the task is cancelled. From a task of the loop.
    public func run(on loop: EventLoop) async {
        var pause = options.pause
        let numbers = MQTTNumbers()
        // Made before there is a connection, so that it keeps what is published meanwhile.
        var subscription: Subscription?
        while !Task.isCancelled {
            let before = statistics.connections
            let problem: String
            do {
                // What was sent and not acknowledged is delivered again.
                subscription?.cancel()
                subscription = try subscribe()
                let stream = try await options.connect(loop, .after(options.timeout))
                defer { stream.close() }
                let connection = MQTTConnection(self, stream, subscription, numbers)
                try await connection.run()
                problem = "the server has closed the connection"
            } catch {
                problem = "\(error)"
            }
            if Task.isCancelled { break }
            note(problem)
            if statistics.connections > before { pause = options.pause }
            guard (try? await loop.sleep(for: Self.spread(pause))) != nil else { break }
            pause = min(pause * 2, options.longestPause)
        }
        count { $0.isConnected = false }
        subscription?.cancel()
    }

    /// Between three quarters of a pause and all of it, so that clients do not come together.
    private static func spread(_ pause: Duration) -> Duration {
        pause - pause / 4 * Double.random(in: 0...1)
    }

    /// The subscription to what is to be sent; nil if that is nothing.
    private func subscribe() throws(BrokerError) -> Subscription? {
        guard !options.out.isEmpty else { return nil }
        var wanted = SubscriptionOptions()
        wanted.queue = options.queue
        wanted.queueBytes = options.queueBytes
        wanted.excludedOrigin = options.forwards ? options.name : ""
        if options.quality > 0 {
            wanted.acknowledges = true
            wanted.name = Self.subscriptionName(options.name)
            wanted.window = options.window
            // A message is sent again only on another connection.
            wanted.redeliveryTime = .seconds(1 << 30)
            wanted.whenFull = options.whenFull == .refuse ? .refuse : .drop
        } else {
            wanted.whenFull = .drop
        }
        let patterns = options.out.compactMap { TopicPattern(options.localPrefix + $0.bytes) }
        return try broker.subscribe(patterns, wanted)
    }

    /// Removes what bridges have left that are not configured any more: messages would be kept for
    /// them for ever.
    public static func removeOthers(than names: [String], from broker: Broker) {
        let kept = Set(names.map(subscriptionName))
        for name in broker.subscriptions.compactMap(\.name)
        where name.utf8.starts(with: subscriptionName("").utf8) && !kept.contains(name) {
            broker.removeSubscription(named: name)
        }
    }

    private static func subscriptionName(_ name: String) -> String { "bridge/" + name }

    func connected() {
        count {
            $0.isConnected = true
            $0.connections &+= 1
            $0.problem = nil
        }
        report("bridge \(options.name): connected")
    }

    private func note(_ problem: String) {
        let isNew = state.withLock { state in
            defer {
                state.problem = problem
                state.isConnected = false
            }
            return state.problem != problem
        }
        if isNew { report("bridge \(options.name): \(problem)") }
    }
}

/// The packet identifiers of messages that were sent and not acknowledged, over connections: a
/// message that is sent again has the same (4.4). Used by one loop.
final class MQTTNumbers: @unchecked Sendable {
    // Soundness: used by the tasks of one bridge, which run on one loop.
    private var numbers: [UInt64: UInt16] = [:]
    private var sequences: [UInt16: UInt64] = [:]
    private var last: UInt16 = 0

    /// The number for a message; nil if all are in use.
    func number(of sequence: UInt64) -> UInt16? {
        if let number = numbers[sequence] { return number }
        guard hasRoom else { return nil }
        repeat { last = last == 0xffff ? 1 : last + 1 } while sequences[last] != nil
        numbers[sequence] = last
        sequences[last] = sequence
        return last
    }

    /// Whether another message can have a number.
    var hasRoom: Bool { sequences.count < 0xffff }

    /// The message with a number, whose number is free then; nil if there is none.
    func remove(_ number: UInt16) -> UInt64? {
        guard let sequence = sequences.removeValue(forKey: number) else { return nil }
        numbers[sequence] = nil
        return sequence
    }

    var count: Int { numbers.count }

    func removeAll() {
        numbers = [:]
        sequences = [:]
    }
}
