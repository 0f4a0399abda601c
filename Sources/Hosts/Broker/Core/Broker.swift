// Soundness: everything of `BrokerState`, and objects that it refers to, is used under the lock.

import Synchronization
import WasmSystem
import WasmdEventLoop
import WasmdStorage

/// Topics with bounded queues, and subscribers that wait for what is published to them.
///
/// ```swift
/// let broker = Broker()
/// broker.start(on: loop)
/// let subscription = try broker.subscribe([.all])
/// try await broker.publish(bytes, to: topic)
/// let delivery = try await subscription.next()
/// ```
///
/// A message goes to the queue of its topic, from which `read` takes the oldest, and to each
/// subscription that matches its topic. All limits are explicit, and each queue has one: a client
/// that floods or hangs harms itself.
///
/// All methods may be called on any thread. They take one lock for some microseconds, and call
/// nobody while they hold it.
public final class Broker: Sendable {
    /// How a broker is set up.
    public struct Options: Sendable {
        public var limits = BrokerLimits()
        /// Topics that are there from the start.
        public var topics: [TopicName: TopicOptions] = [:]
        /// How topics are kept that the first publisher makes; nil if there are only the
        /// configured ones.
        public var dynamic: TopicOptions? = TopicOptions()

        public init() {}
    }

    let state: Mutex<BrokerState>
    private let loop = Mutex<EventLoop?>(nil)
    /// Where durable topics are kept; nil if there are none.
    let store: RecordStore?

    /// A broker whose topics are in memory only, also those that ask to be durable.
    public init(_ options: Options = Options()) {
        store = nil
        state = Mutex(BrokerState(options, isStored: false))
    }

    /// A broker whose durable topics are in a store: reads what is there. Not on a loop.
    ///
    /// - Throws: `.storage`
    public init(_ options: Options, store: RecordStore) throws(BrokerError) {
        self.store = store
        var state = BrokerState(options, isStored: true)
        try state.recover(store)
        self.state = Mutex(state)
    }

    /// Gives the broker a loop, for redelivery and for writing what is durable. Without it,
    /// messages of durable topics wait, and are redelivered only when their subscriber asks.
    public func start(on loop: EventLoop) {
        self.loop.withLock { $0 = loop }
        perform { state in
            state.isStarted = true
            state.armsTimer = nil
            if let deadline = state.nextDeadline { state.arm(deadline) }
            state.kick()
        }
    }

    /// Ends all subscriptions; nothing can be published from now on.
    public func close() {
        perform { $0.close() }
    }

    /// Changes limits and topics. Topics that are configured no more are removed when they are
    /// empty.
    public func setOptions(_ options: Options) {
        perform { $0.setOptions(options) }
    }

    /// Bytes of a message at most.
    public var messageLimit: Int { state.withLock { $0.options.limits.messageBytes } }

    // MARK: Publishing

    /// What a publisher says about a message.
    public struct Publication: Sendable {
        /// Whether it is kept as the last value of its topic; an empty one removes the last value.
        public var isRetained = false
        /// The bridge through which it came.
        public var origin: String?
        /// In which the topic counts if this makes it; nil for the limit of all alone.
        public var share: TopicShare?

        public init(isRetained: Bool = false, origin: String? = nil, share: TopicShare? = nil) {
            self.isRetained = isRetained
            self.origin = origin
            self.share = share
        }
    }

    /// Publishes a message. Returns when it is accepted: for a durable topic, when it is on the
    /// disk and the end of the process cannot lose it any more.
    ///
    /// - Throws: `.unknownTopic`, `.mayNotPublish`, `.messageTooLarge`, `.full`, `.storage`,
    ///   `.ended(.closed)`. Nothing was published then.
    public func publish(
        _ payload: [UInt8], to topic: TopicName, _ publication: Publication = Publication(),
        as permissions: TopicPermissions = .all
    ) async throws(BrokerError) {
        let error = await unsafe withUnsafeContinuation {
            (continuation: UnsafeContinuation<BrokerError?, Never>) in
            let waiter = unsafe PublicationWaiter(continuation)
            publish(payload, to: topic, publication, as: permissions) { waiter.resume($0) }
        }
        if let error { throw error }
    }

    /// The same for callers that do not wait: `completion` gets nil, or why nothing was published.
    /// It is called once, on any thread; before this returns unless the topic is durable.
    public func publish(
        _ payload: [UInt8], to topic: TopicName, _ publication: Publication = Publication(),
        as permissions: TopicPermissions = .all,
        completion: @escaping @Sendable (BrokerError?) -> Void
    ) {
        let time = SystemClock.realtime.now
        perform { state in
            state.publish(payload, topic, publication, permissions, time: time, completion)
        }
    }

    // MARK: Reading

    /// Takes the oldest message of a topic's queue away; nil if it is empty, or the topic is not
    /// there yet.
    ///
    /// A durable message is removed from the disk soon after: one that was read shortly before the
    /// process was killed may be read once more.
    ///
    /// - Throws: `.unknownTopic`, `.mayNotRead`.
    public func read(
        _ topic: TopicName, as permissions: TopicPermissions = .all
    ) throws(BrokerError) -> BrokerMessage? {
        let result = perform { state in state.read(topic, permissions) }
        return try result.get()
    }

    /// The last value of a topic; nil if none is kept.
    public func retained(_ topic: TopicName) -> BrokerMessage? {
        state.withLock { $0.topics[topic]?.retained?.message }
    }

    // MARK: Subscribing

    /// Begins a subscription, or attaches to one with a name, which keeps messages while nobody is
    /// attached.
    ///
    /// - Throws: `.mayNotSubscribe`, `.noPattern`, `.unknownTopic` for a single topic that cannot
    ///   come to be, `.full`, `.nameInUse`.
    public func subscribe(
        _ patterns: [TopicPattern], _ options: SubscriptionOptions = SubscriptionOptions(),
        as permissions: TopicPermissions = .all
    ) throws(BrokerError) -> Subscription {
        let result = perform { state in state.subscribe(patterns, options, permissions) }
        return Subscription(self, try result.get(), options)
    }

    /// Ends a named subscription for good, with what it keeps; false if there is none.
    @discardableResult
    public func removeSubscription(named name: String) -> Bool {
        perform { $0.removeSubscription(named: name) }
    }

    // MARK: Effects

    /// Changes the state, and does afterwards, without the lock, what follows from the change.
    @discardableResult
    func perform<Result: Sendable>(
        _ body: (inout BrokerState) -> Result
    ) -> Result {
        let (result, effects) = state.withLock { state in
            let result = body(&state)
            return (result, state.takeEffects())
        }
        if let effects { run(effects) }
        return result
    }

    private func run(_ effects: BrokerEffects) {
        for waiter in effects.waiters { waiter.resume() }
        for call in effects.calls { call() }
        guard effects.timer != nil || effects.drains else { return }
        guard let loop = loop.withLock({ $0 }) else { return }
        if let time = effects.timer {
            _ = loop.callOnLoop { [weak self] in
                _ = LoopTimer(at: LoopInstant(nanoseconds: time), on: loop) { [weak self] in
                    self?.perform { $0.redeliver(armed: time, now: SystemClock.monotonic.now) }
                }
            }
        }
        if effects.drains { loop.spawn { await self.drain() } }
    }
}

/// Resumes a publisher that waits, once.
@safe struct PublicationWaiter: @unchecked Sendable {
    private let continuation: UnsafeContinuation<BrokerError?, Never>

    init(_ continuation: UnsafeContinuation<BrokerError?, Never>) {
        unsafe self.continuation = continuation
    }

    func resume(_ error: BrokerError?) { unsafe continuation.resume(returning: error) }
}

/// What follows from a change, to be done without the lock.
struct BrokerEffects: Sendable {
    var waiters: [SubscriptionWaiter] = []
    var calls: [@Sendable () -> Void] = []
    /// When the redelivery timer is to be set, on the monotonic clock.
    var timer: UInt64?
    /// Whether the journal is to be written.
    var drains = false
}
