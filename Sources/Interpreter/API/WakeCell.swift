// Invariant: `place` is 0 or the address of one of `places`, which grow only; so whoever has read it
// may use it as long as the cell lives.

import Synchronization

/// Where somebody says that one waiting guest is to be looked at again.
///
/// Each `Execution` has one, and each `InterruptHandle`. A loop attaches them to its `WakeQueue` and
/// finds there which of its guests were woken.
public final class WakeCell: Sendable {
    private let woken = Atomic(false)
    /// Where the cell goes when it is woken.
    private let place = Atomic<UInt>(0)
    private let places = Mutex<[WakeQueue.Place]>([])
    /// What is woken besides: the thread of a store that waits by itself.
    private let thread: InterruptHandle?

    public init() { thread = nil }

    /// A cell that wakes the thread on which the guest of a store waits.
    init(thread: InterruptHandle) { self.thread = thread }

    /// Says that whoever waits is to look again. From any thread, also from a signal handler. Costs an
    /// atomic access or two, and a system call if the queue was empty.
    public func wake() {
        woken.store(true, ordering: .sequentiallyConsistent)
        thread?.notify()
        // Whoever attaches a queue looks at `woken` afterwards: one of both sees what the other did.
        push()
    }

    private func push() {
        let address = place.load(ordering: .sequentiallyConsistent)
        guard let place = UnsafeRawPointer(bitPattern: address) else { return }
        Unmanaged<WakeQueue.Place>.fromOpaque(place)._withUnsafeGuaranteedRef {
            $0.queue.push(self, at: $0)
        }
    }

    /// Puts the cell into `queue` from now on when it is woken, and at once if it was woken already.
    /// It goes into one queue at a time: the last one that it was attached to.
    public func attach(to queue: WakeQueue) {
        let address = places.withLock { places -> UInt in
            let known = places.first { $0.queue === queue }
            let place = known ?? WakeQueue.Place(self, in: queue)
            if known == nil { places.append(place) }
            return UInt(bitPattern: Unmanaged.passUnretained(place).toOpaque())
        }
        if place.load(ordering: .relaxed) != address {
            place.store(address, ordering: .sequentiallyConsistent)
        }
        if isWoken { push() }
    }

    /// Whether it was woken since the guest began to wait.
    public var isWoken: Bool { woken.load(ordering: .sequentiallyConsistent) }

    /// Forgets what was said before.
    func reset() { woken.store(false, ordering: .sequentiallyConsistent) }
}

/// Tells guests that a stream or another object of the embedder may have something for them.
///
/// Whoever finds nothing waits for the next turn:
///
///     let turn = source.turn
///     if let value = take() { return value }
///     var wait = Wait()
///     wait.add(source, since: turn)
///     throw Suspension(wait) { ... }
///
/// and whoever puts something there calls `signal()` afterwards, on any thread.
public final class WakeSource: Sendable {
    private struct State {
        var turn: UInt64 = 0
        var cells: [WakeCell] = []
    }

    private let state = Mutex(State())

    public init() {}

    /// How often the source was signalled.
    public var turn: UInt64 { state.withLock { $0.turn } }

    /// Wakes all that wait for the source. Takes a lock: not for signal handlers.
    public func signal() {
        state.withLock { state in
            state.turn &+= 1
            // Under the lock: who unsubscribes is not woken any more.
            for cell in state.cells { cell.wake() }
            state.cells.removeAll(keepingCapacity: true)
        }
    }

    /// Wakes `cell` with the next signal, once; at once if there was one since `turn`.
    public func subscribe(_ cell: WakeCell, since turn: UInt64) {
        state.withLock { state in
            guard state.turn == turn else { return cell.wake() }
            state.cells.append(cell)
        }
    }

    /// Takes back what `subscribe` did. Nothing happens if the cell was woken before.
    public func unsubscribe(_ cell: WakeCell) {
        state.withLock { state in
            if let index = state.cells.firstIndex(where: { $0 === cell }) {
                state.cells.remove(at: index)
            }
        }
    }
}

extension Wait {
    /// Lets the sources wake `cell`.
    func subscribe(_ cell: WakeCell) {
        for (source, turn) in sources { source.subscribe(cell, since: turn) }
    }

    func unsubscribe(_ cell: WakeCell) {
        for (source, _) in sources { source.unsubscribe(cell) }
    }
}
