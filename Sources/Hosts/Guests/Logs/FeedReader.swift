import WasmdEventLoop

/// A subscription of one task, which waits for a time only: for streams of events that look at other
/// things between two elements.
///
/// A wait starts no task: it is a timer and an entry in the feed, which stays there from one wait to
/// the next while nothing comes.
public final class FeedReader<Element: Sendable>: @unchecked Sendable {
    // Soundness: used by one task of one loop at a time; the timer's call comes on this loop and
    // concerns the waiter only, which has a lock.
    private var subscription: FeedSubscription<Element>
    /// Known to the feed until it is resumed.
    private var waiter: FeedWaiter?

    public init(_ subscription: FeedSubscription<Element>) { self.subscription = subscription }

    deinit { if let waiter { subscription.forget(waiter) } }

    /// The next elements; nil if there are none until a time, or the task was cancelled.
    ///
    /// - Throws: `LoopError.wrongLoop`
    public func next(
        until deadline: LoopInstant, on loop: EventLoop
    ) async throws -> FeedSubscription<Element>.Batch? {
        guard loop.isCurrent else { throw LoopError.wrongLoop }
        while !Task.isCancelled {
            if let batch = subscription.nextNow() { return batch }
            if LoopInstant.now >= deadline { return nil }
            let waiter = self.waiter ?? FeedWaiter()
            let timer = LoopTimer(at: deadline, on: loop) { waiter.interrupt() }
            await subscription.wait(waiter, isNew: self.waiter == nil)
            timer.cancel()
            self.waiter = waiter.isResumed ? nil : waiter
        }
        return nil
    }

    /// The elements that are there already; nil if there are none.
    public func nextNow() -> FeedSubscription<Element>.Batch? { subscription.nextNow() }
}
