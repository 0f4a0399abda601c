/// The first 100 bytes of a database: section 1.3 of SQLite's file format.
struct DatabaseHeader: Hashable, Sendable {
    static let size = 100
    static let magic = Array("SQLite format 3\0".utf8)
    /// The version of SQLite whose format is written.
    static let writerVersion: UInt32 = 3_040_001

    /// Positions of fields that change.
    enum Field {
        static let writeVersion = 18
        static let readVersion = 19
        static let changeCounter = 24
        static let pageCount = 28
        static let freeTrunk = 32
        static let freeCount = 36
        static let schemaCookie = 40
        static let validFor = 92
        static let writerVersion = 96
    }

    var pageSize: Int
    var writeVersion: UInt8
    var readVersion: UInt8
    var reserved: Int
    var changeCounter: UInt32
    /// Pages of the file; nil if a writer did not keep it up to date.
    var pageCount: UInt32?
    var schemaCookie: UInt32
    var schemaFormat: UInt32
    /// Not 0 for a database with pointer maps.
    var largestRoot: UInt32
    /// 1: UTF-8; 2 and 3: UTF-16, little and big endian.
    var encoding: UInt32

    /// Bytes of a page that are used.
    var usable: Int { pageSize - reserved }
    var usesWriteAheadLog: Bool { writeVersion == 2 || readVersion == 2 }

    init(_ bytes: [UInt8]) throws(ImageError) {
        let damage = ImageError.Damage(page: 1, .header)
        guard bytes.count >= Self.size, bytes.starts(with: Self.magic) else {
            throw .notAnImage(.header)
        }
        let size = try bytes.number16(16, damage)
        pageSize = size == 1 ? 65_536 : size
        guard pageSize >= 512, pageSize & (pageSize - 1) == 0 else { throw .damaged(damage) }
        writeVersion = bytes[Field.writeVersion]
        readVersion = bytes[Field.readVersion]
        guard readVersion == 1 || readVersion == 2 else {
            throw .unsupported(.formatVersion(readVersion))
        }
        reserved = Int(bytes[20])
        guard pageSize - reserved >= 480, bytes[21] == 64, bytes[22] == 32, bytes[23] == 32 else {
            throw .damaged(damage)
        }
        changeCounter = try bytes.number32(Field.changeCounter, damage)
        let count = try bytes.number32(Field.pageCount, damage)
        let validFor = try bytes.number32(Field.validFor, damage)
        pageCount = count != 0 && validFor == changeCounter ? count : nil
        schemaCookie = try bytes.number32(Field.schemaCookie, damage)
        schemaFormat = try bytes.number32(44, damage)
        guard schemaFormat <= 4 else {
            throw .unsupported(.formatVersion(UInt8(clamping: schemaFormat)))
        }
        largestRoot = try bytes.number32(52, damage)
        encoding = try bytes.number32(56, damage)
        guard encoding <= 3 else { throw .damaged(damage) }
    }

    /// Throws if the database must not be written.
    func checkWriting() throws(ImageError) {
        guard writeVersion == 1 || writeVersion == 2 else {
            throw .unsupported(.formatVersion(writeVersion))
        }
        guard largestRoot == 0 else { throw .unsupported(.autoVacuum) }
        guard encoding <= 1 else { throw .unsupported(.utf16) }
    }

    /// The first page of a new database, whose schema is empty.
    static func firstPage(pageSize: Int) -> [UInt8] {
        var page = magic + [UInt8](repeating: 0, count: pageSize - magic.count)
        page.set16(16, pageSize == 65_536 ? 1 : pageSize)
        page.replaceSubrange(18..<24, with: [1, 1, 0, 64, 32, 32])
        page.set32(Field.changeCounter, 1)
        page.set32(Field.pageCount, 1)
        page.set32(44, 4)
        page.set32(56, 1)
        page.set32(Field.validFor, 1)
        page.set32(Field.writerVersion, writerVersion)
        page[size] = 13
        page.set16(size + 5, pageSize & 0xffff)
        return page
    }
}
