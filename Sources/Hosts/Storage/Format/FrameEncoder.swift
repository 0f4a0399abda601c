// Soundness: buffers are appended whole.

import WasmdDigests

/// Appends frames to bytes that will be written at one place of a segment.
struct FrameEncoder {
    private(set) var bytes: [UInt8] = []
    private let salt: UInt64
    private let segment: UInt32
    /// Where the first byte of `bytes` will be.
    private let start: Int
    private var values: [UInt8] = []
    private var frameStart = 0

    /// - Parameter storage: bytes whose capacity is reused.
    init(salt: UInt64, segment: UInt32, at start: Int, reusing storage: consuming [UInt8] = []) {
        self.salt = salt
        self.segment = segment
        self.start = start
        bytes = storage
        bytes.removeAll(keepingCapacity: true)
    }

    consuming func takeBytes() -> [UInt8] { bytes }

    /// Where the frame that was begun is in the segment.
    var frameOffset: Int { start + frameStart }

    mutating func beginFrame() {
        frameStart = bytes.count
        values.removeAll(keepingCapacity: true)
        bytes.append(contentsOf: repeatElement(0, count: LogFormat.frameHeaderSize))
    }

    /// Adds an entry; returns where its value will be after the table, and the value's checksum.
    mutating func add(
        isDelete: Bool, key: [UInt8], value: [UInt8], digests: [SHA256.Digest], version: UInt64
    ) -> (offset: Int, checksum: UInt32) {
        let checksum = CRC32C.checksum(value)
        bytes.append(isDelete ? 2 : 1)
        bytes.append(UInt8(truncatingIfNeeded: digests.count))
        bytes.append(number: UInt16(truncatingIfNeeded: key.count))
        bytes.append(number: UInt32(truncatingIfNeeded: value.count))
        bytes.append(number: checksum)
        bytes.append(number: version)
        bytes.append(contentsOf: key)
        for digest in digests { bytes.append(contentsOf: digest.bytes) }
        let offset = values.count
        values.append(contentsOf: value)
        return (offset, checksum)
    }

    mutating func add(first number: UInt32) { bytes.append(number: number) }

    /// Completes the frame; returns where its values begin in the segment.
    @discardableResult
    mutating func endFrame(_ kind: FrameKind, sequence: UInt64, durable: UInt64) -> Int {
        let table = bytes.count - frameStart - LogFormat.frameHeaderSize
        let payload = table + values.count
        let seed = LogFormat.seed(salt, segment, frameOffset)
        let tableStart = frameStart + LogFormat.frameHeaderSize
        bytes.set(LogFormat.frameMagic, at: frameStart)
        bytes.set(kind.rawValue, at: frameStart + 4)
        bytes.set(UInt32(truncatingIfNeeded: payload), at: frameStart + 8)
        bytes.set(UInt32(truncatingIfNeeded: table), at: frameStart + 12)
        bytes.set(sequence, at: frameStart + 16)
        bytes.set(durable, at: frameStart + 24)
        let (tableChecksum, valuesStart) = unsafe bytes.withUnsafeBytes {
            (unsafe CRC32C.checksum($0.part(tableStart, table), after: seed), tableStart + table)
        }
        bytes.set(tableChecksum, at: frameStart + 32)
        let headerChecksum = unsafe bytes.withUnsafeBytes {
            unsafe CRC32C.checksum($0.part(frameStart, 36), after: seed)
        }
        bytes.set(headerChecksum, at: frameStart + 36)
        bytes.append(contentsOf: values)
        let end = frameStart + LogFormat.frameSize(payload)
        bytes.append(contentsOf: repeatElement(0, count: end - bytes.count))
        return start + valuesStart
    }

    /// Removes the frame that was begun.
    mutating func dropFrame() { bytes.removeSubrange(frameStart...) }
}
