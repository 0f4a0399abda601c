import Glibc

// Calls of the operating system for what the process may use.

extension System {
    /// How many descriptors the process may have open (the soft limit); nil if there is no limit or it
    /// cannot be asked for.
    static var descriptorLimit: Int? {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else {
            return nil
        }
        return Int(exactly: limit.rlim_cur)
    }
}
