import WasmSystem

/// Commits that follow each other soon are gathered in a write-ahead log: one wait for the disk for
/// each of them, instead of four. Meanwhile the exclusive lock is kept, for `Options.gatherTime` at
/// most, and changed pages stay in memory. Then the pages go into the database, and others have
/// their turn.
extension Pager {
    /// After so many nanoseconds without a commit the others get the lock.
    static let idleTime: UInt64 = 5_000_000
    /// How long the file is left alone then: SQLite tries again after 100 ms at most.
    private static let othersTime: UInt64 = 120_000_000
    /// How long to wait after an attempt to move the log into the database has failed: doubles from
    /// the first to the second.
    private static let delays: (shortest: UInt64, longest: UInt64) = (10_000_000, 1_000_000_000)
    /// A larger log is moved into the database.
    private static let logLimit = 64 << 20

    /// Whether the transaction may be the first one of a log.
    var mayGather: Bool {
        options.gatherTime > 0 && !hasWrittenEarly && journal?.isValid != true
            && !header.usesWriteAheadLog
            && cache.dirtyCount <= cache.limit / 2
    }

    /// Whether others should have the lock now.
    var isGatheringDue: Bool {
        guard let logWriter else { return false }
        let now = files.now()
        return now >= lastCommit.addingClamped(Self.idleTime)
            || now >= gatherStart.addingClamped(options.gatherTime)
            || cache.dirtyCount > cache.limit / 2 || logWriter.byteCount > Self.logLimit
    }

    /// Leaves the file alone for a while, if it was locked again and again for a long time, and
    /// for more than half of it: else those who try again and again find it unlocked.
    func letOthersIn() {
        let now = files.now()
        let free = lastRelease.addingClamped(Self.othersTime)
        if gatherStart != 0, now < free {
            guard now >= gatherStart.addingClamped(options.gatherTime) else { return }
            if lockedTime > (now - gatherStart) / 2 { files.pause(nanoseconds: free - now) }
        }
        gatherStart = files.now()
        lockedTime = 0
    }

    /// Begins a transaction under the lock that is kept; false if there is none.
    func beginGathered(writing: Bool) throws(ImageError) -> Bool {
        guard logWriter != nil else { return false }
        _ = try open()
        if writing, isGatheringDue {
            try endGatheringUnlessDelayed()
            return false
        }
        (originalCount, freed, hasWrittenEarly) = (pageCount, [], false)
        state = writing ? .writing : .reading
        undo = writing ? Savepoint(pageCount: pageCount, freed: []) : nil
        return true
    }

    /// Makes the transaction durable in the log.
    func commitToLog() throws(ImageError) {
        let isFirst = logWriter == nil
        do throws(ImageError) {
            try countChange()
            var numbers = cache.dirtyNumbers
            if let undo {
                numbers.removeAll { $0 <= undo.pageCount && undo.pages[$0] == nil }
            }
            if isFirst {
                try lockExclusive(until: deadline())
                let database = try open()
                logWriter = try system(.journal) { () throws(SystemError) in
                    try LogWriter(
                        files, logPath, pageSize: pageSize,
                        permissions: try files.permissions(database))
                }
            }
            try logWriter?.append(numbers, pageCount: pageCount, cache.peek)
        } catch {
            if case .failedSync(let reason) = error {
                // Whether the transaction counts is decided by what the disk has.
                fail(reason)
                throw error
            }
            if isFirst, let logWriter {
                try? logWriter.remove()
                self.logWriter = nil
            }
            try? rollBack()
            throw failure ?? error
        }
        journal?.close()
        (journal, undo, state) = (nil, nil, .idle)
        lastCommit = files.now()
        noteHeader()
    }

    /// Calls `endGathering`, for callers that try again and again: on a full disk each attempt may write
    /// most of the log before it fails, so after a failure there is none for a while.
    ///
    /// - Throws: meanwhile the error of the last attempt.
    func endGatheringUnlessDelayed() throws(ImageError) {
        if let delay, files.now() < delay.end { throw delay.error }
        do throws(ImageError) {
            try endGathering()
        } catch {
            let length = min(
                max((delay?.length ?? 0) * 2, Self.delays.shortest), Self.delays.longest)
            delay = (error, files.now().addingClamped(length), length)
            throw error
        }
    }

    /// Moves the pages of the log into the database, and releases the lock unless a transaction is
    /// open. That one goes on with a journal.
    ///
    /// - Throws: `full` and others if that is not possible now: the log stays. `failedSync`.
    func endGathering() throws(ImageError) {
        guard let log = logWriter else { return }
        let database = try open()
        let size = pageSize
        for number in log.numbers.sorted() {
            // Changed pages are never evicted.
            guard let bytes = undo?.pages[number] ?? cache.peek(number) else {
                throw .damaged(.init(page: number, .pageNumber))
            }
            try system(.write) { () throws(SystemError) in
                try files.writeBytes(database, bytes, at: (Int(number) - 1) * size)
            }
        }
        do throws(SystemError) {
            try files.datasync(database)
            try log.remove()
        } catch {
            fail(error)
            throw .failedSync(error)
        }
        logWriter = nil
        delay = nil
        if let undo {
            self.undo = nil
            cache.markClean { $0 <= undo.pageCount && undo.pages[$0] == nil }
            try openJournal()
            for (number, bytes) in undo.pages.sorted(by: { $0.key < $1.key }) {
                try system(.journal) { () throws(SystemError) in try journal?.add(number, bytes) }
            }
        } else {
            cache.markClean { _ in true }
            endReading()
        }
    }

    /// Undoes a transaction of the log that was not committed.
    func rollBackGathered() -> Bool {
        guard let undo else { return false }
        cache.remove(after: undo.pageCount)
        for (number, bytes) in undo.pages { cache.set(number, bytes, isDirty: true) }
        pageCount = undo.pageCount
        self.undo = nil
        endReading()
        return true
    }
}
