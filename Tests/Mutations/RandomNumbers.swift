/// Numbers that a seed determines: the SplitMix64 generator of Steele, Lea and Flood.
struct RandomNumbers {
    private var state: UInt64

    /// The numbers of one case: cases with different numbers have unrelated sequences.
    init(seed: UInt64, case number: UInt64 = 0) {
        state = seed &* 0x9e37_79b9_7f4a_7c15
        state = next() ^ (number &* 0xd134_2543_de82_ef95)
        _ = next()
    }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    /// A number from 0 up to, but not including, `limit`; 0 if there is none.
    mutating func below(_ limit: Int) -> Int {
        limit <= 1 ? 0 : Int(truncatingIfNeeded: next() % UInt64(limit))
    }

    mutating func between(_ range: ClosedRange<Int>) -> Int {
        range.lowerBound + below(range.upperBound - range.lowerBound + 1)
    }

    mutating func byte() -> UInt8 { UInt8(truncatingIfNeeded: next()) }

    /// True once in `count` times on average.
    mutating func oneIn(_ count: Int) -> Bool { below(count) == 0 }

    mutating func percent(_ chance: Int) -> Bool { below(100) < chance }

    /// An element, or nil if there is none.
    mutating func element<C: RandomAccessCollection>(of choices: C) -> C.Element?
    where C.Index == Int {
        choices.isEmpty ? nil : choices[choices.startIndex + below(choices.count)]
    }

    /// An index, each as likely as its weight says.
    mutating func weighted(_ weights: [Int]) -> Int {
        var rest = below(weights.reduce(0, +))
        for (index, weight) in weights.enumerated() {
            if rest < weight { return index }
            rest -= weight
        }
        return 0
    }
}

/// Values at which things tend to break.
enum InterestingValues {
    static let words: [UInt64] = [
        0, 1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 63, 64, 127, 128, 255, 256, 1000, 1024, 4095, 4096,
        32_767, 32_768, 65_535, 65_536, 65_537, 0x7f_ffff, 0x1000_0000, 0x7fff_ffff, 0x8000_0000,
        0xffff_fffe, 0xffff_ffff, 0x1_0000_0000, 0x7fff_ffff_ffff_ffff, 0x8000_0000_0000_0000,
        0xffff_ffff_ffff_0000, 0xffff_ffff_ffff_8000, 0xffff_ffff_8000_0000,
        0xffff_ffff_ffff_fffe, 0xffff_ffff_ffff_ffff,
    ]
    static let bytes: [UInt8] = [
        0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x07, 0x0b, 0x10, 0x11, 0x20, 0x40, 0x41, 0x4d, 0x4e,
        0x4f, 0x50, 0x5e, 0x5f, 0x60, 0x63, 0x64, 0x69, 0x6a, 0x6f, 0x70, 0x7b, 0x7c, 0x7d, 0x7e,
        0x7f, 0x80, 0x81, 0xc0, 0xd0, 0xd2, 0xfb, 0xfc, 0xfd, 0xfe, 0xff,
    ]
    static let float32Bits: [UInt32] = [
        0, 0x8000_0000, 0x3f80_0000, 0xbf80_0000, 0x7f80_0000, 0xff80_0000, 0x7fc0_0000, 1,
        0x007f_ffff, 0x4f00_0000, 0xcf00_0000, 0x4f80_0000, 0x5f00_0000, 0xdf00_0000, 0x5f80_0000,
        0x3f00_0000, 0x4020_0000, 0x7f7f_ffff, 0x3eaa_aaab,
    ]
    static let float64Bits: [UInt64] = [
        0, 0x8000_0000_0000_0000, 0x3ff0_0000_0000_0000, 0xbff0_0000_0000_0000,
        0x7ff0_0000_0000_0000, 0xfff0_0000_0000_0000, 0x7ff8_0000_0000_0000, 1,
        0x41e0_0000_0000_0000, 0xc1e0_0000_0020_0000, 0x41ef_ffff_ffe0_0000,
        0x43e0_0000_0000_0000, 0xc3e0_0000_0000_0000, 0x43f0_0000_0000_0000,
        0x3fe0_0000_0000_0000, 0x4004_0000_0000_0000, 0x7fef_ffff_ffff_ffff,
        0x3fd5_5555_5555_5555,
    ]
}
