import Glibc

// Invariant: the pair of times is read during the call only.

/// The times that a call sets on a file: utimensat(2).
public struct FileTimes: Hashable, Sendable {
    public enum Value: Hashable, Sendable {
        case unchanged
        case now
        /// Nanoseconds since 1970.
        case at(UInt64)
    }

    public var access: Value
    public var modification: Value

    @inlinable
    public init(access: Value, modification: Value) {
        self.access = access
        self.modification = modification
    }

    private static func convert(_ value: Value) -> timespec {
        switch value {
        case .unchanged: timespec(tv_sec: 0, tv_nsec: UTIME_OMIT)
        case .now: timespec(tv_sec: 0, tv_nsec: UTIME_NOW)
        case .at(let nanoseconds): timespec(nanoseconds: nanoseconds)
        }
    }

    /// Passes the two values to `body` in the kernel's order.
    fileprivate func withValues(_ body: (UnsafePointer<timespec>?) -> Int32) -> Int32 {
        unsafe withUnsafeBytes(of: (Self.convert(access), Self.convert(modification))) { bytes in
            unsafe body(bytes.baseAddress?.assumingMemoryBound(to: timespec.self))
        }
    }
}

extension Kernel {
    /// Sets times of an open file.
    public static func setTimes(_ descriptor: Int32, _ times: FileTimes) throws(SystemError) {
        try retrying { unsafe times.withValues { unsafe futimens(descriptor, $0) } }
    }

    /// Sets times of the file `name` in `directory`; of a symbolic link, its own.
    public static func setTimes(
        in directory: Int32, _ name: UnsafePointer<CChar>, _ times: FileTimes
    ) throws(SystemError) {
        try retrying {
            unsafe times.withValues { unsafe utimensat(directory, name, $0, AT_SYMLINK_NOFOLLOW) }
        }
    }
}
