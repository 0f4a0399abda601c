/// A value of a row.
enum Value: Hashable, Sendable {
    case null
    case integer(Int64)
    case real(Double)
    case text([UInt8])
    case blob([UInt8])

    private var rank: Int {
        switch self {
        case .null: 0
        case .integer, .real: 1
        case .text: 2
        case .blob: 3
        }
    }

    /// The order of an index without a collation of its own: negative, 0 or positive.
    static func compare(_ one: Value, _ other: Value) -> Int {
        switch (one, other) {
        case (.integer(let one), .integer(let other)): one < other ? -1 : one == other ? 0 : 1
        case (.real(let one), .real(let other)): one < other ? -1 : one == other ? 0 : 1
        case (.integer(let one), .real(let other)): compare(one, other)
        case (.real(let one), .integer(let other)): -compare(other, one)
        case (.text(let one), .text(let other)), (.blob(let one), .blob(let other)):
            compare(one[...], other[...])
        default: one.rank - other.rank
        }
    }

    /// The order of bytes as unsigned numbers.
    static func compare(_ one: ArraySlice<UInt8>, _ other: ArraySlice<UInt8>) -> Int {
        var position = other.startIndex
        for byte in one {
            guard position < other.endIndex else { return 1 }
            if byte != other[position] { return byte < other[position] ? -1 : 1 }
            position += 1
        }
        return one.count - other.count
    }

    private static func compare(_ integer: Int64, _ real: Double) -> Int {
        if real.isNaN || real < -0x1p63 { return 1 }
        if real >= 0x1p63 { return -1 }
        let whole = Int64(real.rounded(.towardZero))
        if integer != whole { return integer < whole ? -1 : 1 }
        let rest = real - real.rounded(.towardZero)
        return rest > 0 ? -1 : rest < 0 ? 1 : 0
    }
}
