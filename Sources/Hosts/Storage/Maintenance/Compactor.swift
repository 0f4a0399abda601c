// Soundness: entries of frames are copied within the call that they are passed to.

import Synchronization
import WasmSystem
import WasmdDigests

/// Reclaims the space of old values: copies the records of the oldest segment that are not old to
/// the end of the log, and removes it.
///
/// From the oldest on, because then no deletion needs to be copied: there is no earlier segment in
/// which the record could be found again.
final class Compactor: Sendable {
    private let core: StoreCore
    private let queue: CommitQueue
    private let isStopped = Atomic(false)
    /// When a full disk may be a reason to compact again.
    private let nextRequest = Atomic<UInt64>(0)
    /// Whether the store's own thread compacts.
    private let running = Monitor(false)
    /// One compaction at a time.
    private let turn = HostLock()

    /// Bytes and records that are copied by one job, so that others need not wait for long.
    private static let batchSize = 128 << 10
    private static let batchCount = 256

    init(_ core: StoreCore, _ queue: CommitQueue) {
        self.core = core
        self.queue = queue
    }

    func stop() { isStopped.store(true, ordering: .relaxed) }

    /// Waits until the store's own thread has ended.
    func wait() { running.wait { !$0 } }

    private var isWorthwhile: Bool {
        core.state.withLock { state in
            state.segments.count > 1
                && state.logBytes > 2 * (state.records.totalWeight + core.options.segmentSize)
        }
    }

    /// Starts a thread that compacts while more than half of the log is old.
    func startIfWorthwhile() {
        guard isWorthwhile else { return }
        start {
            while self.isWorthwhile, (try? self.compactOldest(before: nil)) == true {}
        }
    }

    /// Starts a thread that compacts everything, since the disk is full: if a part of the log is
    /// old, and there is room for the copies.
    ///
    /// At most once a second.
    func startForRoom() {
        let (now, next) = (SystemClock.monotonic.now, nextRequest.load(ordering: .relaxed))
        guard now >= next,
            nextRequest.compareExchange(
                expected: next, desired: now &+ 1_000_000_000, ordering: .relaxed
            ).exchanged
        else { return }
        let (old, live) = core.state.withLock { state in
            (state.logBytes - state.records.totalWeight, state.records.totalWeight)
        }
        guard old > max(Self.worthwhileRoom, live / 4) else { return }
        start { [core] in
            // Copies are somewhat larger than what they are of, and a new segment is begun.
            guard SpaceReserve.hasRoom(core.folder, for: live + live / 4 + (64 << 10)) else {
                return
            }
            _ = try? self.compactAll { _, _ in }
        }
    }

    /// Old bytes of the log for which a full disk is worth a compaction.
    private static let worthwhileRoom = 512 << 10

    private func start(_ body: @escaping @Sendable () -> Void) {
        guard !isStopped.load(ordering: .relaxed) else { return }
        let starts = running.withLock { isRunning in
            defer { isRunning = true }
            return !isRunning
        }
        guard starts else { return }
        let started = SystemThread.startDetached(
            SystemThread.Options("wasmd-compactor", takesSignals: false)
        ) {
            body()
            self.running.withLock { $0 = false }
        }
        if !started { running.withLock { $0 = false } }
    }

    /// Compacts all segments but a new one.
    func compactAll(_ progress: (Int, Int) -> Void) throws(StorageError) -> Int {
        let before = core.state.withLock { $0.logBytes }
        let end = UInt32(truncatingIfNeeded: try queue.wait(for: .rotate))
        let total = core.state.withLock { $0.segments.keys.filter { $0 < end }.count }
        var done = 0
        progress(done, total)
        while try compactOldest(before: end) {
            done += 1
            progress(done, total)
        }
        return before - core.state.withLock { $0.logBytes }
    }

    /// Compacts the oldest segment.
    ///
    /// - Parameter end: compacts only segments below it; nil for all but the newest.
    /// - Returns: false if there was none, or the compactor was stopped.
    private func compactOldest(before end: UInt32?) throws(StorageError) -> Bool {
        try turn.locked { () throws(StorageError) in
            let oldest = core.state.withLock { state -> Segment? in
                guard let number = state.segments.keys.min(),
                    let newest = state.segments.keys.max(), number < min(end ?? newest, newest)
                else { return nil }
                return state.segments[number]
            }
            guard let oldest, !isStopped.load(ordering: .relaxed) else { return false }
            let size = try reading(oldest.path) { () throws(SystemError) in
                Int(try core.folder.files.size(oldest.file.descriptor))
            }
            guard let isWhole = try copyRecords(oldest, size) else { return false }
            try remove(oldest, size, isWhole: isWhole)
            return true
        }
    }

    /// Copies what is not old. Returns whether the segment has no damage; nil if stopped.
    private func copyRecords(_ segment: Segment, _ size: Int) throws(StorageError) -> Bool? {
        var isWhole = true
        var batch: [MovedRecord] = []
        var batchSize = 0
        var scanner = SegmentScanner(segment, salt: core.salt, after: 0)
        try unsafe scanner.scan(size: size) { (frame, before) throws(StorageError) in
            if before != nil { isWhole = false }
            unsafe frame.forEachEntry { entry in
                if let record = unsafe record(entry, frame, segment.number) {
                    batch.append(record)
                    batchSize += record.key.count + record.value.count
                }
                return true
            }
            if batchSize >= Self.batchSize || batch.count >= Self.batchCount {
                _ = try queue.wait(for: .moved(batch))
                (batch, batchSize) = ([], 0)
            }
            return !isStopped.load(ordering: .relaxed)
        }
        if isStopped.load(ordering: .relaxed) { return nil }
        if !batch.isEmpty { _ = try queue.wait(for: .moved(batch)) }
        return isWhole && scanner.rest == nil && size >= LogFormat.firstFrame
    }

    /// The record of an entry, if it is not old.
    private func record(
        _ entry: FrameEntry, _ frame: Frame, _ segment: UInt32
    ) -> MovedRecord? {
        guard unsafe !entry.isDelete else { return nil }
        let location = unsafe Location(
            segment: segment, offset: frame.offset + entry.valueOffset, size: entry.valueSize,
            hasDigests: !entry.digests.isEmpty, checksum: entry.valueChecksum,
            version: entry.version)
        let now = core.state.withLock { unsafe $0.records.index.find(entry.key) }
        guard now == location else { return nil }
        return unsafe MovedRecord(
            key: [UInt8](entry.key),
            value: [UInt8](frame.bytes.part(entry.valueOffset, entry.valueSize)),
            digests: Records.digests(entry.digests), location: location)
    }

    /// Removes a segment from the log; one with damage is kept under another name.
    private func remove(_ segment: Segment, _ size: Int, isWhole: Bool) throws(StorageError) {
        _ = try queue.wait(for: .first(segment.number + 1))
        let released = core.state.withLock { state -> [SHA256.Digest] in
            let released = state.records.removeAll(in: segment.number)
            state.segments[segment.number] = nil
            state.logBytes -= size
            return released
        }
        core.ledger.release(released)
        let folder = core.folder
        let name = Segment.name(segment.number)
        try writing(segment.path) { () throws(SystemError) in
            if isWhole {
                try folder.files.unlink(folder.log.descriptor, name)
            } else {
                try folder.files.rename(
                    folder.log.descriptor, name, to: Segment.damagedName(segment.number))
            }
        }
        try core.syncing("log") { () throws(SystemError) in
            try folder.files.syncFolder(folder.log.descriptor)
        }
    }
}

extension Records {
    /// Removes the records that could not be copied from a segment, since they are damaged; returns
    /// the blobs that they referenced.
    fileprivate mutating func removeAll(in segment: UInt32) -> [SHA256.Digest] {
        defer { forget(segment: segment) }
        guard weights[segment, default: 0] != 0 else { return [] }
        var keys: [[UInt8]] = []
        unsafe index.forEach(from: UnsafeRawBufferPointer(start: nil, count: 0)) { key, location in
            if location.segment == segment { keys.append(unsafe [UInt8](key)) }
            return true
        }
        var released: [SHA256.Digest] = []
        for key in keys {
            released += unsafe key.withUnsafeBytes { unsafe remove($0) }
        }
        return released
    }
}
