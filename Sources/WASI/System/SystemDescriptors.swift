import Glibc

// Numbers of descriptors. Those of the standard streams are the process's: if it was started, or lives,
// without them, nothing that is opened for a guest may take their place.

extension System {
    /// The first number that is none of a standard stream.
    private static let firstNumber: Int32 = 3

    /// The same open file under a number that is none of a standard stream; closed if there is none.
    @inline(__always)
    static func aboveStandardStreams(_ descriptor: Int32) throws(Errno) -> Int32 {
        descriptor >= firstNumber ? descriptor : try moveAboveStandardStreams(descriptor)
    }

    @inline(never)
    private static func moveAboveStandardStreams(_ descriptor: Int32) throws(Errno) -> Int32 {
        defer { try? close(descriptor) }
        return try duplicate(descriptor)
    }

    /// A new number for the same open file, not inherited by programs that the process starts.
    static func duplicate(_ descriptor: Int32) throws(Errno) -> Int32 {
        try retrying { fcntl(descriptor, F_DUPFD_CLOEXEC, firstNumber) }
    }
}
