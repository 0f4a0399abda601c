/// Numbers byte strings: equal ones get the same number, counted from 0.
///
/// The hash is seeded anew in every process, so that no text can be made to be slow.
struct Interner {
    private var text: [UInt8] = []
    private var ends: [UInt32] = []
    /// Numbers plus one, 0 where the slot is free; a power of two of them.
    private var slots = [UInt32](repeating: 0, count: 64)

    var count: Int { ends.count }

    /// The bytes with a number that was given out.
    subscript(number: UInt32) -> ArraySlice<UInt8> {
        let index = Int(number)
        return text[(index == 0 ? 0 : Int(ends[index - 1]))..<Int(ends[index])]
    }

    mutating func intern(_ bytes: [UInt8]) -> UInt32 {
        bytes.withUnsafeBufferPointer { intern($0) }
    }

    mutating func intern(_ bytes: UnsafeBufferPointer<UInt8>) -> UInt32 {
        var slot = Self.hash(UnsafeRawBufferPointer(bytes)) & (slots.count - 1)
        while slots[slot] != 0 {
            let number = slots[slot] - 1
            if self[number].elementsEqual(bytes) { return number }
            slot = (slot + 1) & (slots.count - 1)
        }
        text.append(contentsOf: bytes)
        ends.append(UInt32(truncatingIfNeeded: text.count))
        slots[slot] = UInt32(truncatingIfNeeded: ends.count)
        if ends.count * 2 > slots.count { grow() }
        return UInt32(truncatingIfNeeded: ends.count - 1)
    }

    private static func hash(_ bytes: UnsafeRawBufferPointer) -> Int {
        var hasher = Hasher()
        hasher.combine(bytes: bytes)
        return hasher.finalize()
    }

    private mutating func grow() {
        slots = [UInt32](repeating: 0, count: slots.count * 2)
        for number in 0..<UInt32(truncatingIfNeeded: ends.count) {
            var slot = self[number].withUnsafeBytes { Self.hash($0) } & (slots.count - 1)
            while slots[slot] != 0 { slot = (slot + 1) & (slots.count - 1) }
            slots[slot] = number + 1
        }
    }
}
