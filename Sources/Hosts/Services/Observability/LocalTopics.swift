import Synchronization
import WasmInterpreter
import WasmdEventLoop
import WasmdGuests

/// Subscriptions of modules to what other modules of the same process publish.
///
/// Each has a queue of limited size, and loses its oldest messages if it is not read.
final class LocalTopics: Sendable {
    /// Messages that wait for a subscriber, at most, and their bytes.
    static let countLimit = 1024
    static let byteLimit = 4 << 20

    private let subscribers = Mutex<[String: [LocalSubscription]]>([:])

    /// Passes a message, as subscribers get it, to all subscribers of a topic.
    func deliver(_ message: [UInt8], topic: String) {
        let receivers = subscribers.withLock { $0[topic] ?? [] }
        for receiver in receivers { receiver.add(message) }
    }

    func subscribe(_ topic: String, on loop: EventLoop) -> LocalSubscription {
        let subscription = LocalSubscription(topic, self, loop)
        subscribers.withLock { $0[topic, default: []].append(subscription) }
        return subscription
    }

    fileprivate func remove(_ subscription: LocalSubscription) {
        subscribers.withLock { subscribers in
            subscribers[subscription.topic]?.removeAll { $0 === subscription }
            if subscribers[subscription.topic]?.isEmpty == true {
                subscribers[subscription.topic] = nil
            }
        }
    }
}

/// See `LocalTopics`.
final class LocalSubscription: MessageSubscription {
    fileprivate let topic: String
    private let topics: LocalTopics
    private let loop: EventLoop
    private let state = Mutex(State())

    private struct State: Sendable {
        var waiting: [[UInt8]] = []
        var byteCount = 0
        /// A task that sleeps until there is a message.
        var sleeper: LoopTask<Void>?
        var hasEnded = false
    }

    fileprivate init(_ topic: String, _ topics: LocalTopics, _ loop: EventLoop) {
        self.topic = topic
        self.topics = topics
        self.loop = loop
    }

    fileprivate func add(_ message: [UInt8]) {
        let sleeper = state.withLock { state -> LoopTask<Void>? in
            state.waiting.append(message)
            state.byteCount += message.count
            while state.waiting.count > LocalTopics.countLimit
                || state.byteCount > LocalTopics.byteLimit && state.waiting.count > 1
            {
                state.byteCount -= state.waiting.removeFirst().count
            }
            return state.sleeper.take()
        }
        sleeper?.cancel()
    }

    func next() async throws -> [UInt8] {
        while true {
            let loop = loop
            let found = state.withLock { state -> (message: [UInt8]?, sleeper: LoopTask<Void>?) in
                if !state.waiting.isEmpty {
                    let message = state.waiting.removeFirst()
                    state.byteCount -= message.count
                    return (message, nil)
                }
                if state.hasEnded { return (nil, nil) }
                let sleeper = loop.spawn { _ = try? await loop.sleep(until: .never) }
                state.sleeper = sleeper
                return (nil, sleeper)
            }
            if let message = found.message { return message }
            guard let sleeper = found.sleeper else {
                throw MessagingError.ended("it was closed")
            }
            await withTaskCancellationHandler {
                await sleeper.value
            } onCancel: {
                sleeper.cancel()
            }
            if Task.isCancelled { throw LoopError.cancelled }
        }
    }

    func end() {
        let sleeper = state.withLock { state -> LoopTask<Void>? in
            state.hasEnded = true
            state.waiting = []
            return state.sleeper.take()
        }
        sleeper?.cancel()
        topics.remove(self)
    }
}
