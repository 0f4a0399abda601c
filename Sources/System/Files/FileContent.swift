import Glibc

// Size, position, space and durability of open files.

extension Kernel {
    public enum Origin: Sendable {
        case start, position, end
    }

    /// Sets the position; returns it: lseek(2).
    public static func seek(
        _ descriptor: Int32, _ offset: Int64, from origin: Origin
    ) throws(SystemError) -> UInt64 {
        let whence =
            switch origin {
            case .start: SEEK_SET
            case .position: SEEK_CUR
            case .end: SEEK_END
            }
        let position = lseek(descriptor, Int(offset), whence)
        guard position >= 0 else { throw .ofLastCall }
        return UInt64(position)
    }

    /// Makes a file shorter, or longer with zeros; `EFBIG` without a signal: ftruncate(2).
    public static func setSize(_ descriptor: Int32, _ size: Int64) throws(SystemError) {
        _ = try Signals.withoutWriteSignals { () throws(SystemError) in
            try retrying { ftruncate(descriptor, Int(size)) }
        }
    }

    /// Reserves space, and makes the file longer if it ends before the range does: fallocate(2).
    /// Not `posix_fallocate`, which writes every block if the file system cannot reserve space.
    public static func allocate(
        _ descriptor: Int32, _ offset: Int64, _ count: Int64
    ) throws(SystemError) {
        _ = try Signals.withoutWriteSignals { () throws(SystemError) in
            try retrying { symbol_fallocate(descriptor, 0, Int(offset), Int(count)) }
        }
    }

    /// How a program will use a part of a file.
    public enum Advice: Sendable {
        case normal, sequential, random, willNeed, dontNeed, noReuse
    }

    /// Tells the kernel how a range will be used; 0 bytes mean all to the end: posix_fadvise(2).
    public static func advise(
        _ descriptor: Int32, _ offset: Int64, _ count: Int64, _ advice: Advice
    ) throws(SystemError) {
        let value =
            switch advice {
            case .normal: POSIX_FADV_NORMAL
            case .sequential: POSIX_FADV_SEQUENTIAL
            case .random: POSIX_FADV_RANDOM
            case .willNeed: POSIX_FADV_WILLNEED
            case .dontNeed: POSIX_FADV_DONTNEED
            case .noReuse: POSIX_FADV_NOREUSE
            }
        let error = posix_fadvise(descriptor, Int(offset), Int(count), value)
        guard error == 0 else { throw SystemError(code: error) }
    }

    /// Waits until content and attributes are on the disk: fsync(2). After a failure the content of
    /// the disk is unknown: a second call may succeed although data was lost.
    public static func sync(_ descriptor: Int32) throws(SystemError) {
        try retrying { fsync(descriptor) }
    }

    /// Waits until the content, and what is needed to read it again, is on the disk: fdatasync(2).
    public static func datasync(_ descriptor: Int32) throws(SystemError) {
        try retrying { fdatasync(descriptor) }
    }

    /// Takes the lock of an open file for its process; false if another one has it: flock(2).
    /// Released by `unlock`, or when the last descriptor of the open file is closed: a process that
    /// is being started has one until it executes its program.
    public static func tryLock(_ descriptor: Int32) throws(SystemError) -> Bool {
        do throws(SystemError) {
            try retrying { flock(descriptor, LOCK_EX | LOCK_NB) }
            return true
        } catch .again {
            return false
        }
    }

    /// Releases the lock of an open file, whoever else has a descriptor of it: flock(2).
    public static func unlock(_ descriptor: Int32) throws(SystemError) {
        try retrying { flock(descriptor, LOCK_UN) }
    }

    /// Sets the permission bits: fchmod(2).
    public static func setPermissions(
        _ descriptor: Int32, _ permissions: UInt32
    ) throws(SystemError) {
        try retrying { fchmod(descriptor, permissions) }
    }
}
