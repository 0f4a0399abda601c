// Soundness: keys are lent to the index for the length of a call.

import WasmSystem
import WasmdDigests

/// The thread that writes the log: takes the jobs that wait, writes the frames of all, syncs once,
/// changes the index, and finishes the jobs.
///
/// Readers see a transaction when it is durable, and before its commit returns.
struct Committer {
    private let core: StoreCore
    private let queue: CommitQueue
    private var writer: LogWriter
    private var storage: [UInt8] = []
    /// The records that jobs of this group change, and their versions; nil for removed ones.
    private var touched: [[UInt8]: UInt64?] = [:]
    /// Jobs of the last group.
    private var lastCount = 0
    /// Called after a segment was completed.
    private let rotated: @Sendable () -> Void
    private var reserve: SpaceReserve
    /// When the reserve may be taken again.
    private var nextReserve: UInt64 = 0

    init(
        _ core: StoreCore, _ queue: CommitQueue, _ writer: LogWriter,
        rotated: @escaping @Sendable () -> Void
    ) {
        self.core = core
        self.queue = queue
        self.writer = writer
        self.rotated = rotated
        reserve = SpaceReserve(core.folder, size: core.options.reserveSize)
    }

    private struct Applied {
        var key: [UInt8]
        var digests: [SHA256.Digest]
        /// Nil to remove.
        var location: Location?
    }

    /// What a group of jobs changes.
    private struct Group {
        var encoder: FrameEncoder
        var changes: [Applied] = []
        /// Results of those that are not refused, if the group is written.
        var outcomes: [CommitJob.Outcome] = []
        /// References that were counted.
        var references: [SHA256.Digest] = []
        var first: UInt32?
        var tracksKeys = false
    }

    mutating func run() {
        writeMark()
        takeReserve()
        while let jobs = queue.take(
            expected: lastCount * 3 / 4,
            whenIdle: {
                writeMark()
                takeReserve()
            })
        {
            lastCount = jobs.count
            var start = 0
            while start < jobs.count {
                var end = start
                var size = 0
                while end < jobs.count, size < Self.groupLimit {
                    if case .rotate = jobs[end].work { break }
                    size += jobs[end].byteCount
                    end += 1
                }
                if end == start {
                    jobs[start].finish(rotate().map { UInt64($0) })
                    start += 1
                } else {
                    commit(jobs[start..<end])
                    start = end
                }
            }
        }
        writeMark()
        if core.writeFailure == nil { try? writer.sync() }
    }

    /// Bytes of jobs that are written together.
    private static let groupLimit = 4 << 20

    // MARK: Groups

    private mutating func commit(_ jobs: ArraySlice<CommitJob>) {
        if let error = core.writeFailure {
            for job in jobs { job.finish(.failure(error)) }
            return
        }
        if writer.end >= core.options.segmentSize {
            let outcome = rotate()
            if case .failure(let error) = outcome,
                writer.end >= LogFormat.maximumSegment || core.writeFailure != nil
            {
                for job in jobs { job.finish(.failure(core.writeFailure ?? error)) }
                return
            }
        }
        let before = writer.lastSequence
        var group = Group(encoder: writer.encoder(reusing: storage))
        storage = []
        group.tracksKeys = jobs.contains { job in
            switch job.work {
            case .transaction(let transaction): !transaction.conditions.isEmpty
            case .moved: true
            case .first, .rotate: false
            }
        }
        touched.removeAll(keepingCapacity: true)
        for job in jobs {
            do throws(StorageError) {
                group.outcomes.append(.success(try add(job.work, to: &group)))
            } catch {
                group.outcomes.append(.failure(error))
            }
        }
        let outcome = write(group)
        if case .failure(let error) = outcome {
            writer.lastSequence = before
            core.ledger.release(group.references)
            if case .full = error {
                let isFreed = jobs.contains(where: \.freesRoom) && reserve.giveUp()
                core.fullHandler.withLock { $0 }?()
                if isFreed {
                    storage = group.encoder.takeBytes()
                    // Those that need room are refused; conditions of the others are checked again.
                    for job in jobs where !job.freesRoom { job.finish(outcome.map { 0 }) }
                    nextReserve = SystemClock.monotonic.now &+ Self.reserveTime
                    return commit(jobs.filter(\.freesRoom)[...])
                }
            }
        } else {
            apply(group)
        }
        storage = group.encoder.takeBytes()
        if case .success = outcome { count(jobs, group.outcomes) }
        for (job, own) in zip(jobs, group.outcomes) {
            if case .failure(let error) = outcome, case .success = own {
                job.finish(.failure(error))
            } else {
                job.finish(own)
            }
        }
    }

    private func count(_ jobs: ArraySlice<CommitJob>, _ outcomes: [CommitJob.Outcome]) {
        var count: UInt64 = 0
        for (job, outcome) in zip(jobs, outcomes) {
            if case .transaction = job.work, case .success = outcome { count += 1 }
        }
        core.commits.add(count, ordering: .relaxed)
    }

    private mutating func write(_ group: borrowing Group) -> Result<Void, StorageError> {
        guard !group.encoder.bytes.isEmpty else { return .success(()) }
        do throws(LogWriter.Failure) {
            try writer.append(group.encoder.bytes)
            let start = SystemClock.monotonic.now
            try writer.sync()
            core.syncTime.add(SystemClock.monotonic.now &- start, ordering: .relaxed)
            core.syncs.add(1, ordering: .relaxed)
            core.writtenBytes.add(UInt64(group.encoder.bytes.count), ordering: .relaxed)
            return .success(())
        } catch {
            return .failure(note(error))
        }
    }

    /// The error of a write; after one that leaves the disk unknown nothing is written any more.
    private func note(_ failure: LogWriter.Failure) -> StorageError {
        switch failure {
        case .undone(let error):
            if case .readOnly = error { core.refuseWrites(error) }
            return error
        case .unknown(let error):
            core.refuseWrites(.readOnly(.failedSync(error)))
            return .readOnly(.failedSync(error))
        }
    }

    // MARK: Room

    /// Nanoseconds between attempts to take the reserve again.
    private static let reserveTime: UInt64 = 1_000_000_000

    private mutating func takeReserve() {
        guard !reserve.isHeld, core.writeFailure == nil,
            SystemClock.monotonic.now >= nextReserve
        else { return }
        reserve.take()
        nextReserve = SystemClock.monotonic.now &+ Self.reserveTime
    }

    // MARK: Jobs

    private mutating func add(
        _ work: CommitJob.Work, to group: inout Group
    ) throws(StorageError) -> UInt64 {
        switch work {
        case .transaction(let transaction):
            return try add(transaction, to: &group)
        case .moved(let records):
            return try add(records, to: &group)
        case .first(let number):
            let sequence = try writer.nextSequence()
            group.encoder.beginFrame()
            group.encoder.add(first: number)
            group.encoder.endFrame(.first, sequence: sequence, durable: writer.durable)
            group.first = number
            return sequence
        case .rotate:
            return 0
        }
    }

    /// The version of a record as the jobs before have left it.
    private func version(_ key: [UInt8]) -> UInt64? {
        if let touched = touched[key] { return touched }
        return core.state.withLock { $0.records.index.find(key)?.version }
    }

    private func check(_ transaction: Transaction) throws(StorageError) {
        for (key, condition) in transaction.conditions {
            let found = version(key)
            let holds =
                switch condition {
                case .absent: found == nil
                case .present: found != nil
                case .version(let version): found == version
                }
            guard holds else { throw .conflict(key: key, found: found) }
        }
    }

    private mutating func add(
        _ transaction: Transaction, to group: inout Group
    ) throws(StorageError) -> UInt64 {
        try check(transaction)
        guard !transaction.changes.isEmpty else { return writer.lastSequence }
        let digests = transaction.changes.flatMap(\.blobs)
        let folder = core.folder
        try core.ledger.reference(digests) { digest in
            folder.files.exists(folder.blobs.descriptor, BlobStore.name(digest))
        }
        group.references += digests
        let sequence = try writer.nextSequence()
        let first = group.changes.count
        group.encoder.beginFrame()
        for change in transaction.changes {
            let (offset, checksum) = group.encoder.add(
                isDelete: change.value == nil, key: change.key, value: change.value ?? [],
                digests: change.blobs, version: sequence)
            var location: Location?
            if let value = change.value {
                location = Location(
                    segment: writer.segment.number, offset: offset, size: value.count,
                    hasDigests: !change.blobs.isEmpty, checksum: checksum, version: sequence)
            }
            group.changes.append(
                Applied(key: change.key, digests: change.blobs, location: location))
            if group.tracksKeys {
                touched.updateValue(location == nil ? nil : sequence, forKey: change.key)
            }
        }
        let values = group.encoder.endFrame(
            .transaction, sequence: sequence, durable: writer.durable)
        for index in first..<group.changes.count {
            group.changes[index].location?.move(by: values)
        }
        return sequence
    }

    private mutating func add(
        _ records: [MovedRecord], to group: inout Group
    ) throws(StorageError) -> UInt64 {
        let first = group.changes.count
        group.encoder.beginFrame()
        for record in records where touched[record.key] == nil {
            let now = core.state.withLock { $0.records.index.find(record.key) }
            guard now == record.location else { continue }
            let (offset, checksum) = group.encoder.add(
                isDelete: false, key: record.key, value: record.value, digests: record.digests,
                version: record.location.version)
            let location = Location(
                segment: writer.segment.number, offset: offset, size: record.value.count,
                hasDigests: !record.digests.isEmpty, checksum: checksum,
                version: record.location.version)
            group.changes.append(
                Applied(key: record.key, digests: record.digests, location: location))
        }
        guard group.changes.count > first else {
            group.encoder.dropFrame()
            return writer.lastSequence
        }
        do throws(StorageError) {
            let sequence = try writer.nextSequence()
            let values = group.encoder.endFrame(
                .moved, sequence: sequence, durable: writer.durable)
            for index in first..<group.changes.count {
                group.changes[index].location?.move(by: values)
            }
            core.ledger.addReferences(group.changes[first...].flatMap(\.digests))
            group.references += group.changes[first...].flatMap(\.digests)
            return sequence
        } catch {
            group.changes.removeSubrange(first...)
            group.encoder.dropFrame()
            throw error
        }
    }

    // MARK: After a write

    private mutating func apply(_ group: borrowing Group) {
        if let first = group.first { writer.firstSegment = max(writer.firstSegment, first) }
        let size = group.encoder.bytes.count
        let sequence = writer.lastSequence
        let released = core.state.withLock { state -> [SHA256.Digest] in
            var released: [SHA256.Digest] = []
            for change in group.changes {
                unsafe change.key.withUnsafeBytes { key in
                    if let location = change.location {
                        released += unsafe state.records.set(
                            key, location, digests: change.digests)
                    } else {
                        released += unsafe state.records.remove(key)
                    }
                }
            }
            state.logBytes += size
            state.lastSequence = sequence
            return released
        }
        core.ledger.release(released)
    }

    private mutating func rotate() -> Result<UInt32, StorageError> {
        if let error = core.writeFailure { return .failure(error) }
        writeMark()
        do throws(LogWriter.Failure) {
            try writer.sync()
            try writer.rotate()
        } catch {
            return .failure(note(error))
        }
        let segment = writer.segment
        core.state.withLock { state in
            state.segments[segment.number] = segment
            state.logBytes += LogFormat.firstFrame
        }
        rotated()
        return .success(segment.number)
    }

    /// Notes that all is durable, so that damage can be told from what was not yet written.
    private mutating func writeMark() {
        guard core.writeFailure == nil else { return }
        do throws(LogWriter.Failure) {
            let before = writer.end
            try writer.appendMark()
            let size = writer.end - before
            if size > 0 { core.state.withLock { $0.logBytes += size } }
        } catch {
            // On a full disk the mark is missing, no more.
            if case .unknown = error { _ = note(error) }
        }
    }
}
