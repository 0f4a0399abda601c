/// SHA-1 (RFC 3174), which the WebSocket handshake asks for. It protects nothing there.
enum SHA1 {
    /// The 20 bytes of the hash.
    static func hash(_ message: [UInt8]) -> [UInt8] {
        var state: [UInt32] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0]
        for block in paddedBlocks(message) { compress(block, into: &state) }
        return state.flatMap { word in
            [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: word >> UInt32($0 as Int8)) }
        }
    }

    /// The message, a bit, zeros and the length in bits, in blocks of 16 words.
    private static func paddedBlocks(_ message: [UInt8]) -> [[UInt32]] {
        var bytes = message
        bytes.append(0x80)
        while bytes.count % 64 != 56 { bytes.append(0) }
        let bits = UInt64(message.count) << 3
        for shift: UInt64 in [56, 48, 40, 32, 24, 16, 8, 0] {
            bytes.append(UInt8(truncatingIfNeeded: bits >> shift))
        }
        return stride(from: 0, to: bytes.count, by: 64).map { start in
            (0..<16).map { index in
                bytes[(start + index * 4)..<(start + index * 4 + 4)]
                    .reduce(UInt32(0)) { $0 << 8 | UInt32(truncatingIfNeeded: $1) }
            }
        }
    }

    private static func compress(_ block: [UInt32], into state: inout [UInt32]) {
        var words = block
        for index in 16..<80 {
            let mixed =
                words[index - 3] ^ words[index - 8] ^ words[index - 14] ^ words[index - 16]
            words.append(mixed << 1 | mixed >> 31)
        }
        var (a, b, c, d, e) = (state[0], state[1], state[2], state[3], state[4])
        for (index, word) in words.enumerated() {
            let (function, constant): (UInt32, UInt32) =
                switch index {
                case ..<20: (b & c | ~b & d, 0x5a82_7999)
                case ..<40: (b ^ c ^ d, 0x6ed9_eba1)
                case ..<60: (b & c | b & d | c & d, 0x8f1b_bcdc)
                default: (b ^ c ^ d, 0xca62_c1d6)
                }
            let next = (a << 5 | a >> 27) &+ function &+ e &+ constant &+ word
            (e, d, c, b, a) = (d, c, b << 30 | b >> 2, a, next)
        }
        for (index, value) in [a, b, c, d, e].enumerated() { state[index] &+= value }
    }
}
