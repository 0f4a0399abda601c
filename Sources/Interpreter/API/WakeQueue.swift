// Invariants: `head` is 0 or the address of the first of a list of places that are linked by `next`;
// the cell of each was retained once, and keeps its place. A place is in the list while `isQueued`.
// Whatever takes the list takes all of it.

import Synchronization
import WasmSystem

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
    private let isClosed = Atomic(false)

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

    /// A cell's place in the list of a queue.
    final class Place: Sendable {
        let queue: WakeQueue
        /// The cell, which has the place.
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

    /// Takes all cells out and hands each to `body`, in no particular order. One that is woken from
    /// then on comes again.
    public func drain(_ body: (WakeCell) -> Void) {
        // Whoever finds the list empty from here on makes the descriptor readable again.
        WakeEvent.clear(descriptor)
        takeAll(body)
    }

    /// Takes no cells from now on, and lets go of those that it has. A queue that is not drained any
    /// more would keep the cells that are woken, and they the queue.
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
        if first == 0 { signal() }
    }
}
