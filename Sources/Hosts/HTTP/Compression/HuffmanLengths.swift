/// Lengths of prefix codes, and the codes of lengths (RFC 1951 3.2.2).
enum HuffmanLengths {
    /// The lengths of an optimal code for frequencies, none longer than a limit. Symbols that do
    /// not occur have length 0; a single symbol has length 1.
    ///
    /// - Parameter limit: at most 15, and 2 to its power is at least the number of symbols.
    static func lengths(of frequencies: [UInt32], limit: Int) -> [UInt8] {
        var lengths = [UInt8](repeating: 0, count: frequencies.count)
        let symbols = frequencies.indices.filter { frequencies[$0] > 0 }
            .sorted { (frequencies[$0], $0) < (frequencies[$1], $1) }
        guard symbols.count > 1 else {
            if let symbol = symbols.first { lengths[symbol] = 1 }
            return lengths
        }
        var counts = Self.depthCounts(symbols.map { UInt64(frequencies[$0]) }, limit: limit)
        // The rarest symbols get the longest codes.
        var length = limit
        for symbol in symbols {
            while length > 1, counts[length] == 0 { length -= 1 }
            lengths[symbol] = UInt8(truncatingIfNeeded: length)
            counts[length] -= 1
        }
        return lengths
    }

    /// How many leaves have each depth, for frequencies in ascending order.
    private static func depthCounts(_ frequencies: [UInt64], limit: Int) -> [Int] {
        // Two queues: leaves, and inner nodes, which are made in ascending order as well.
        let count = frequencies.count
        var weights = frequencies
        var parents = [Int](repeating: 0, count: 2 * count - 1)
        var (leaf, inner) = (0, count)
        for next in count..<(2 * count - 1) {
            var weight: UInt64 = 0
            for _ in 0..<2 {
                if leaf < count, inner >= next || weights[leaf] <= weights[inner] {
                    weight &+= weights[leaf]
                    parents[leaf] = next
                    leaf += 1
                } else {
                    weight &+= weights[inner]
                    parents[inner] = next
                    inner += 1
                }
            }
            weights.append(weight)
        }
        var depths = [Int](repeating: 0, count: 2 * count - 1)
        var counts = [Int](repeating: 0, count: limit + 1)
        for node in stride(from: 2 * count - 3, through: 0, by: -1) {
            depths[node] = depths[parents[node]] + 1
            if node < count { counts[min(depths[node], limit)] += 1 }
        }
        // Codes that were cut to the limit make the sum too large: lengthen others until it fits.
        var sum = counts.indices.reduce(0) { $0 + (counts[$1] << (limit - $1)) }
        while sum > 1 << limit {
            var length = limit - 1
            while length > 1, counts[length] == 0 { length -= 1 }
            counts[length] -= 1
            counts[length + 1] += 2
            counts[limit] -= 1
            sum -= 1
        }
        return counts
    }

    /// The canonical codes of lengths, with their bits in the order in which they are written.
    static func codes(_ lengths: [UInt8]) -> [UInt16] {
        var counts = [UInt32](repeating: 0, count: 16)
        for length in lengths where length > 0 { counts[Int(length & 15)] &+= 1 }
        var next = [UInt32](repeating: 0, count: 16)
        for length in 1..<16 { next[length] = (next[length - 1] &+ counts[length - 1]) << 1 }
        return lengths.map { length in
            guard length > 0 else { return 0 }
            var code = next[Int(length & 15)]
            next[Int(length & 15)] &+= 1
            var reversed: UInt32 = 0
            for _ in 0..<length {
                reversed = reversed << 1 | code & 1
                code >>= 1
            }
            return UInt16(truncatingIfNeeded: reversed)
        }
    }

    /// The fixed code of literals and lengths (RFC 1951 3.2.6).
    static let fixedLiterals: [UInt8] = (0..<288).map {
        $0 < 144 ? 8 : $0 < 256 ? 9 : $0 < 280 ? 7 : 8
    }

    /// The fixed code of distances.
    static let fixedDistances = [UInt8](repeating: 5, count: 30)

    /// The order in which a dynamic block gives the lengths of the code for lengths.
    static let order = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]
}

/// The symbols of lengths and distances with their extra bits (RFC 1951 3.2.5).
enum DeflateSymbols {
    static let lengthBase: [UInt16] = [
        3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115,
        131, 163, 195, 227, 258,
    ]
    static let lengthExtra: [UInt8] = [
        0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
    ]
    static let distanceBase: [UInt16] = [
        1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537,
        2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577,
    ]
    static let distanceExtra: [UInt8] = [
        0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12,
        13, 13,
    ]

    /// The symbol, less 257, of each length from 3 on.
    static let lengthSymbols: [UInt8] = {
        var symbols = [UInt8](repeating: 0, count: 256)
        for symbol in 0..<29 {
            let base = Int(lengthBase[symbol]) - 3
            let end = symbol == 28 ? 256 : Int(lengthBase[symbol + 1]) - 3
            for length in base..<max(end, base + 1) {
                symbols[length] = UInt8(truncatingIfNeeded: symbol)
            }
        }
        return symbols
    }()

    /// The symbol of a distance of 1 to 32768.
    static func distanceSymbol(_ distance: Int) -> Int {
        if distance <= 4 { return distance - 1 }
        // The two highest bits of distance - 1 decide.
        let value = distance - 1
        let top = Int.bitWidth - 1 - value.leadingZeroBitCount
        return 2 * top + (value >> (top - 1) & 1)
    }
}
