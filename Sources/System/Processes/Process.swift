import Glibc

// Invariant: no thread changes the environment while it is read: this program never changes it.

/// The running process: its environment, limits and end.
public enum CurrentProcess {
    public static var identifier: Int32 { getpid() }

    /// The variables of the environment, `NAME=VALUE`, in order: environ(7).
    public static var environment: [[UInt8]] {
        var entries: [[UInt8]] = []
        guard var cursor = unsafe environ as UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
        else {
            return []
        }
        while let entry = unsafe cursor.pointee {
            unsafe entries.append(Kernel.bytes(entry))
            unsafe cursor += 1
        }
        return entries
    }

    /// The name of the machine; empty if the system does not tell: gethostname(2).
    public static var hostName: [UInt8] {
        var name = [CChar](repeating: 0, count: 256)
        guard unsafe gethostname(&name, name.count - 1) == 0 else { return [] }
        return name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
    }

    /// The value of a variable of the environment; nil if there is none: getenv(3).
    public static func variable(_ name: UnsafePointer<CChar>) -> [UInt8]? {
        unsafe getenv(name).map { unsafe Kernel.bytes($0) }
    }

    /// How many descriptors the process may have open (the soft limit); nil if there is no limit or
    /// it cannot be read: getrlimit(2), `RLIMIT_NOFILE`.
    public static var descriptorLimit: Int? {
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else {
            return nil
        }
        return Int(exactly: limit.rlim_cur)
    }

    /// Raises the soft limit of descriptors to the hard limit; returns the new limit, nil if there
    /// is none.
    @discardableResult
    public static func raiseDescriptorLimit() -> Int? {
        var limit = rlimit()
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        if unsafe getrlimit(resource, &limit) == 0, limit.rlim_cur < limit.rlim_max {
            limit.rlim_cur = limit.rlim_max
            unsafe setrlimit(resource, &limit)
        }
        return descriptorLimit
    }

    /// Peak resident memory of the process in KiB; nil if the system does not report it:
    /// getrusage(2).
    public static var peakMemory: Int? {
        var usage = rusage()
        let who = Int32(truncatingIfNeeded: RUSAGE_SELF.rawValue)
        return unsafe getrusage(who, &usage) == 0 ? usage.ru_maxrss : nil
    }

    /// Lets another ready thread run: sched_yield(2).
    public static func yield() { sched_yield() }

    /// Ends the process after the functions of `atexit`: exit(3).
    public static func exit(_ status: Int32) -> Never { Glibc.exit(status) }

    /// Ends the process now: _exit(2). May be called from any thread, and from a signal handler.
    public static func exitAtOnce(_ status: Int32) -> Never { _exit(status) }

    /// Ends the process as a failure of the program itself: abort(3).
    public static func abort() -> Never { Glibc.abort() }
}
