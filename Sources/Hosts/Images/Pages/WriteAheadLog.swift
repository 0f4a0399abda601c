import WasmSystem

/// The committed pages of a write-ahead log that a process left: section 4 of SQLite's file format.
/// Only read, and moved into the database; nothing is appended.
struct WriteAheadLog {
    static let headerSize = 32
    static let frameHeaderSize = 24
    static let version: UInt32 = 3_007_000
    /// Sums of words in little endian; the next number is for big endian.
    static let magic: UInt32 = 0x377f_0682

    let descriptor: Int32
    /// The first 32 bytes, which change when the log is used again from its beginning.
    let header: [UInt8]
    let pageSize: Int
    /// Where the last committed version of a page begins.
    private(set) var places: [UInt32: Int] = [:]
    /// Pages of the database after the last commit; 0 without one.
    private(set) var pageCount: UInt32 = 0

    /// Nil if the file is no valid log: then the database alone counts.
    init?(_ files: any FileLayer, _ descriptor: Int32) throws(SystemError) {
        self.descriptor = descriptor
        header = try files.readBytes(descriptor, Self.headerSize, at: 0)
        let damage = ImageError.Damage(page: 1, .header)
        guard header.count == Self.headerSize,
            let magic = try? header.number32(0, damage), magic & ~1 == Self.magic,
            let version = try? header.number32(4, damage), version == Self.version,
            let size = (try? header.number32(8, damage)).map({ Int($0) }),
            size >= 512, size <= 65_536, size & (size - 1) == 0
        else { return nil }
        pageSize = size
        var sum = LogChecksum(isBigEndian: magic & 1 == 1)
        sum.add(header, 0..<24)
        guard sum.matches(header, at: 24) else { return nil }
        try readFrames(files, sum, damage)
    }

    private mutating func readFrames(
        _ files: any FileLayer, _ start: LogChecksum, _ damage: ImageError.Damage
    ) throws(SystemError) {
        var sum = start
        let frameSize = Self.frameHeaderSize + pageSize
        var offset = Self.headerSize
        var pending: [UInt32: Int] = [:]
        while true {
            let frame = try files.readBytes(descriptor, frameSize, at: offset)
            guard frame.count == frameSize, frame[8..<16] == header[16..<24] else { return }
            sum.add(frame, 0..<8)
            sum.add(frame, Self.frameHeaderSize..<frameSize)
            guard sum.matches(frame, at: 16), let number = try? frame.number32(0, damage),
                number != 0, let commit = try? frame.number32(4, damage)
            else { return }
            pending[number] = offset + Self.frameHeaderSize
            if commit != 0 {
                places.merge(pending) { $1 }
                pending = [:]
                pageCount = commit
            }
            offset += frameSize
        }
    }
}
