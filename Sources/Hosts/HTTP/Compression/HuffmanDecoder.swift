/// Decodes a canonical prefix code with a table over the next bits.
struct HuffmanDecoder: Sendable {
    /// Bits that index the first table.
    private static var tableBits: UInt64 { 9 }

    /// symbol << 4 | length for codes of at most `tableBits`; 0 for others.
    private let table: [UInt16]
    /// For each length, the number of codes; symbols in the order of their codes.
    private let counts: [UInt16]
    private let symbols: [UInt16]

    /// Makes a decoder of lengths of at most 15; nil if they are no code. One code of one bit is
    /// allowed to be incomplete, and so is none, as distances are.
    init?(_ lengths: ArraySlice<UInt8>, allowsIncomplete: Bool) {
        var counts = [UInt16](repeating: 0, count: 16)
        for length in lengths { counts[Int(length & 15)] &+= 1 }
        let used = lengths.count - Int(counts[0])
        counts[0] = 0
        var left = 1
        for length in 1..<16 {
            left = left << 1 - Int(counts[length])
            if left < 0 { return nil }
        }
        if left > 0 {
            guard allowsIncomplete, used == 0 || (used == 1 && counts[1] == 1) else { return nil }
        }
        var offsets = [Int](repeating: 0, count: 16)
        for length in 1..<15 { offsets[length + 1] = offsets[length] + Int(counts[length]) }
        var symbols = [UInt16](repeating: 0, count: used)
        let lengths = Array(lengths)
        for (symbol, length) in lengths.enumerated() where length > 0 {
            symbols[offsets[Int(length & 15)]] = UInt16(truncatingIfNeeded: symbol)
            offsets[Int(length & 15)] += 1
        }
        self.counts = counts
        self.symbols = symbols
        var table = [UInt16](repeating: 0, count: 1 << Self.tableBits)
        let codes = HuffmanLengths.codes(lengths)
        for (symbol, length) in lengths.enumerated() where length > 0 {
            guard length <= Self.tableBits else { continue }
            var index = Int(codes[symbol])
            while index < table.count {
                table[index] = UInt16(truncatingIfNeeded: symbol) << 4 | UInt16(length)
                index += 1 << Int(length)
            }
        }
        self.table = table
    }

    enum Result {
        case symbol(Int, length: UInt64)
        /// More bits are needed to know.
        case incomplete
        /// The bits are no code.
        case invalid
    }

    /// The symbol at the front of bits.
    @inline(__always)
    func decode(_ bits: UInt64, available: UInt64) -> Result {
        let entry = table[Int(bits & (1 << Self.tableBits &- 1))]
        let length = UInt64(entry & 15)
        if length > 0 {
            return length <= available ? .symbol(Int(entry >> 4), length: length) : .incomplete
        }
        return decodeLong(bits, available: available)
    }

    /// Goes through the lengths one by one.
    private func decodeLong(_ bits: UInt64, available: UInt64) -> Result {
        var code = 0
        var first = 0
        var index = 0
        for length in 1..<16 {
            guard UInt64(length) <= available else { return .incomplete }
            code |= Int(bits >> UInt64(length - 1) & 1)
            let count = Int(counts[length])
            if code - count < first {
                return .symbol(Int(symbols[index + code - first]), length: UInt64(length))
            }
            index += count
            first = (first + count) << 1
            code <<= 1
        }
        return .invalid
    }
}
