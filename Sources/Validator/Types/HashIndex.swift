/// Finds positions in an array, or other numbers, by the hash of what stands there.
///
/// It does what a dictionary does for tables that the start of a process makes, without a generic type.
/// When a dictionary with a new type of keys is made, the runtime walks through all conformances of
/// the program: 130,000 instructions or more, and memory of all the pages that they are on.
///
/// Who can choose keys must not be able to choose hashes: give those of `Hasher`, or of `hash(of:)` for
/// numbers that nobody chooses. Only 32 bits of them count.
package struct HashIndex {
    /// Upper half: the hash; lower half: the number plus 1. 0 is a free slot. An entry stands in the
    /// first slot that was free, from the one that its hash says, around the end.
    @usableFromInline var slots: [UInt64] = []
    package private(set) var count = 0

    package init() {}

    /// A hash of a number or an address.
    @inlinable
    package static func hash(of number: Int) -> Int {
        let product = UInt64(truncatingIfNeeded: number) &* 0x9e37_79b9_7f4a_7c15
        return Int(truncatingIfNeeded: product &>> 32)
    }

    @inlinable
    static func bits(_ hash: Int) -> UInt64 {
        let hash = UInt64(truncatingIfNeeded: hash)
        return (hash ^ hash &>> 32) & 0xffff_ffff
    }

    /// The first number with this hash that is the right one. Constant time on average.
    @inlinable
    package func first(hash: Int, where isRight: (Int) -> Bool) -> Int? {
        guard !slots.isEmpty else { return nil }
        let bits = Self.bits(hash)
        let mask = slots.count &- 1
        var place = Int(truncatingIfNeeded: bits) & mask
        while slots[place] != 0 {
            if slots[place] &>> 32 == bits {
                let number = Int(truncatingIfNeeded: (slots[place] & 0xffff_ffff) &- 1)
                if isRight(number) { return number }
            }
            place = (place &+ 1) & mask
        }
        return nil
    }

    /// Adds a number below 2^32 - 1. It is not compared with those that are there.
    package mutating func insert(_ number: Int, hash: Int) {
        if 4 * count >= 3 * slots.count { resize(to: max(8, 2 * slots.count)) }
        count += 1
        put(Self.bits(hash) &<< 32 | (UInt64(truncatingIfNeeded: number) &+ 1) & 0xffff_ffff)
    }

    /// Takes out a number that was added with this hash; nothing happens if it is not there.
    package mutating func remove(_ number: Int, hash: Int) {
        guard !slots.isEmpty else { return }
        let entry =
            Self.bits(hash) &<< 32 | (UInt64(truncatingIfNeeded: number) &+ 1) & 0xffff_ffff
        let mask = slots.count &- 1
        var hole = home(of: entry)
        while slots[hole] != entry {
            guard slots[hole] != 0 else { return }
            hole = (hole &+ 1) & mask
        }
        count -= 1
        // Those that stand after the hole because it was taken move up.
        var place = (hole &+ 1) & mask
        while slots[place] != 0 {
            if (place &- home(of: slots[place])) & mask >= (place &- hole) & mask {
                slots[hole] = slots[place]
                hole = place
            }
            place = (place &+ 1) & mask
        }
        slots[hole] = 0
        if slots.count > 4096, count < slots.count / 8 { resize(to: slots.count / 4) }
    }

    private func home(of entry: UInt64) -> Int {
        Int(truncatingIfNeeded: entry &>> 32) & (slots.count &- 1)
    }

    private mutating func put(_ entry: UInt64) {
        let mask = slots.count &- 1
        var place = home(of: entry)
        while slots[place] != 0 { place = (place &+ 1) & mask }
        slots[place] = entry
    }

    private mutating func resize(to capacity: Int) {
        let old = slots
        slots = Array(repeating: 0, count: capacity)
        for entry in old where entry != 0 { put(entry) }
    }
}
