import WasmSystem

/// The committed pages of a write-ahead log that another process left: section 4 of SQLite's file
/// format. Only read, and moved into the database; nothing is ever appended.
struct WriteAheadLog {
    private static let headerSize = 32
    private static let frameHeaderSize = 24

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
            let magic = try? header.number32(0, damage), magic & ~1 == 0x377f_0682,
            let version = try? header.number32(4, damage), version == 3_007_000,
            let size = (try? header.number32(8, damage)).map({ Int($0) }),
            size >= 512, size <= 65_536, size & (size - 1) == 0
        else { return nil }
        pageSize = size
        var sum = Checksum(isBigEndian: magic & 1 == 1)
        sum.add(header, 0..<24)
        guard sum.matches(header, at: 24) else { return nil }
        try readFrames(files, sum, damage)
    }

    private mutating func readFrames(
        _ files: any FileLayer, _ start: Checksum, _ damage: ImageError.Damage
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

    /// Two sums over pairs of words: section 4.2.
    private struct Checksum {
        let isBigEndian: Bool
        var first: UInt32 = 0
        var second: UInt32 = 0

        init(isBigEndian: Bool) { self.isBigEndian = isBigEndian }

        mutating func add(_ bytes: [UInt8], _ range: Range<Int>) {
            var position = range.lowerBound
            while position + 8 <= range.upperBound {
                first &+= word(bytes, position) &+ second
                second &+= word(bytes, position + 4) &+ first
                position += 8
            }
        }

        private func word(_ bytes: [UInt8], _ position: Int) -> UInt32 {
            let word = (try? bytes.number32(position, .init(page: 1, .header))) ?? 0
            return isBigEndian ? word : word.byteSwapped
        }

        func matches(_ bytes: [UInt8], at position: Int) -> Bool {
            let damage = ImageError.Damage(page: 1, .header)
            guard let one = try? bytes.number32(position, damage),
                let other = try? bytes.number32(position + 4, damage)
            else { return false }
            return one == first && other == second
        }
    }
}
