// Invariant: the descriptor is this object's own, open from init to deinit.

import Glibc
import Synchronization

/// Wakes the thread of one poller, from any thread and from signal handlers: eventfd(2).
///
/// For a thread that does not sleep this takes no call of the kernel: it only prevents the next
/// sleep.
public final class Waker: Sendable {
    private enum State {
        static let awake: UInt8 = 0
        static let asleep: UInt8 = 1
        /// `wake` was called.
        static let called: UInt8 = 2
    }

    private let state = Atomic(State.awake)
    /// Readable after a sleeping thread was woken.
    let descriptor: Int32

    init() throws(SystemError) {
        let made = try retrying { symbol_eventfd(0, O_CLOEXEC | O_NONBLOCK) }
        descriptor = try Kernel.aboveStandardStreams(made)
    }

    deinit { try? Kernel.close(descriptor) }

    /// Ends the wait of the poller's thread, or the next one if it is not waiting. The thread sees
    /// all memory that was written before. At most one call of the kernel for each sleep.
    public func wake() {
        let old = state.exchange(State.called, ordering: .acquiringAndReleasing)
        if old == State.asleep { WakeEvent.signal(descriptor) }
    }

    /// The thread is about to sleep; false if `wake` was called since the last sleep.
    func beginSleep() -> Bool {
        state.compareExchange(
            expected: State.awake, desired: State.asleep, ordering: .acquiringAndReleasing
        ).exchanged
    }

    /// The thread is awake.
    func endSleep() {
        _ = state.exchange(State.awake, ordering: .acquiringAndReleasing)
    }

    /// Makes the descriptor unreadable. It may become readable again without a reason, if `wake`
    /// was called just when the thread woke up by itself.
    func clear() { WakeEvent.clear(descriptor) }
}
