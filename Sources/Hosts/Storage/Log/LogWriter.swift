import WasmSystem

/// The end of the log, where frames are added. Used by one thread.
struct LogWriter {
    let folder: DataFolder
    let salt: UInt64
    /// The lowest segment that belongs to the log.
    var firstSegment: UInt32
    private(set) var segment: Segment
    /// Where the next frame goes.
    private(set) var end: Int
    /// The sequence number of the last frame.
    var lastSequence: UInt64
    /// That of the last one that is durable.
    private(set) var durable: UInt64
    private(set) var endsWithMark: Bool

    /// Continues a log.
    init(
        _ folder: DataFolder, _ recovery: borrowing Recovery, salt: UInt64
    ) throws(StorageError) {
        self.folder = folder
        self.salt = salt
        firstSegment = recovery.firstSegment
        lastSequence = recovery.lastSequence
        durable = recovery.lastSequence
        endsWithMark = recovery.endsWithMark
        if let last = recovery.lastSegment {
            segment = last
            end = recovery.end
        } else {
            let number = try Self.nextNumber(recovery)
            let header = SegmentHeader(
                number: number, salt: salt, firstSequence: recovery.lastSequence + 1,
                firstSegment: firstSegment)
            let (made, isDurable) = try Self.make(folder, header)
            guard isDurable else { throw .system(.io, file: Segment.path(number)) }
            segment = made
            end = LogFormat.firstFrame
            endsWithMark = true
        }
    }

    /// Begins the log of an empty folder.
    ///
    /// - Parameter lastSequence: all records get a version up to this.
    init(
        new folder: DataFolder, salt: UInt64, lastSequence: UInt64
    ) throws(StorageError) {
        self.folder = folder
        self.salt = salt
        firstSegment = 1
        self.lastSequence = lastSequence
        durable = lastSequence
        endsWithMark = true
        let header = SegmentHeader(
            number: 1, salt: salt, firstSequence: lastSequence + 1, firstSegment: 1)
        (segment, _) = try Self.make(folder, header)
        end = LogFormat.firstFrame
    }

    /// The number of the segment that follows those that are there.
    private static func nextNumber(_ recovery: borrowing Recovery) throws(StorageError) -> UInt32 {
        guard let last = recovery.segments.keys.max() else { return max(recovery.firstSegment, 1) }
        guard last < .max else { throw .full(.overflow) }
        return last + 1
    }

    /// The number of the frame that is added next.
    mutating func nextSequence() throws(StorageError) -> UInt64 {
        guard lastSequence < LogFormat.maximumSequence else { throw .full(.overflow) }
        lastSequence += 1
        return lastSequence
    }

    func encoder(reusing storage: consuming [UInt8]) -> FrameEncoder {
        FrameEncoder(salt: salt, segment: segment.number, at: end, reusing: storage)
    }

    /// How a change of the log failed.
    enum Failure: Error {
        /// The log is as before.
        case undone(StorageError)
        /// What the disk has is unknown.
        case unknown(SystemError)
    }

    /// Adds bytes, which are not durable yet.
    mutating func append(_ bytes: [UInt8], isMark: Bool = false) throws(Failure) {
        do throws(SystemError) {
            try folder.files.writeAll(segment.file.descriptor, bytes, at: end)
        } catch {
            // What is refused must not come back after a power cut, so this is made durable too.
            do throws(SystemError) {
                try folder.files.setSize(segment.file.descriptor, Int64(end))
                try folder.files.datasync(segment.file.descriptor)
            } catch {
                throw .unknown(error)
            }
            throw .undone(StorageError(writing: segment.path, error))
        }
        end += bytes.count
        endsWithMark = isMark
    }

    /// Makes all that was added durable.
    mutating func sync() throws(Failure) {
        do throws(SystemError) {
            try folder.files.datasync(segment.file.descriptor)
        } catch {
            throw .unknown(error)
        }
        durable = lastSequence
    }

    /// Continues in a new segment. All that was added must be durable.
    mutating func rotate() throws(Failure) {
        guard segment.number < .max else { throw .undone(.full(.overflow)) }
        let header = SegmentHeader(
            number: segment.number + 1, salt: salt, firstSequence: lastSequence + 1,
            firstSegment: firstSegment)
        let isDurable: Bool
        do throws(StorageError) {
            (segment, isDurable) = try Self.make(folder, header)
        } catch {
            throw .undone(error)
        }
        end = LogFormat.firstFrame
        endsWithMark = true
        if !isDurable { throw .unknown(.io) }
    }

    /// Makes a segment. Its name appears when its header is durable: a segment that is there shows
    /// that the one before was complete.
    ///
    /// - Returns: also whether the name is durable.
    private static func make(
        _ folder: DataFolder, _ header: SegmentHeader
    ) throws(StorageError) -> (Segment, isDurable: Bool) {
        let files = folder.files
        let path = Segment.path(header.number)
        let newName = Segment.newName(header.number)
        let log = folder.log.descriptor
        do throws(SystemError) {
            let opened = try files.open(log, newName, [.readWrite, .create, .truncate])
            let segment = Segment(number: header.number, OpenFile(owning: opened, files))
            try files.writeAll(opened, header.encoded, at: 0)
            try files.datasync(opened)
            try files.rename(log, newName, to: Segment.name(header.number))
            return (segment, (try? files.syncFolder(log)) != nil)
        } catch {
            try? files.unlink(log, newName)
            throw StorageError(writing: path, error)
        }
    }

    /// A frame that says that all before it is durable.
    mutating func appendMark() throws(Failure) {
        guard !endsWithMark, let sequence = try? nextSequence() else { return }
        var encoder = encoder(reusing: [])
        encoder.beginFrame()
        encoder.endFrame(.mark, sequence: sequence, durable: durable)
        do throws(Failure) {
            try append(encoder.bytes, isMark: true)
        } catch {
            lastSequence -= 1
            throw error
        }
    }
}
