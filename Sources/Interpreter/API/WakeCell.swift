// Invariant: `place` is 0 or the address of one of `places`, which only grow; so an address that
// was read is valid as long as the cell exists.

import Synchronization

/// Wakes one waiting guest, so that it checks again.
///
/// Each `Execution` has one, and each `InterruptHandle`. A loop attaches them to its `WakeQueue`,
/// which lists those that were woken.
public final class WakeCell: Sendable {
    private let woken = Atomic(false)
    /// The entry in the queue that the cell is added to when it is woken.
    private let place = Atomic<UInt>(0)
    private let places = Mutex<[WakeQueue.Place]>([])
    /// Also woken: the thread of a store that waits by itself.
    private let thread: InterruptHandle?

    public init() { thread = nil }

    /// A cell that wakes the thread on which the guest of a store waits.
    init(thread: InterruptHandle) { self.thread = thread }

    /// Wakes the guest. May be called on any thread, and from a signal handler. Costs one or two
    /// atomic accesses, and a system call if the queue was empty.
    public func wake() {
        woken.store(true, ordering: .sequentiallyConsistent)
        thread?.notify()
        // `attach` reads `woken` after setting the place, so one of both sees the other's change.
        push()
    }

    private func push() {
        let address = place.load(ordering: .sequentiallyConsistent)
        guard let place = UnsafeRawPointer(bitPattern: address) else { return }
        Unmanaged<WakeQueue.Place>.fromOpaque(place)._withUnsafeGuaranteedRef {
            $0.queue.push(self, at: $0)
        }
    }

    /// Adds the cell to `queue` whenever it is woken, and at once if it was woken already. It is
    /// added only to the queue that it was attached to last.
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

    /// Resets the cell.
    func reset() { woken.store(false, ordering: .sequentiallyConsistent) }
}

/// Wakes guests that wait for a stream or another object of the embedder.
///
/// A function that finds nothing waits for the next turn:
///
///     let turn = source.turn
///     if let value = take() { return value }
///     var wait = Wait()
///     wait.add(source, since: turn)
///     throw Suspension(wait) { ... }
///
/// and the code that makes it available calls `signal()` afterwards, on any thread.
public final class WakeSource: Sendable {
    private struct State {
        var turn: UInt64 = 0
        var cells: [WakeCell] = []
    }

    private let state = Mutex(State())

    public init() {}

    /// The number of signals so far.
    public var turn: UInt64 { state.withLock { $0.turn } }

    /// Wakes all guests that wait for the source. Takes a lock: not for signal handlers.
    public func signal() {
        state.withLock { state in
            state.turn &+= 1
            // Under the lock, so that no cell is woken after it was unsubscribed.
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

    /// Removes a subscription. Does nothing if the cell was woken before.
    public func unsubscribe(_ cell: WakeCell) {
        state.withLock { state in
            if let index = state.cells.firstIndex(where: { $0 === cell }) {
                state.cells.remove(at: index)
            }
        }
    }
}

extension Wait {
    /// Subscribes `cell` to all sources.
    func subscribe(_ cell: WakeCell) {
        for (source, turn) in sources { source.subscribe(cell, since: turn) }
    }

    func unsubscribe(_ cell: WakeCell) {
        for (source, _) in sources { source.unsubscribe(cell) }
    }
}
