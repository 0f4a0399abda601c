// Invariants: `head` is 0 or the address of the first of a list of cells that are linked by `next`, each retained once
// and with `isQueued` set; a cell is in one list at most. Whatever takes the list takes all of it.

import Synchronization

/// Where a loop finds the guests that were woken or interrupted: any number of them, by one descriptor.
///
///     let queue = WakeQueue()
///     execution.wakeCell.attach(to: queue)
///     store.interruptHandle.wakeCell.attach(to: queue)
///     // when `queue.descriptor` is readable
///     queue.drain { cell in ... }
///
/// Cells come from any thread, also from signal handlers; one thread drains.
public final class WakeQueue: Sendable {
    /// Readable while there may be cells: an `eventfd`. -1 if the system has none left.
    public let descriptor: Int32
    private let isOwned: Bool
    private let head = Atomic<UInt>(0)

    /// A queue with a descriptor of its own.
    public init() {
        descriptor = WakeEvent.make()
        isOwned = true
    }

    /// A queue that makes a descriptor of the caller readable, which outlives it.
    ///
    /// - Parameter descriptor: an `eventfd` that does not block.
    public init(signalling descriptor: Int32) {
        self.descriptor = descriptor
        isOwned = false
    }

    deinit {
        takeAll { _ in }
        if isOwned { WakeEvent.close(descriptor) }
    }

    /// Makes the descriptor readable without a cell.
    public func signal() { WakeEvent.signal(descriptor) }

    /// Takes all cells out and hands each to `body`, in no particular order. One that is woken from
    /// then on comes again.
    public func drain(_ body: (WakeCell) -> Void) {
        // Whoever finds the list empty from here on makes the descriptor readable again.
        WakeEvent.clear(descriptor)
        takeAll(body)
    }

    private func takeAll(_ body: (WakeCell) -> Void) {
        var next = head.exchange(0, ordering: .acquiringAndReleasing)
        while let pointer = UnsafeRawPointer(bitPattern: next) {
            let cell = Unmanaged<WakeCell>.fromOpaque(pointer).takeRetainedValue()
            next = cell.next.load(ordering: .relaxed)
            cell.isQueued.store(false, ordering: .sequentiallyConsistent)
            body(cell)
        }
    }

    /// Allocates nothing and takes no lock.
    func push(_ cell: WakeCell) {
        guard !cell.isQueued.exchange(true, ordering: .sequentiallyConsistent) else { return }
        let address = UInt(bitPattern: Unmanaged.passRetained(cell).toOpaque())
        var first = head.load(ordering: .relaxed)
        while true {
            cell.next.store(first, ordering: .relaxed)
            let (isDone, original) = head.weakCompareExchange(
                expected: first, desired: address, ordering: .acquiringAndReleasing)
            if isDone { break }
            first = original
        }
        if first == 0 { signal() }
    }
}
