import WasmdBroker
import WasmdEventLoop

/// Messages through a broker of this process.
///
/// A module may lose messages that it does not take: beyond the limits of its queue the oldest are
/// dropped, so that it is not cut off.
public struct BrokerMessaging: Messaging {
    let broker: Broker
    private let permissions: TopicPermissions
    /// Receives what the host says about its own doing; nil to say nothing.
    private let note: (@Sendable (String) -> Void)?

    public init(
        _ broker: Broker, as permissions: TopicPermissions = .all,
        note: (@Sendable (String) -> Void)? = nil
    ) {
        self.broker = broker
        self.permissions = permissions
        self.note = note
    }

    public func publish(
        topic: String, message: [UInt8], _ share: TopicShare?, on loop: EventLoop
    ) async throws {
        // What the wire protocol ignores is ignored here as well.
        guard let name = TopicName(topic) else { return }
        do throws(BrokerError) {
            try await broker.publish(
                message, to: name, Broker.Publication(share: share), as: permissions)
        } catch .unknownTopic {
        } catch .full(let limit) where limit == share?.name {
            throw MessagingError.tooManyTopics(limit: share?.limit ?? 0)
        } catch {
            throw MessagingError(error)
        }
        guard let note else { return }
        let text = String(decoding: message, as: UTF8.self)
        note(
            "Publishing message '\(topic) \(text)' to topic '\(topic)' on the messaging layer via "
                + "host func.")
    }

    public func read(topic: String, on loop: EventLoop) async throws -> [UInt8] {
        guard let name = TopicName(topic) else { return try await Self.never(on: loop) }
        note?("Sending cmd 'read \(topic)' on the messaging layer via host func.")
        let found: BrokerMessage?
        do throws(BrokerError) {
            found = try broker.read(name, as: permissions)
        } catch .unknownTopic {
            return try await Self.never(on: loop)
        } catch {
            throw MessagingError(error)
        }
        let answer = Self.text(topic, found?.payload ?? Array("empty".utf8))
        if let note {
            let text = String(decoding: answer, as: UTF8.self)
            note("Received response from pubsub module: '\(text)'.")
        }
        return answer
    }

    /// Nothing answers for a topic that is not there.
    private static func never(on loop: EventLoop) async throws -> [UInt8] {
        try await loop.sleep(until: .never)
        return []
    }

    public func subscribe(topic: String, on loop: EventLoop) throws -> any MessageSubscription {
        guard let name = TopicName(topic) else { throw MessagingError.malformedTopic(topic) }
        return try Self.subscribe(name, to: broker, as: permissions, wantsRetained: true)
    }

    static func subscribe(
        _ topic: TopicName, to broker: Broker, as permissions: TopicPermissions,
        wantsRetained: Bool
    ) throws(MessagingError) -> any MessageSubscription {
        var options = SubscriptionOptions()
        options.whenFull = .drop
        options.wantsRetained = wantsRetained
        do throws(BrokerError) {
            return BrokerSubscription(
                try broker.subscribe([TopicPattern(topic)], options, as: permissions))
        } catch {
            throw MessagingError(error)
        }
    }

    /// A message as modules get it, with its topic, which they pass on.
    static func text(_ topic: String, _ message: [UInt8]) -> [UInt8] {
        // Strings of modules are UTF-8; messages that others publish need not be.
        Array("\(topic) \(String(decoding: message, as: UTF8.self))".utf8)
    }
}

private struct BrokerSubscription: MessageSubscription {
    let subscription: Subscription

    init(_ subscription: Subscription) { self.subscription = subscription }

    func next() async throws -> [UInt8] {
        do throws(BrokerError) {
            let message = try await subscription.next().message
            return BrokerMessaging.text(message.topic.text, message.payload)
        } catch {
            if error == .cancelled { throw LoopError.cancelled }
            throw MessagingError(error)
        }
    }

    func end() { subscription.cancel() }
}

extension MessagingError {
    init(_ error: BrokerError) {
        self =
            switch error {
            case .mayNotPublish(let topic), .mayNotRead(let topic): .notAllowed(topic: topic.text)
            case .mayNotSubscribe(let pattern): .notAllowed(topic: pattern.text)
            default: .refused("\(error)")
            }
    }
}
