// Waking threads that poll: eventfd(2). A port changes this file only.
//
// Invariant: descriptors are -1 or were made here; the kernel answers others with an error.

import Glibc

enum WakeEvent {
    /// A descriptor that is not readable; -1 if the system has none.
    static func make() -> Int32 {
        DescriptorNumber.aboveStandardStreams(symbol_eventfd(0, O_CLOEXEC | O_NONBLOCK))
    }

    /// Makes the descriptor readable. May be called from a signal handler.
    static func signal(_ descriptor: Int32) {
        guard descriptor >= 0 else { return }
        // Who was interrupted by a signal must not find another `errno` than before.
        let saved = errno
        var one: UInt64 = 1
        _ = write(descriptor, &one, 8)
        errno = saved
    }

    /// Makes the descriptor unreadable again.
    static func clear(_ descriptor: Int32) {
        guard descriptor >= 0 else { return }
        var count: UInt64 = 0
        _ = read(descriptor, &count, 8)
    }

    static func close(_ descriptor: Int32) {
        guard descriptor >= 0 else { return }
        _ = Glibc.close(descriptor)
    }
}

enum DescriptorNumber {
    /// The same open file under a number that is none of a standard stream, which the process may be
    /// without; closed and -1 if there is none.
    static func aboveStandardStreams(_ descriptor: Int32) -> Int32 {
        guard 0...STDERR_FILENO ~= descriptor else { return descriptor }
        defer { _ = close(descriptor) }
        return fcntl(descriptor, F_DUPFD_CLOEXEC, STDERR_FILENO + 1)
    }
}

// Swift's import of the C library leaves it out. Its flags are those of `open`.
@_silgen_name("eventfd")
private func symbol_eventfd(_ count: UInt32, _ flags: Int32) -> Int32
