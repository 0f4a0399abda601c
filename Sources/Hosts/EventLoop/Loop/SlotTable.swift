/// Values by numbers that are never reused: the number of a removed value finds nothing, also when
/// its place is reused. All operations are O(1).
struct SlotTable<Element> {
    private struct Slot {
        var generation: UInt32
        var element: Element?
    }

    private var slots: [Slot] = []
    private var free: [UInt32] = []
    private(set) var count = 0

    /// Stores a value; returns its number.
    mutating func insert(_ element: Element) -> UInt64 {
        count &+= 1
        if let index = free.popLast() {
            slots[Int(index)].element = element
            return Self.number(index, slots[Int(index)].generation)
        }
        slots.append(Slot(generation: 0, element: element))
        return Self.number(UInt32(truncatingIfNeeded: slots.count &- 1), 0)
    }

    private static func number(_ index: UInt32, _ generation: UInt32) -> UInt64 {
        UInt64(generation) << 32 | UInt64(index)
    }

    private func index(_ number: UInt64) -> Int? {
        let index = Int(UInt32(truncatingIfNeeded: number))
        guard index < slots.count,
            slots[index].generation == UInt32(truncatingIfNeeded: number >> 32)
        else { return nil }
        return index
    }

    /// The value of a number; nil if it was removed.
    subscript(number: UInt64) -> Element? { index(number).flatMap { slots[$0].element } }

    /// Replaces the value of a number; false if it was removed.
    @discardableResult
    mutating func update(_ number: UInt64, _ element: Element) -> Bool {
        guard let index = index(number), slots[index].element != nil else { return false }
        slots[index].element = element
        return true
    }

    @discardableResult
    mutating func remove(_ number: UInt64) -> Element? {
        guard let index = index(number), let element = slots[index].element else { return nil }
        slots[index].element = nil
        slots[index].generation &+= 1
        free.append(UInt32(truncatingIfNeeded: index))
        count &-= 1
        return element
    }

    /// All values, in no particular order. Linear.
    var elements: [Element] { slots.compactMap(\.element) }
}
