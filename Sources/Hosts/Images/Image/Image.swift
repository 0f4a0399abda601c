import WasmSystem

/// An image: a `.simg` file, which is a SQLite 3 database with the tables `namespace`, `object` and
/// `link`, and the objects in it.
///
/// All calls wait for the disk; on an event loop they belong into its pool of threads. Any thread
/// may call; transactions run one after the other. Threads that call `write` at the same time share
/// one commit.
///
///     let image = try Image(path: Array("app.simg".utf8))
///     try image.write { (transaction) throws(ImageError) in
///         guard let object = try transaction.object(at: Array("counter".utf8)) else { return }
///         try transaction.setBytes(of: object.key, bytes)
///         try transaction.dequeue(message)
///     }
///
/// The file may be used by other processes at the same time, the `sqlite3` program for example: an
/// image has a lock on it only during a transaction.
public final class Image: @unchecked Sendable {
    public struct Options: Hashable, Sendable {
        /// Whether nothing is ever written, not even the rollback of another process's unfinished
        /// transaction: such a file cannot be read then.
        public var isReadOnly = false
        /// How long to wait for the lock of another process, in nanoseconds.
        public var patience: UInt64 = 5_000_000_000
        /// Memory for pages, in bytes. Transactions that change more write early.
        public var cacheBytes = 16 << 20
        /// How long to gather commits in a log under the exclusive lock before others may use the
        /// file again, in nanoseconds; 0 for not at all. The lock is released 5 ms after the last
        /// commit.
        public var gatherTime: UInt64 = 500_000_000
        /// Whether a thread ends that in time; otherwise `settle` does.
        var hasSettler = true
        /// The page size of a new file: a power of 2 from 512 to 65,536.
        public var pageSize = 4096

        public init() {}
    }

    /// The largest value that the format allows, in bytes.
    public static let maximumBytes = 1_000_000_000

    /// The file, by its path without symbolic links.
    public let path: [UInt8]
    let queue = Monitor(Turns())
    // Used only by the thread whose turn it is.
    let pager: Pager
    var tables: ImageTables?
    var isSettling = false
    let options: Options

    /// Opens an image. Restores it if another process ended in a transaction.
    ///
    /// - Throws: `noImage`, `notAnImage`, `damaged`, `busy`, `readOnly` and others.
    public convenience init(
        path: [UInt8], _ options: Options = Options()
    ) throws(ImageError) {
        try self.init(path: path, options, KernelFiles())
    }

    init(path: [UInt8], _ options: Options, _ files: any FileLayer) throws(ImageError) {
        guard let resolved = files.resolved(path) else { throw .noImage(path: path) }
        self.path = resolved
        self.options = options
        let descriptor: Int32
        do throws(SystemError) {
            descriptor = try files.open(
                resolved, options.isReadOnly ? [.readOnly] : [.readWrite], permissions: 0)
        } catch {
            if error == .noent { throw .noImage(path: path) }
            throw ImageError(error, .open)
        }
        pager = try Pager(files, resolved: resolved, descriptor: descriptor, options)
        try read { (_) throws(ImageError) in }
    }

    /// Makes an image without objects. It is there completely or not at all, whatever happens.
    ///
    /// - Throws: `imageExists` if there is a file of this name.
    public static func create(
        _ path: [UInt8], _ options: Options = Options()
    ) throws(ImageError) -> Image {
        try create(path, options, KernelFiles())
    }

    static func create(
        _ path: [UInt8], _ options: Options, _ files: any FileLayer
    ) throws(ImageError) -> Image {
        if files.exists(path) { throw .imageExists(path: path) }
        // Of an image that was removed without them: they must not change the new one.
        for ending in ["-journal", "-wal", "-shm"] {
            try? files.unlink(path + Array(ending.utf8))
        }
        let draft = path + Array(".new-\(UInt64.random(in: 0 ... .max))".utf8)
        do throws(SystemError) {
            let descriptor = try files.open(
                draft, [.readWrite, .create, .exclusive], permissions: 0o644)
            defer { try? files.unlink(draft) }
            try fill(draft, descriptor, options, files)
            try files.link(draft, to: path)
        } catch {
            if error == .exist { throw .imageExists(path: path) }
            throw ImageError(error, .open)
        }
        do throws(SystemError) {
            try files.syncFolder(of: path)
        } catch {
            throw .failedSync(error)
        }
        return try Image(path: path, options, files)
    }

    /// Writes the tables into a new file, and closes it.
    private static func fill(
        _ path: [UInt8], _ descriptor: Int32, _ options: Options, _ files: any FileLayer
    ) throws(SystemError) {
        let size = options.pageSize
        let isSize = size >= 512 && size <= 65_536 && size & (size - 1) == 0
        do throws(SystemError) {
            try files.writeBytes(
                descriptor, DatabaseHeader.firstPage(pageSize: isSize ? size : 4096), at: 0)
        } catch {
            files.close(descriptor)
            throw error
        }
        do throws(ImageError) {
            var options = options
            options.gatherTime = 0
            let pager = try Pager(
                files, resolved: files.resolved(path) ?? path, descriptor: descriptor, options)
            try pager.begin(writing: true)
            for text in ImageTables.definitions { try Schema.create(text, pager) }
            try pager.commit()
            pager.close()
        } catch {
            switch error {
            case .full(let error), .failedSync(let error), .system(let error, _): throw error
            default: throw .io
            }
        }
    }

    /// Closes the file; later calls throw `closed`. Another transaction ends first.
    public func close() {
        withTurn {
            pager.close()
            tables = nil
        }
    }

    /// Moves gathered commits from the log into the database and lets others use the file.
    ///
    /// - Throws: `full` and others if that is not possible now; the commits stay durable.
    public func settle() throws(ImageError) {
        try withTurn { () throws(ImageError) in try pager.endGathering() }
    }

    /// Checks the whole file: each page is used once, trees are in order, and indexes have the
    /// entries of their tables. Reads every page but the content of large values.
    ///
    /// - Returns: what is wrong, at most `limit`; empty for a sound image.
    public func check(limit: Int = 100) throws(ImageError) -> [ImageError.Damage] {
        try read { (view) throws(ImageError) in
            var check = Check(pager, limit: limit)
            try check.run()
            return check.found
        }
    }
}
