// Invariant: descriptors are -1 or were made here; the kernel returns an error for others.

import Glibc

/// A descriptor that wakes threads that poll it: eventfd(2).
public enum WakeEvent {
    /// A descriptor that is not readable; -1 if the system refuses.
    public static func make() -> Int32 {
        let made = symbol_eventfd(0, O_CLOEXEC | O_NONBLOCK)
        return made < 0 ? -1 : (try? Kernel.aboveStandardStreams(made)) ?? -1
    }

    /// Makes the descriptor readable. May be called from a signal handler.
    public static func signal(_ descriptor: Int32) {
        guard descriptor >= 0 else { return }
        // A signal handler must not change `errno` for the interrupted code.
        let saved = errno
        var one: UInt64 = 1
        _ = unsafe write(descriptor, &one, 8)
        errno = saved
    }

    /// Makes the descriptor unreadable again.
    public static func clear(_ descriptor: Int32) {
        guard descriptor >= 0 else { return }
        var count: UInt64 = 0
        _ = unsafe read(descriptor, &count, 8)
    }

    public static func close(_ descriptor: Int32) {
        guard descriptor >= 0 else { return }
        _ = Glibc.close(descriptor)
    }
}
