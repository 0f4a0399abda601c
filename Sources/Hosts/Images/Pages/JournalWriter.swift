import WasmSystem

/// Writes the rollback journal of one transaction: the pages of the database as they were.
///
/// The file is kept from one transaction to the next with a header of zeros (SQLite's mode
/// `persist`), so that a commit does not wait for the folder. As SQLite does, a header becomes
/// valid only when the records after it are on the disk, and the database is written only when the
/// header is.
struct JournalWriter {
    private let files: any FileLayer
    private let path: [UInt8]
    let descriptor: Int32
    private let pageSize: Int
    private let originalCount: UInt32
    /// The file had this size before; it may have headers of earlier transactions.
    private let oldSize: Int
    private var isNew: Bool
    /// The header whose records are being written.
    private var headerOffset = 0
    private var nonce: UInt32
    private var recordCount: UInt32 = 0
    /// Where the buffer goes.
    private var offset = 0
    private var buffer: [UInt8]
    /// Whether the header is valid on the disk, with all its records.
    private(set) var isDurable = false
    /// Whether a header was made valid: from then on the file is more than a draft.
    private(set) var isValid = false
    /// Pages that are in the journal.
    private(set) var pages: Set<UInt32> = []

    private static let bufferLimit = 1 << 20
    /// A journal that became larger is emptied at the end of its transaction.
    private static let keptSize = 4 << 20

    init(
        _ files: any FileLayer, _ path: [UInt8], pageSize: Int, originalCount: UInt32,
        permissions: UInt32
    ) throws(SystemError) {
        var isNew = false
        do throws(SystemError) {
            descriptor = try files.open(path, [.readWrite], permissions: permissions)
        } catch .noent {
            descriptor = try files.open(path, [.readWrite, .create], permissions: permissions)
            isNew = true
        }
        self.isNew = isNew
        self.files = files
        self.path = path
        self.pageSize = pageSize
        self.originalCount = originalCount
        do throws(SystemError) {
            oldSize = try files.size(descriptor)
        } catch {
            files.close(descriptor)
            throw error
        }
        nonce = .random(in: 0 ... .max)
        buffer = JournalFormat.header(
            nonce: nonce, originalCount: originalCount, pageSize: pageSize)
    }

    func contains(_ page: UInt32) -> Bool { pages.contains(page) }

    /// Adds a page as it was when the transaction began.
    mutating func add(_ page: UInt32, _ bytes: [UInt8]) throws(SystemError) {
        if isDurable { startHeader() }
        buffer.append32(page)
        buffer += bytes
        buffer.append32(JournalFormat.checksum(bytes, nonce: nonce))
        recordCount += 1
        pages.insert(page)
        if buffer.count >= Self.bufferLimit { try flush() }
    }

    private mutating func startHeader() {
        let sector = JournalFormat.sectorSize
        let next = (offset + sector - 1) / sector * sector
        buffer = [UInt8](repeating: 0, count: next - offset)
        headerOffset = next
        nonce = .random(in: 0 ... .max)
        buffer += JournalFormat.header(
            nonce: nonce, originalCount: originalCount, pageSize: pageSize)
        recordCount = 0
        isDurable = false
    }

    private mutating func flush() throws(SystemError) {
        guard !buffer.isEmpty else { return }
        try files.writeBytes(descriptor, buffer, at: offset)
        offset += buffer.count
        buffer.removeAll(keepingCapacity: true)
    }

    /// Waits until all records are on the disk and count.
    mutating func makeDurable() throws(SystemError) {
        guard !isDurable else { return }
        try flush()
        try hideOldHeader()
        try files.datasync(descriptor)
        try files.writeBytes(
            descriptor, JournalFormat.start(recordCount: recordCount), at: headerOffset)
        isValid = true
        try files.datasync(descriptor)
        if isNew {
            try files.syncFolder(of: path)
            isNew = false
        }
        isDurable = true
    }

    /// A header of an earlier transaction exactly where the next one would be is not ours.
    private func hideOldHeader() throws(SystemError) {
        let sector = JournalFormat.sectorSize
        let next = (offset + sector - 1) / sector * sector
        guard next < oldSize else { return }
        let magic = JournalFormat.magic
        if try files.readBytes(descriptor, magic.count, at: next) == magic {
            try files.writeBytes(descriptor, [0], at: next)
        }
    }

    /// Makes the journal invalid, which commits what the database has, and waits for the disk. One
    /// that never became valid stays as it is.
    func finish() throws(SystemError) {
        if isValid { try Self.invalidate(files, descriptor) }
    }

    static func invalidate(
        _ files: any FileLayer, _ descriptor: Int32
    ) throws(SystemError) {
        if try files.size(descriptor) > keptSize {
            try files.setSize(descriptor, 0)
        } else {
            let zeros = [UInt8](repeating: 0, count: JournalFormat.headerSize)
            try files.writeBytes(descriptor, zeros, at: 0)
        }
        try files.datasync(descriptor)
    }

    func close() { files.close(descriptor) }
}
