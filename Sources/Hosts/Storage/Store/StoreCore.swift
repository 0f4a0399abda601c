import Synchronization
import WasmSystem
import WasmdDigests

/// What the parts of an open store share.
final class StoreCore: Sendable {
    struct State: Sendable {
        var records: Records
        var segments: [UInt32: Segment]
        /// Bytes of the log.
        var logBytes: Int
        /// The last transaction that readers see.
        var lastSequence: UInt64
    }

    let folder: DataFolder
    let options: RecordStore.Options
    let report: RecoveryReport
    let state: Mutex<State>
    let ledger: BlobLedger
    let salt: UInt64
    private let failure = Mutex<StorageError?>(nil)
    // Counted by the writing thread; read by others.
    let commits = Atomic<UInt64>(0)
    let syncs = Atomic<UInt64>(0)
    let syncTime = Atomic<UInt64>(0)
    let writtenBytes = Atomic<UInt64>(0)
    /// Whether a `StoreArchive` is being made.
    let isArchiving = Atomic(false)
    /// Called when the disk is full: looks for old records, whose room can be given back.
    let fullHandler = Mutex<(@Sendable () -> Void)?>(nil)

    init(
        _ folder: DataFolder, _ options: RecordStore.Options, _ recovery: consuming Recovery,
        newest segment: Segment?, salt: UInt64
    ) {
        self.salt = salt
        self.folder = folder
        self.options = options
        report = recovery.report
        ledger = BlobLedger(recovery.records)
        var segments = recovery.segments
        if let segment { segments[segment.number] = segment }
        let bytes = recovery.report.logBytes - (recovery.report.tail?.byteCount ?? 0)
        state = Mutex(
            State(
                records: recovery.records, segments: segments, logBytes: bytes,
                lastSequence: recovery.lastSequence))
    }

    /// Why nothing can be written now; nil if it can.
    var writeFailure: StorageError? { failure.withLock { $0 } }

    /// Refuses writes from now on; the first reason counts.
    func refuseWrites(_ error: StorageError) {
        failure.withLock { if $0 == nil { $0 = error } }
    }

    /// A call that makes data durable; after a failure nothing is written any more.
    func syncing(_ file: @autoclosure () -> String, _ call: () throws(SystemError) -> Void)
        throws(StorageError)
    {
        do throws(SystemError) {
            try call()
        } catch {
            refuseWrites(.readOnly(.failedSync(error)))
            throw .readOnly(.failedSync(error))
        }
    }

    /// Where a record is.
    func find(_ key: [UInt8]) -> (location: Location, segment: Segment)? {
        state.withLock { state in
            guard let location = state.records.index.find(key),
                let segment = state.segments[location.segment]
            else { return nil }
            return (location, segment)
        }
    }
}
