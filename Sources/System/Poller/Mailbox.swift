import Synchronization

/// What other threads tell the thread of a poller: a queue behind a lock that is held for an append
/// or an exchange of arrays, and a wake-up.
///
/// Messages of one sender arrive in the order in which they were sent. Nothing bounds the queue: who
/// sends on behalf of others counts what is under way.
public final class Mailbox<Message: Sendable>: Sendable {
    private let waker: Waker
    private let messages = Mutex<[Message]>([])

    /// - Parameter waker: that of the poller whose thread takes the messages.
    public init(_ waker: Waker) { self.waker = waker }

    /// Sends a message; from any thread, not from a handler of a signal. Only the first one after
    /// `takeAll` wakes the thread.
    public func send(_ message: Message) {
        let isFirst = messages.withLock { messages in
            messages.append(message)
            return messages.count == 1
        }
        if isFirst { waker.wake() }
    }

    /// Takes all messages, in order. To be called after each wait of the poller.
    public func takeAll() -> [Message] {
        messages.withLock { messages in
            // Most waits end for other reasons.
            if messages.isEmpty { return [] }
            var taken: [Message] = []
            swap(&taken, &messages)
            return taken
        }
    }
}
