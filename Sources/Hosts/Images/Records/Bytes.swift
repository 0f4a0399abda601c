// Reading and writing numbers of the format: big-endian, of 2 and 4 bytes, and variable-length ones.
//
// Each read names its page, since a position outside of the bytes means that the page is damaged.

extension Array where Element == UInt8 {
    /// The byte at a position; throws if there is none.
    @inline(__always)
    func byte(_ position: Int, _ damage: ImageError.Damage) throws(ImageError) -> UInt8 {
        guard position >= 0, position < count else { throw .damaged(damage) }
        return self[position]
    }

    @inline(__always)
    func number16(_ position: Int, _ damage: ImageError.Damage) throws(ImageError) -> Int {
        guard position >= 0, position < count - 1 else { throw .damaged(damage) }
        return Int(self[position]) << 8 | Int(self[position + 1])
    }

    @inline(__always)
    func number32(_ position: Int, _ damage: ImageError.Damage) throws(ImageError) -> UInt32 {
        guard position >= 0, position < count - 3 else { throw .damaged(damage) }
        return UInt32(truncatingIfNeeded: self[position]) << 24
            | UInt32(truncatingIfNeeded: self[position + 1]) << 16
            | UInt32(truncatingIfNeeded: self[position + 2]) << 8
            | UInt32(truncatingIfNeeded: self[position + 3])
    }

    /// A variable-length integer of 1 to 9 bytes that ends before `end`, and its size.
    @inline(__always)
    func varint(
        _ position: Int, before end: Int, _ damage: ImageError.Damage
    ) throws(ImageError) -> (value: Int64, size: Int) {
        let end = Swift.min(end, count)
        guard position >= 0, position < end else { throw .damaged(damage) }
        let first = self[position]
        if first < 0x80 { return (Int64(first), 1) }
        var value = UInt64(first & 0x7f)
        for size in 1..<9 {
            guard position + size < end else { throw .damaged(damage) }
            let byte = self[position + size]
            if size == 8 { return (Int64(bitPattern: value << 8 | UInt64(byte)), 9) }
            value = value << 7 | UInt64(byte & 0x7f)
            if byte < 0x80 { return (Int64(bitPattern: value), size + 1) }
        }
        throw .damaged(damage)
    }

    /// Replaces two bytes; nothing happens outside of the array.
    mutating func set16(_ position: Int, _ value: Int) {
        guard position >= 0, position + 2 <= count else { return }
        self[position] = UInt8(truncatingIfNeeded: value >> 8)
        self[position + 1] = UInt8(truncatingIfNeeded: value)
    }

    /// Replaces four bytes; nothing happens outside of the array.
    mutating func set32(_ position: Int, _ value: UInt32) {
        guard position >= 0, position + 4 <= count else { return }
        for index in 0..<4 {
            self[position + index] = UInt8(truncatingIfNeeded: value >> (24 - 8 * UInt32(index)))
        }
    }

    mutating func append32(_ value: UInt32) {
        for shift in [24, 16, 8, 0] as [UInt32] {
            append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }

    mutating func appendVarint(_ value: Int64) {
        let bits = UInt64(bitPattern: value)
        if bits < 0x80 { return append(UInt8(truncatingIfNeeded: bits)) }
        if bits >> 56 != 0 {
            for index in 0..<8 {
                append(UInt8(truncatingIfNeeded: bits >> (57 - 7 * UInt64(index))) | 0x80)
            }
            return append(UInt8(truncatingIfNeeded: bits))
        }
        var shift = UInt64((63 - bits.leadingZeroBitCount) / 7 * 7)
        while shift > 0 {
            append(UInt8(truncatingIfNeeded: bits >> shift) | 0x80)
            shift -= 7
        }
        append(UInt8(truncatingIfNeeded: bits) & 0x7f)
    }

    static func sizeOfVarint(_ value: Int64) -> Int {
        let bits = UInt64(bitPattern: value)
        if bits >> 56 != 0 { return 9 }
        return Swift.max((64 - bits.leadingZeroBitCount + 6) / 7, 1)
    }
}
