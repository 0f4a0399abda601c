import Glibc

// Invariant: the program is lent to the kernel for the call, which copies it; its structure has the
// count and the address of the instructions, each of which has eight bytes.

extension SeccompFilter {
    /// Whether the kernel has filters of system calls: `SECCOMP_GET_ACTION_AVAIL`.
    public static var isAvailable: Bool {
        var action: UInt32 = 0x0005_0000
        return withUnsafeMutableBytes(of: &action) {
            symbol_syscall(SYS_seccomp, 2, 0, Int(bitPattern: $0.baseAddress), 0, 0, 0) == 0
        }
    }

    /// Lets the calling thread, and what it starts from now on, make only the calls that are allowed.
    /// There is no way back.
    ///
    /// - Throws: `EINVAL` where the kernel has no filters, or the program is too long (4096).
    public func install() throws(SystemError) {
        try CurrentProcess.forbidNewPrivileges()
        let program = program(for: .current)
        guard let count = UInt16(exactly: program.count) else { throw .inval }
        try program.withUnsafeBufferPointer { (instructions) throws(SystemError) in
            var header = KernelProgram(count: count, instructions: instructions.baseAddress)
            try withUnsafeMutableBytes(of: &header) { (bytes) throws(SystemError) in
                let address = Int(bitPattern: bytes.baseAddress)
                try retrying { symbol_syscall(SYS_seccomp, 1, 0, address, 0, 0, 0) }
            }
        }
    }

    /// `struct sock_fprog`
    private struct KernelProgram {
        var count: UInt16
        var instructions: UnsafePointer<BPFInstruction>?
    }
}

extension CurrentProcess {
    /// No program that this process executes gets rights from its file: prctl(2),
    /// `PR_SET_NO_NEW_PRIVS`.
    public static func forbidNewPrivileges() throws(SystemError) {
        try retrying { symbol_syscall(SYS_prctl, 38, 1, 0, 0, 0, 0) }
    }

    /// How many threads the process has: the entries of `/proc/self/task`. Nil if that cannot be read.
    public static var threadCount: Int? {
        guard let folder = try? Kernel.open("/proc/self/task", [.readOnly, .directory]) else {
            return nil
        }
        let owner = FileDescriptor(owning: folder)
        // One link for the folder itself, one for its parent, one for each thread.
        return (try? Kernel.status(owner.number).linkCount).map { Int(clamping: $0) - 2 }
    }
}
