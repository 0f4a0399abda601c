import Synchronization

/// Stops the guest of a store from another thread or from a signal handler.
///
///     let handle = store.interruptHandle
///     // elsewhere
///     handle.interrupt()
///
/// The running guest traps with `TrapCode.interrupted` within about a millisecond, also when it
/// waits in `memory.atomic.wait`. When none runs, the next call into the store traps at once. One
/// request stops one call.
public final class InterruptHandle: Sendable {
    /// Bits of `word`.
    private static let requested: UInt32 = 1
    private static let notified: UInt32 = 2

    // What the store's thread parks on. Allocated, since waiting needs an address that stays.
    nonisolated(unsafe) private let word: Futex.Word

    init() {
        word = .allocate(capacity: 1)
        word.initialize(to: Atomic(0))
    }

    deinit {
        word.deinitialize(count: 1)
        word.deallocate()
    }

    /// Asks the guest to stop. May be called at any time, also from a signal handler.
    public func interrupt() {
        word.pointee.bitwiseOr(Self.requested, ordering: .releasing)
        Futex.wake(word)
    }

    /// Takes back a request that no guest has seen yet.
    public func reset() { word.pointee.bitwiseAnd(~Self.requested, ordering: .relaxed) }

    /// Whether a request is there; it is gone afterwards.
    func consume() -> Bool {
        // The plain load keeps the common case cheap.
        word.pointee.load(ordering: .relaxed) & Self.requested != 0
            && word.pointee.bitwiseAnd(~Self.requested, ordering: .acquiring).oldValue
                & Self.requested != 0
    }
}

// The store's thread waits for others.
extension InterruptHandle {
    /// Forgets a notification of an earlier wait.
    func prepareToPark() { word.pointee.bitwiseAnd(~Self.notified, ordering: .relaxed) }

    /// Ends the wait of the store's thread.
    func notify() {
        word.pointee.bitwiseOr(Self.notified, ordering: .releasing)
        Futex.wake(word)
    }

    var isNotified: Bool { word.pointee.load(ordering: .acquiring) & Self.notified != 0 }

    /// Parks the thread until it is notified or interrupted. May return early.
    ///
    /// - Parameter nanoseconds: how long at most; nil for ever.
    func park(nanoseconds: Int64?) { Futex.wait(word, while: 0, nanoseconds: nanoseconds) }
}
