/// Where the value of a record is.
struct Location: Hashable, Sendable {
    var segment: UInt32
    /// The first byte of the value in the segment.
    var offset: UInt32
    /// Bytes of the value, and whether the record references blobs in the highest bit.
    private var sizeAndFlag: UInt32
    var checksum: UInt32
    /// The sequence number of the transaction that wrote the record.
    var version: UInt64

    init(
        segment: UInt32, offset: Int, size: Int, hasDigests: Bool, checksum: UInt32,
        version: UInt64
    ) {
        self.segment = segment
        self.offset = UInt32(truncatingIfNeeded: offset)
        sizeAndFlag = UInt32(truncatingIfNeeded: size) | (hasDigests ? 1 << 31 : 0)
        self.checksum = checksum
        self.version = version
    }

    var size: Int { Int(sizeAndFlag & ~(1 << 31)) }
    var hasDigests: Bool { sizeAndFlag >> 31 == 1 }

    /// Adds to the offset, which was relative to the values of a frame.
    mutating func move(by distance: Int) { offset &+= UInt32(truncatingIfNeeded: distance) }

    /// What a record takes in the log, about.
    static func weight(key: Int, value: Int) -> Int {
        LogFormat.entrySize + LogFormat.frameHeaderSize + key + value
    }
}
