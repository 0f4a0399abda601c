// The system calls of the runtime: address space and the native stack's bounds. A port changes
// this file only.
//
// Invariants: addresses and sizes handed to the kernel come from earlier answers of the kernel or
// were rounded here to whole pages with overflow checked; nothing dereferences them in this file.

import Glibc

/// Address space from the kernel.
enum SystemMemory {
    /// Bytes of a page of the processor. 4,096 on x86-64; 16 or 64 KiB on some aarch64 kernels.
    static let pageSize = max(4096, Int(sysconf(Int32(_SC_PAGESIZE))))

    /// `byteCount` rounded up to whole pages, or nil if that overflows.
    static func roundedUp(_ byteCount: Int) -> Int? {
        let (sum, overflow) = byteCount.addingReportingOverflow(pageSize - 1)
        return overflow ? nil : sum & ~(pageSize - 1)
    }

    /// Reserves address space that may not be touched yet and costs no memory.
    static func reserve(_ byteCount: Int) -> UnsafeMutableRawPointer? {
        map(byteCount, protection: PROT_NONE)
    }

    /// Zeroed memory that takes space only where it was written.
    static func allocate(_ byteCount: Int) -> UnsafeMutableRawPointer? {
        map(byteCount, protection: PROT_READ | PROT_WRITE)
    }

    private static func map(_ byteCount: Int, protection: Int32) -> UnsafeMutableRawPointer? {
        guard byteCount > 0 else { return nil }
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        let address = mmap(nil, byteCount, protection, flags, -1, 0)
        return address == MAP_FAILED ? nil : address
    }

    /// Makes `byteCount` bytes of a reservation readable and writable; whole pages only.
    static func commit(_ address: UnsafeMutableRawPointer, _ byteCount: Int) -> Bool {
        byteCount == 0 || mprotect(address, byteCount, PROT_READ | PROT_WRITE) == 0
    }

    /// Gives whole pages back to the system; they read as zeros afterwards.
    static func discard(_ address: UnsafeMutableRawPointer, _ byteCount: Int) {
        if byteCount > 0 { madvise(address, byteCount, MADV_DONTNEED) }
    }

    static func release(_ address: UnsafeMutableRawPointer, _ byteCount: Int) {
        if byteCount > 0 { munmap(address, byteCount) }
    }
}

/// The native stack of the running thread.
enum NativeStack {
    /// The thread that runs, to find out whether an answer of `lowestAddress` is still good.
    static var thread: UInt { UInt(pthread_self()) }

    /// The lowest address that the running thread's stack may grow to, or nil if it is not known.
    /// Slow on the main thread (the C library reads the process's memory map).
    static func lowestAddress() -> UInt? {
        var attributes = pthread_attr_t()
        guard attributesOfRunningThread(pthread_self(), &attributes) == 0 else { return nil }
        defer { pthread_attr_destroy(&attributes) }
        var address: UnsafeMutableRawPointer?
        var byteCount = 0
        guard pthread_attr_getstack(&attributes, &address, &byteCount) == 0 else { return nil }
        return UInt(bitPattern: address)
    }

    /// An address in the frame of the caller, near enough to compare with `lowestAddress`.
    @inline(never) static func currentAddress() -> UInt {
        withUnsafeTemporaryAllocation(byteCount: 8, alignment: 8) {
            UInt(bitPattern: $0.baseAddress)
        }
    }
}

// A GNU extension that the C library's module hides; two words in, an int out, so that Swift's
// calling convention and C's agree.
@_silgen_name("pthread_getattr_np")
private func attributesOfRunningThread(
    _ thread: pthread_t, _ attributes: UnsafeMutablePointer<pthread_attr_t>
) -> Int32
