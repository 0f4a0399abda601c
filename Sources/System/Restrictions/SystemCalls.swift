/// Sets of system calls, by their numbers on both architectures: syscalls(2). Numbers are those of
/// Linux 6.1, nil where an architecture does not have the call.
public struct SystemCalls: Sendable {
    struct Call: Sendable {
        let name: String
        let x86: UInt32?
        let arm: UInt32?

        init(_ name: String, _ x86: UInt32?, _ arm: UInt32?) {
            self.name = name
            self.x86 = x86
            self.arm = arm
        }
    }

    var calls: [Call]

    /// The calls of both sets.
    public static func + (left: SystemCalls, right: SystemCalls) -> SystemCalls {
        SystemCalls(calls: left.calls + right.calls)
    }

    /// Names of the calls, in order.
    public var names: [String] { calls.map(\.name) }

    /// Memory of the process.
    public static let memory = SystemCalls(calls: [
        Call("brk", 12, 214),
        Call("mmap", 9, 222),
        Call("munmap", 11, 215),
        Call("mremap", 25, 216),
        Call("mprotect", 10, 226),
        Call("madvise", 28, 233),
        Call("mincore", 27, 232),
        Call("membarrier", 324, 283),
    ])

    /// Files, folders and pipes. Landlock restricts which files may be opened.
    public static let files = SystemCalls(calls: [
        Call("read", 0, 63),
        Call("write", 1, 64),
        Call("readv", 19, 65),
        Call("writev", 20, 66),
        Call("pread64", 17, 67),
        Call("pwrite64", 18, 68),
        Call("preadv", 295, 69),
        Call("pwritev", 296, 70),
        Call("preadv2", 327, 286),
        Call("pwritev2", 328, 287),
        Call("open", 2, nil),
        Call("openat", 257, 56),
        Call("openat2", 437, 437),
        Call("close", 3, 57),
        Call("close_range", 436, 436),
        Call("lseek", 8, 62),
        Call("stat", 4, nil),
        Call("fstat", 5, 80),
        Call("lstat", 6, nil),
        Call("newfstatat", 262, 79),
        Call("statx", 332, 291),
        Call("access", 21, nil),
        Call("faccessat", 269, 48),
        Call("faccessat2", 439, 439),
        Call("readlink", 89, nil),
        Call("readlinkat", 267, 78),
        Call("getdents64", 217, 61),
        Call("getcwd", 79, 17),
        Call("mkdirat", 258, 34),
        Call("unlink", 87, nil),
        Call("unlinkat", 263, 35),
        Call("rmdir", 84, nil),
        Call("mkdir", 83, nil),
        Call("rename", 82, nil),
        Call("renameat", 264, 38),
        Call("renameat2", 316, 276),
        Call("linkat", 265, 37),
        Call("symlinkat", 266, 36),
        Call("utimensat", 280, 88),
        Call("ftruncate", 77, 46),
        Call("fallocate", 285, 47),
        Call("fadvise64", 221, 223),
        Call("fsync", 74, 82),
        Call("fdatasync", 75, 83),
        Call("sync_file_range", 277, 84),
        Call("flock", 73, 32),
        Call("fcntl", 72, 25),
        Call("dup", 32, 23),
        Call("dup2", 33, nil),
        Call("dup3", 292, 24),
        Call("pipe", 22, nil),
        Call("pipe2", 293, 59),
        Call("tee", 276, 77),
        Call("splice", 275, 76),
        Call("sendfile", 40, 71),
        Call("copy_file_range", 326, 285),
        Call("memfd_create", 319, 279),
        Call("fstatfs", 138, 44),
    ])

    /// Waiting for descriptors, timers and signals.
    public static let waiting = SystemCalls(calls: [
        Call("poll", 7, nil),
        Call("ppoll", 271, 73),
        Call("select", 23, nil),
        Call("pselect6", 270, 72),
        Call("epoll_create1", 291, 20),
        Call("epoll_ctl", 233, 21),
        Call("epoll_wait", 232, nil),
        Call("epoll_pwait", 281, 22),
        Call("epoll_pwait2", 441, 441),
        Call("eventfd2", 290, 19),
        Call("timerfd_create", 283, 85),
        Call("timerfd_settime", 286, 86),
        Call("timerfd_gettime", 287, 87),
        Call("signalfd4", 289, 74),
        Call("nanosleep", 35, 101),
        Call("clock_nanosleep", 230, 115),
        Call("restart_syscall", 219, 128),
        Call("pause", 34, nil),
    ])

    /// Threads of this process; making one is a rule of its own.
    public static let threads = SystemCalls(calls: [
        Call("futex", 202, 98),
        Call("set_robust_list", 273, 99),
        Call("get_robust_list", 274, 100),
        Call("set_tid_address", 218, 96),
        Call("rseq", 334, 293),
        Call("sched_yield", 24, 124),
        Call("sched_getaffinity", 204, 123),
        Call("gettid", 186, 178),
        Call("exit", 60, 93),
        Call("exit_group", 231, 94),
    ])

    /// Signals to this process.
    public static let signals = SystemCalls(calls: [
        Call("rt_sigaction", 13, 134),
        Call("rt_sigprocmask", 14, 135),
        Call("rt_sigreturn", 15, 139),
        Call("rt_sigpending", 127, 136),
        Call("rt_sigtimedwait", 128, 137),
        Call("sigaltstack", 131, 132),
    ])

    /// Information about the process and the machine.
    public static let process = SystemCalls(calls: [
        Call("getpid", 39, 172),
        Call("getppid", 110, 173),
        Call("getuid", 102, 174),
        Call("geteuid", 107, 175),
        Call("getgid", 104, 176),
        Call("getegid", 108, 177),
        Call("getrusage", 98, 165),
        Call("getrlimit", 97, 163),
        Call("uname", 63, 160),
        Call("sysinfo", 99, 179),
        Call("clock_gettime", 228, 113),
        Call("clock_getres", 229, 114),
        Call("gettimeofday", 96, 169),
        Call("time", 201, nil),
        Call("times", 100, 153),
        Call("getrandom", 318, 278),
        Call("getcpu", 309, 168),
    ])

    /// Existing sockets.
    public static let connections = SystemCalls(calls: [
        Call("accept", 43, 202),
        Call("accept4", 288, 242),
        Call("shutdown", 48, 210),
        Call("getsockname", 51, 204),
        Call("getpeername", 52, 205),
        Call("getsockopt", 55, 209),
        Call("setsockopt", 54, 208),
        Call("recvfrom", 45, 207),
        Call("sendto", 44, 206),
        Call("recvmsg", 47, 212),
        Call("sendmsg", 46, 211),
        Call("recvmmsg", 299, 243),
        Call("sendmmsg", 307, 269),
    ])

    /// New connections; Landlock restricts their destinations, as far as it can.
    public static let sockets = SystemCalls(calls: [
        Call("connect", 42, 203),
        Call("bind", 49, 200),
        Call("listen", 50, 201),
        Call("socketpair", 53, 199),
    ])
}

/// Numbers of the calls that have rules about arguments.
enum ConditionalCalls {
    static let socket = SystemCalls.Call("socket", 41, 198)
    static let clone = SystemCalls.Call("clone", 56, 220)
    static let clone3 = SystemCalls.Call("clone3", 435, 435)
    static let ioctl = SystemCalls.Call("ioctl", 16, 29)
    static let prctl = SystemCalls.Call("prctl", 157, 167)
    static let tgkill = SystemCalls.Call("tgkill", 234, 131)
    static let prlimit64 = SystemCalls.Call("prlimit64", 302, 261)
    static let kill = SystemCalls.Call("kill", 62, 129)
}
