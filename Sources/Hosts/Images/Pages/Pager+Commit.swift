import WasmSystem

extension Pager {
    /// Makes the transaction durable: when this returns, no crash undoes it.
    ///
    /// The order is that of "Atomic Commit In SQLite": the journal, the disk, the database, the
    /// disk, and then the journal becomes invalid.
    func commit() throws(ImageError) {
        guard state == .writing else { throw .closed }
        savepoint = nil
        let isChanged =
            journal != nil || pageCount != originalCount || hasWrittenEarly
            || undo?.pages.isEmpty == false
        guard isChanged else {
            undo = nil
            return endReading()
        }
        if undo != nil || logWriter == nil && mayGather { return try commitToLog() }
        do throws(ImageError) {
            try countChange()
            try writeChanges()
        } catch {
            try? rollBack()
            throw failure ?? error
        }
        guard let journal else { return endReading() }
        do throws(SystemError) {
            try journal.finish()
        } catch {
            // Whether the transaction counts is decided by what the disk has.
            fail(error)
            throw .failedSync(error)
        }
        journal.close()
        self.journal = nil
        noteHeader()
        endReading()
    }

    /// The pages in memory are those of the header that was committed.
    func noteHeader() {
        headerBytes = cache.bytes(1).map { Array($0.prefix(DatabaseHeader.size)) } ?? []
        if let header = try? DatabaseHeader(headerBytes) { self.header = header }
    }

    /// Sets the fields of the header by which others see that the file changed.
    func countChange() throws(ImageError) {
        let count = pageCount
        try updatePage(1) { (page) throws(ImageError) in
            let damage = ImageError.Damage(page: 1, .header)
            let change = try page.number32(DatabaseHeader.Field.changeCounter, damage) &+ 1
            page.set32(DatabaseHeader.Field.changeCounter, change)
            page.set32(DatabaseHeader.Field.validFor, change)
            page.set32(DatabaseHeader.Field.pageCount, count)
            page.set32(DatabaseHeader.Field.writerVersion, DatabaseHeader.writerVersion)
        }
    }

    /// Writes changed pages before the commit, so that memory stays bounded.
    func writeEarly() throws(ImageError) {
        guard state == .writing else { return }
        try writePages()
        hasWrittenEarly = true
    }

    private func writeChanges() throws(ImageError) {
        let database = try open()
        try writePages()
        do throws(SystemError) {
            try files.datasync(database)
        } catch {
            fail(error)
            throw .failedSync(error)
        }
    }

    private func writePages() throws(ImageError) {
        let database = try open()
        // If only pages were appended, the journal has the old size and no page.
        if journal == nil { try openJournal() }
        do throws(SystemError) {
            try journal?.makeDurable()
        } catch {
            throw ImageError(error, .journal)
        }
        try lockExclusive(until: deadline())
        hasWrittenEarly = true
        let size = pageSize
        for number in cache.dirtyNumbers {
            guard let bytes = cache.bytes(number) else { continue }
            try system(.write) { () throws(SystemError) in
                try files.writeBytes(database, bytes, at: (Int(number) - 1) * size)
            }
        }
        cache.markClean()
    }

    /// Undoes the transaction.
    func rollBack() throws(ImageError) {
        guard state == .writing else { return }
        savepoint = nil
        if rollBackGathered() { return }
        defer {
            journal?.close()
            journal = nil
            endReading()
        }
        cache.removeDirty()
        pageCount = originalCount
        guard let journal else { return }
        do throws(SystemError) {
            if hasWrittenEarly {
                cache.removeAll()
                headerBytes = []
                let database = try descriptor.orThrow(SystemError.badf)
                try JournalReader(files, journal.descriptor).restore(database)
                try files.datasync(database)
            }
            try journal.finish()
        } catch {
            // The journal stays, so that the next process restores the database from it.
            fail(error)
            throw .failedSync(error)
        }
    }

    /// Ends all use of the file: its content on the disk is not known.
    func fail(_ error: SystemError) {
        failure = failure ?? .failedSync(error)
        logWriter?.close()
        (logWriter, undo) = (nil, nil)
        journal?.close()
        journal = nil
        if let log { files.close(log.descriptor) }
        log = nil
        state = .idle
        if let descriptor { files.close(descriptor) }
        descriptor = nil
        cache.removeAll()
    }

    /// Closes the file, and removes the empty journal if nobody else uses it.
    func close() {
        guard let descriptor else { return }
        if state == .writing { try? rollBack() }
        if state == .reading { endReading() }
        if logWriter != nil, (try? endGathering()) == nil {
            // The next process recovers the log.
            logWriter?.close()
            logWriter = nil
            releaseLocks()
            if self.descriptor != nil { files.close(descriptor) }
            self.descriptor = nil
            cache.removeAll()
            return
        }
        if !options.isReadOnly, (try? begin(writing: true)) != nil {
            if let file = try? files.open(journalPath, [.readOnly], permissions: 0) {
                let isHot = (try? JournalReader(files, file).isHot) ?? true
                files.close(file)
                if !isHot { try? files.unlink(journalPath) }
            }
            try? rollBack()
        }
        if self.descriptor != nil { files.close(descriptor) }
        self.descriptor = nil
        cache.removeAll()
    }
}

extension Optional {
    func orThrow<Failure: Error>(_ error: Failure) throws(Failure) -> Wrapped {
        guard let self else { throw error }
        return self
    }
}
