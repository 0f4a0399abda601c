// Soundness: the continuation of a waiter is resumed once, by whoever takes it out of its state
// under the lock.

import Synchronization
import WasmSystem

/// How a subscription is kept.
public struct SubscriptionOptions: Hashable, Sendable {
    /// What happens when the subscription's queue is full.
    public enum WhenFull: String, CaseIterable, Hashable, Sendable {
        /// The subscription ends, with `SubscriptionEnd.tooSlow`, after what was taken before. What
        /// waits is dropped.
        case cutOff = "cut-off"
        /// The oldest message is dropped; the next delivery says how many were.
        case drop
        /// The publisher gets `BrokerError.full`.
        case refuse
    }

    /// Messages that wait for the subscriber, taken and not acknowledged ones among them.
    public var queue = 1000
    /// Bytes of these messages.
    public var queueBytes = 8 << 20
    public var whenFull = WhenFull.cutOff
    /// Whether deliveries are repeated until they are acknowledged: each message at least once.
    public var acknowledges = false
    /// Deliveries that may be unacknowledged at a time; `next` waits beyond.
    public var window = 64
    /// After this time without an acknowledgement, a message is delivered again.
    public var redeliveryTime = Duration.seconds(30)
    /// Whether the last values of the topics come first.
    public var wantsRetained = true
    /// Messages that came through this bridge are not delivered; `""` for any bridge.
    public var excludedOrigin: String?
    /// A subscription with a name keeps messages while nobody is attached, and in durable topics
    /// over restarts. At most 255 bytes. Only with `acknowledges`.
    public var name: String?

    public init() {}
}

/// Messages for one client, in the order in which they were published.
///
/// One task waits at a time. When the last reference is released, the subscription ends; one with a
/// name keeps its messages for the next client that attaches to it.
public final class Subscription: Sendable {
    private let broker: Broker
    private let subscriber: Subscriber
    private let number: UInt64

    init(_ broker: Broker, _ attached: AttachedSubscriber, _ options: SubscriptionOptions) {
        self.broker = broker
        subscriber = attached.subscriber
        number = attached.attachment
    }

    deinit { cancel() }

    /// Ends the subscription, or detaches from one with a name: what was not acknowledged is
    /// delivered to the next client.
    public func cancel() {
        broker.perform { [subscriber, number] in $0.detach(subscriber, number) }
    }

    /// The next message, if one is there.
    ///
    /// - Throws: `.ended`.
    public func nextNow() throws(BrokerError) -> Delivery? {
        let now = SystemClock.monotonic.now
        let result = broker.perform { [subscriber, number] in
            $0.take(subscriber, number, now: now)
        }
        return try result.get()
    }

    /// The next message; waits for one.
    ///
    /// - Throws: `.ended`, `.cancelled`, `.busy`.
    public func next() async throws(BrokerError) -> Delivery {
        while true {
            if let delivery = try nextNow() { return delivery }
            try await wait()
        }
    }

    /// Waits until a message may be there, or the subscription has ended.
    private func wait() async throws(BrokerError) {
        let waiter = SubscriptionWaiter()
        let (subscriber, number, broker) = (subscriber, number, broker)
        let isFree = await withTaskCancellationHandler {
            await unsafe withUnsafeContinuation {
                (continuation: UnsafeContinuation<Bool, Never>) in
                unsafe waiter.set(continuation)
                let outcome = broker.state.withLock { state in
                    state.wait(subscriber, number, waiter, now: SystemClock.monotonic.now)
                }
                switch outcome {
                case .waits: break
                case .ready: waiter.resume()
                case .busy: waiter.resume(false)
                }
            }
        } onCancel: {
            broker.perform { $0.stopWaiting(subscriber, waiter) }
            waiter.resume()
        }
        if Task.isCancelled { throw .cancelled }
        if !isFree { throw .busy }
    }

    /// Sets a closure that is called whenever a message may be there, or the subscription has
    /// ended: on any thread, without a lock. At once if there is something already. For code that
    /// cannot await: a guest's wait for a `WakeSource`.
    public func onReady(_ body: (@Sendable () -> Void)?) {
        broker.perform { [subscriber, number] in
            $0.setOnReady(subscriber, number, body, now: SystemClock.monotonic.now)
        }
    }

    /// Acknowledges a delivery: it is not repeated. For a durable message, that is on the disk soon
    /// after; after the process was killed it may be delivered once more.
    ///
    /// - Returns: false if it was acknowledged before, or is not of this subscription.
    @discardableResult
    public func acknowledge(_ delivery: Delivery) -> Bool {
        let sequence = delivery.message.sequence
        return broker.perform { [subscriber, number] in
            $0.acknowledge(subscriber, number, sequence)
        }
    }

    /// Messages that wait, taken and not acknowledged ones among them.
    public var count: Int { broker.state.withLock { [subscriber] _ in subscriber.count } }
}

/// A task that waits for a message; resumed once.
final class SubscriptionWaiter: Sendable {
    @safe private enum State: @unchecked Sendable {
        case new
        case waiting(UnsafeContinuation<Bool, Never>)
        case resumed(Bool)
    }

    private let state = Mutex(State.new)

    func set(_ continuation: UnsafeContinuation<Bool, Never>) {
        let result = state.withLock { state -> Bool? in
            if case .resumed(let result) = state { return result }
            unsafe state = .waiting(continuation)
            return nil
        }
        if let result { unsafe continuation.resume(returning: result) }
    }

    func resume(_ result: Bool = true) {
        let before = state.withLock { state in
            defer { state = .resumed(result) }
            return state
        }
        if case .waiting(let continuation) = before {
            unsafe continuation.resume(returning: result)
        }
    }
}
