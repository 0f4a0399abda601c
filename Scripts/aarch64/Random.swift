// Operand values, and digests of results.

/// Marsaglia's xorshift: the same numbers everywhere.
struct Random {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed &* 0x9e37_79b9_7f4a_7c15 | 1 }

    mutating func next() -> UInt64 {
        state ^= state &<< 13
        state ^= state &>> 7
        state ^= state &<< 17
        return state
    }
    mutating func below(_ count: Int) -> Int { Int(truncatingIfNeeded: next() &>> 33) % count }
    mutating func of(_ values: [UInt64]) -> UInt64 { values[below(values.count)] }
}

/// A hash of words, in their order.
struct Digest {
    private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

    mutating func add(_ word: UInt64) {
        value = (value ^ word) &* 0x9e37_79b9_7f4a_7c15
        value ^= value &>> 29
    }
}

/// What a result's NaNs are compared as. The specification lets an operation choose among quiet
/// NaNs, and processors choose differently; a signaling NaN would be wrong and stays as it is.
enum NaNs {
    case exact
    case f32
    case f64

    func normalized(_ word: UInt64) -> UInt64 {
        switch self {
        case .exact: return word
        case .f32:
            return Self.quiet32(word & 0xffff_ffff) | Self.quiet32(word &>> 32) &<< 32
        case .f64:
            return word & 0x7ff8_0000_0000_0000 == 0x7ff8_0000_0000_0000
                ? 0x7ff8_0000_0000_0000 : word
        }
    }

    private static func quiet32(_ half: UInt64) -> UInt64 {
        half & 0x7fc0_0000 == 0x7fc0_0000 ? 0x7fc0_0000 : half
    }
}

/// Operand values of one kind.
enum Edges {
    static let integers: [UInt64] = [
        0, 1, 2, 3, 7, 8, 31, 32, 33, 63, 64, 65, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff,
        0x7fff_ffff, 0x8000_0000, 0x8000_0001, 0xffff_fffe, 0xffff_ffff, 0x1_0000_0000,
        0x7fff_ffff_ffff_ffff, 0x8000_0000_0000_0000, 0x8000_0000_0000_0001,
        0xffff_ffff_ffff_fffe, 0xffff_ffff_ffff_ffff, 0x0123_4567_89ab_cdef,
        0xfedc_ba98_7654_3210, 0x5555_5555_5555_5555,
    ]
    /// Zeros, ones, halves, limits of integers and on either side of them, subnormals, infinities,
    /// quiet and signaling NaNs with payloads.
    static let floats: [UInt64] = [
        0x0000_0000, 0x8000_0000, 0x3f80_0000, 0xbf80_0000, 0x3f00_0000, 0xbf00_0000, 0x3fc0_0000,
        0x4020_0000, 0xbf7f_ffff, 0x4b00_0001, 0x4f00_0000, 0x4eff_ffff, 0xcf00_0000, 0xcf00_0001,
        0x4f80_0000, 0x4f7f_ffff, 0x5f00_0000, 0x5eff_ffff, 0xdf00_0000, 0x5f80_0000, 0x0000_0001,
        0x807f_ffff, 0x0080_0000, 0x7f7f_ffff, 0x7f80_0000, 0xff80_0000, 0x7fc0_0000, 0xffc0_0000,
        0x7fa0_0001, 0xff81_2345, 0x7fd5_5555, 0x40490fdb,
    ]
    static let doubles: [UInt64] = [
        0, 0x8000_0000_0000_0000, 0x3ff0_0000_0000_0000, 0xbff0_0000_0000_0000,
        0x3fe0_0000_0000_0000, 0xbfe0_0000_0000_0000, 0x3ff8_0000_0000_0000,
        0x4004_0000_0000_0000, 0xbfef_ffff_ffff_ffff, 0x4330_0000_0000_0001,
        0x41e0_0000_0000_0000, 0x41df_ffff_ffc0_0000, 0xc1e0_0000_0000_0000,
        0xc1e0_0000_0020_0000, 0x41f0_0000_0000_0000, 0x41ef_ffff_ffff_ffff,
        0x43e0_0000_0000_0000, 0x43df_ffff_ffff_ffff, 0xc3e0_0000_0000_0000,
        0x43f0_0000_0000_0000, 0x0000_0000_0000_0001, 0x800f_ffff_ffff_ffff,
        0x0010_0000_0000_0000, 0x7fef_ffff_ffff_ffff, 0x7ff0_0000_0000_0000,
        0xfff0_0000_0000_0000, 0x7ff8_0000_0000_0000, 0xfff8_0000_0000_0000,
        0x7ff4_0000_0000_0001, 0xfff0_1234_5678_9abc, 0x7ffd_5555_5555_5555,
        0x4009_21fb_5444_2d18,
    ]
    /// Addresses and offsets around the ends of memories of 256 and 192 bytes.
    static let addresses: [UInt64] = [
        0, 1, 2, 3, 4, 7, 8, 16, 31, 33, 64, 100, 127, 128, 176, 184, 188, 190, 191, 192, 240,
        247, 248, 249, 252, 253, 254, 255, 256, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff,
    ]
    static let offsets: [UInt64] = [
        0, 0, 0, 1, 2, 4, 7, 8, 16, 64, 200, 240, 248, 255, 256, 0x7fff, 0xffff, 0xffff_ff80,
        0xffff_ffff,
    ]
}
