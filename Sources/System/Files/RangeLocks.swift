// Invariant: a lock's description is on the stack of the call, in the C library's structure.

import Glibc

/// A lock on a range of bytes of an open file, as other processes see it: fcntl(2).
public enum RangeLock: Sendable {
    /// Several may have it.
    case shared
    /// Only one may have it, and none has a shared one then. The file must be open for writing.
    case exclusive

    fileprivate var type: Int16 {
        Int16(truncatingIfNeeded: self == .shared ? F_RDLCK : F_WRLCK)
    }
}

extension Kernel {
    // Not in Swift's import of the C library; the same on all architectures of Linux.
    private static let getLock: Int32 = 36  // F_OFD_GETLK
    private static let setLock: Int32 = 37  // F_OFD_SETLK

    private static func lock(_ type: Int16, _ start: Int64, _ count: Int64) -> flock {
        var lock = flock()
        lock.l_type = type
        lock.l_whence = Int16(truncatingIfNeeded: SEEK_SET)
        lock.l_start = Int(start)
        lock.l_len = Int(count)
        lock.l_pid = 0
        return lock
    }

    /// Takes a lock on a range, or changes the one that the open file has; false if another open
    /// file has one that does not allow it: `F_OFD_SETLK`.
    ///
    /// The lock belongs to the open file, not to the process: closing another descriptor of the
    /// same file does not release it. It conflicts with the locks of processes (`F_SETLK`) too.
    public static func tryLock(
        _ descriptor: Int32, _ lock: RangeLock, from start: Int64, count: Int64
    ) throws(SystemError) -> Bool {
        var lock = Self.lock(lock.type, start, count)
        do throws(SystemError) {
            try retrying { unsafe fcntl(descriptor, setLock, &lock) }
            return true
        } catch {
            guard error == .again || error == .acces else { throw error }
            return false
        }
    }

    /// Releases the open file's locks in a range.
    public static func unlock(
        _ descriptor: Int32, from start: Int64, count: Int64
    ) throws(SystemError) {
        var lock = Self.lock(Int16(truncatingIfNeeded: F_UNLCK), start, count)
        try retrying { unsafe fcntl(descriptor, setLock, &lock) }
    }

    /// Whether another open file or process has any lock in a range: `F_OFD_GETLK`.
    public static func isLockedByOthers(
        _ descriptor: Int32, from start: Int64, count: Int64
    ) throws(SystemError) -> Bool {
        var lock = Self.lock(RangeLock.exclusive.type, start, count)
        try retrying { unsafe fcntl(descriptor, getLock, &lock) }
        return lock.l_type != Int16(truncatingIfNeeded: F_UNLCK)
    }
}
