import WasmSystem
import WasmdDigests

/// Why an operation of a store failed.
public enum StorageError: Error, Hashable, Sendable {
    /// Another process has the data folder open; its number if the folder says it.
    case held(folder: String, process: Int32?)
    /// The folder has no store.
    case noStore(folder: String)
    /// A file was written by another version of the format.
    case unknownVersion(file: String, UInt32)
    /// The disk, a quota or the limit on the size of files leaves no room. Reads go on; a later
    /// write may succeed.
    case full(SystemError)
    /// Nothing can be written until the store is opened again.
    case readOnly(ReadOnlyReason)
    /// The store was closed.
    case closed
    /// Too many writes wait.
    case tooManyWrites
    /// A condition of a transaction does not hold; `found` is the version of the record now, nil
    /// if there is none.
    case conflict(key: [UInt8], found: UInt64?)
    /// A key is empty, or has more bytes than `RecordStore.maximumKey`.
    case keySize(Int)
    /// A value has more bytes than `RecordStore.maximumValue`: larger ones are stored as blobs.
    case valueTooLarge(Int)
    /// A transaction has more bytes than `RecordStore.maximumTransaction`, or a record has more than 255
    /// blobs.
    case transactionTooLarge
    /// A record's value is not what was written.
    case damaged(file: String, offset: Int)
    /// The bytes of a blob do not have its digest.
    case blobDamaged(SHA256.Digest)
    /// A blob has more bytes than the caller takes at once.
    case blobTooLarge(SHA256.Digest, byteCount: Int)
    /// There is no such blob.
    case noBlob(SHA256.Digest)
    /// The target of a copy is there and is not empty.
    case targetNotEmpty(String)
    /// The store changed while it was copied, and blobs were removed.
    case changedDuringCopy
    /// Another archive of the store is being made.
    case archiving
    /// The system refused a call on a file.
    case system(SystemError, file: String)

    /// Why nothing can be written.
    public enum ReadOnlyReason: Hashable, Sendable {
        /// The disk or its permissions do not allow it.
        case disk(SystemError)
        /// The disk reported that it could not write: what it has is unknown.
        case failedSync(SystemError)
        /// It was opened only to be read.
        case opened
    }
}

extension StorageError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .held(let folder, let process?): "\(folder) is in use by process \(process)"
        case .held(let folder, nil): "\(folder) is in use by another process"
        case .noStore(let folder): "\(folder) has no store: there is no folder 'log' in it"
        case .unknownVersion(let file, let version):
            "\(file) has version \(version) of the format; this program knows \(LogFormat.version)"
        case .full(let error): "no room for more data: \(error)"
        case .readOnly(.disk(let error)): "the store is read-only: \(error)"
        case .readOnly(.failedSync(let error)):
            "the store is read-only until it is opened again: the disk failed: \(error)"
        case .readOnly(.opened): "the store was opened for reading only"
        case .closed: "the store is closed"
        case .tooManyWrites: "too many writes wait"
        case .conflict(_, let found?): "the record was changed: it has version \(found)"
        case .conflict(_, nil): "the record was removed, or never existed"
        case .keySize(let size):
            "a key has \(size) bytes; it must have 1 to \(LogFormat.maximumKey)"
        case .valueTooLarge(let size):
            "a value has \(size) bytes; at most \(LogFormat.maximumValue) are possible"
        case .transactionTooLarge: "a transaction is too large"
        case .damaged(let file, let offset): "\(file): the record at \(offset) is damaged"
        case .blobDamaged(let digest): "blob \(digest) is damaged"
        case .blobTooLarge(let digest, let size):
            "blob \(digest) has \(size) bytes, which are too many to read at once"
        case .noBlob(let digest): "there is no blob \(digest)"
        case .targetNotEmpty(let path): "\(path) is there and is not empty"
        case .changedDuringCopy: "the store changed while it was copied; try again"
        case .archiving: "a backup is being made already"
        case .system(let error, let file): "\(file): \(error)"
        }
    }
}

extension StorageError {
    /// An error of a call that writes.
    init(writing file: String, _ error: SystemError) {
        switch error {
        case .nospc, .dquot, .fbig: self = .full(error)
        case .rofs, .acces, .perm: self = .readOnly(.disk(error))
        default: self = .system(error, file: file)
        }
    }
}

/// Runs a call on a file that is read; its error becomes `StorageError.system`.
func reading<Result>(
    _ file: @autoclosure () -> String, _ call: () throws(SystemError) -> Result
) throws(StorageError) -> Result {
    do throws(SystemError) { return try call() } catch { throw .system(error, file: file()) }
}

/// Runs a call that writes.
func writing<Result>(
    _ file: @autoclosure () -> String, _ call: () throws(SystemError) -> Result
) throws(StorageError) -> Result {
    do throws(SystemError) {
        return try call()
    } catch {
        throw StorageError(writing: file(), error)
    }
}
