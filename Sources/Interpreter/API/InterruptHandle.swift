import Synchronization
import WasmMachine
import WasmSystem

/// Stops the guest of a store from another thread or from a signal handler.
///
///     let handle = store.interruptHandle
///     // elsewhere
///     handle.interrupt()
///
/// The running guest traps with `TrapCode.interrupted` within about a millisecond, also when it
/// waits in `memory.atomic.wait` or in a call of WASI. When none runs, the next call into the store
/// traps at once. One request stops one call.
///
/// A guest that is suspended stops when it is resumed. A loop that runs it attaches `wakeCell` to
/// its `WakeQueue`, and so is woken by the request.
public final class InterruptHandle: Sendable {
    /// Bits of `word`.
    private static let requested = StopBits.requested
    private static let notified: UInt32 = 2
    /// The store's thread is parked on the word.
    private static let parked: UInt32 = 8
    /// The store's thread waits for descriptors, the handle's own among them.
    private static let polling: UInt32 = 16
    /// The store's deadline was over at the last check.
    private static let rung = StopBits.rung

    // The word that the store's thread parks on. Allocated, since waiting needs a stable address.
    nonisolated(unsafe) let word: Futex.Word
    /// When the bit `rung` is due.
    let alarm = Alarm()
    // The descriptor that the store's thread polls; -1 until it does so for the first time.
    private let eventDescriptor = Atomic<Int32>(-1)
    /// Is woken by each request.
    public let wakeCell = WakeCell()

    init() {
        word = .allocate(capacity: 1)
        word.initialize(to: Atomic(0))
    }

    deinit {
        WakeEvent.close(eventDescriptor.load(ordering: .relaxed))
        word.deinitialize(count: 1)
        word.deallocate()
    }

    /// Asks the guest to stop. May be called at any time, also from a signal handler.
    public func interrupt() {
        // The store's thread first makes the descriptor and then reads the word; here the order is
        // reversed, so that one of both sees the other's change.
        word.pointee.bitwiseOr(Self.requested, ordering: .sequentiallyConsistent)
        Futex.wake(word)
        WakeEvent.signal(eventDescriptor.load(ordering: .sequentiallyConsistent))
        wakeCell.wake()
    }

    /// Withdraws a request that no guest has taken yet.
    public func reset() {
        wakeCell.reset()
        word.pointee.bitwiseAnd(~Self.requested, ordering: .sequentiallyConsistent)
    }

    /// Takes a request; false if there is none.
    func consume() -> Bool {
        // The plain load keeps the common case cheap.
        hasRequest && take()
    }

    @inline(never)
    private func take() -> Bool {
        // In this order, so that the cell of a new request stays woken.
        wakeCell.reset()
        return word.pointee.bitwiseAnd(~Self.requested, ordering: .sequentiallyConsistent).oldValue
            & Self.requested != 0
    }

    /// Whether there is a request, without taking it.
    var hasRequest: Bool { word.pointee.load(ordering: .relaxed) & Self.requested != 0 }

    /// Whether the guest may have to stop: see `Store.mustStop`. Costs a load.
    @inline(__always)
    var hasStopBits: Bool { word.pointee.load(ordering: .relaxed) & StopBits.all != 0 }
}

// The deadline of the store; see `DeadlineAlarm`.
extension InterruptHandle {
    /// The alarm's state of a handle.
    struct Alarm: ~Copyable {
        let time = Atomic<Int64>(DeadlineAlarm.never)
        let isListed = Atomic(false)

        /// Removes the deadline.
        func cancel() { time.store(DeadlineAlarm.never, ordering: .sequentiallyConsistent) }
    }

    /// Signals that the deadline has passed, or must be checked.
    func ring() { word.pointee.bitwiseOr(Self.rung, ordering: .releasing) }

    /// Clears the signal of `ring()`; returns whether there was one.
    @discardableResult
    func silence() -> Bool {
        word.pointee.load(ordering: .relaxed) & Self.rung != 0
            && word.pointee.bitwiseAnd(~Self.rung, ordering: .acquiring).oldValue & Self.rung != 0
    }
}

extension InterruptHandle {
    /// A descriptor of the host that a request makes readable: for host functions that wait in
    /// `poll`. Nil if the system refuses; it is made at the first use.
    ///
    /// When it is readable, call `clearWakeDescriptor()` and then read `Store.stopRequest()`: there
    /// may be no request any more. The descriptor belongs to the handle, and is for the store's
    /// thread only.
    public var wakeDescriptor: Int32? {
        let known = eventDescriptor.load(ordering: .relaxed)
        if known >= 0 { return known }
        let made = WakeEvent.make()
        guard made >= 0 else { return nil }
        let (isFirst, first) = eventDescriptor.compareExchange(
            expected: -1, desired: made, ordering: .sequentiallyConsistent)
        guard isFirst else {
            WakeEvent.close(made)
            return first
        }
        // A request from before the descriptor was made is passed on.
        if word.pointee.load(ordering: .sequentiallyConsistent) & Self.requested != 0 {
            WakeEvent.signal(made)
        }
        return made
    }

    /// Makes the descriptor wait for the next request.
    public func clearWakeDescriptor() {
        WakeEvent.clear(eventDescriptor.load(ordering: .relaxed))
    }
}

// Waiting of the store's thread.
extension InterruptHandle {
    /// Clears a notification of an earlier wait.
    func prepareToPark() { word.pointee.bitwiseAnd(~Self.notified, ordering: .relaxed) }

    /// Ends the wait of the store's thread.
    func notify() {
        let before = word.pointee.bitwiseOr(Self.notified, ordering: .sequentiallyConsistent)
        if before.oldValue & Self.parked != 0 { Futex.wake(word) }
        if before.oldValue & Self.polling != 0 {
            WakeEvent.signal(eventDescriptor.load(ordering: .sequentiallyConsistent))
        }
    }

    /// Runs `body`, in which the store's thread waits for `wakeDescriptor`, unless it was notified
    /// or interrupted before.
    func polling(_ body: () -> Void) {
        let before = word.pointee.bitwiseOr(Self.polling, ordering: .sequentiallyConsistent)
        if before.oldValue & (Self.requested | Self.notified) == 0 { body() }
        word.pointee.bitwiseAnd(~Self.polling, ordering: .sequentiallyConsistent)
    }

    /// Parks the thread until it is notified or interrupted. May return early.
    ///
    /// - Parameter nanoseconds: the longest wait; nil for no limit.
    func park(nanoseconds: Int64?) {
        let value = word.pointee.bitwiseOr(Self.parked, ordering: .sequentiallyConsistent).newValue
        if value & (Self.requested | Self.notified) == 0 {
            Futex.wait(word, while: value, nanoseconds: nanoseconds)
        }
        word.pointee.bitwiseAnd(~Self.parked, ordering: .sequentiallyConsistent)
    }
}
