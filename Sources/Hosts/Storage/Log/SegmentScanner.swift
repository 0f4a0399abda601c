// Soundness: frames are used within the call that they are passed to, and the window is not moved
// meanwhile.

import WasmSystem

/// Goes over the frames of a segment, and finds the next valid one after damaged bytes.
struct SegmentScanner {
    let segment: Segment
    let salt: UInt64
    /// Frames up to this sequence number are refused: they are remains.
    var lastSequence: UInt64

    /// Bytes at the end that belong to no valid frame.
    private(set) var rest: Range<Int>?

    init(_ segment: Segment, salt: UInt64, after lastSequence: UInt64) {
        self.segment = segment
        self.salt = salt
        self.lastSequence = lastSequence
    }

    /// Passes each valid frame to `body`, with the bytes before it that belong to none, until that
    /// returns false.
    ///
    /// - Parameter size: the bytes of the file that are scanned.
    @unsafe mutating func scan(
        size: Int, _ body: (Frame, Range<Int>?) throws(StorageError) -> Bool
    ) throws(StorageError) {
        var window = FileWindow(segment.file, size: size)
        var position = LogFormat.firstFrame
        var end = position
        var damage: Int?
        while position + LogFormat.frameHeaderSize <= size {
            let seed = LogFormat.seed(salt, segment.number, position)
            let bytes = try unsafe load(&window, position, LogFormat.frameHeaderSize)
            if bytes.count < LogFormat.frameHeaderSize { break }
            guard let header = unsafe FrameHeader.decode(bytes, seed: seed) else {
                damage = damage ?? position
                unsafe position += Self.distance(in: bytes)
                continue
            }
            let whole = try unsafe load(&window, position, header.frameSize)
            let frame = unsafe Frame(
                header: header, offset: position, bytes: whole.part(0, header.frameSize))
            if header.sequence > lastSequence, unsafe frame.isValid(seed: seed) {
                lastSequence = header.sequence
                let before = damage.map { $0..<position }
                damage = nil
                end = position + header.frameSize
                guard try unsafe body(frame, before) else { return }
            } else {
                damage = damage ?? position
            }
            position += header.frameSize
        }
        if end < size { rest = end..<size }
    }

    private func load(
        _ window: inout FileWindow, _ offset: Int, _ need: Int
    ) throws(StorageError) -> UnsafeRawBufferPointer {
        do throws(SystemError) {
            return try unsafe window.load(offset, need)
        } catch {
            throw .system(error, file: segment.path)
        }
    }

    /// How far it is to the next place that may be the start of a frame, or to the end of what is
    /// in memory.
    private static func distance(in bytes: UnsafeRawBufferPointer) -> Int {
        var position = LogFormat.frameAlignment
        while position + LogFormat.frameHeaderSize <= bytes.count {
            if unsafe bytes.number(position, as: UInt32.self) == LogFormat.frameMagic {
                return position
            }
            position += LogFormat.frameAlignment
        }
        return position
    }
}
