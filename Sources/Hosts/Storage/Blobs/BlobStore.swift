// Soundness: arrays are lent to reads as a whole; the initialised count is what a read has filled.

import WasmSystem
import WasmdDigests
import WasmdEventLoop

/// Files beside the log, named by the SHA-256 of their bytes.
///
/// A blob is kept while a record references it (`Transaction.put(_:_:blobs:)`), or a `BlobPin` of
/// it is kept; others are removed by `collectGarbage`. The way to store one: write it, and commit a
/// record that references it while the pin is kept.
///
/// All functions wait for the disk: tasks call them in `EventLoop.blocking`.
public final class BlobStore: Sendable {
    let core: StoreCore

    init(_ core: StoreCore) throws(StorageError) {
        self.core = core
        guard core.writeFailure == nil else { return }
        // What was being written when the process ended, and what was written and not referenced.
        // If records are lost, what they referenced is kept: only `collectGarbage` removes it.
        let isComplete = core.report.isComplete && core.report.setAside.isEmpty
        let folder = core.folder
        for name in (try? folder.files.names(folder.blobs.descriptor)) ?? [] {
            let isOver =
                if let digest = SHA256.Digest(hex: String(decoding: name, as: UTF8.self)) {
                    isComplete && !core.ledger.isReferenced(digest)
                } else {
                    name.starts(with: BlobWriter.prefix)
                }
            if isOver { try? folder.files.unlink(folder.blobs.descriptor, name) }
        }
    }

    /// 64 hexadecimal digits.
    static func name(_ digest: SHA256.Digest) -> [UInt8] { Array(digest.description.utf8) }

    static func path(_ name: [UInt8]) -> String {
        "blobs/" + String(decoding: name, as: UTF8.self)
    }

    /// Begins to write a blob.
    public func write() throws(StorageError) -> BlobWriter { try BlobWriter(core) }

    /// Stores a blob that is in memory.
    public func put(_ bytes: [UInt8]) throws(StorageError) -> BlobPin {
        let digest = SHA256.hash(bytes)
        if let pin = pin(digest) { return pin }
        return try write().write(bytes, digest)
    }

    /// Keeps a blob that is there; nil if it is not.
    public func pin(_ digest: SHA256.Digest) -> BlobPin? {
        let pin = BlobPin(digest, core.ledger)
        let folder = core.folder
        // In this order: what appears meanwhile is noted before it has its name.
        guard folder.files.exists(folder.blobs.descriptor, Self.name(digest)),
            core.ledger.isDurable(digest)
        else { return nil }
        return pin
    }

    /// Opens a blob.
    ///
    /// - Throws: `.noBlob`, `.system`.
    public func open(_ digest: SHA256.Digest) throws(StorageError) -> BlobReader {
        try BlobReader(digest, core.folder)
    }

    /// All bytes of a blob.
    ///
    /// - Parameters:
    ///   - limit: the most bytes that are read; larger ones are read in pieces, by `open`.
    ///   - verifies: whether the digest is compared.
    /// - Throws: `.noBlob`; `.blobDamaged`; `.blobTooLarge`.
    public func get(
        _ digest: SHA256.Digest, limit: Int = 256 << 20, verifies: Bool = true
    ) throws(StorageError) -> [UInt8] {
        let reader = try open(digest)
        guard reader.byteCount <= limit else {
            throw .blobTooLarge(digest, byteCount: reader.byteCount)
        }
        let bytes = try reader.read(at: 0, reader.byteCount)
        guard bytes.count == reader.byteCount, !verifies || SHA256.hash(bytes) == digest else {
            throw .blobDamaged(digest)
        }
        return bytes
    }

    /// The digests of all blobs that are there.
    public func list() throws(StorageError) -> [SHA256.Digest] {
        let folder = core.folder
        let names = try reading("blobs") { () throws(SystemError) in
            try folder.files.names(folder.blobs.descriptor)
        }
        return names.compactMap { SHA256.Digest(hex: String(decoding: $0, as: UTF8.self)) }
    }

    /// Blobs that a record references.
    public func isReferenced(_ digest: SHA256.Digest) -> Bool {
        core.ledger.isReferenced(digest)
    }

    /// Whether blobs lost their last reference or pin since the last call of `collectUnused`.
    public var hasUnused: Bool { core.ledger.hasUnused }

    /// Removes blobs that lost their last reference or pin since the last call: costs nothing for
    /// the others. If the system crashes, some may be there again; opening the store removes them.
    ///
    /// - Returns: how many were removed.
    @discardableResult
    public func collectUnused() -> Int {
        guard core.writeFailure == nil else { return 0 }
        return core.ledger.takeUnused().count(where: remove)
    }

    /// Removes a blob that nothing uses.
    private func remove(_ digest: SHA256.Digest) -> Bool {
        let folder = core.folder
        var isRemoved = false
        core.ledger.ifUnused(digest) {
            let name = Self.name(digest)
            isRemoved = (try? folder.files.unlink(folder.blobs.descriptor, name)) != nil
        }
        return isRemoved
    }

    /// Removes the blobs that no record references and no pin keeps. Returns how many.
    @discardableResult
    public func collectGarbage() throws(StorageError) -> Int {
        if let error = core.writeFailure { throw error }
        let folder = core.folder
        let removed = try list().count(where: remove)
        if removed > 0 {
            try core.syncing("blobs") { () throws(SystemError) in
                try folder.files.syncFolder(folder.blobs.descriptor)
            }
        }
        return removed
    }
}

/// Keeps a blob from being removed as long as it exists.
public final class BlobPin: Sendable {
    public let digest: SHA256.Digest
    private let ledger: BlobLedger

    init(_ digest: SHA256.Digest, _ ledger: BlobLedger) {
        self.digest = digest
        self.ledger = ledger
        ledger.pin(digest)
    }

    deinit { ledger.unpin(digest) }
}

/// An open blob, which can be read also after it was removed.
public final class BlobReader: Sendable {
    public let digest: SHA256.Digest
    public let byteCount: Int
    private let file: OpenFile

    init(_ digest: SHA256.Digest, _ folder: DataFolder) throws(StorageError) {
        let name = BlobStore.name(digest)
        self.digest = digest
        do throws(SystemError) {
            let opened = try folder.files.open(folder.blobs.descriptor, name, .readOnly)
            file = OpenFile(owning: opened, folder.files)
            byteCount = Int(clamping: try folder.files.size(opened))
        } catch {
            if error == .noent { throw .noBlob(digest) }
            throw .system(error, file: BlobStore.path(name))
        }
    }

    /// The descriptor of the file, for calls that send files; the reader owns it.
    public var descriptor: Int32 { file.descriptor }

    /// Up to `count` bytes at `offset`; fewer only at the end.
    public func read(at offset: Int, _ count: Int) throws(StorageError) -> [UInt8] {
        let wanted = max(min(count, byteCount - offset), 0)
        guard offset >= 0, wanted > 0 else { return [] }
        var failure: SystemError?
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: wanted) { buffer, done in
            do throws(SystemError) {
                let raw = UnsafeMutableRawBufferPointer(buffer)
                done = try unsafe file.files.readAll(
                    file.descriptor, UnsafeMutableRawBufferPointer(rebasing: raw[..<wanted]),
                    at: offset)
            } catch {
                done = 0
                failure = error
            }
        }
        if let failure { throw .system(failure, file: BlobStore.path(BlobStore.name(digest))) }
        return bytes
    }

    /// Reads all, and compares the digest.
    ///
    /// - Throws: `.blobDamaged`, `.system`.
    public func verify() throws(StorageError) {
        var hash = SHA256()
        var offset = 0
        while offset < byteCount {
            let piece = try read(at: offset, 1 << 20)
            if piece.isEmpty { break }
            hash.update(piece.span)
            offset += piece.count
        }
        guard hash.finish() == digest else { throw .blobDamaged(digest) }
    }
}
