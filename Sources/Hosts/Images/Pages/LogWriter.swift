import WasmSystem

/// Writes a write-ahead log: section 4 of SQLite's file format. It has the pages of commits that are
/// not in the database yet.
///
/// Only a process that has the exclusive lock of the database writes one, from before the file is
/// there until it is gone, so that no shared memory is needed to agree on what it has. A process
/// that ends meanwhile leaves a log as SQLite's own do, and the next one recovers it.
struct LogWriter {
    private let files: any FileLayer
    private let path: [UInt8]
    private let descriptor: Int32
    private let pageSize: Int
    private let salts: [UInt8]
    /// The sums of all that counts, and where the next frame goes.
    private var checksum = LogChecksum(isBigEndian: false)
    private var offset = 0
    /// Whether the folder may not have its name yet.
    private var isNew = true
    /// Pages that it has.
    private(set) var numbers: Set<UInt32> = []

    /// Makes the file; `EEXIST` if there is one.
    init(
        _ files: any FileLayer, _ path: [UInt8], pageSize: Int, permissions: UInt32
    ) throws(SystemError) {
        self.files = files
        self.path = path
        self.pageSize = pageSize
        var salts: [UInt8] = []
        salts.append32(.random(in: 0 ... .max))
        salts.append32(.random(in: 0 ... .max))
        self.salts = salts
        descriptor = try files.open(
            path, [.readWrite, .create, .exclusive], permissions: permissions)
    }

    /// Bytes of the log.
    var byteCount: Int { offset }

    private mutating func header() -> [UInt8] {
        var header: [UInt8] = []
        header.append32(WriteAheadLog.magic)
        header.append32(WriteAheadLog.version)
        header.append32(UInt32(truncatingIfNeeded: pageSize))
        header.append32(0)
        header += salts
        checksum.add(header, 0..<24)
        return header + checksum.bytes
    }

    /// Appends a commit, and waits until it is on the disk.
    ///
    /// - Parameters:
    ///   - pages: numbers of changed pages, at least one.
    ///   - pageCount: pages of the database after the commit.
    /// - Throws: `full` and others if nothing was committed; then the log is as before.
    ///   `failedSync` if nobody knows.
    mutating func append(
        _ pages: [UInt32], pageCount: UInt32, _ bytes: (UInt32) -> [UInt8]?
    ) throws(ImageError) {
        var sum = checksum
        var buffer: [UInt8] = []
        if offset == 0 {
            buffer = header()
            sum = checksum
        }
        var end = offset
        do throws(SystemError) {
            for (index, number) in pages.enumerated() {
                guard let page = bytes(number), page.count == pageSize else { throw .io }
                let start = buffer.count
                buffer.append32(number)
                buffer.append32(index == pages.count - 1 ? pageCount : 0)
                sum.add(buffer, start..<(start + 8))
                sum.add(page, 0..<pageSize)
                buffer += salts
                buffer += sum.bytes
                buffer += page
                guard buffer.count >= Self.bufferLimit || index == pages.count - 1 else { continue }
                try files.writeBytes(descriptor, buffer, at: end)
                end += buffer.count
                buffer.removeAll(keepingCapacity: true)
            }
        } catch {
            // Frames without the last one of a commit do not count.
            if offset == 0 { checksum = LogChecksum(isBigEndian: false) }
            throw ImageError(error, .journal)
        }
        do throws(SystemError) {
            try files.datasync(descriptor)
            if isNew { try files.syncFolder(of: path) }
        } catch {
            throw .failedSync(error)
        }
        isNew = false
        (checksum, offset) = (sum, end)
        numbers.formUnion(pages)
    }

    private static let bufferLimit = 1 << 20

    /// Removes the log, whose pages are all in the database, so that it never comes back.
    func remove() throws(SystemError) {
        defer { close() }
        if offset > 0 {
            try files.writeBytes(
                descriptor, [UInt8](repeating: 0, count: WriteAheadLog.headerSize), at: 0)
            try files.datasync(descriptor)
        }
        try files.unlink(path)
    }

    func close() { files.close(descriptor) }
}
