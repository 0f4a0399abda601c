import Glibc

// Invariant: the program is passed to the kernel for the call only, which copies it; its structure
// has the count and the address of the instructions, each of which has eight bytes.

extension SeccompFilter {
    /// Whether the kernel has filters of system calls: `SECCOMP_GET_ACTION_AVAIL`.
    public static var isAvailable: Bool {
        var action: UInt32 = 0x0005_0000
        return unsafe withUnsafeMutableBytes(of: &action) {
            symbol_syscall(SYS_seccomp, 2, 0, Int(bitPattern: $0.baseAddress), 0, 0, 0) == 0
        }
    }

    /// Lets the calling thread, and threads and processes that it starts from now on, make only the
    /// calls that are allowed. This cannot be undone.
    ///
    /// - Throws: `EINVAL` where the kernel has no filters, or the program is too long (4096).
    public func install() throws(SystemError) {
        try CurrentProcess.forbidNewPrivileges()
        let program = program(for: .current)
        guard let count = UInt16(exactly: program.count) else { throw .inval }
        try unsafe program.withUnsafeBufferPointer { (instructions) throws(SystemError) in
            var header = unsafe KernelProgram(count: count, instructions: instructions.baseAddress)
            try unsafe withUnsafeMutableBytes(of: &header) { (bytes) throws(SystemError) in
                let address = Int(bitPattern: bytes.baseAddress)
                try retrying { symbol_syscall(SYS_seccomp, 1, 0, address, 0, 0, 0) }
            }
        }
    }

    /// `struct sock_fprog`
    @safe private struct KernelProgram {
        var count: UInt16
        var instructions: UnsafePointer<BPFInstruction>?
    }
}

extension CurrentProcess {
    /// Programs that this process executes get no rights from their files: prctl(2),
    /// `PR_SET_NO_NEW_PRIVS`.
    public static func forbidNewPrivileges() throws(SystemError) {
        try retrying { symbol_syscall(SYS_prctl, 38, 1, 0, 0, 0, 0) }
    }

    /// The number of threads of the process: the entries of `/proc/self/task`. Nil if it cannot be
    /// read.
    public static var threadCount: Int? {
        guard let folder = try? unsafe Kernel.open("/proc/self/task", [.readOnly, .directory])
        else {
            return nil
        }
        let owner = FileDescriptor(owning: folder)
        // One link for the folder itself, one for its parent, one for each thread.
        return (try? Kernel.status(owner.number).linkCount).map { Int(clamping: $0) - 2 }
    }
}
