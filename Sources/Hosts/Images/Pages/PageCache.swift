/// Pages in memory, up to a number of them. Pages that were not used for a while make room for
/// others; those that are changed stay.
struct PageCache {
    private struct Slot {
        var number: UInt32
        var bytes: [UInt8]
        var isDirty: Bool
        /// Whether it was used since the hand passed.
        var wasUsed: Bool
    }

    private var slots: [Slot] = []
    private var places: [UInt32: Int] = [:]
    private var hand = 0
    private(set) var dirtyCount = 0
    var limit: Int

    init(limit: Int) { self.limit = max(limit, 16) }

    /// Whether a page can be added without writing changed ones first.
    var hasRoom: Bool { slots.count < limit || dirtyCount < slots.count }

    mutating func bytes(_ number: UInt32) -> [UInt8]? {
        guard let place = places[number] else { return nil }
        slots[place].wasUsed = true
        return slots[place].bytes
    }

    /// The same for a use that does not count.
    func peek(_ number: UInt32) -> [UInt8]? { places[number].map { slots[$0].bytes } }

    /// Adds a page, or replaces it.
    mutating func set(_ number: UInt32, _ bytes: [UInt8], isDirty: Bool) {
        if let place = places[number] {
            if isDirty, !slots[place].isDirty { dirtyCount += 1 }
            slots[place].bytes = bytes
            slots[place].isDirty = slots[place].isDirty || isDirty
            slots[place].wasUsed = true
            return
        }
        if isDirty { dirtyCount += 1 }
        let slot = Slot(number: number, bytes: bytes, isDirty: isDirty, wasUsed: true)
        if slots.count >= limit, let place = freedPlace() {
            places[slots[place].number] = nil
            slots[place] = slot
            places[number] = place
        } else {
            places[number] = slots.count
            slots.append(slot)
        }
    }

    /// A slot whose page is not changed and not used lately; nil if all are changed.
    private mutating func freedPlace() -> Int? {
        for _ in 0..<(2 * slots.count) {
            hand = hand + 1 < slots.count ? hand + 1 : 0
            if slots[hand].isDirty { continue }
            if !slots[hand].wasUsed { return hand }
            slots[hand].wasUsed = false
        }
        return nil
    }

    /// Changes a page that is there; nil if it is not.
    mutating func update<Value>(
        _ number: UInt32, _ body: (inout [UInt8]) throws(ImageError) -> Value
    ) throws(ImageError) -> Value? {
        guard let place = places[number] else { return nil }
        if !slots[place].isDirty {
            slots[place].isDirty = true
            dirtyCount += 1
        }
        slots[place].wasUsed = true
        return try body(&slots[place].bytes)
    }

    /// The numbers of changed pages, in order.
    var dirtyNumbers: [UInt32] {
        guard dirtyCount > 0 else { return [] }
        return slots.lazy.filter(\.isDirty).map(\.number).sorted()
    }

    /// Those of the changed pages are in the file now.
    mutating func markClean(_ isClean: (UInt32) -> Bool = { _ in true }) {
        guard dirtyCount > 0 else { return }
        for index in slots.indices where slots[index].isDirty && isClean(slots[index].number) {
            slots[index].isDirty = false
            dirtyCount -= 1
        }
    }

    mutating func removeAll() {
        slots = []
        places = [:]
        (hand, dirtyCount) = (0, 0)
    }

    mutating func removeDirty() { remove { $0.isDirty } }

    mutating func remove(after last: UInt32) { remove { $0.number > last } }

    private mutating func remove(_ isRemoved: (Slot) -> Bool) {
        slots.removeAll(where: isRemoved)
        places = [:]
        (hand, dirtyCount) = (0, 0)
        for (place, slot) in slots.enumerated() {
            places[slot.number] = place
            if slot.isDirty { dirtyCount += 1 }
        }
    }
}
