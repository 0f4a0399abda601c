/// Timers in order of their times: a heap in which each timer has its position, so that it can be
/// removed.
///
/// Setting and cancelling cost O(log n), the earliest time O(1). Memory: 40 bytes per timer, for
/// the largest number of timers at one time.
public struct TimerQueue: Sendable {
    /// A timer that was set. A fired or cancelled timer never becomes valid again.
    public struct Timer: Hashable, Sendable {
        fileprivate let slot: UInt32
        fileprivate let generation: UInt32
    }

    private struct Entry {
        var deadline: UInt64
        /// Timers of one deadline fire in the order in which they were set.
        var sequence: UInt64
        var slot: UInt32

        func isBefore(_ other: Entry) -> Bool {
            (deadline, sequence) < (other.deadline, other.sequence)
        }
    }

    private struct Slot {
        var generation: UInt32
        /// In the heap; -1 for a slot that is free.
        var place: Int32
        var token: UInt64
    }

    private var heap: [Entry] = []
    private var slots: [Slot] = []
    private var freeSlots: [UInt32] = []
    private var nextSequence: UInt64 = 0

    public init() {}

    /// Timers that are set.
    public var count: Int { heap.count }

    /// The earliest time that was set.
    public var earliest: UInt64? { heap.first?.deadline }

    /// Sets a timer.
    ///
    /// - Parameters:
    ///   - deadline: nanoseconds on the monotonic clock; it may be in the past.
    ///   - token: the result of `next`.
    public mutating func set(at deadline: UInt64, token: UInt64) -> Timer {
        let index: UInt32
        if let free = freeSlots.popLast() {
            index = free
        } else {
            index = UInt32(truncatingIfNeeded: slots.count)
            slots.append(Slot(generation: 0, place: -1, token: 0))
        }
        slots[Int(index)].token = token
        heap.append(Entry(deadline: deadline, sequence: nextSequence, slot: index))
        nextSequence &+= 1
        siftUp(heap.count - 1)
        return Timer(slot: index, generation: slots[Int(index)].generation)
    }

    /// Cancels a timer; false if it has fired or was cancelled before.
    @discardableResult
    public mutating func cancel(_ timer: Timer) -> Bool {
        guard slots.indices.contains(Int(timer.slot)) else { return false }
        let slot = slots[Int(timer.slot)]
        guard slot.generation == timer.generation, slot.place >= 0 else { return false }
        remove(at: Int(slot.place))
        return true
    }

    /// Removes the earliest timer that is due; returns its token, nil if there is none.
    public mutating func next(at now: UInt64) -> UInt64? {
        guard let first = heap.first, first.deadline <= now else { return nil }
        let token = slots[Int(first.slot)].token
        remove(at: 0)
        return token
    }

    // MARK: The heap

    private mutating func remove(at place: Int) {
        let slot = Int(heap[place].slot)
        slots[slot].place = -1
        slots[slot].generation &+= 1
        freeSlots.append(UInt32(truncatingIfNeeded: slot))
        let last = heap.removeLast()
        guard place < heap.count else { return }
        put(last, at: place)
        siftDown(place)
        siftUp(place)
    }

    private mutating func put(_ entry: Entry, at place: Int) {
        heap[place] = entry
        slots[Int(entry.slot)].place = Int32(truncatingIfNeeded: place)
    }

    private mutating func siftUp(_ start: Int) {
        let entry = heap[start]
        var place = start
        while place > 0 {
            let parent = (place - 1) / 2
            guard entry.isBefore(heap[parent]) else { break }
            put(heap[parent], at: place)
            place = parent
        }
        put(entry, at: place)
    }

    private mutating func siftDown(_ start: Int) {
        let entry = heap[start]
        var place = start
        while true {
            var child = 2 * place + 1
            guard child < heap.count else { break }
            if child + 1 < heap.count, heap[child + 1].isBefore(heap[child]) { child += 1 }
            guard heap[child].isBefore(entry) else { break }
            put(heap[child], at: place)
            place = child
        }
        put(entry, at: place)
    }
}
