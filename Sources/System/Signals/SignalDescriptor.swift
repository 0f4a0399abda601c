import Glibc

// Invariant: the kernel fills whole records of 128 bytes into the room that it is lent, and only
// records within the count that it returns are read.

/// Signals as something to read instead of handlers: signalfd(2).
extension Signals {
    /// Blocks signals for the running thread and those that it starts later. Before the first other
    /// thread starts, this holds for the process: sigprocmask(2).
    public static func block(_ numbers: [Int32]) {
        var set = mask(numbers)
        pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    /// Takes back `block`, for the running thread.
    public static func unblock(_ numbers: [Int32]) {
        var set = mask(numbers)
        pthread_sigmask(SIG_UNBLOCK, &set, nil)
    }

    private static func mask(_ numbers: [Int32]) -> sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        for number in numbers { sigaddset(&set, number) }
        return set
    }

    /// A descriptor that is readable while one of the signals waits. They must be blocked.
    public static func makeDescriptor(_ numbers: [Int32]) throws(SystemError) -> Int32 {
        var set = mask(numbers)
        let made = try checking { symbol_signalfd(-1, &set, O_CLOEXEC | O_NONBLOCK) }
        return try Kernel.aboveStandardStreams(made)
    }

    /// Takes the next signal; nil if none waits.
    public static func next(_ descriptor: Int32) throws(SystemError) -> Int32? {
        try withUnsafeTemporaryAllocation(byteCount: recordSize, alignment: 8) {
            (room) throws(SystemError) in
            do throws(SystemError) {
                let count = try Kernel.read(descriptor, room)
                guard count == recordSize else { return nil }
                // signalfd_siginfo: the number comes first.
                return Int32(bitPattern: room.load(as: UInt32.self))
            } catch .again {
                return nil
            }
        }
    }

    private static let recordSize = 128
}
