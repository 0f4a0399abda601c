import Glibc

/// The descriptors 0 to 2, which a process can be started without.
enum StandardStreams {
    /// Without it, what is opened next gets their numbers, and what is printed lands in it.
    ///
    /// In place of each that is closed there is one that fails as a closed one does: `EBADF`.
    static func fill() {
        for number in 0..<Int32(3) where fcntl(number, F_GETFD) < 0 && errno == EBADF {
            // The lowest number that is free is this one. What is not open for a direction fails.
            let mode = number == STDIN_FILENO ? O_WRONLY : O_RDONLY
            if open("/dev/null", mode) >= 0 { continue }
            // There may be no devices; a path alone can neither be read nor written.
            _ = open("/", pathOnly)
        }
    }

    /// `O_PATH`, which the C library's module leaves out.
    private static let pathOnly: Int32 = 0o10_000_000
}
