// Soundness: the thread owns the box that it is given and nothing else; it touches no object of
// the rest of the program, which may be doing anything when the thread ends the process.

import Glibc

/// Ends the process when a guest sits in a call of the host beyond its deadline.
///
/// Guest code stops at its deadline by itself. A blocking system call made for it does not: it has
/// `grace` more to return, then the watchdog ends the process as a trap would have.
enum Watchdog {
    /// Nanoseconds between the deadline and the end.
    static let grace: Int64 = 1_000_000_000

    private final class Order {
        let end: timespec
        let message: [UInt8]

        init(end: timespec, message: [UInt8]) {
            self.end = end
            self.message = message
        }
    }

    /// Starts to watch. Costs one thread that sleeps.
    static func start(_ timeout: RunOptions.Timeout) {
        let reason = TrapReport.timeoutReason(timeout)
        let message = Array("wasmd: trap: \(reason), in a call of the host\n".utf8)
        let order = Order(end: time(after: timeout.nanoseconds), message: message)

        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        pthread_attr_setstacksize(&attributes, 64 << 10)
        var thread = pthread_t()
        let argument = Unmanaged.passRetained(order)
        let status = pthread_create(
            &thread, &attributes,
            { argument in
                guard let argument else { return nil }
                let order = Unmanaged<Order>.fromOpaque(argument).takeRetainedValue()
                Watchdog.wait(until: order.end)
                writeAll(order.message, to: STDERR_FILENO)
                ListenerFiles.remove()
                _exit(ExitCode.trap)
            }, argument.toOpaque())
        if status != 0 { argument.release() }
        pthread_attr_destroy(&attributes)
    }

    /// The moment at which patience ends; far in the future if numbers do not suffice.
    private static func time(after nanoseconds: Int64) -> timespec {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        let (wait, overflow) = nanoseconds.addingReportingOverflow(grace)
        let total = overflow ? Int64.max : wait
        let fraction = Int64(now.tv_nsec) + total % 1_000_000_000
        let seconds = Int64(now.tv_sec) &+ total / 1_000_000_000 &+ fraction / 1_000_000_000
        return timespec(tv_sec: Int(seconds), tv_nsec: Int(fraction % 1_000_000_000))
    }

    private static func wait(until end: timespec) {
        var end = end
        while clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, nil) == EINTR {}
    }
}
