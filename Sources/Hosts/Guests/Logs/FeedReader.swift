import WasmdEventLoop

/// A subscription of one task, which waits for a time only: for streams of events that look at other
/// things between two elements.
public final class FeedReader<Element: Sendable>: @unchecked Sendable {
    // Soundness: used by one task of one loop at a time: `next` waits for the task that it starts.
    private var subscription: FeedSubscription<Element>

    public init(_ subscription: FeedSubscription<Element>) { self.subscription = subscription }

    /// The next elements; nil if there are none until a time, or the task was cancelled.
    ///
    /// - Throws: `LoopError`
    public func next(
        until deadline: LoopInstant, on loop: EventLoop
    ) async throws -> FeedSubscription<Element>.Batch? {
        try await loop.withDeadline(deadline) { [self] in await subscription.next() }
    }

    /// The elements that are there already; nil if there are none.
    public func nextNow() -> FeedSubscription<Element>.Batch? { subscription.nextNow() }
}
