// Soundness: arrays are lent to reads as a whole.

import Synchronization
import WasmSystem
import WasmdDigests

extension RecordStore {
    /// The store as it is now, as an archive of tar that holds a data folder: for a backup over a
    /// connection. Reads and writes go on meanwhile. Blocks the thread; one at a time.
    ///
    /// The records are first copied to a folder beside the log, so that as much room is needed on
    /// the disk; blobs are read where they are.
    ///
    /// - Throws: `.archiving` if another one is being made; as `backup(to:progress:)`.
    public func archive() throws(StorageError) -> StoreArchive { try StoreArchive(core) }
}

/// An archive that is being made. Its functions block the thread, and are called by one thread at a
/// time.
public final class StoreArchive: Sendable {
    /// The name of the folder in the archive.
    public static let folderName = "wasmd-data"
    /// The last file of an archive: what it has, and what could not be read.
    public static let reportName = "backup.txt"

    private static let partialName = Array("archive".utf8)
    private static let pieceSize = 256 << 10

    private enum Source: Sendable {
        case segment([UInt8])
        case blob(SHA256.Digest)
    }

    private struct Current: Sendable {
        var file: OpenFile
        var path: String
        var size: Int
        var offset = 0
        var hash = SHA256()
        var digest: SHA256.Digest?
    }

    private struct State: Sendable {
        var sources: ArraySlice<Source>
        var current: Current?
        var hasBegun = false
        var isOver = false
        var report: CopyReport
    }

    private let core: StoreCore
    private let path: [UInt8]
    private let log: OpenFile
    private let state: Mutex<State>
    private let time: UInt64

    fileprivate init(_ core: StoreCore) throws(StorageError) {
        guard
            core.isArchiving.compareExchange(
                expected: false, desired: true, ordering: .relaxed
            ).exchanged
        else { throw .archiving }
        core.ledger.hold()
        self.core = core
        time = SystemClock.realtime.now / 1_000_000_000
        path = core.folder.pathBytes + [UInt8(ascii: "/")] + Self.partialName
        let files = core.folder.files
        do throws(StorageError) {
            // What processes that ended have left: drafts have the number of theirs in their names.
            for name in (try? files.names(core.folder.root.descriptor)) ?? []
            where name.starts(with: Self.partialName) {
                files.removeRoot(core.folder.pathBytes + [UInt8(ascii: "/")] + name)
            }
            // Nothing is removed since the hold, so the blobs of a snapshot from now are there.
            let snapshot = core.state.withLock { state in
                RecordSnapshot(
                    index: state.records.index, references: state.records.references,
                    segments: state.segments, version: state.lastSequence)
            }
            let report = try StoreCopy(core.folder, snapshot, []).write(
                to: path, core.options.segmentSize, isLive: false
            ) { _, _ in }
            let copy = try DataFolder(path, creates: false, locks: false, files)
            log = copy.log
            let segments = try copy.segmentNumbers().numbers.map {
                Source.segment(Segment.name($0))
            }
            let blobs = snapshot.references.all.sorted().map { Source.blob($0) }
            state = Mutex(State(sources: (segments + blobs)[...], report: report))
        } catch {
            files.removeRoot(path)
            core.ledger.endHold()
            core.isArchiving.store(false, ordering: .relaxed)
            throw error
        }
    }

    deinit {
        core.folder.files.removeRoot(path)
        core.ledger.endHold()
        core.isArchiving.store(false, ordering: .relaxed)
    }

    /// The next bytes of the archive; nil at its end.
    ///
    /// - Throws: `.system`. A damaged blob is no error: the report names it.
    public func next() throws(StorageError) -> [UInt8]? {
        var state = state.withLock { $0 }
        defer { self.state.withLock { $0 = state } }
        if state.isOver { return nil }
        if !state.hasBegun {
            state.hasBegun = true
            return ["", "log/", "blobs/"].flatMap { header(Array($0.utf8), size: 0) }
        }
        if state.current != nil { return try piece(&state) }
        while let source = state.sources.popFirst() {
            do throws(StorageError) {
                let current = try open(source)
                state.current = current
                return header(Array(current.path.utf8), size: current.size)
            } catch {
                switch error {
                case .noBlob, .system(.io, _): state.report.failures.append(error)
                default: throw error
                }
            }
        }
        state.isOver = true
        return ending(state.report)
    }

    private func header(_ name: [UInt8], size: Int) -> [UInt8] {
        Archive.header(Array("\(Self.folderName)/".utf8) + name, size: size, time: time)
    }

    private func open(_ source: Source) throws(StorageError) -> Current {
        let files = core.folder.files
        let (folder, name, path, digest) =
            switch source {
            case .segment(let name):
                (log, name, "log/" + String(decoding: name, as: UTF8.self), nil as SHA256.Digest?)
            case .blob(let digest):
                (
                    core.folder.blobs, BlobStore.name(digest),
                    BlobStore.path(BlobStore.name(digest)), digest
                )
            }
        do throws(SystemError) {
            let file = OpenFile(
                owning: try files.open(folder.descriptor, name, .readOnly), files)
            let size = Int(clamping: try files.size(file.descriptor))
            return Current(file: file, path: path, size: size, digest: digest)
        } catch {
            if error == .noent, let digest { throw .noBlob(digest) }
            throw .system(error, file: path)
        }
    }

    private func piece(_ state: inout State) throws(StorageError) -> [UInt8] {
        guard var current = state.current else { return [] }
        let wanted = min(Self.pieceSize, current.size - current.offset)
        var bytes = try read(current, wanted)
        if bytes.count < wanted {
            // The file is shorter than it was: zeros take the place of the rest, and the report
            // says so.
            bytes += [UInt8](repeating: 0, count: wanted - bytes.count)
        }
        current.hash.update(bytes.span)
        current.offset += wanted
        if current.offset < current.size {
            state.current = current
            return bytes
        }
        if let digest = current.digest {
            if current.hash.finish() == digest {
                state.report.blobs += 1
                state.report.byteCount += current.size
            } else {
                state.report.failures.append(.blobDamaged(digest))
            }
        }
        state.current = nil
        return bytes + Archive.padding(current.size)
    }

    private func read(_ current: Current, _ count: Int) throws(StorageError) -> [UInt8] {
        var failure: SystemError?
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, done in
            do throws(SystemError) {
                let raw = UnsafeMutableRawBufferPointer(buffer)
                done = try unsafe current.file.files.readAll(
                    current.file.descriptor, UnsafeMutableRawBufferPointer(rebasing: raw[..<count]),
                    at: current.offset)
            } catch {
                done = 0
                failure = error
            }
        }
        if let failure { throw .system(failure, file: current.path) }
        return bytes
    }

    private func ending(_ report: CopyReport) -> [UInt8] {
        var lines = [
            "records \(report.records)", "blobs \(report.blobs)", "bytes \(report.byteCount)",
        ]
        lines += report.failures.map { "failure \($0)" }
        let text = Array((lines.joined(separator: "\n") + "\n").utf8)
        return header(Array(Self.reportName.utf8), size: text.count) + text
            + Archive.padding(text.count) + Archive.end
    }
}
