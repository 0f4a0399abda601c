import WasmdDigests

/// A store that is only read: also one that another process has open.
///
/// That is sound: files of the log are only added to, a frame that is being written is not whole
/// yet, and files that are removed meanwhile stay readable.
struct StoreView {
    let folder: DataFolder
    let report: RecoveryReport
    let snapshot: RecordSnapshot
    /// The blobs that records reference.
    let referenced: Set<SHA256.Digest>

    init(
        _ path: [UInt8], _ files: any FileLayer, _ progress: (Int, Int) -> Void
    ) throws(StorageError) {
        folder = try DataFolder(path, creates: false, locks: false, files)
        var recovery = Recovery(folder, writes: false)
        try recovery.run(progress)
        report = recovery.report
        snapshot = RecordSnapshot(
            index: recovery.records.index, references: recovery.records.references,
            segments: recovery.segments, version: recovery.lastSequence)
        referenced = recovery.records.references.all
    }
}
