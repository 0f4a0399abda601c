// Invariants: `head` is 0 or the address of the first of a list of places that are linked by
// `next`; the cell of each was retained once, and keeps its place. A place is in the list while
// `isQueued`. The list is always taken as a whole.

import Synchronization
import WasmSystem

/// Lists the guests of a loop that were woken or interrupted, with one descriptor for any number of
/// guests.
///
///     let queue = WakeQueue()
///     execution.wakeCell.attach(to: queue)
///     store.interruptHandle.wakeCell.attach(to: queue)
///     // when `queue.descriptor` is readable
///     queue.drain { cell in ... }
///
/// Cells are added on any thread, also in signal handlers; one thread drains the queue.
public final class WakeQueue: Sendable {
    /// Readable while there may be cells: an `eventfd`. -1 if the system refuses.
    public let descriptor: Int32
    private let isOwned: Bool
    private let head = Atomic<UInt>(0)
    private let isClosed = Atomic(false)
    /// The thread that runs `collect`, whose own wakes need no signal; 0 while none does.
    private let collector = Atomic<UInt>(0)

    /// A queue with a descriptor of its own.
    public init() {
        descriptor = WakeEvent.make()
        isOwned = true
    }

    /// A queue that makes a descriptor of the caller readable, which must outlive the queue.
    ///
    /// - Parameter descriptor: a nonblocking `eventfd`.
    public init(signalling descriptor: Int32) {
        self.descriptor = descriptor
        isOwned = false
    }

    deinit {
        takeAll { _ in }
        if isOwned { WakeEvent.close(descriptor) }
    }

    /// A cell's entry in the list of a queue.
    final class Place: Sendable {
        let queue: WakeQueue
        /// The cell that owns the entry.
        let cell: UInt
        let next = Atomic<UInt>(0)
        let isQueued = Atomic(false)

        init(_ cell: WakeCell, in queue: WakeQueue) {
            self.queue = queue
            self.cell = UInt(bitPattern: Unmanaged.passUnretained(cell).toOpaque())
        }
    }

    /// Makes the descriptor readable without a cell.
    public func signal() { WakeEvent.signal(descriptor) }

    /// Removes all cells and passes each to `body`, in no particular order. A cell that is woken
    /// from then on is added again.
    public func drain(_ body: (WakeCell) -> Void) {
        // From here on, a push to an empty list makes the descriptor readable again.
        WakeEvent.clear(descriptor)
        takeAll(body)
    }

    /// Runs `change`, and passes the cells that it wakes to `body`, in no particular order, with those
    /// that other threads have woken. For the thread that drains the queue: what it wakes itself
    /// costs no system call.
    public func collect(_ change: () -> Void, _ body: (WakeCell) -> Void) {
        collector.store(NativeStack.thread, ordering: .relaxed)
        change()
        collector.store(0, ordering: .relaxed)
        takeAll(body)
    }

    /// Accepts no more cells, and releases those that it has. A queue that is no longer drained
    /// would form a cycle with its woken cells.
    public func close() {
        isClosed.store(true, ordering: .sequentiallyConsistent)
        takeAll { _ in }
    }

    private func takeAll(_ body: (WakeCell) -> Void) {
        var next = head.exchange(0, ordering: .acquiringAndReleasing)
        while let pointer = UnsafeRawPointer(bitPattern: next) {
            let address = Unmanaged<Place>.fromOpaque(pointer)._withUnsafeGuaranteedRef {
                next = $0.next.load(ordering: .relaxed)
                $0.isQueued.store(false, ordering: .sequentiallyConsistent)
                return $0.cell
            }
            guard let cell = UnsafeRawPointer(bitPattern: address) else { continue }
            body(Unmanaged<WakeCell>.fromOpaque(cell).takeRetainedValue())
        }
    }

    /// Allocates nothing and takes no lock.
    func push(_ cell: WakeCell, at place: Place) {
        guard !isClosed.load(ordering: .sequentiallyConsistent),
            !place.isQueued.exchange(true, ordering: .sequentiallyConsistent)
        else { return }
        _ = Unmanaged.passRetained(cell)
        let address = UInt(bitPattern: Unmanaged.passUnretained(place).toOpaque())
        var first = head.load(ordering: .relaxed)
        while true {
            place.next.store(first, ordering: .relaxed)
            let (isDone, original) = head.weakCompareExchange(
                expected: first, desired: address, ordering: .acquiringAndReleasing)
            if isDone { break }
            first = original
        }
        if first == 0, collector.load(ordering: .relaxed) != NativeStack.thread { signal() }
    }
}
