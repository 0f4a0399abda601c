// Invariant: the descriptor is this object's own, open from init to deinit.

import Glibc
import Synchronization

/// Wakes the thread of one poller, from any thread and from handlers of signals: eventfd(2).
///
/// A thread that does not sleep is not woken by a call of the kernel: it is told not to sleep next.
public final class Waker: Sendable {
    private enum State {
        static let awake: UInt8 = 0
        static let asleep: UInt8 = 1
        /// Somebody wants the thread awake.
        static let called: UInt8 = 2
    }

    private let state = Atomic(State.awake)
    /// Readable when a thread that sleeps has been called.
    let descriptor: Int32

    init() throws(SystemError) {
        let made = try retrying { symbol_eventfd(0, O_CLOEXEC | O_NONBLOCK) }
        descriptor = try Kernel.aboveStandardStreams(made)
    }

    deinit { try? Kernel.close(descriptor) }

    /// Ends the wait of the poller's thread, or the next one if it is not waiting. What was stored
    /// before is seen by the thread afterwards. One call of the kernel at most for each sleep.
    public func wake() {
        let old = state.exchange(State.called, ordering: .acquiringAndReleasing)
        if old == State.asleep { WakeEvent.signal(descriptor) }
    }

    /// The thread is about to sleep; false if somebody called since it last did.
    func beginSleep() -> Bool {
        state.compareExchange(
            expected: State.awake, desired: State.asleep, ordering: .acquiringAndReleasing
        ).exchanged
    }

    /// The thread does not sleep (any more).
    func endSleep() {
        _ = state.exchange(State.awake, ordering: .acquiringAndReleasing)
    }

    /// The descriptor was readable. It may become so again, without a reason, if somebody called just
    /// when the thread woke up by itself.
    func clear() { WakeEvent.clear(descriptor) }
}
