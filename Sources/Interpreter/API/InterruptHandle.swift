import Synchronization

/// Stops the guest of a store from another thread or from a signal handler.
///
///     let handle = store.interruptHandle
///     // elsewhere
///     handle.interrupt()
///
/// The running guest traps with `TrapCode.interrupted` within about a millisecond. When none runs,
/// the next call into the store traps at once. One request stops one call.
public final class InterruptHandle: Sendable {
    private let isRequested = Atomic<Bool>(false)

    init() {}

    /// Asks the guest to stop. May be called at any time, also from a signal handler.
    public func interrupt() { isRequested.store(true, ordering: .releasing) }

    /// Takes back a request that no guest has seen yet.
    public func reset() { isRequested.store(false, ordering: .relaxed) }

    /// Whether a request is there; it is gone afterwards.
    func consume() -> Bool {
        // The plain load keeps the common case cheap.
        isRequested.load(ordering: .relaxed)
            && isRequested.exchange(false, ordering: .acquiring)
    }
}
