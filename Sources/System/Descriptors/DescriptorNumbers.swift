import Glibc

// Numbers of descriptors. Those of the standard streams are reserved: if the process was started
// without a stream, or closed it, no other file may get its number.

extension Kernel {
    public static let standardInput: Int32 = 0
    public static let standardOutput: Int32 = 1
    public static let standardError: Int32 = 2

    /// The first number after those of the standard streams.
    private static let firstNumber: Int32 = 3

    /// The same open file under a number above those of the standard streams; closed if there is
    /// none.
    @inlinable
    @inline(__always)
    public static func aboveStandardStreams(_ descriptor: Int32) throws(SystemError) -> Int32 {
        descriptor > standardError ? descriptor : try moveAboveStandardStreams(descriptor)
    }

    @inline(never)
    public static func moveAboveStandardStreams(
        _ descriptor: Int32
    ) throws(SystemError) -> Int32 {
        defer { try? close(descriptor) }
        return try duplicate(descriptor)
    }

    /// A new number for the same open file, above those of the standard streams: fcntl(2),
    /// `F_DUPFD_CLOEXEC`.
    public static func duplicate(_ descriptor: Int32) throws(SystemError) -> Int32 {
        try retrying { fcntl(descriptor, F_DUPFD_CLOEXEC, firstNumber) }
    }

    /// Closes a descriptor: close(2).
    public static func close(_ descriptor: Int32) throws(SystemError) {
        // Linux releases the number even when it reports EINTR: closing again could hit another.
        guard Glibc.close(descriptor) == 0 || errno == EINTR else { throw .ofLastCall }
    }

    /// Replaces each closed standard stream by a descriptor that fails with `EBADF`, as a closed
    /// one does. Otherwise the next opened file would get its number, and printed text would be
    /// written to it. Must be called before any file is opened.
    public static func fillStandardStreams() {
        for number in 0..<firstNumber where fcntl(number, F_GETFD) < 0 && errno == EBADF {
            // The lowest free number is this one. Calls fail that the open mode does not allow.
            let mode = number == standardInput ? O_WRONLY : O_RDONLY
            if unsafe Glibc.open("/dev/null", mode) >= 0 { continue }
            // If there are no devices: a descriptor with `O_PATH` can neither be read nor written.
            _ = unsafe Glibc.open("/", O_PATH)
        }
    }
}
