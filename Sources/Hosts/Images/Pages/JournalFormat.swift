/// The rollback journal: section 3 of SQLite's file format.
enum JournalFormat {
    static let magic: [UInt8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7]
    /// Bytes of the fields of a header.
    static let headerSize = 28
    /// The sector size of journals written here: headers begin at multiples of it.
    static let sectorSize = 512

    /// The sum of each 200th byte of a page, from its end.
    static func checksum(_ page: [UInt8], nonce: UInt32) -> UInt32 {
        var sum = nonce
        var position = page.count - 200
        while position > 0 {
            sum &+= UInt32(truncatingIfNeeded: page[position])
            position -= 200
        }
        return sum
    }

    /// A header; without `magic` and count it is not valid yet.
    static func header(nonce: UInt32, originalCount: UInt32, pageSize: Int) -> [UInt8] {
        var header = [UInt8](repeating: 0, count: sectorSize)
        header.set32(12, nonce)
        header.set32(16, originalCount)
        header.set32(20, UInt32(truncatingIfNeeded: sectorSize))
        header.set32(24, UInt32(truncatingIfNeeded: pageSize))
        return header
    }

    /// What makes a header valid.
    static func start(recordCount: UInt32) -> [UInt8] {
        var start = magic
        start.append32(recordCount)
        return start
    }
}
