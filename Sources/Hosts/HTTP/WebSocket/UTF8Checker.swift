/// Checks that pieces of bytes are UTF-8, as soon as a byte is wrong (RFC 3629): no overlong forms,
/// no surrogates, nothing above U+10FFFF.
struct UTF8Checker: Sendable {
    /// Continuation bytes that are still to come, and the bounds of the next one.
    private var missing = 0
    private var lower: UInt8 = 0x80
    private var upper: UInt8 = 0xbf

    /// Whether no character is incomplete.
    var isComplete: Bool { missing == 0 }

    /// Takes a byte; false if it cannot be there.
    @inline(__always)
    mutating func take(_ byte: UInt8) -> Bool {
        if missing == 0 {
            if byte < 0x80 { return true }
            return begin(byte)
        }
        guard byte >= lower, byte <= upper else { return false }
        (lower, upper) = (0x80, 0xbf)
        missing &-= 1
        return true
    }

    private mutating func begin(_ byte: UInt8) -> Bool {
        switch byte {
        case 0xc2...0xdf: missing = 1
        case 0xe0...0xef:
            missing = 2
            if byte == 0xe0 { lower = 0xa0 }
            if byte == 0xed { upper = 0x9f }
        case 0xf0...0xf4:
            missing = 3
            if byte == 0xf0 { lower = 0x90 }
            if byte == 0xf4 { upper = 0x8f }
        default: return false
        }
        return true
    }
}
