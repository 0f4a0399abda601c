import WasmSystem
import WasmdDigests

/// What a copy of a store has.
public struct CopyReport: Hashable, Sendable {
    public var records = 0
    public var blobs = 0
    /// Bytes of the copy's log and blobs.
    public var byteCount = 0
    /// What could not be copied because it is damaged or missing in the source.
    public var failures: [StorageError] = []
}

extension RecordStore {
    /// Copies a store into a new folder: its records as they are now, without old values, and the
    /// blobs that they reference. Reads and writes go on meanwhile; blobs that become garbage are
    /// kept until the end. Blocks the thread.
    ///
    /// The copy is a data folder like any other. It appears under its name when it is complete and
    /// durable.
    ///
    /// - Parameters:
    ///   - target: is not there yet, or an empty folder.
    ///   - progress: is called with the records and blobs that were copied, and all of them.
    /// - Throws: `.targetNotEmpty`, `.full`, `.readOnly`, `.system`. What is damaged in the source
    ///   is no error: see `CopyReport.failures`.
    public func backup(
        to target: [UInt8], progress: (Int, Int) -> Void = { _, _ in }
    ) throws(StorageError) -> CopyReport {
        core.ledger.hold()
        defer { core.ledger.endHold() }
        // Nothing is removed since the hold, so the blobs of the snapshot are there.
        let snapshot = snapshot()
        let copy = StoreCopy(core.folder, snapshot, snapshot.references.all)
        return try copy.write(to: target, core.options.segmentSize, isLive: false, progress)
    }

    /// Copies the store in a folder into a new folder, for a backup or back from one. The source
    /// may be open in another process.
    ///
    /// - Throws: as `backup(to:progress:)`; `.noStore`, `.unknownVersion`; `.changedDuringCopy` if
    ///   the process that has it open has removed a blob meanwhile.
    public static func copy(
        folder: [UInt8], to target: [UInt8], progress: (Int, Int) -> Void = { _, _ in }
    ) throws(StorageError) -> CopyReport {
        try copy(folder: folder, to: target, KernelFiles(), progress)
    }

    static func copy(
        folder: [UInt8], to target: [UInt8], _ files: any FileLayer,
        _ progress: (Int, Int) -> Void
    ) throws(StorageError) -> CopyReport {
        if files.isOccupied(target) {
            throw .targetNotEmpty(String(decoding: target, as: UTF8.self))
        }
        let view = try StoreView(folder, files) { _, _ in }
        var report = try StoreCopy(view.folder, view.snapshot, view.referenced).write(
            to: target, Options().segmentSize, isLive: view.folder.currentHolder.isHeld, progress)
        for damage in view.report.damage {
            report.failures.append(.damaged(file: damage.file, offset: damage.offset))
        }
        for missing in view.report.missingSegments {
            report.failures.append(
                .system(.noent, file: Segment.path(missing.lowerBound)))
        }
        return report
    }
}

/// Writes the records of a snapshot, and blobs, into a new folder.
struct StoreCopy {
    let source: DataFolder
    let snapshot: RecordSnapshot
    let digests: [SHA256.Digest]

    private static let frameSize = 256 << 10

    init(_ source: DataFolder, _ snapshot: RecordSnapshot, _ digests: Set<SHA256.Digest>) {
        self.source = source
        self.snapshot = snapshot
        self.digests = digests.sorted()
    }

    /// - Parameter isLive: whether another process may remove blobs meanwhile.
    func write(
        to target: [UInt8], _ segmentSize: Int, isLive: Bool, _ progress: (Int, Int) -> Void
    ) throws(StorageError) -> CopyReport {
        let files = source.files
        let name = String(decoding: target, as: UTF8.self)
        var target = target
        while target.count > 1, target.last == UInt8(ascii: "/") { target.removeLast() }
        if files.isOccupied(target) { throw .targetNotEmpty(name) }
        let partial = target + Array(".partial-\(CurrentProcess.identifier)".utf8)
        files.removeRoot(partial)
        do throws(StorageError) {
            let report = try write(partial, segmentSize, isLive, progress)
            try writing(name) { () throws(SystemError) in
                try files.renameRoot(partial, to: target)
            }
            return report
        } catch {
            files.removeRoot(partial)
            throw error
        }
    }

    private func write(
        _ path: [UInt8], _ segmentSize: Int, _ isLive: Bool, _ progress: (Int, Int) -> Void
    ) throws(StorageError) -> CopyReport {
        let folder = try DataFolder(path, creates: true, locks: true, source.files)
        var report = CopyReport()
        let total = snapshot.count + digests.count
        for digest in digests {
            do throws(StorageError) {
                report.byteCount += try copy(digest, to: folder)
                report.blobs += 1
            } catch {
                switch error {
                case .noBlob where isLive: throw .changedDuringCopy
                case .noBlob, .blobDamaged, .system(.io, _): report.failures.append(error)
                default: throw error
                }
            }
            progress(report.blobs, total)
        }
        try writing("blobs") { () throws(SystemError) in
            try source.files.syncFolder(folder.blobs.descriptor)
        }
        try copyRecords(to: folder, segmentSize, &report) { progress($0, total) }
        return report
    }

    private func copy(_ digest: SHA256.Digest, to folder: DataFolder) throws(StorageError) -> Int {
        let files = source.files
        let reader = try BlobReader(digest, source)
        let name = BlobStore.name(digest)
        let path = BlobStore.path(name)
        let opened = try writing(path) { () throws(SystemError) in
            try files.open(folder.blobs.descriptor, name, [.readWrite, .create, .truncate])
        }
        let file = OpenFile(owning: opened, files)
        var hash = SHA256()
        var offset = 0
        do throws(StorageError) {
            while offset < reader.byteCount {
                let piece = try reader.read(at: offset, 1 << 20)
                if piece.isEmpty { break }
                hash.update(piece.span)
                try writing(path) { () throws(SystemError) in
                    try files.writeAll(file.descriptor, piece, at: offset)
                }
                offset += piece.count
            }
            guard hash.finish() == digest else { throw .blobDamaged(digest) }
            try writing(path) { () throws(SystemError) in try files.datasync(file.descriptor) }
        } catch {
            try? files.unlink(folder.blobs.descriptor, name)
            throw error
        }
        return offset
    }

    private func copyRecords(
        to folder: DataFolder, _ segmentSize: Int, _ report: inout CopyReport,
        _ progress: (Int) -> Void
    ) throws(StorageError) {
        var writer = try LogWriter(
            new: folder, salt: UInt64.random(in: 1...UInt64.max), lastSequence: snapshot.version)
        var frame: [(key: [UInt8], record: RecordStore.Record, digests: [SHA256.Digest])] = []
        var size = 0
        var after: [UInt8]?
        while true {
            let page = snapshot.keys(after: after, limit: 1024)
            guard let last = page.last else { break }
            after = last.key
            for key in page {
                do throws(StorageError) {
                    guard let record = try snapshot.getWithDigests(key.key) else { continue }
                    frame.append((key.key, record.record, record.digests))
                    size += record.record.value.count + key.key.count
                    report.records += 1
                } catch {
                    guard case .damaged = error else { throw error }
                    report.failures.append(error)
                }
                if size >= Self.frameSize {
                    try write(frame, segmentSize, &writer, &report)
                    (frame, size) = ([], 0)
                }
            }
            progress(report.blobs + report.records)
        }
        if !frame.isEmpty { try write(frame, segmentSize, &writer, &report) }
        do throws(LogWriter.Failure) {
            try writer.sync()
            try writer.appendMark()
            try writer.sync()
            report.byteCount += writer.end
        } catch {
            throw Self.error(error)
        }
        try writing("log") { () throws(SystemError) in
            try source.files.syncFolder(folder.log.descriptor)
        }
    }

    private func write(
        _ records: [(key: [UInt8], record: RecordStore.Record, digests: [SHA256.Digest])],
        _ segmentSize: Int, _ writer: inout LogWriter, _ report: inout CopyReport
    ) throws(StorageError) {
        do throws(LogWriter.Failure) {
            if writer.end >= segmentSize {
                try writer.sync()
                report.byteCount += writer.end
                try writer.rotate()
            }
        } catch {
            throw Self.error(error)
        }
        let sequence = try writer.nextSequence()
        var encoder = writer.encoder(reusing: [])
        encoder.beginFrame()
        for (key, record, digests) in records {
            _ = encoder.add(
                isDelete: false, key: key, value: record.value, digests: digests,
                version: record.version)
        }
        encoder.endFrame(.moved, sequence: sequence, durable: writer.durable)
        do throws(LogWriter.Failure) {
            try writer.append(encoder.bytes)
        } catch {
            throw Self.error(error)
        }
    }

    private static func error(_ failure: LogWriter.Failure) -> StorageError {
        switch failure {
        case .undone(let error): error
        case .unknown(let error): .readOnly(.failedSync(error))
        }
    }
}
