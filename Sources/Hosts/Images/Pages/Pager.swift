import WasmSystem

/// The pages of a database file in transactions: locks, cache, journal.
///
/// Used by one thread at a time. The locks and the order of writes are those of SQLite ("File
/// Locking And Concurrency", "Atomic Commit In SQLite"), so that its processes may use the file at
/// the same time.
final class Pager {
    let files: any FileLayer
    let path: [UInt8]
    let journalPath: [UInt8]
    let logPath: [UInt8]
    let options: Image.Options
    /// Nil after `close`.
    var descriptor: Int32?

    /// What the header said when the transaction began.
    var header: DatabaseHeader
    /// Bytes of the header of which the pages in memory are.
    var headerBytes: [UInt8] = []
    /// How often the pages in memory were found to be old.
    var revision: UInt64 = 0
    var cache: PageCache
    /// Pages of the database in this transaction.
    var pageCount: UInt32 = 0

    enum State { case idle, reading, writing }
    var state = State.idle
    /// Whether the lock is the exclusive one.
    var isExclusive = false
    /// Pages when the transaction began.
    var originalCount: UInt32 = 0
    var journal: JournalWriter?
    /// Whether changed pages were written to the file before the commit.
    var hasWrittenEarly = false
    var savepoint: Savepoint?
    /// Pages that the transaction freed.
    var freed: Set<UInt32> = []
    /// The log of another process, during a transaction that only reads.
    var log: WriteAheadLog?
    /// What the log of a database in WAL mode was when that transaction began.
    var logState: [UInt8]?
    /// Commits that are not in the database yet; the exclusive lock is kept while there is one.
    var logWriter: LogWriter?
    /// Pages as they were before a transaction under that lock.
    var undo: Savepoint?
    /// Since when the file is locked but for moments, or 0; when the log had its last commit; and
    /// when the exclusive lock was released.
    var gatherStart: UInt64 = 0
    var lastCommit: UInt64 = 0
    var lastRelease: UInt64 = 0
    /// Why the log could not be moved into the database, until when that is not tried again, and how
    /// many nanoseconds that is.
    var delay: (error: ImageError, end: UInt64, length: UInt64)?
    /// When the exclusive lock was taken, and how long it was held since `gatherStart`.
    var lastLock: UInt64 = 0
    var lockedTime: UInt64 = 0
    /// Why nothing can be done any more.
    var failure: ImageError?

    /// Pages as they were at a point in a transaction.
    struct Savepoint {
        var pages: [UInt32: [UInt8]] = [:]
        var pageCount: UInt32
        var freed: Set<UInt32>
    }

    /// Opens a file. Nothing is read yet but the header.
    init(
        _ files: any FileLayer, resolved path: [UInt8], descriptor: Int32, _ options: Image.Options
    ) throws(ImageError) {
        self.files = files
        self.path = path
        self.descriptor = descriptor
        self.options = options
        journalPath = path + Array("-journal".utf8)
        logPath = path + Array("-wal".utf8)
        header = try DatabaseHeader(DatabaseHeader.firstPage(pageSize: 4096))
        cache = PageCache(limit: options.cacheBytes / 4096)
    }

    deinit {
        logWriter?.close()
        if let descriptor { files.close(descriptor) }
    }

    var usable: Int { header.usable }
    var pageSize: Int { header.pageSize }
    /// The page that has the bytes of the locks; it is never used.
    var lockPage: UInt32 {
        UInt32(truncatingIfNeeded: LockRange.firstByte / Int64(pageSize) + 1)
    }

    func open() throws(ImageError) -> Int32 {
        if let failure { throw failure }
        guard let descriptor else { throw .closed }
        return descriptor
    }

    /// Runs a call of the system and names what it was for.
    func system<Value>(
        _ operation: ImageError.Operation, _ body: () throws(SystemError) -> Value
    ) throws(ImageError) -> Value {
        do throws(SystemError) {
            return try body()
        } catch {
            throw ImageError(error, operation)
        }
    }

    // MARK: Pages

    func checkNumber(_ number: UInt32) throws(ImageError) {
        guard number >= 1, number <= pageCount, number != lockPage else {
            throw .damaged(.init(page: number, .pageNumber))
        }
    }

    /// The bytes of a page.
    func page(_ number: UInt32) throws(ImageError) -> [UInt8] {
        if let bytes = cache.bytes(number) { return bytes }
        try checkNumber(number)
        let bytes = try read(number)
        try makeRoom()
        cache.set(number, bytes, isDirty: false)
        return bytes
    }

    private func read(_ number: UInt32) throws(ImageError) -> [UInt8] {
        let database = try open()
        let size = pageSize
        let (file, offset) =
            if let log, let place = log.places[number] {
                (log.descriptor, place)
            } else {
                (database, (Int(number) - 1) * size)
            }
        let bytes = try system(.read) { () throws(SystemError) in
            try files.readBytes(file, size, at: offset)
        }
        guard bytes.count == size else { throw .damaged(.init(page: number, .shortFile)) }
        return bytes
    }

    private func makeRoom() throws(ImageError) {
        if cache.hasRoom { return }
        if undo != nil { try endGathering() }
        try writeEarly()
    }

    /// Replaces a page.
    func setPage(_ number: UInt32, _ bytes: [UInt8]) throws(ImageError) {
        guard bytes.count == pageSize else { throw .damaged(.init(page: number, .cell)) }
        try prepareChange(number)
        try makeRoom()
        cache.set(number, bytes, isDirty: true)
    }

    /// Changes a page in its place.
    func updatePage<Value>(
        _ number: UInt32, _ body: (inout [UInt8]) throws(ImageError) -> Value
    ) throws(ImageError) -> Value {
        // Reading it first, as it may be needed for the journal.
        _ = try page(number)
        try prepareChange(number)
        guard let value = try cache.update(number, body) else { throw .closed }
        return value
    }

    /// Puts a page as it is into the journal and the savepoint, unless it is there.
    private func prepareChange(_ number: UInt32) throws(ImageError) {
        guard state == .writing else { throw .readOnly }
        try checkNumber(number)
        if let undo {
            if number <= undo.pageCount, undo.pages[number] == nil {
                let bytes = try page(number)
                self.undo?.pages[number] = bytes
            }
        } else if number <= originalCount, journal?.contains(number) != true {
            let bytes = try page(number)
            if journal == nil { try openJournal() }
            try system(.journal) { () throws(SystemError) in try journal?.add(number, bytes) }
        }
        if let savepoint, number <= savepoint.pageCount, savepoint.pages[number] == nil {
            let bytes = try page(number)
            self.savepoint?.pages[number] = bytes
        }
    }

    func openJournal() throws(ImageError) {
        let database = try open()
        journal = try system(.journal) { () throws(SystemError) in
            try JournalWriter(
                files, journalPath, pageSize: pageSize, originalCount: originalCount,
                permissions: try files.permissions(database))
        }
    }

    /// Adds a page of zeros at the end of the file.
    func appendPage() throws(ImageError) -> UInt32 {
        guard state == .writing else { throw .readOnly }
        var number = pageCount
        repeat {
            guard number < 0xffff_fffe else { throw .exhausted }
            number += 1
        } while number == lockPage
        let old = pageCount
        pageCount = number
        do throws(ImageError) {
            try setPage(number, [UInt8](repeating: 0, count: pageSize))
        } catch {
            pageCount = old
            throw error
        }
        return number
    }

    // MARK: Savepoints

    func setSavepoint() { savepoint = Savepoint(pageCount: pageCount, freed: freed) }

    func releaseSavepoint() { savepoint = nil }

    /// Undoes what happened since `setSavepoint`.
    func returnToSavepoint() throws(ImageError) {
        guard let savepoint else { return }
        self.savepoint = nil
        cache.remove(after: savepoint.pageCount)
        for (number, bytes) in savepoint.pages {
            try makeRoom()
            cache.set(number, bytes, isDirty: true)
        }
        pageCount = savepoint.pageCount
        freed = savepoint.freed
    }
}

extension ImageError {
    init(_ error: SystemError, _ operation: Operation) {
        self =
            switch error {
            case .nospc, .dquot, .fbig: .full(error)
            case .rofs, .acces, .perm: operation == .read ? .system(error, operation) : .readOnly
            default: .system(error, operation)
            }
    }
}
