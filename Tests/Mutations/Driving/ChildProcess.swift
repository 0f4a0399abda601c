// The system calls around child processes.

import Glibc

/// How a child process ended.
enum ChildEnd: Hashable {
    case exit(Int32)
    case signal(Int32)
}

/// A process that was started.
struct ChildProcess {
    let id: pid_t

    /// Starts this very program with arguments; its output goes where this one's goes.
    init?(arguments: [String]) {
        var id: pid_t = 0
        let path = "/proc/self/exe"
        var pointers: [UnsafeMutablePointer<CChar>?] = ([path] + arguments).map { strdup($0) }
        pointers.append(nil)
        // Printing where a crash happened takes seconds; `--case` shows it again.
        var environment: [UnsafeMutablePointer<CChar>?] = [
            strdup("SWIFT_BACKTRACE=enable=no"), nil,
        ]
        defer {
            for pointer in pointers { free(pointer) }
            for pointer in environment { free(pointer) }
        }
        guard posix_spawn(&id, path, nil, nil, &pointers, &environment) == 0 else { return nil }
        self.id = id
    }

    /// How it ended, or nil while it runs.
    func end() -> ChildEnd? {
        var status: Int32 = 0
        guard waitpid(id, &status, WNOHANG) == id else { return nil }
        let signal = status & 0x7f
        return signal == 0 ? .exit((status >> 8) & 0xff) : .signal(signal)
    }

    func kill() { _ = Glibc.kill(id, SIGKILL) }
}

enum Clock {
    static func wait(milliseconds: UInt32) { usleep(milliseconds * 1000) }

    /// Seconds since some moment.
    static func seconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}

enum Terminal {
    static let isThere = isatty(2) != 0
    static let processID = getpid()

    static func removeFile(_ path: String) { unlink(path) }
}
