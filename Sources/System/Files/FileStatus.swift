// Invariant: a path given as a pointer ends with a NUL, and is valid until the call returns.

import Glibc

/// The attributes of a file: stat(2).
public struct FileStatus: Hashable, Sendable {
    public enum Kind: Hashable, Sendable {
        case regular, directory, symbolicLink, characterDevice, blockDevice, socket, pipe
        case unknown
    }

    public var device: UInt64
    public var inode: UInt64
    public var kind: Kind
    /// The permission bits, with setuid, setgid and sticky.
    public var permissions: UInt32
    public var linkCount: UInt64
    public var byteCount: Int64
    /// Its size on the disk, in units of 512 bytes, without holes.
    public var blockCount: Int64
    /// Nanoseconds since 1970; 0 for times before.
    public var accessTime: UInt64
    public var modificationTime: UInt64
    public var changeTime: UInt64

    init(_ status: stat) {
        device = UInt64(truncatingIfNeeded: status.st_dev)
        inode = UInt64(truncatingIfNeeded: status.st_ino)
        kind = Kind(mode: status.st_mode)
        permissions = status.st_mode & 0o7777
        linkCount = UInt64(truncatingIfNeeded: status.st_nlink)
        byteCount = Int64(status.st_size)
        blockCount = Int64(status.st_blocks)
        accessTime = status.st_atim.nanoseconds
        modificationTime = status.st_mtim.nanoseconds
        changeTime = status.st_ctim.nanoseconds
    }
}

extension FileStatus.Kind {
    init(mode: mode_t) {
        self =
            switch mode & mode_t(S_IFMT) {
            case mode_t(S_IFREG): .regular
            case mode_t(S_IFDIR): .directory
            case mode_t(S_IFLNK): .symbolicLink
            case mode_t(S_IFCHR): .characterDevice
            case mode_t(S_IFBLK): .blockDevice
            case mode_t(S_IFSOCK): .socket
            case mode_t(S_IFIFO): .pipe
            default: .unknown
            }
    }

    /// - Returns: nil if the file system does not report it.
    init?(directoryType: UInt8) {
        switch Int(directoryType) {
        case Int(DT_UNKNOWN): return nil
        case Int(DT_REG): self = .regular
        case Int(DT_DIR): self = .directory
        case Int(DT_LNK): self = .symbolicLink
        case Int(DT_CHR): self = .characterDevice
        case Int(DT_BLK): self = .blockDevice
        case Int(DT_SOCK): self = .socket
        case Int(DT_FIFO): self = .pipe
        default: self = .unknown
        }
    }
}

extension Kernel {
    /// The working folder, in the place of a folder's descriptor.
    public static let workingFolder = AT_FDCWD

    /// The status of an open file.
    public static func status(_ descriptor: Int32) throws(SystemError) -> FileStatus {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw .ofLastCall }
        return FileStatus(status)
    }

    /// The status of the file at `path`, relative to `directory`.
    ///
    /// - Parameter followsLink: whether a symbolic link at the end of the path is followed.
    public static func status(
        in directory: Int32 = workingFolder, _ path: UnsafePointer<CChar>,
        followsLink: Bool
    ) throws(SystemError) -> FileStatus {
        var status = stat()
        let flags = followsLink ? 0 : AT_SYMLINK_NOFOLLOW
        try retrying { unsafe fstatat(directory, path, &status, flags) }
        return FileStatus(status)
    }

    /// Free space of the file system of an open file, in bytes, for users without privileges; nil
    /// if it does not report it: statvfs(3).
    public static func freeByteCount(_ descriptor: Int32) -> UInt64? {
        var status = statvfs()
        guard unsafe fstatvfs(descriptor, &status) == 0 else { return nil }
        let unit = UInt64(max(status.f_frsize, 1))
        let (bytes, overflow) = UInt64(status.f_bavail).multipliedReportingOverflow(by: unit)
        return overflow ? .max : bytes
    }
}
