// Soundness: fields are read through `number`, which compares with the count.

/// What the first bytes of a segment say, twice.
struct SegmentHeader: Hashable {
    /// The segment's number, as its name has it.
    var number: UInt32
    /// A random number of the store.
    var salt: UInt64
    /// The sequence number of the segment's first frame. All earlier frames are durable.
    var firstSequence: UInt64
    /// The lowest segment that belonged to the log when this one was made.
    var firstSegment: UInt32

    /// The bytes before the first frame.
    var encoded: [UInt8] {
        var copy = LogFormat.segmentMagic
        copy.append(number: LogFormat.version)
        copy.append(number: number)
        copy.append(number: salt)
        copy.append(number: firstSequence)
        copy.append(number: firstSegment)
        copy += [UInt8](repeating: 0, count: LogFormat.segmentHeaderSize - 4 - copy.count)
        copy.append(number: CRC32C.checksum(copy))
        var bytes = [UInt8](repeating: 0, count: LogFormat.firstFrame)
        for offset in LogFormat.headerCopies {
            bytes.replaceSubrange(offset..<(offset + copy.count), with: copy)
        }
        return bytes
    }

    enum Decoded {
        case header(SegmentHeader)
        /// Neither copy is whole.
        case damaged
        /// A whole copy says another version.
        case version(UInt32)
    }

    /// Reads the first copy that is whole.
    static func decode(_ bytes: UnsafeRawBufferPointer) -> Decoded {
        for offset in LogFormat.headerCopies {
            let copy = unsafe bytes.part(offset, LogFormat.segmentHeaderSize)
            let checked = unsafe copy.part(0, LogFormat.segmentHeaderSize - 4)
            guard unsafe !copy.isEmpty, unsafe checked.starts(with: LogFormat.segmentMagic),
                unsafe CRC32C.checksum(checked) == copy.number(checked.count)
            else { continue }
            let version: UInt32 = unsafe copy.number(8)
            guard version == LogFormat.version else { return .version(version) }
            let header = unsafe SegmentHeader(
                number: copy.number(12), salt: copy.number(16), firstSequence: copy.number(24),
                firstSegment: copy.number(32))
            guard 1...LogFormat.maximumSequence ~= header.firstSequence else { continue }
            return .header(header)
        }
        return .damaged
    }
}
