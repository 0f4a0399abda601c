import Glibc

// Calls on names in directories.
//
// Invariants: a path given as a pointer ends with a NUL, and is valid until the call returns; that
// of `openBeneath` is an array whose last element is the NUL.

extension Kernel {
    /// Opens a file: openat(2). Closed in programs that the process executes.
    ///
    /// - Parameters:
    ///   - directory: where a relative path begins.
    ///   - permissions: the permissions of a new file, before the process's mask is applied.
    public static func open(
        in directory: Int32 = workingFolder, _ path: UnsafePointer<CChar>, _ flags: FileFlags,
        permissions: UInt32 = 0o666
    ) throws(SystemError) -> Int32 {
        let flags = flags.rawValue | O_CLOEXEC
        let mode = flags & O_CREAT != 0 ? permissions : 0
        return try retrying { unsafe openat(directory, path, flags, mode) }
    }

    /// The argument structure of `openat2`.
    private struct OpenHow {
        var flags: UInt64
        var mode: UInt64
        var resolve: UInt64
    }

    /// Whether the kernel has `openat2` (Linux 5.6) and lets this process use it.
    public static let hasOpenBeneath: Bool = {
        let flags: FileFlags = [.pathOnly, .directory]
        guard let descriptor = try? openBeneath(workingFolder, [0x2e, 0], flags) else {
            return false
        }
        try? close(descriptor)
        return true
    }()

    /// Opens `path`, which the kernel keeps beneath `directory`, symbolic links included:
    /// openat2(2), `RESOLVE_BENEATH`. The number is above those of the standard streams.
    ///
    /// - Parameter followsLinks: whether symbolic links may be part of the path:
    ///   `RESOLVE_NO_SYMLINKS`.
    /// - Throws: `EXDEV` for a path that leads out; `ELOOP` for one with a link that is not
    ///   followed; `EAGAIN` for one that the kernel could not resolve because of concurrent
    ///   renames; `ENOSYS` on kernels before 5.6.
    public static func openBeneath(
        _ directory: Int32, _ path: CString, _ flags: FileFlags, permissions: UInt32 = 0o666,
        followsLinks: Bool = true
    ) throws(SystemError) -> Int32 {
        let flags = flags.rawValue | O_CLOEXEC
        let how = OpenHow(
            flags: UInt64(UInt32(bitPattern: flags)),
            mode: UInt64(flags & O_CREAT != 0 ? permissions : 0),
            resolve: RESOLVE_BENEATH | (followsLinks ? RESOLVE_NO_MAGICLINKS : RESOLVE_NO_SYMLINKS))
        let opened = try unsafe path.withUnsafeBufferPointer { (path) throws(SystemError) in
            try unsafe withUnsafeBytes(of: how) { (how) throws(SystemError) in
                try retrying {
                    symbol_syscall(
                        SYS_openat2, Int(directory), Int(bitPattern: path.baseAddress),
                        Int(bitPattern: how.baseAddress), how.count, 0, 0)
                }
            }
        }
        return try aboveStandardStreams(Int32(truncatingIfNeeded: opened))
    }

    /// Reads the target of a symbolic link into `buffer`; returns the number of bytes:
    /// readlinkat(2).
    ///
    /// - Throws: `EINVAL` if `name` is not a symbolic link, or the buffer is empty.
    public static func readLink(
        in directory: Int32, _ name: UnsafePointer<CChar>,
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(SystemError) -> Int {
        guard let start = unsafe buffer.baseAddress?.assumingMemoryBound(to: CChar.self) else {
            throw .inval
        }
        return try retrying { unsafe readlinkat(directory, name, start, buffer.count) }
    }

    /// Makes a directory with all permissions that the process's mask allows: mkdirat(2).
    public static func createDirectory(
        in directory: Int32 = workingFolder, _ name: UnsafePointer<CChar>,
        permissions: UInt32 = 0o777
    ) throws(SystemError) {
        try retrying { unsafe mkdirat(directory, name, permissions) }
    }

    /// Removes a name of a file: unlinkat(2). May be called from a signal handler.
    public static func unlink(
        in directory: Int32 = workingFolder, _ name: UnsafePointer<CChar>
    ) throws(SystemError) {
        try retrying { unsafe unlinkat(directory, name, 0) }
    }

    /// Removes an empty directory: unlinkat(2), `AT_REMOVEDIR`.
    public static func removeDirectory(
        in directory: Int32 = workingFolder, _ name: UnsafePointer<CChar>
    ) throws(SystemError) {
        try retrying { unsafe unlinkat(directory, name, AT_REMOVEDIR) }
    }

    /// Gives a file another name, and replaces a file of that name in one step: renameat(2).
    public static func rename(
        in oldDirectory: Int32 = workingFolder, _ oldName: UnsafePointer<CChar>,
        to newDirectory: Int32 = workingFolder, _ newName: UnsafePointer<CChar>
    ) throws(SystemError) {
        try retrying { unsafe renameat(oldDirectory, oldName, newDirectory, newName) }
    }

    /// Gives a file a second name; a symbolic link is not followed: linkat(2).
    public static func link(
        in oldDirectory: Int32, _ oldName: UnsafePointer<CChar>, to newDirectory: Int32,
        _ newName: UnsafePointer<CChar>
    ) throws(SystemError) {
        try retrying { unsafe linkat(oldDirectory, oldName, newDirectory, newName, 0) }
    }

    /// Makes a symbolic link: symlinkat(2).
    public static func symlink(
        to target: UnsafePointer<CChar>, in directory: Int32, _ name: UnsafePointer<CChar>
    ) throws(SystemError) {
        try retrying { unsafe symlinkat(target, directory, name) }
    }

    public enum Right: Sendable {
        case read, write, execute, exist
    }

    /// Whether the process's user has the right to use the file at the path: access(2).
    public static func isAccessible(_ path: UnsafePointer<CChar>, for right: Right) -> Bool {
        let mode =
            switch right {
            case .read: R_OK
            case .write: W_OK
            case .execute: X_OK
            case .exist: F_OK
            }
        return unsafe access(path, mode) == 0
    }

    /// The path without symbolic links, `.` and `..`, from the root; nil if there is nothing at it:
    /// realpath(3).
    public static func absolutePath(_ path: UnsafePointer<CChar>) -> [UInt8]? {
        guard let resolved = unsafe realpath(path, nil) else { return nil }
        defer { unsafe free(resolved) }
        return unsafe bytes(resolved)
    }

    /// Changes the working folder of the process: chdir(2).
    public static func changeFolder(_ path: UnsafePointer<CChar>) throws(SystemError) {
        try retrying { unsafe chdir(path) }
    }

    /// The bytes before the NUL.
    static func bytes(_ text: UnsafePointer<CChar>) -> [UInt8] {
        unsafe [UInt8](UnsafeRawBufferPointer(start: text, count: strlen(text)))
    }
}
