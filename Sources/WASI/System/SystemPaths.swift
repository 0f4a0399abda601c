import Glibc

// Calls of the operating system on names in directories.
//
// Invariants: a `CString` ends with its only NUL. Names given with a directory are a single
// component, made by `PathResolver`; whole paths go only to `openBeneath`, which the kernel
// confines, and to `openFolder`, which the embedder's own paths reach and a guest's never do.

/// Bytes of a path or name, the last of them a NUL.
typealias CString = [CChar]

/// The argument structure of `openat2`.
private struct OpenHow {
    var flags: UInt64
    var mode: UInt64
    var resolve: UInt64
}

/// How a file is opened, in the host's flags. Whoever opens it empties it afterwards, and takes away
/// `O_NONBLOCK` if nobody asked for it.
struct OpenMode {
    var flags: Int32

    /// A directory to resolve names in: needs no right to read it.
    static let path = OpenMode(flags: O_PATH | O_DIRECTORY)
    static let directory = OpenMode(flags: O_RDONLY | O_DIRECTORY)

    private init(flags: Int32) { self.flags = flags }

    init(reads: Bool, writes: Bool, _ oflags: Oflags, _ fdflags: Fdflags) {
        flags = writes ? (reads ? O_RDWR : O_WRONLY) : O_RDONLY
        if oflags.contains(.creat) { flags |= O_CREAT }
        if oflags.contains(.directory) { flags |= O_DIRECTORY }
        if oflags.contains(.excl) { flags |= O_EXCL }
        if fdflags.contains(.append) { flags |= O_APPEND }
        // Opening never waits, for a guest in the kernel could not be stopped: see `OpeningPatience`.
        flags |= O_NONBLOCK
        if fdflags.contains(.dsync) { flags |= O_DSYNC }
        if !fdflags.isDisjoint(with: [.rsync, .sync]) { flags |= O_SYNC }
        // A terminal that a guest opens must not become the one that signals this process.
        flags |= O_NOCTTY
    }

    /// The same, but what is opened must be a directory.
    var requiringDirectory: OpenMode { OpenMode(flags: flags | O_DIRECTORY) }

    var creates: Bool { flags & O_CREAT != 0 }

    fileprivate var permissions: mode_t { creates ? 0o666 : 0 }
}

extension System {
    /// Whether the kernel has `openat2` and lets this process use it.
    static let hasOpenat2: Bool = {
        guard let descriptor = try? openBeneath(AT_FDCWD, [0x2e, 0], .path, follow: true) else {
            return false
        }
        _ = Glibc.close(descriptor)
        return true
    }()

    /// Opens `path`, which the kernel keeps beneath `directory` whatever it and the symbolic
    /// links on the way say. A path that leads out is answered with `xdev`, and one that the
    /// kernel could not resolve for concurrent renames with `again`.
    static func openBeneath(
        _ directory: Int32, _ path: CString, _ mode: OpenMode, follow: Bool
    ) throws(Errno) -> Int32 {
        let flags = mode.flags | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW)
        let how = OpenHow(
            flags: UInt64(UInt32(bitPattern: flags)), mode: UInt64(mode.permissions),
            resolve: RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS)
        let answer = try path.withUnsafeBufferPointer { (path) throws(Errno) in
            try withUnsafeBytes(of: how) { (how) throws(Errno) in
                try retrying {
                    symbol_syscall(
                        SYS_openat2, Int(directory), path.baseAddress, how.baseAddress, how.count)
                }
            }
        }
        return try aboveStandardStreams(Int32(truncatingIfNeeded: answer))
    }

    /// Opens the component `name` of `directory`, never what a symbolic link of that name says.
    static func openComponent(
        _ directory: Int32, _ name: CString, _ mode: OpenMode
    ) throws(Errno) -> Int32 {
        try aboveStandardStreams(
            try retrying {
                openat(directory, name, mode.flags | O_NOFOLLOW | O_CLOEXEC, mode.permissions)
            })
    }

    /// Lets calls wait again on what was opened so.
    static func clearNonblock(_ descriptor: Int32, _ mode: OpenMode) throws(Errno) {
        try retrying { fcntl(descriptor, F_SETFL, mode.flags & ~O_NONBLOCK) }
    }

    /// Whether the descriptor is one of a pipe.
    static func isPipe(_ descriptor: Int32) -> Bool {
        var status = stat()
        return fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFIFO
    }

    /// Whether the name is one of a pipe.
    static func isPipe(_ directory: Int32, _ name: CString) -> Bool {
        var status = stat()
        return fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0
            && status.st_mode & S_IFMT == S_IFIFO
    }

    /// Opens a folder that the embedder names.
    static func openFolder(_ path: CString) throws(Errno) -> Int32 {
        try aboveStandardStreams(
            try retrying { open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) })
    }

    /// Reads the target of a symbolic link into `buffer`; answers how many bytes there are of it.
    /// `inval` if `name` is no symbolic link.
    static func readLink(
        _ directory: Int32, _ name: CString, into buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno) -> Int {
        guard let start = buffer.baseAddress?.assumingMemoryBound(to: CChar.self) else {
            throw .inval
        }
        return try retrying { readlinkat(directory, name, start, buffer.count) }
    }

    static func filestat(_ directory: Int32, _ name: CString) throws(Errno) -> Filestat {
        var status = stat()
        try retrying { fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) }
        return Filestat(status, descriptor: nil)
    }

    static func setTimes(
        _ directory: Int32, _ name: CString, _ times: FileTimes
    ) throws(Errno) {
        try times.withValues { (values) throws(Errno) in
            try retrying { utimensat(directory, name, values, AT_SYMLINK_NOFOLLOW) }
        }
    }

    static func createDirectory(_ directory: Int32, _ name: CString) throws(Errno) {
        try retrying { mkdirat(directory, name, 0o777) }
    }

    static func unlinkFile(_ directory: Int32, _ name: CString) throws(Errno) {
        try retrying { unlinkat(directory, name, 0) }
    }

    static func removeDirectory(_ directory: Int32, _ name: CString) throws(Errno) {
        try retrying { unlinkat(directory, name, AT_REMOVEDIR) }
    }

    static func rename(
        _ oldDirectory: Int32, _ oldName: CString, _ newDirectory: Int32, _ newName: CString
    ) throws(Errno) {
        try retrying { renameat(oldDirectory, oldName, newDirectory, newName) }
    }

    static func link(
        _ oldDirectory: Int32, _ oldName: CString, _ newDirectory: Int32, _ newName: CString
    ) throws(Errno) {
        try retrying { linkat(oldDirectory, oldName, newDirectory, newName, 0) }
    }

    static func symlink(
        _ target: CString, _ directory: Int32, _ name: CString
    ) throws(Errno) {
        try retrying { symlinkat(target, directory, name) }
    }
}

// MARK: Entries of directories

/// An entry as the kernel lists it. `name` is valid until the buffer is filled again.
struct DirectoryEntry {
    /// Where the entry after this one stands.
    var next: UInt64
    var ino: UInt64
    /// Nil where the file system does not say.
    var filetype: Filetype?
    var name: UnsafeRawBufferPointer
}

extension System {
    /// Fills `buffer` with entries of `directory` that stand at or after `cookie`; hands them to
    /// `body` one by one until it answers false. Answers whether there may be more.
    static func readDirectory(
        _ directory: Int32, into buffer: UnsafeMutableRawBufferPointer,
        _ body: (DirectoryEntry) throws(Errno) -> Bool
    ) throws(Errno) -> Bool {
        guard let start = buffer.baseAddress else { return false }
        let count = try retrying { symbol_getdents64(directory, start, buffer.count) }
        // The kernel's records: u64 inode, i64 next, u16 length of the record, u8 type, name, NUL.
        var offset = 0
        while offset < count {
            let record = UnsafeRawPointer(start) + offset
            let length = Int(record.loadUnaligned(fromByteOffset: 16, as: UInt16.self))
            guard length > 19, offset + length <= count else { throw .io }
            let name = record + 19
            let nameCount = strnlen(name.assumingMemoryBound(to: CChar.self), length - 19)
            let entry = DirectoryEntry(
                next: record.loadUnaligned(fromByteOffset: 8, as: UInt64.self),
                ino: record.loadUnaligned(as: UInt64.self),
                filetype: filetype(record.load(fromByteOffset: 18, as: UInt8.self)),
                name: UnsafeRawBufferPointer(start: name, count: Int(nameCount)))
            guard try body(entry) else { return true }
            offset += length
        }
        return count > 0
    }

    /// Goes to the entry with `cookie`, which an earlier one named as `next`.
    static func seekDirectory(_ directory: Int32, _ cookie: UInt64) throws(Errno) {
        guard let offset = Int(exactly: cookie) else { throw .inval }
        guard lseek(directory, offset, SEEK_SET) >= 0 else { throw .ofHost }
    }

    private static func filetype(_ type: UInt8) -> Filetype? {
        switch Int(type) {
        case Int(DT_UNKNOWN): nil
        case Int(DT_REG): .regularFile
        case Int(DT_DIR): .directory
        case Int(DT_LNK): .symbolicLink
        case Int(DT_CHR): .characterDevice
        case Int(DT_BLK): .blockDevice
        case Int(DT_SOCK): .socketStream
        default: .unknown
        }
    }
}
