// Soundness: a frame's bytes are read below their count, through `number` and `part`. A frame is
// used only as long as the buffer that it was decoded from is.

/// A unit of the log: all of it is valid, or none.
enum FrameKind: UInt16 {
    /// The changes of one transaction.
    case transaction = 1
    /// Records that compaction copied, with the versions that they had.
    case moved = 2
    /// Nothing but a header, which says what is durable.
    case mark = 3
    /// The number of the lowest segment that belongs to the log.
    case first = 4
}

struct FrameHeader: Hashable {
    var kind: UInt16
    var payloadSize: Int
    var tableSize: Int
    /// 1 more than the frame before.
    var sequence: UInt64
    /// The last frame that was known to be durable when this one was written.
    var durable: UInt64
    var tableChecksum: UInt32

    var frameSize: Int { LogFormat.frameSize(payloadSize) }

    /// Reads a header; nil unless its checksum is that of this place.
    static func decode(_ bytes: UnsafeRawBufferPointer, seed: UInt32) -> FrameHeader? {
        guard bytes.count >= LogFormat.frameHeaderSize,
            unsafe bytes.number(0, as: UInt32.self) == LogFormat.frameMagic,
            unsafe CRC32C.checksum(bytes.part(0, 36), after: seed) == bytes.number(36)
        else { return nil }
        let header = unsafe FrameHeader(
            kind: bytes.number(4), payloadSize: Int(bytes.number(8, as: UInt32.self)),
            tableSize: Int(bytes.number(12, as: UInt32.self)), sequence: bytes.number(16),
            durable: bytes.number(24), tableChecksum: bytes.number(32))
        guard header.payloadSize <= LogFormat.maximumPayload,
            header.tableSize <= header.payloadSize,
            1...LogFormat.maximumSequence ~= header.sequence
        else { return nil }
        return header
    }
}

/// An entry of a frame's table with its value.
@unsafe struct FrameEntry {
    var isDelete: Bool
    var key: UnsafeRawBufferPointer
    var digests: UnsafeRawBufferPointer
    /// Where the value is, from the start of the frame.
    var valueOffset: Int
    var valueSize: Int
    var valueChecksum: UInt32
    var version: UInt64
}

/// A frame in memory.
@unsafe struct Frame {
    let header: FrameHeader
    /// Where it begins in its segment.
    let offset: Int
    /// All its bytes.
    let bytes: UnsafeRawBufferPointer

    var kind: FrameKind? { unsafe FrameKind(rawValue: header.kind) }
    private var table: UnsafeRawBufferPointer {
        unsafe bytes.part(LogFormat.frameHeaderSize, header.tableSize)
    }

    /// The number that a frame of kind `first` has.
    var firstSegment: UInt32? {
        unsafe kind == .first && header.tableSize == 4 ? table.number(0) : nil
    }

    /// Whether table and values have their checksums, and the table is well formed.
    func isValid(seed: UInt32) -> Bool {
        guard unsafe bytes.count >= header.frameSize,
            unsafe CRC32C.checksum(table, after: seed) == header.tableChecksum
        else { return false }
        switch unsafe kind {
        case .transaction, .moved: break
        case .mark: return unsafe header.payloadSize == 0
        case .first: return unsafe firstSegment != nil && header.payloadSize == 4
        case nil: return false
        }
        var end = unsafe LogFormat.frameHeaderSize + header.tableSize
        var areWhole = true
        let isWellFormed = unsafe forEachEntry { entry in
            let value = unsafe bytes.part(entry.valueOffset, entry.valueSize)
            unsafe areWhole =
                areWhole && value.count == entry.valueSize && entry.version <= header.sequence
                && CRC32C.checksum(value) == entry.valueChecksum
            unsafe end += entry.valueSize
            return areWhole
        }
        return unsafe areWhole && isWellFormed
            && end == LogFormat.frameHeaderSize + header.payloadSize
    }

    /// Passes the entries on, in order, until `body` returns false. False if the table is not well
    /// formed.
    @discardableResult
    func forEachEntry(_ body: (FrameEntry) -> Bool) -> Bool {
        let table = unsafe table
        var position = 0
        var value = unsafe LogFormat.frameHeaderSize + header.tableSize
        while position < table.count {
            let kind: UInt8 = unsafe table.number(position)
            let digests =
                unsafe Int(table.number(position + 1, as: UInt8.self))
                * LogFormat.digestSize
            let keySize = unsafe Int(table.number(position + 2, as: UInt16.self))
            let valueSize = unsafe Int(table.number(position + 4, as: UInt32.self))
            let end = position + LogFormat.entrySize + keySize + digests
            guard kind == 1 || kind == 2, 1...LogFormat.maximumKey ~= keySize,
                valueSize <= LogFormat.maximumValue, end <= table.count
            else { return false }
            let entry = unsafe FrameEntry(
                isDelete: kind == 2,
                key: table.part(position + LogFormat.entrySize, keySize),
                digests: table.part(position + LogFormat.entrySize + keySize, digests),
                valueOffset: value, valueSize: valueSize,
                valueChecksum: table.number(position + 8), version: table.number(position + 12))
            guard unsafe body(entry) else { return true }
            value += valueSize
            position = end
        }
        return true
    }
}
