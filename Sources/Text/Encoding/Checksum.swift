// Soundness: every load is of eight bytes before `count`.

/// A number of 32 bits that tells whether bytes are the ones that an annotation was made for. It
/// protects against edits of a text, not against an adversary.
func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    var hash: UInt64 = 0x9e37_79b9_7f4a_7c15 ^ UInt64(truncatingIfNeeded: bytes.count)
    func mix(_ word: UInt64) {
        hash = (hash ^ word) &* 0xff51_afd7_ed55_8ccd
        hash ^= hash >> 32
    }
    var index = 0
    while bytes.count - index >= 8 {
        mix(UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)))
        index += 8
    }
    var last: UInt64 = 0
    while index < bytes.count {
        last = last << 8 | UInt64(bytes[index])
        index += 1
    }
    mix(last)
    return UInt32(truncatingIfNeeded: hash ^ hash >> 32)
}

func checksum(_ bytes: [UInt8]) -> UInt32 { bytes.withUnsafeBytes { checksum($0) } }
