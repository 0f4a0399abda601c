import Glibc

extension Kernel {
    /// A descriptor that becomes readable when a child of this process has ended: pidfd_open(2).
    /// Since Linux 5.3.
    ///
    /// - Throws: `ESRCH` if it was waited for already; `ENOSYS` on older kernels.
    public static func openProcess(_ identifier: Int32) throws(SystemError) -> Int32 {
        let made = try checking { symbol_syscall(SYS_pidfd_open, Int(identifier), 0, 0, 0, 0, 0) }
        return try aboveStandardStreams(Int32(truncatingIfNeeded: made))
    }
}
