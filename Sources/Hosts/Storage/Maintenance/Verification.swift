import WasmSystem
import WasmdDigests

/// What a check of a data folder found.
public struct Verification: Hashable, Sendable {
    /// The log.
    public var log = RecoveryReport()
    /// Blobs that are there and whole.
    public var blobs = 0
    public var blobBytes = 0
    /// Blobs whose bytes do not have their digest.
    public var damagedBlobs: [SHA256.Digest] = []
    /// Blobs that a record references and that are not there.
    public var missingBlobs: [SHA256.Digest] = []
    /// Blobs that no record references: the next collection of garbage removes them.
    public var unreferencedBlobs = 0
    /// Whether another process has the folder open; its number if it is known.
    public var isHeld = false
    public var holder: Int32?

    /// Whether all that was acknowledged is there and whole.
    public var isSound: Bool {
        log.isComplete && damagedBlobs.isEmpty && missingBlobs.isEmpty
    }
}

extension RecordStore {
    /// Reads everything in a data folder, and compares all checksums and digests. Changes nothing,
    /// and may be used while another process has the store open.
    ///
    /// - Parameter progress: is called with the bytes that were read and all of them, as far as
    ///   they are known.
    /// - Throws: `.noStore`, `.unknownVersion`, `.system`. Damage is no error.
    public static func verify(
        folder: [UInt8], progress: (Int, Int) -> Void = { _, _ in }
    ) throws(StorageError) -> Verification {
        try verify(folder: folder, KernelFiles(), progress)
    }

    static func verify(
        folder path: [UInt8], _ files: any FileLayer, _ progress: (Int, Int) -> Void
    ) throws(StorageError) -> Verification {
        var result = try verifyOnce(path, files, progress)
        // A blob may have been removed, with its record, while the log was read.
        if result.isHeld, !result.missingBlobs.isEmpty {
            result = try verifyOnce(path, files, progress)
        }
        return result
    }

    private static func verifyOnce(
        _ path: [UInt8], _ files: any FileLayer, _ progress: (Int, Int) -> Void
    ) throws(StorageError) -> Verification {
        let view = try StoreView(path, files, progress)
        var result = Verification()
        result.log = view.report
        (result.isHeld, result.holder) = view.folder.currentHolder
        var missing = view.referenced
        let names = try reading("blobs") { () throws(SystemError) in
            try files.names(view.folder.blobs.descriptor)
        }
        for name in names {
            guard let digest = SHA256.Digest(hex: String(decoding: name, as: UTF8.self)) else {
                continue
            }
            missing.remove(digest)
            if !view.referenced.contains(digest) { result.unreferencedBlobs += 1 }
            do throws(StorageError) {
                let reader = try BlobReader(digest, view.folder)
                try reader.verify()
                result.blobs += 1
                result.blobBytes += reader.byteCount
                progress(view.report.logBytes + result.blobBytes, 0)
            } catch {
                if case .noBlob = error { continue }
                result.damagedBlobs.append(digest)
            }
        }
        result.damagedBlobs.sort()
        result.missingBlobs = missing.sorted()
        return result
    }
}
