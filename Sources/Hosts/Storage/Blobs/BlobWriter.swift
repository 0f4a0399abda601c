import Synchronization
import WasmSystem
import WasmdDigests

/// Writes a blob under a temporary name; it gets its own when it is complete and durable. One that
/// is dropped before leaves nothing.
///
/// Used by one thread or task at a time.
public final class BlobWriter: Sendable {
    private struct State: Sendable {
        var hash = SHA256()
        var byteCount = 0
        var isOver = false
    }

    static let prefix = Array("new-".utf8)

    private let core: StoreCore
    private let name: [UInt8]
    private let file: OpenFile
    private let state = Mutex(State())

    init(_ core: StoreCore) throws(StorageError) {
        if let error = core.writeFailure { throw error }
        self.core = core
        let folder = core.folder
        let name = Self.prefix + Array(String(UInt64.random(in: .min ... .max), radix: 16).utf8)
        self.name = name
        file = try writing(BlobStore.path(name)) { () throws(SystemError) in
            let opened = try folder.files.open(
                folder.blobs.descriptor, name, [.readWrite, .create, .exclusive])
            return OpenFile(owning: opened, folder.files)
        }
    }

    deinit {
        if state.withLock({ !$0.isOver }) { remove() }
    }

    private func remove() {
        try? core.folder.files.unlink(core.folder.blobs.descriptor, name)
    }

    /// Bytes so far.
    public var byteCount: Int { state.withLock { $0.byteCount } }

    /// Writes a blob that is in memory, and whose digest is known.
    func write(_ bytes: [UInt8], _ digest: SHA256.Digest) throws(StorageError) -> BlobPin {
        state.withLock { $0.isOver = true }
        do throws(StorageError) {
            try writing(BlobStore.path(name)) { () throws(SystemError) in
                try file.files.writeAll(file.descriptor, bytes, at: 0)
            }
            return try finish(digest)
        } catch {
            remove()
            noteFull(error)
            throw error
        }
    }

    private func noteFull(_ error: StorageError) {
        if case .full = error { core.fullHandler.withLock { $0 }?() }
    }

    /// Adds bytes. After an error the writer cannot be used any more.
    ///
    /// - Throws: `.full`, `.readOnly`, `.closed`, `.system`.
    public func append(_ bytes: [UInt8]) throws(StorageError) {
        let result = state.withLock { state -> Result<Void, StorageError> in
            guard !state.isOver else { return .failure(.closed) }
            do throws(SystemError) {
                try file.files.writeAll(file.descriptor, bytes, at: state.byteCount)
            } catch {
                state.isOver = true
                return .failure(StorageError(writing: BlobStore.path(name), error))
            }
            state.hash.update(bytes.span)
            state.byteCount += bytes.count
            return .success(())
        }
        if case .failure(let error) = result, error != .closed {
            remove()
            noteFull(error)
        }
        try result.get()
    }

    /// Completes the blob; returns when it is durable.
    ///
    /// - Returns: what keeps the blob until a record references it.
    public func finish() throws(StorageError) -> BlobPin {
        let digest = state.withLock { state -> SHA256.Digest? in
            guard !state.isOver else { return nil }
            state.isOver = true
            return state.hash.finish()
        }
        guard let digest else { throw .closed }
        do throws(StorageError) {
            return try finish(digest)
        } catch {
            remove()
            throw error
        }
    }

    private func finish(_ digest: SHA256.Digest) throws(StorageError) -> BlobPin {
        let folder = core.folder
        let final = BlobStore.name(digest)
        // Kept from now on, so that it is not removed between its appearance and the return.
        let pin = BlobPin(digest, core.ledger)
        if let error = core.writeFailure { throw error }
        try core.syncing(BlobStore.path(name)) { () throws(SystemError) in
            try file.files.datasync(file.descriptor)
        }
        core.ledger.appears(digest) { folder.files.exists(folder.blobs.descriptor, final) }
        // One that is there is replaced: it may be damaged.
        try writing(BlobStore.path(final)) { () throws(SystemError) in
            try folder.files.rename(folder.blobs.descriptor, name, to: final)
        }
        try core.syncing("blobs") { () throws(SystemError) in
            try folder.files.syncFolder(folder.blobs.descriptor)
        }
        core.ledger.appeared(digest)
        return pin
    }
}
