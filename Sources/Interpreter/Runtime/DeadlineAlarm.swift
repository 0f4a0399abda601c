// Invariant: `word` is allocated for the lifetime of the process and never moves. The list keeps
// its handles; they are removed only under the lock.

import Synchronization
import WasmSystem

/// Notifies stores whose deadline has passed: sets a bit of their `InterruptHandle`, which the
/// machine checks after each call of the host.
///
/// The store reads the clock when a guest's budget is used up, which may be 50,000 calls of host
/// functions. Reading it after each call would double the cost of a call; after each hundredth
/// would be late by a hundred slow calls. So one thread of the process sleeps until the next
/// deadline, and the machine reads one word that is in its cache.
///
/// The thread is started with the first deadline, and ends when there was none for a while. If the
/// system refuses it, the bit is always set, and each check reads the clock.
final class DeadlineAlarm: Sendable {
    static let shared = DeadlineAlarm()

    private struct State {
        /// Handles with a deadline, and some that had one.
        var handles: [InterruptHandle] = []
        /// At this size, handles without a deadline are removed.
        var sizeOfNextCleaning = 64
        var hasThread = false
        var isThreadRefused = false
    }

    private let state = Mutex(State())
    /// Changes when there is an earlier deadline than the thread waits for.
    nonisolated(unsafe) private let word: Futex.Word
    /// When the thread checks next; `never` also while it determines that.
    private let wakeTime = Atomic<Int64>(DeadlineAlarm.never)
    /// The time 0 of the alarm's scale.
    static let origin = ContinuousClock.now

    /// A time that is never reached.
    static let never = Int64.max
    /// Nanoseconds between two checks, so that many successive deadlines cost little.
    private static let granularity: Int64 = 100_000
    /// The longest sleep, because the clock of the sleep stops while the machine is suspended.
    private static let longestSleep: Int64 = 10_000_000_000
    /// How long the thread stays without a deadline to wait for.
    private static let longestIdleTime: Int64 = 250_000_000

    private init() {
        word = .allocate(capacity: 1)
        word.initialize(to: Atomic(0))
    }

    /// Nanoseconds on the alarm's scale; never before 0, and `never` if too far away.
    private func time(of duration: Duration) -> Int64 {
        // More than two centuries.
        let limit: UInt64 = 8_589_934_592_000_000_000
        let span = duration.nanoseconds(atMost: limit)
        return span == limit ? Self.never : Int64(clamping: span)
    }

    // MARK: Setting

    /// Sets the bit of `handle` at `deadline`, which is the time since `origin`, or at once if that
    /// is in the past, and not at a time that was set before. Called by the thread of the handle's
    /// store.
    func set(_ handle: InterruptHandle, to deadline: Duration) {
        let time = time(of: deadline)
        // The thread may read the old time, remove the handle from its list, and check again: one
        // of both sees the other's change.
        handle.alarm.time.store(time, ordering: .sequentiallyConsistent)
        guard time != Self.never else { return }
        if !handle.alarm.isListed.load(ordering: .sequentiallyConsistent), !list(handle) {
            return handle.ring()
        }
        if time < wakeTime.load(ordering: .sequentiallyConsistent) {
            word.pointee.wrappingAdd(1, ordering: .sequentiallyConsistent)
            Futex.wake(word)
        }
    }

    /// False if there is no thread that would check the list.
    private func list(_ handle: InterruptHandle) -> Bool {
        state.withLock { state in
            if !state.hasThread {
                guard !state.isThreadRefused, startThread() else {
                    state.isThreadRefused = true
                    return false
                }
                state.hasThread = true
            }
            if handle.alarm.isListed.load(ordering: .relaxed) { return true }
            if state.handles.count >= state.sizeOfNextCleaning {
                ring(in: &state, at: -1)
                state.sizeOfNextCleaning = max(64, state.handles.count * 2)
            }
            state.handles.append(handle)
            handle.alarm.isListed.store(true, ordering: .sequentiallyConsistent)
            return true
        }
    }

    // MARK: The thread

    private func startThread() -> Bool {
        // Other threads of the program handle signals.
        SystemThread.startDetached(SystemThread.Options("wasmd-deadline", takesSignals: false)) {
            self.run()
        }
    }

    private func run() {
        while true {
            let ticket = word.pointee.load(ordering: .sequentiallyConsistent)
            // A deadline that is set from here on changes the word.
            wakeTime.store(Self.never, ordering: .sequentiallyConsistent)
            let now = time(of: Self.origin.duration(to: .now))
            let next = state.withLock { ring(in: &$0, at: now) }
            let wake = next == Self.never ? next : max(next, now + Self.granularity)
            wakeTime.store(wake, ordering: .sequentiallyConsistent)
            guard wake == Self.never else {
                Futex.wait(word, while: ticket, nanoseconds: min(wake - now, Self.longestSleep))
                continue
            }
            Futex.wait(word, while: ticket, nanoseconds: Self.longestIdleTime)
            if word.pointee.load(ordering: .sequentiallyConsistent) == ticket, isOver() { return }
        }
    }

    /// Whether the thread ends: whoever lists a handle from then on starts another one.
    private func isOver() -> Bool {
        state.withLock { state in
            guard state.handles.isEmpty else { return false }
            state.hasThread = false
            return true
        }
    }

    /// Rings for the handles that are due, and removes them and those without a time from the list.
    ///
    /// - Returns: the earliest time of the others.
    @discardableResult
    private func ring(in state: inout State, at now: Int64) -> Int64 {
        var next = Self.never
        var index = 0
        while index < state.handles.count {
            let handle = state.handles[index]
            let time = handle.alarm.time.load(ordering: .sequentiallyConsistent)
            guard time <= now || time == Self.never else {
                next = min(next, time)
                index += 1
                continue
            }
            handle.alarm.isListed.store(false, ordering: .sequentiallyConsistent)
            guard handle.alarm.time.load(ordering: .sequentiallyConsistent) == time else {
                // It was given another time meanwhile: check again.
                handle.alarm.isListed.store(true, ordering: .sequentiallyConsistent)
                continue
            }
            // Not earlier: a store that sets the same time again clears the bit.
            if time <= now { handle.ring() }
            state.handles.swapAt(index, state.handles.count - 1)
            state.handles.removeLast()
        }
        return next
    }
}
