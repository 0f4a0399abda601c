// Soundness: the continuation of a subscription is in the feed's `waiting` from the moment in which
// it waits; whoever removes it from there, under the lock, resumes it, once.

import Synchronization

/// The last elements of an endless sequence, and its subscribers.
///
/// ```swift
/// for await batch in feed.subscribe() { show(batch.elements, lost: batch.lost) }
/// ```
///
/// Elements are kept once, for all: a subscriber is a position in the sequence. So adding an element
/// never waits, takes the same time however many subscribers there are, and a subscriber that does
/// not keep up finds its position dropped: it loses elements and is told how many.
///
/// All methods may be called on any thread.
public final class Feed<Element: Sendable>: Sendable {
    private struct State {
        /// A ring: the element of number `n` is at `n % capacity`.
        var ring: [(element: Element, byteCount: Int)?] = []
        /// The number of the oldest element that is kept, and of the next one.
        var first: UInt64 = 0
        var next: UInt64 = 0
        var byteCount = 0
        var waiting: [FeedWaiter] = []
    }

    /// The most elements that are kept.
    public let capacity: Int
    /// The most bytes that the kept elements take, by the sizes given to `append`. One element is
    /// kept in any case.
    public let byteLimit: Int
    private let state = Mutex(State())

    public init(capacity: Int, byteLimit: Int = .max) {
        self.capacity = max(capacity, 1)
        self.byteLimit = max(byteLimit, 0)
    }

    /// Adds an element; the oldest are dropped if there are too many.
    public func append(_ element: Element, byteCount: Int = 0) {
        let woken = state.withLock { state -> [FeedWaiter] in
            let index = Int(truncatingIfNeeded: state.next % UInt64(capacity))
            if state.next - state.first == UInt64(capacity) { drop(&state) }
            if index == state.ring.count {
                state.ring.append((element, byteCount))
            } else {
                state.ring[index] = (element, byteCount)
            }
            state.next += 1
            state.byteCount &+= byteCount
            while state.byteCount > byteLimit, state.next - state.first > 1 { drop(&state) }
            guard !state.waiting.isEmpty else { return [] }
            defer { state.waiting.removeAll(keepingCapacity: true) }
            return state.waiting
        }
        for waiter in woken { waiter.resume() }
    }

    private func drop(_ state: inout State) {
        let index = Int(truncatingIfNeeded: state.first % UInt64(capacity))
        if let dropped = state.ring[index] { state.byteCount &-= dropped.byteCount }
        state.ring[index] = nil
        state.first += 1
    }

    /// The last elements, at most `count`, oldest first.
    public func last(_ count: Int = .max) -> [Element] {
        state.withLock { state in
            let kept = Int(truncatingIfNeeded: state.next - state.first)
            let start = state.next - UInt64(min(max(count, 0), kept))
            return elements(&state, start..<state.next)
        }
    }

    /// The newest element for which `matches` is true.
    public func lastElement(where matches: (Element) -> Bool) -> Element? {
        state.withLock { state in
            var number = state.next
            while number > state.first {
                number -= 1
                let index = Int(truncatingIfNeeded: number % UInt64(capacity))
                if let element = state.ring[index]?.element, matches(element) { return element }
            }
            return nil
        }
    }

    /// How many elements were added so far.
    public var count: UInt64 { state.withLock { $0.next } }

    /// Bytes of the kept elements.
    public var byteCount: Int { state.withLock { $0.byteCount } }

    private func elements(_ state: inout State, _ range: Range<UInt64>) -> [Element] {
        range.compactMap { state.ring[Int(truncatingIfNeeded: $0 % UInt64(capacity))]?.element }
    }

    /// The elements from now on.
    ///
    /// - Parameters:
    ///   - recent: how many of the last elements come first.
    ///   - batchLimit: the most elements that come at once.
    public func subscribe(recent: Int = 0, batchLimit: Int = 64) -> FeedSubscription<Element> {
        let position = state.withLock { state in
            let kept = Int(truncatingIfNeeded: state.next - state.first)
            return state.next - UInt64(min(max(recent, 0), kept))
        }
        return FeedSubscription(feed: self, position: position, batchLimit: max(batchLimit, 1))
    }

    /// The elements after a position; nil if there are none yet.
    fileprivate func batch(
        from position: inout UInt64, _ limit: Int
    ) -> FeedSubscription<Element>.Batch? {
        state.withLock { state in
            guard position < state.next else { return nil }
            let start = max(position, state.first)
            let end = min(state.next, start + UInt64(limit))
            let lost = start - position
            position = end
            return .init(elements: elements(&state, start..<end), first: start, lost: lost)
        }
    }

    /// Waits for an element after a position, or for the task's cancellation.
    ///
    /// - Parameter isNew: false if the waiter has waited before and was not resumed by an element:
    ///   then it is still known here.
    fileprivate func wait(after position: UInt64, _ waiter: FeedWaiter, isNew: Bool = true) async {
        await withTaskCancellationHandler {
            await unsafe withUnsafeContinuation { continuation in
                unsafe waiter.set(continuation)
                let waits = state.withLock { state in
                    guard state.next <= position, !Task.isCancelled else { return false }
                    if isNew { state.waiting.append(waiter) }
                    return true
                }
                if !waits { waiter.resume() }
            }
        } onCancel: {
            forget(waiter)
            waiter.resume()
        }
    }

    fileprivate func forget(_ waiter: FeedWaiter) {
        state.withLock { $0.waiting.removeAll { $0 === waiter } }
    }
}

/// A place in a `Feed`, which one task reads.
public struct FeedSubscription<Element: Sendable>: AsyncSequence, AsyncIteratorProtocol {
    /// Elements that follow each other.
    public struct Batch: Sendable {
        public let elements: [Element]
        /// The number of the first of them in the sequence; the others follow it.
        public let first: UInt64
        /// How many were dropped before them, because the subscriber was too slow.
        public let lost: UInt64
    }

    private let feed: Feed<Element>
    private var position: UInt64
    private let batchLimit: Int

    fileprivate init(feed: Feed<Element>, position: UInt64, batchLimit: Int) {
        self.feed = feed
        self.position = position
        self.batchLimit = batchLimit
    }

    public func makeAsyncIterator() -> FeedSubscription { self }

    /// The next elements; nil if there are none yet.
    public mutating func nextNow() -> Batch? { feed.batch(from: &position, batchLimit) }

    /// The next elements; waits for one. Nil once the task is cancelled.
    public mutating func next() async -> Batch? {
        while !Task.isCancelled {
            if let batch = feed.batch(from: &position, batchLimit) { return batch }
            await feed.wait(after: position, FeedWaiter())
        }
        return nil
    }

    /// Waits for an element, for the waiter's other callers, or for the task's cancellation.
    func wait(_ waiter: FeedWaiter, isNew: Bool) async {
        await feed.wait(after: position, waiter, isNew: isNew)
    }

    /// Removes a waiter of which no task waits.
    func forget(_ waiter: FeedWaiter) { feed.forget(waiter) }
}

/// Resumes a continuation at the first of two calls of `resume`, or as soon as it is set;
/// `interrupt` resumes it and lets the waiter be used again.
final class FeedWaiter: Sendable {
    @safe private enum State: @unchecked Sendable {
        case new
        case waiting(UnsafeContinuation<Void, Never>)
        case resumed
    }

    private let state = Mutex(State.new)

    func set(_ continuation: UnsafeContinuation<Void, Never>) {
        let isResumed = state.withLock { state in
            if case .resumed = state { return true }
            unsafe state = .waiting(continuation)
            return false
        }
        if isResumed { unsafe continuation.resume() }
    }

    /// Whether `resume` was called.
    var isResumed: Bool {
        state.withLock { state in
            if case .resumed = state { true } else { false }
        }
    }

    /// Ends the wait of a task, if one waits.
    func interrupt() {
        let before = state.withLock { state in
            let before = state
            if case .waiting = state { state = .new }
            return before
        }
        if case .waiting(let continuation) = before { unsafe continuation.resume() }
    }

    func resume() {
        let before = state.withLock { state in
            defer { state = .resumed }
            return state
        }
        if case .waiting(let continuation) = before { unsafe continuation.resume() }
    }
}
