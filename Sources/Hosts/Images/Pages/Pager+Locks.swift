import WasmSystem

extension Pager {
    /// The moment until which locks of others are waited for.
    func deadline() -> UInt64 { files.now().addingClamped(options.patience) }

    private static let pauses: [UInt64] = [50_000, 200_000, 1_000_000, 5_000_000]

    /// Waits before the next attempt; throws `busy` after the deadline.
    private func pause(_ attempt: inout Int, until deadline: UInt64) throws(ImageError) {
        let now = files.now()
        guard now < deadline else { throw .busy }
        files.pause(nanoseconds: min(Self.pauses[min(attempt, 3)], deadline - now))
        attempt += 1
    }

    private func tryLock(_ range: LockRange, _ lock: RangeLock) throws(ImageError) -> Bool {
        let database = try open()
        return try system(.lock) { () throws(SystemError) in
            try files.tryLock(database, range, lock)
        }
    }

    private func unlock(_ range: LockRange) throws(ImageError) {
        let database = try open()
        try system(.lock) { () throws(SystemError) in try files.unlock(database, range) }
    }

    /// Takes the lock of readers, as SQLite does: nobody gets it while a writer waits.
    private func lockShared() throws(ImageError) -> Bool {
        guard try tryLock(.pending, .shared) else { return false }
        let isLocked = try tryLock(.shared, .shared)
        try unlock(.pending)
        return isLocked
    }

    /// Waits for readers to end, and keeps new ones out.
    func lockExclusive(until deadline: UInt64) throws(ImageError) {
        if isExclusive { return }
        var attempt = 0
        while try !tryLock(.pending, .exclusive) { try pause(&attempt, until: deadline) }
        do throws(ImageError) {
            while try !tryLock(.shared, .exclusive) { try pause(&attempt, until: deadline) }
        } catch {
            try? unlock(.pending)
            throw error
        }
        isExclusive = true
        lastLock = files.now()
    }

    /// Releases all locks.
    func releaseLocks() {
        if isExclusive {
            lastRelease = files.now()
            lockedTime = lockedTime.addingClamped(lastRelease &- lastLock)
        }
        isExclusive = false
        if let descriptor { try? files.unlock(descriptor, .all) }
    }

    /// Begins a transaction: no other process changes the file until its end.
    func begin(writing: Bool) throws(ImageError) {
        if writing, options.isReadOnly { throw .readOnly }
        guard state == .idle else { throw .busy }
        if try beginGathered(writing: writing) { return }
        if writing, options.gatherTime > 0 { letOthersIn() }
        let deadline = deadline()
        var attempt = 0
        while try !tryBegin(writing, deadline) { try pause(&attempt, until: deadline) }
    }

    /// False if another process is in the way; then no lock is held.
    private func tryBegin(_ writing: Bool, _ deadline: UInt64) throws(ImageError) -> Bool {
        guard try lockShared() else { return false }
        do throws(ImageError) {
            guard try restoreHotJournal() else {
                releaseLocks()
                return false
            }
            if writing, try !tryLock(.reserved, .exclusive) {
                releaseLocks()
                return false
            }
            guard try readLog(writing, deadline) else {
                endReading()
                return false
            }
            try readHeader()
            if writing { try header.checkWriting() }
        } catch {
            endReading()
            throw error
        }
        (originalCount, freed, hasWrittenEarly) = (pageCount, [], false)
        state = writing ? .writing : .reading
        if writing, header.usesWriteAheadLog {
            // The log is empty: from this transaction on the database has a rollback journal.
            do throws(ImageError) {
                try updatePage(1) { (page) throws(ImageError) in
                    page[DatabaseHeader.Field.writeVersion] = 1
                    page[DatabaseHeader.Field.readVersion] = 1
                }
            } catch {
                try? rollBack()
                throw error
            }
        }
        return true
    }

    /// Reads the header again: another process may have changed the file.
    private func readHeader() throws(ImageError) {
        let database = try open()
        let size = try system(.size) { () throws(SystemError) in try files.size(database) }
        let (file, offset) =
            if let log, let place = log.places[1] { (log.descriptor, place) } else { (database, 0) }
        let bytes = try system(.read) { () throws(SystemError) in
            try files.readBytes(file, DatabaseHeader.size, at: offset)
        }
        guard bytes.count == DatabaseHeader.size else { throw .notAnImage(.size(size)) }
        if bytes != headerBytes || log != nil {
            cache.removeAll()
            headerBytes = []
            revision &+= 1
            header = try DatabaseHeader(bytes)
            cache.limit = max(options.cacheBytes / header.pageSize, 16)
        }
        let inFile = UInt32(clamping: size / header.pageSize)
        if let log {
            guard log.pageSize == header.pageSize else { throw .damaged(.init(page: 1, .header)) }
            pageCount = log.pageCount
        } else {
            pageCount = header.pageCount ?? inFile
            guard pageCount <= inFile else { throw .damaged(.init(page: 1, .shortFile)) }
        }
        guard pageCount > 0 else { throw .notAnImage(.size(size)) }
        if log == nil { headerBytes = bytes }
    }

    // MARK: What other processes left

    /// Undoes the unfinished transaction of a process that ended; false if another one is at it.
    private func restoreHotJournal() throws(ImageError) -> Bool {
        let database = try open()
        guard let file = try openIfThere(journalPath, writing: !options.isReadOnly) else {
            return true
        }
        defer { files.close(file) }
        let journal = try system(.journal) { () throws(SystemError) in
            try JournalReader(files, file)
        }
        guard try system(.journal, { () throws(SystemError) in try journal.isHot }) else {
            return true
        }
        // The journal of a transaction that is running.
        if try system(
            .lock,
            { () throws(SystemError) in
                try files.isLockedByOthers(database, .reserved)
            })
        {
            return true
        }
        if options.isReadOnly { throw .readOnly }
        guard try tryLock(.pending, .exclusive), try tryLock(.shared, .exclusive) else {
            return false
        }
        // Another process may have restored it before the lock.
        let isHot = try system(.journal) { () throws(SystemError) in try journal.isHot }
        if isHot { try restore(journal) }
        releaseLocks()
        // With the lock of readers again, from the beginning.
        return false
    }

    /// Restores the database from a journal, under the exclusive lock.
    func restore(_ journal: JournalReader) throws(ImageError) {
        let database = try open()
        try system(.journal) { () throws(SystemError) in
            // A transaction on several databases was committed when the journal of them all went.
            let main = try journal.superJournal()
            if main.map({ files.exists($0) }) ?? true {
                try journal.restore(database)
                try files.datasync(database)
            }
            try JournalWriter.invalidate(files, journal.descriptor)
        }
        cache.removeAll()
        headerBytes = []
    }

    private func openIfThere(
        _ path: [UInt8], writing: Bool
    ) throws(ImageError) -> Int32? {
        do throws(SystemError) {
            return try files.open(path, writing ? [.readWrite] : [.readOnly], permissions: 0)
        } catch {
            if error == .noent { return nil }
            throw ImageError(error, .journal)
        }
    }

    /// Reads the log of a database in WAL mode. Before writing, its pages are moved into the
    /// database, and the log is removed. False if another process uses the log.
    private func readLog(_ writing: Bool, _ deadline: UInt64) throws(ImageError) -> Bool {
        let database = try open()
        logState = nil
        let file = try openIfThere(logPath, writing: writing)
        let bytes = try system(.read) { () throws(SystemError) in
            try files.readBytes(database, DatabaseHeader.size, at: 0)
        }
        let isMode = bytes.count == DatabaseHeader.size && (bytes[18] == 2 || bytes[19] == 2)
        guard file != nil || isMode else { return true }
        if writing {
            defer { file.map(files.close) }
            // Each process that uses a log keeps the lock of readers.
            try lockExclusive(until: deadline)
            if let file { try moveLog(file, database) }
            return true
        }
        var keeps = false
        defer { if !keeps { file.map(files.close) } }
        if try isUsedByOthers() { return false }
        logState = try currentLogState()
        guard let file else { return true }
        let found = try system(.read) { () throws(SystemError) in try WriteAheadLog(files, file) }
        if let found, found.pageCount > 0 {
            try check(found, database)
            log = found
            keeps = true
        }
        return true
    }

    /// Refuses a log whose database would have far more pages than are anywhere: tables of all pages
    /// are made, and the file gets that size. Pages that were freed again may be in neither.
    private func check(_ log: WriteAheadLog, _ database: Int32) throws(ImageError) {
        let size = try system(.size) { () throws(SystemError) in try files.size(database) }
        let last = max(size / log.pageSize, Int(log.places.keys.max() ?? 0))
        guard Int(log.pageCount) <= 2 * last + 1024 else {
            throw .damaged(.init(page: 1, .shortFile))
        }
    }

    private func moveLog(_ file: Int32, _ database: Int32) throws(ImageError) {
        let found = try system(.read) { () throws(SystemError) in try WriteAheadLog(files, file) }
        if let found, found.pageCount > 0 { try check(found, database) }
        try system(.journal) { () throws(SystemError) in
            if let found, found.pageCount > 0 { try move(found, database) }
            try files.setSize(file, 0)
            try files.datasync(file)
            try files.unlink(logPath)
            let memory = path + Array("-shm".utf8)
            if files.exists(memory) { try? files.unlink(memory) }
            // An old log must not come back after the next commit.
            try files.syncFolder(of: logPath)
        }
        cache.removeAll()
        headerBytes = []
    }

    /// Whether another process has the lock of readers, as each has that uses a log.
    private func isUsedByOthers() throws(ImageError) -> Bool {
        let database = try open()
        return try system(.lock) { () throws(SystemError) in
            try files.isLockedByOthers(database, .shared)
        }
    }

    private func move(_ log: WriteAheadLog, _ database: Int32) throws(SystemError) {
        try files.datasync(log.descriptor)
        for (number, place) in log.places.sorted(by: { $0.key < $1.key })
        where number <= log.pageCount {
            let page = try files.readBytes(log.descriptor, log.pageSize, at: place)
            guard page.count == log.pageSize else { throw .io }
            try files.writeBytes(database, page, at: (Int(number) - 1) * log.pageSize)
        }
        try files.setSize(database, Int(log.pageCount) * log.pageSize)
        try files.datasync(database)
    }

    /// Ends a transaction that changed nothing.
    func endReading() {
        if let log { files.close(log.descriptor) }
        (log, logState) = (nil, nil)
        state = .idle
        if logWriter == nil { releaseLocks() }
    }

    /// Size and header of the log, by which it can be seen whether it changed.
    private func currentLogState() throws(ImageError) -> [UInt8] {
        guard let file = try openIfThere(logPath, writing: false) else { return [] }
        defer { files.close(file) }
        return try system(.read) { () throws(SystemError) in
            Array("\(try files.size(file)) ".utf8) + (try files.readBytes(file, 32, at: 0))
        }
    }

    /// Throws unless what was read is one state of the database: nobody began to use its log
    /// meanwhile.
    func checkLog() throws(ImageError) {
        guard let logState else { return }
        guard try currentLogState() == logState, try !isUsedByOthers() else { throw .busy }
    }
}

extension UInt64 {
    func addingClamped(_ other: UInt64) -> UInt64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }
}
