import WasmSystem

/// Reads a rollback journal that its process left, or our own, and restores the database.
struct JournalReader {
    let files: any FileLayer
    let descriptor: Int32
    private let size: Int

    private struct Header {
        var recordCount: UInt32
        var nonce: UInt32
        var originalCount: UInt32
        var sectorSize: Int
        var pageSize: Int
    }

    init(_ files: any FileLayer, _ descriptor: Int32) throws(SystemError) {
        self.files = files
        self.descriptor = descriptor
        size = try files.size(descriptor)
    }

    /// Whether the journal does not begin with a 0 byte, as that of an unfinished transaction.
    var isHot: Bool {
        get throws(SystemError) {
            try files.readBytes(descriptor, 1, at: 0).first.map { $0 != 0 } ?? false
        }
    }

    /// The name of the journal of a transaction on several databases that this one belongs to.
    func superJournal() throws(SystemError) -> [UInt8]? {
        guard size >= 20 else { return nil }
        let end = try files.readBytes(descriptor, 16, at: size - 16)
        let damage = ImageError.Damage(page: 1, .header)
        guard end.count == 16, Array(end[8...]) == JournalFormat.magic,
            let count = (try? end.number32(0, damage)).map({ Int($0) }),
            let sum = try? end.number32(4, damage),
            count > 0, count <= 4096, count <= size - 16
        else { return nil }
        let name = try files.readBytes(descriptor, count, at: size - 16 - count)
        let found = name.reduce(UInt32(0)) {
            $0 &+ UInt32(bitPattern: Int32(Int8(bitPattern: $1)))
        }
        return name.count == count && found == sum ? name : nil
    }

    private func header(_ offset: Int) throws(SystemError) -> Header? {
        let bytes = try files.readBytes(descriptor, JournalFormat.headerSize, at: offset)
        let damage = ImageError.Damage(page: 1, .header)
        guard bytes.count == JournalFormat.headerSize, bytes.starts(with: JournalFormat.magic),
            let recordCount = try? bytes.number32(8, damage),
            let nonce = try? bytes.number32(12, damage),
            let originalCount = try? bytes.number32(16, damage),
            let sectorSize = try? bytes.number32(20, damage),
            let pageSize = try? bytes.number32(24, damage)
        else { return nil }
        return Header(
            recordCount: recordCount, nonce: nonce, originalCount: originalCount,
            sectorSize: Int(sectorSize), pageSize: Int(pageSize))
    }

    private static func isPower(_ value: Int, from low: Int) -> Bool {
        value >= low && value <= 65_536 && value & (value - 1) == 0
    }

    /// Writes the pages of the journal back and gives the database its old size. The caller has the
    /// exclusive lock, and syncs the database afterwards.
    func restore(_ database: Int32) throws(SystemError) {
        guard let first = try header(0), Self.isPower(first.sectorSize, from: 32),
            Self.isPower(first.pageSize, from: 512)
        else { return }
        let pageSize = first.pageSize
        try restoreSize(database, Int(first.originalCount) * pageSize)
        let lockPage = LockRange.firstByte / Int64(pageSize) + 1
        var restored: Set<UInt32> = []
        var offset = 0
        var next: Header? = first
        while let header = next {
            offset += first.sectorSize
            let fitting = max(size - offset, 0) / (pageSize + 8)
            let count = header.recordCount == .max ? fitting : Int(header.recordCount)
            // More records than there are bytes: the last ones never arrived.
            for _ in 0..<min(count, fitting) {
                let record = try files.readBytes(descriptor, pageSize + 8, at: offset)
                guard record.count == pageSize + 8 else { return }
                offset += record.count
                let page = Array(record[4..<(pageSize + 4)])
                let damage = ImageError.Damage(page: 1, .header)
                guard let number = try? record.number32(0, damage),
                    let sum = try? record.number32(pageSize + 4, damage),
                    number != 0, Int64(number) != lockPage,
                    sum == JournalFormat.checksum(page, nonce: header.nonce)
                else { return }
                guard number <= first.originalCount, restored.insert(number).inserted else {
                    continue
                }
                try files.writeBytes(database, page, at: (Int(number) - 1) * pageSize)
            }
            guard count <= fitting else { return }
            offset = (offset + first.sectorSize - 1) / first.sectorSize * first.sectorSize
            guard offset < size else { return }
            next = try self.header(offset)
        }
    }

    private func restoreSize(_ database: Int32, _ old: Int) throws(SystemError) {
        let now = try files.size(database)
        // A larger size than the journal can explain is damage.
        if now > old || now < old && old - now <= size { try files.setSize(database, old) }
    }
}
