import Synchronization
import WasmSystem
import WasmdDigests
import WasmdEventLoop

/// An embedded database in a folder: records with ordered keys in a log, and blobs beside it.
///
/// ```swift
/// let store = try Store(folder: Array("data".utf8))
/// var transaction = Transaction()
/// transaction.put(Array("module/1".utf8), bytes)
/// try await store.commit(transaction)
/// let record = try await store.get(Array("module/1".utf8), on: loop)
/// ```
///
/// `commit` returns when the changes are durable. Keys are in memory, values are on the disk.
/// Everything may be used from any thread and any loop; functions that can wait for the disk have
/// a form for tasks, which does not hold the loop. The format, and what is safe against what:
/// `docs/storage.md`.
public final class RecordStore: Sendable {
    /// The most bytes of a key; the least is one.
    public static let maximumKey = LogFormat.maximumKey
    /// The most bytes of a value.
    public static let maximumValue = LogFormat.maximumValue
    /// The most bytes of a transaction, about: keys, values, and 20 for each change.
    public static let maximumTransaction = LogFormat.maximumPayload - 1024

    public struct Options: Sendable {
        /// Bytes after which a file of the log is completed: from 64 KiB to 1 GiB.
        public var segmentSize = 64 << 20
        /// Bytes of transactions that may wait to be written; beyond it `commit` throws
        /// `.tooManyWrites`.
        public var queueLimit = 64 << 20
        /// Whether space of old values is reclaimed by a thread of the store, when more than half
        /// of the log is old.
        public var compactsAutomatically = true
        /// Bytes of the disk that are kept for deletions and compaction when it is full; zero for
        /// none.
        public var reserveSize = 256 << 10
        /// Whether the folder is made if it is not there.
        public var creates = true
        /// Nanoseconds without work after which a mark is written. Tests set it, because marks move
        /// what follows them.
        var idleTime: Int64 = 5_000_000

        public init() {}
    }

    let core: StoreCore
    private let queue: CommitQueue
    let compactor: Compactor
    private let finished: ThreadOutcome?
    /// Blobs, by the SHA-256 of their bytes.
    public let blobs: BlobStore

    /// Opens a store, for this process alone; makes it if it is not there. Reads the whole log,
    /// some 500 MB a second: not on a loop.
    ///
    /// - Parameters:
    ///   - folder: the data folder; made with its parents and permissions 0700.
    ///   - progress: is called with the bytes that were read and those of the whole log.
    /// - Throws: `.held`, `.unknownVersion`, `.noStore`, `.full`, `.system`. Damage is no error:
    ///   see `report`.
    public convenience init(
        folder: [UInt8], _ options: Options = Options(),
        progress: (Int, Int) -> Void = { _, _ in }
    ) throws(StorageError) {
        try self.init(folder: folder, options, KernelFiles(), progress)
    }

    /// Makes the data folder with its parents if it is not there: for a process that opens the store
    /// after it has restricted itself to the folder.
    public static func makeFolder(_ path: [UInt8]) throws(StorageError) {
        let text = String(decoding: path, as: UTF8.self)
        let files = KernelFiles()
        files.close(
            try writing(text) { () throws(SystemError) in
                try files.openRoot(path, creates: true)
            })
    }

    init(
        folder: [UInt8], _ options: Options, _ files: any FileLayer,
        _ progress: (Int, Int) -> Void = { _, _ in }
    ) throws(StorageError) {
        var options = options
        options.segmentSize = min(max(options.segmentSize, 64 << 10), 1 << 30)
        let folder = try DataFolder(folder, creates: options.creates, locks: true, files)
        var recovery = Recovery(folder, writes: true)
        try recovery.run(progress)
        let salt = recovery.salt != 0 ? recovery.salt : Self.randomNumber()
        var failure = recovery.readOnly.map { StorageError.readOnly($0) }
        var writer: LogWriter?
        if failure == nil {
            do throws(StorageError) {
                writer = try LogWriter(folder, recovery, salt: salt)
            } catch {
                switch error {
                // What is there can be read.
                case .full, .readOnly: failure = error
                default: throw error
                }
            }
        }
        let core = StoreCore(
            folder, options, recovery, newest: writer?.segment, salt: salt)
        if let failure { core.refuseWrites(failure) }
        let queue = CommitQueue(limit: options.queueLimit, idleTime: options.idleTime)
        let compactor = Compactor(core, queue)
        self.core = core
        self.queue = queue
        self.compactor = compactor
        blobs = try BlobStore(core)
        guard let writer else {
            queue.close()
            finished = nil
            return
        }
        let compacts = options.compactsAutomatically
        let finished = ThreadOutcome()
        self.finished = finished
        let waiting = Mutex<Committer?>(
            Committer(core, queue, writer) { [weak compactor] in
                if compacts { compactor?.startIfWorthwhile() }
            })
        if compacts {
            core.fullHandler.withLock { $0 = { [weak compactor] in compactor?.startForRoom() } }
        }
        let started = SystemThread.startDetached(
            SystemThread.Options("wasmd-store", takesSignals: false)
        ) {
            // The committer, and with it its files, is gone before `close` returns.
            Self.run(waiting.withLock { $0.take() })
            finished.set(.success(0))
        }
        guard started else { throw .system(.again, file: "a thread of the store") }
    }

    deinit {
        compactor.stop()
        queue.close()
    }

    private static func run(_ committer: consuming Committer?) {
        guard var committer = committer.take() else { return }
        committer.run()
    }

    private static func randomNumber() -> UInt64 { UInt64.random(in: 1...UInt64.max) }

    /// Writes what waits, and releases the folder. Blocks until the writing thread has ended. Later
    /// writes throw `.closed`; reads go on.
    ///
    /// A store that is dropped without it releases the folder some time later.
    public func close() {
        compactor.stop()
        compactor.wait()
        queue.close()
        _ = finished?.wait()
        core.refuseWrites(.closed)
        core.folder.releaseLock()
    }

    /// What opening the store found.
    public var report: RecoveryReport { core.report }

    /// Why nothing can be written now; nil if it can.
    public var writeFailure: StorageError? { core.writeFailure }

    // MARK: Writing

    /// Carries out a transaction; returns when it is durable, with its version, which is that of
    /// the records that it has put. Transactions are carried out one after the other; those that
    /// wait at the same time share one sync of the disk.
    ///
    /// The task's cancellation has no effect.
    ///
    /// - Throws: `.conflict` if a condition does not hold; `.noBlob`; `.full`, `.readOnly`,
    ///   `.closed`, `.tooManyWrites`; `.keySize`, `.valueTooLarge`, `.transactionTooLarge`. Nothing
    ///   is changed then; only after `.readOnly(.failedSync)` all of it may be there when the store
    ///   is opened again.
    @discardableResult
    public func commit(_ transaction: Transaction) async throws(StorageError) -> UInt64 {
        try checkWriting(transaction)
        let queue = queue
        let outcome = await unsafe withUnsafeContinuation { continuation in
            unsafe queue.add(CommitJob(.transaction(transaction), continuation))
        }
        return try outcome.get()
    }

    /// The same for threads that are no loops: blocks the thread.
    @discardableResult
    public func commitBlocking(_ transaction: Transaction) throws(StorageError) -> UInt64 {
        try checkWriting(transaction)
        return try queue.wait(for: .transaction(transaction))
    }

    private func checkWriting(_ transaction: Transaction) throws(StorageError) {
        if let error = core.writeFailure { throw error }
        try transaction.check()
    }

    // MARK: Reading

    /// A record's value with its version.
    public struct Record: Hashable, Sendable {
        public var value: [UInt8]
        /// The number of the transaction that has put the record: higher for later ones.
        public var version: UInt64
    }

    /// The record with a key, nil if there is none. Costs a search in memory and a read of the file
    /// of the log; only if the value is not in the system's cache, a thread of the loop's pool
    /// waits for the disk.
    ///
    /// - Throws: `.damaged`, `.system`.
    public func get(
        _ key: [UInt8], on loop: EventLoop
    ) async throws(StorageError) -> Record? {
        guard let (location, segment) = core.find(key) else { return nil }
        let value = try await segment.value(location, on: loop)
        return Record(value: value, version: location.version)
    }

    /// The same for threads that are no loops: may wait for the disk.
    public func getBlocking(_ key: [UInt8]) throws(StorageError) -> Record? {
        guard let (location, segment) = core.find(key) else { return nil }
        return Record(value: try segment.value(location), version: location.version)
    }

    /// The version of a record; nil if there is none. Never waits for the disk.
    public func version(_ key: [UInt8]) -> UInt64? {
        core.state.withLock { $0.records.index.find(key)?.version }
    }

    /// The state now, which does not change: for reading several records, and for lists. Costs
    /// nothing to make; as long as it is kept, changes of the store copy parts of the index.
    public func snapshot() -> RecordSnapshot {
        core.state.withLock { state in
            RecordSnapshot(
                index: state.records.index, references: state.records.references,
                segments: state.segments,
                version: state.lastSequence)
        }
    }

    // MARK: Size

    /// What a store has and takes.
    public struct Statistics: Hashable, Sendable {
        public var records: Int
        /// Bytes of the log on the disk.
        public var logBytes: Int
        /// Bytes of those that records take, about.
        public var liveBytes: Int
        public var segments: Int
        /// The last transaction.
        public var version: UInt64
    }

    public var statistics: Statistics {
        core.state.withLock { state in
            Statistics(
                records: state.records.index.count, logBytes: state.logBytes,
                liveBytes: state.records.totalWeight, segments: state.segments.count,
                version: state.lastSequence)
        }
    }

    /// What a store did since it was opened; for metrics.
    public struct Activity: Hashable, Sendable {
        /// Transactions that became durable.
        public var commits: UInt64
        /// Waits for the disk, which transactions share, and how long they took.
        public var syncs: UInt64
        public var syncNanoseconds: UInt64
        /// Bytes that were written to the log for them.
        public var writtenBytes: UInt64
    }

    public var activity: Activity {
        Activity(
            commits: core.commits.load(ordering: .relaxed),
            syncs: core.syncs.load(ordering: .relaxed),
            syncNanoseconds: core.syncTime.load(ordering: .relaxed),
            writtenBytes: core.writtenBytes.load(ordering: .relaxed))
    }

    /// Copies what is not old to the end of the log, and removes all earlier files. Reads and
    /// writes go on meanwhile. Blocks the thread.
    ///
    /// - Returns: the bytes that the log became smaller.
    @discardableResult
    public func compact(
        progress: (Int, Int) -> Void = { _, _ in }
    ) throws(StorageError) -> Int {
        try compactor.compactAll(progress)
    }
}

extension CommitQueue {
    /// Adds a job, and waits for it.
    func wait(for work: CommitJob.Work) throws(StorageError) -> UInt64 {
        let outcome = ThreadOutcome()
        add(CommitJob(work, outcome))
        return try outcome.wait().get()
    }
}

extension Segment {
    /// The value at a location, without holding the loop.
    func value(_ location: Location, on loop: EventLoop) async throws(StorageError) -> [UInt8] {
        if let value = try valueAtOnce(location) { return value }
        do {
            return try await loop.blocking { try self.value(location) }
        } catch let error as StorageError {
            throw error
        } catch {
            throw .system(.canceled, file: path)
        }
    }
}
