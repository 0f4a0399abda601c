import Glibc

// Numbers of descriptors. Those of the standard streams are the process's: if it was started, or
// lives, without them, nothing that is opened later may take their place.

extension Kernel {
    public static let standardInput: Int32 = 0
    public static let standardOutput: Int32 = 1
    public static let standardError: Int32 = 2

    /// The first number that is none of a standard stream.
    private static let firstNumber: Int32 = 3

    /// The same open file under a number that is none of a standard stream; closed if there is none.
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

    /// A new number for the same open file, none of a standard stream: fcntl(2), `F_DUPFD_CLOEXEC`.
    public static func duplicate(_ descriptor: Int32) throws(SystemError) -> Int32 {
        try retrying { fcntl(descriptor, F_DUPFD_CLOEXEC, firstNumber) }
    }

    /// Closes a descriptor: close(2).
    public static func close(_ descriptor: Int32) throws(SystemError) {
        // Linux releases the number even when it reports EINTR: closing again could hit another.
        guard Glibc.close(descriptor) == 0 || errno == EINTR else { throw .ofLastCall }
    }

    /// Puts something in the place of each standard stream that is closed: it fails as a closed one
    /// does, with `EBADF`. Without it, what is opened next gets their numbers, and what is printed
    /// lands in it. To be called before anything is opened.
    public static func fillStandardStreams() {
        for number in 0..<firstNumber where fcntl(number, F_GETFD) < 0 && errno == EBADF {
            // The lowest number that is free is this one. What is not open for a direction fails.
            let mode = number == standardInput ? O_WRONLY : O_RDONLY
            if Glibc.open("/dev/null", mode) >= 0 { continue }
            // There may be no devices; a path alone can neither be read nor written.
            _ = Glibc.open("/", O_PATH)
        }
    }
}
