import Synchronization

/// Messages of other threads to the thread of a poller: a queue with a lock, which is held to
/// append or to exchange the array, and a wake-up.
///
/// Messages of one sender arrive in the order in which they were sent. The queue is not bounded: a
/// sender for untrusted clients must limit its messages.
public final class Mailbox<Message: Sendable>: Sendable {
    private let waker: Waker
    private let messages = Mutex<[Message]>([])

    /// - Parameter waker: that of the poller whose thread takes the messages.
    public init(_ waker: Waker) { self.waker = waker }

    /// Sends a message; from any thread, but not from a signal handler. Only the first one after
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
            // Most waits end for another reason than a message.
            if messages.isEmpty { return [] }
            var taken: [Message] = []
            swap(&taken, &messages)
            return taken
        }
    }
}
