/// Writes bits, the lowest first (RFC 1951 3.1.1).
struct BitWriter: Sendable {
    private var bits: UInt64 = 0
    private var count: UInt64 = 0

    /// Whether the next bit starts a byte.
    var isAligned: Bool { count == 0 }

    /// Appends at most 32 bits.
    @inline(__always)
    mutating func write(_ value: UInt32, _ length: UInt8, to output: inout [UInt8]) {
        bits |= UInt64(value) << count
        count &+= UInt64(length)
        while count >= 8 {
            output.append(UInt8(truncatingIfNeeded: bits))
            bits >>= 8
            count &-= 8
        }
    }

    /// Fills the last byte with zeros.
    mutating func align(to output: inout [UInt8]) {
        if count > 0 { output.append(UInt8(truncatingIfNeeded: bits)) }
        (bits, count) = (0, 0)
    }
}
