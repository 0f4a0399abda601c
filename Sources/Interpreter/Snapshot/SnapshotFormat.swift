/// The frame around the bytes of a snapshot; see `docs/snapshots.md`.
enum SnapshotFormat {
    static let magic: [UInt8] = [0x00, 0x77, 0x6d, 0x64, 0x73, 0x6e, 0x61, 0x70]
    static let version: UInt32 = 1
    /// Magic, version, fingerprint of the module, checksum.
    static let headerByteCount = 8 + 4 + 32 + 8

    /// How a segment is written.
    static let segmentKept: UInt8 = 0
    static let segmentDropped: UInt8 = 1
    static let segmentReferences: UInt8 = 2

    /// Finds damage, not forgery: every step can be reversed, so two contents that differ in one
    /// word never agree.
    static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var hash = UInt64(bytes.count)
        func add(_ word: UInt64) {
            hash = (hash ^ word) &* 0x9e37_79b9_7f4a_7c15
            hash ^= hash >> 32
        }
        var offset = 0
        while bytes.count - offset >= 8 {
            add(bytes.word(offset, 8))
            offset += 8
        }
        for byte in bytes[offset...] { add(UInt64(byte)) }
        return hash
    }
}
