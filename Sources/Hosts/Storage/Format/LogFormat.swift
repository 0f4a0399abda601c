// Soundness: integers are read and written within the count of a buffer, which is compared first;
// numbers are lent as bytes.

/// The numbers of the log's format: docs/storage.md.
enum LogFormat {
    static let version: UInt32 = 1

    /// Where the frames of a segment begin; before are two copies of its header.
    static let firstFrame = 1024
    static let headerCopies = [0, 512]
    static let segmentHeaderSize = 64
    static let segmentMagic: [UInt8] = Array("WASMDLOG".utf8)

    /// `wLf1` in the file.
    static let frameMagic: UInt32 = 0x3166_4c77
    static let frameHeaderSize = 40
    static let frameAlignment = 8
    /// Bytes of an entry of a frame's table, without its key and digests.
    static let entrySize = 20
    static let digestSize = 32

    /// The largest key.
    static let maximumKey = 512
    /// The largest value.
    static let maximumValue = 64 << 10
    /// The largest frame after its header.
    static let maximumPayload = 16 << 20
    /// No frame begins after this offset of a segment, so that offsets fit 32 bits.
    static let maximumSegment = 2 << 30

    /// Sequence numbers are from 1 to this, so that adding to one cannot overflow.
    static let maximumSequence: UInt64 = 1 << 62

    /// `payload` and a frame's header, with padding.
    static func frameSize(_ payload: Int) -> Int {
        (frameHeaderSize + payload + frameAlignment - 1) & ~(frameAlignment - 1)
    }

    /// The checksum that those of a frame's header and table begin with. A frame is valid only at
    /// its own place in the log of its own store: a value that contains the bytes of a frame is
    /// never taken for one.
    static func seed(_ salt: UInt64, _ segment: UInt32, _ offset: Int) -> UInt32 {
        let place = (
            salt.littleEndian, segment.littleEndian, UInt32(truncatingIfNeeded: offset).littleEndian
        )
        return unsafe withUnsafeBytes(of: place) { unsafe CRC32C.checksum($0) }
    }
}

extension UnsafeRawBufferPointer {
    /// The number at `offset`, least significant byte first; 0 outside of the buffer.
    @inline(__always)
    func number<Number: FixedWidthInteger & BitwiseCopyable>(
        _ offset: Int, as type: Number.Type = Number.self
    ) -> Number {
        guard offset >= 0, offset <= count &- MemoryLayout<Number>.size else { return 0 }
        return unsafe Number(littleEndian: loadUnaligned(fromByteOffset: offset, as: type))
    }

    /// The bytes of a range that is within the buffer; none otherwise.
    @inline(__always)
    func part(_ offset: Int, _ count: Int) -> UnsafeRawBufferPointer {
        guard offset >= 0, count >= 0, count <= self.count, offset <= self.count &- count else {
            return unsafe UnsafeRawBufferPointer(start: nil, count: 0)
        }
        return unsafe UnsafeRawBufferPointer(rebasing: self[offset..<(offset &+ count)])
    }
}

extension [UInt8] {
    /// Adds a number, least significant byte first.
    @inline(__always)
    mutating func append(number: some FixedWidthInteger) {
        unsafe Swift.withUnsafeBytes(of: number.littleEndian) { unsafe append(contentsOf: $0) }
    }

    /// Replaces bytes by a number; does nothing outside of the array.
    @inline(__always)
    mutating func set<Number: FixedWidthInteger>(_ number: Number, at offset: Int) {
        guard offset >= 0, offset <= count - MemoryLayout<Number>.size else { return }
        unsafe withUnsafeMutableBytes {
            unsafe $0.storeBytes(of: number.littleEndian, toByteOffset: offset, as: Number.self)
        }
    }
}
