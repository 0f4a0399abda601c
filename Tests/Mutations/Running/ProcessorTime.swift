// The system call that asks how much processor time this process has used.

import Glibc

enum ProcessorTime {
    /// Microseconds of processor time that this process has used.
    static func microseconds() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return time.tv_sec * 1_000_000 + time.tv_nsec / 1000
    }
}
