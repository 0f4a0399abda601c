/// Values of the host that guests refer to: a slot holds the value's number.
///
/// A collection lets go of values that no guest refers to any more; their numbers are used again.
///
/// Comparing and hashing values runs code of the embedder, which may do anything with the store, this
/// table included. So it happens while the table is whole and no part of it is being changed, and what
/// was found is looked at again afterwards.
final class ExternTable {
    /// A value with its place in the list of those whose hashes lead to the same bucket.
    private struct Entry {
        var value: AnyHashable?
        var hash: Int
        /// The next number of the bucket, or -1.
        var next: Int
        /// Numbers are used again: tells the values apart that had the same.
        var birth: UInt64
    }

    private var entries: [Entry] = []
    /// The first number of each bucket, or -1; the count is a power of two, and 0 before the first
    /// value: most stores have none.
    private var buckets: [Int] = []
    private var freeNumbers: [Int] = []
    private var marks: [Bool] = []
    private var lastBirth: UInt64 = 0
    private var addedCount = 0
    private var threshold = ExternTable.minimumThreshold
    /// Values that guests may refer to.
    private(set) var count = 0
    /// Values without references, until `releaseDead` lets go of them.
    private(set) var dead: [AnyHashable] = []
    /// What is to be done when a host function has returned. Every call of the host asks: looking at
    /// the array itself would make the runtime check for exclusive access, which takes longer than all
    /// the rest.
    var attention: UInt8 = 0

    /// Bits of `attention`: there are dead values; the host made a mistake with the slots of a call; so
    /// many values were added that some may be dead.
    static let hasDead: UInt8 = 1
    static let hasSlotFault: UInt8 = 2
    static let isFull: UInt8 = 4

    /// What the table's own memory is charged to; what the values themselves take is the host's.
    private var holding: ResourceHolding
    private static let chargedByteCount = 256
    private static let chargedCount = 64

    static let minimumThreshold = 10_000
    /// The three low bits of a slot that refers to a value.
    static let tag: UInt64 = 2
    /// How often a value is looked for again because the table changed while it was compared.
    private static let attemptLimit = 8

    init(account: ResourceAccount) { holding = ResourceHolding(account) }

    var isCollectionDue: Bool { attention & Self.isFull != 0 }

    /// The slot that refers to a value.
    ///
    /// - Throws: `ResourceError` if the program has no room for another one; a collection may make some.
    func slot(of value: AnyHashable) throws(ResourceError) -> UInt64 {
        let hash = value.hashValue
        for _ in 0..<Self.attemptLimit {
            let birth = lastBirth
            if let number = number(of: value, hash) { return UInt64(number) << 3 | Self.tag }
            // Otherwise an equal value may be new.
            if birth == lastBirth { break }
        }
        return UInt64(try add(value, hash)) << 3 | Self.tag
    }

    /// The number of an equal value, if there is one.
    private func number(of value: AnyHashable, _ hash: Int) -> Int? {
        guard !buckets.isEmpty else { return nil }
        var number = buckets[hash & (buckets.count - 1)]
        while number >= 0 {
            let entry = entries[number]
            if entry.hash == hash, let known = entry.value {
                let isEqual = known == value
                let isSame = entries[number].birth == entry.birth && entries[number].value != nil
                if isEqual, isSame { return number }
                // Its place in the list is not known any more: the caller looks again.
                if !isSame {
                    lastBirth &+= 1
                    return nil
                }
            }
            number = entries[number].next
        }
        return nil
    }

    private func add(_ value: AnyHashable, _ hash: Int) throws(ResourceError) -> Int {
        if freeNumbers.isEmpty, entries.count % Self.chargedCount == 0 {
            do throws(ResourceError) {
                try holding.take((entries.count + Self.chargedCount) * Self.chargedByteCount)
            } catch {
                attention |= Self.isFull
                throw error
            }
        }
        addedCount += 1
        if addedCount >= threshold { attention |= Self.isFull }
        count += 1
        lastBirth &+= 1
        if count > buckets.count { makeBuckets(max(2 * buckets.count, 16)) }
        let bucket = hash & (buckets.count - 1)
        let entry = Entry(value: value, hash: hash, next: buckets[bucket], birth: lastBirth)
        let number: Int
        if let free = freeNumbers.popLast() {
            number = free
            entries[number] = entry
        } else {
            number = entries.count
            entries.append(entry)
            marks.append(false)
        }
        buckets[bucket] = number
        return number
    }

    /// Puts all values into as many buckets.
    private func makeBuckets(_ bucketCount: Int) {
        buckets = Array(repeating: -1, count: bucketCount)
        for number in entries.indices where entries[number].value != nil {
            let bucket = entries[number].hash & (bucketCount - 1)
            entries[number].next = buckets[bucket]
            buckets[bucket] = number
        }
    }

    /// The value that a slot refers to; nil if there is none.
    func value(_ slot: UInt64) -> AnyHashable? {
        let number = Int(truncatingIfNeeded: slot >> 3)
        return entries.indices.contains(number) ? entries[number].value : nil
    }

    // MARK: Collection

    func clearMarks() {
        for number in marks.indices { marks[number] = false }
    }

    func mark(_ slot: UInt64) {
        let number = Int(truncatingIfNeeded: slot >> 3)
        if marks.indices.contains(number) { marks[number] = true }
    }

    /// Takes out what is not marked. What a value's end may set off waits for `releaseDead`.
    func sweep() {
        for number in marks.indices where !marks[number] {
            guard let value = entries[number].value else { continue }
            entries[number].value = nil
            freeNumbers.append(number)
            dead.append(value)
            attention |= Self.hasDead
            count -= 1
        }
        makeBuckets(buckets.count)
        lastBirth &+= 1
        addedCount = 0
        attention &= ~Self.isFull
        threshold = max(Self.minimumThreshold, count)
    }

    /// Lets go of dead values. Their deinitialisers may do anything, so no guest may be running.
    func releaseDead() {
        guard attention & Self.hasDead != 0 else { return }
        attention &= ~Self.hasDead
        let values = dead
        dead = []
        _ = values
    }
}
