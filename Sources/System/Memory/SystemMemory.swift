// Invariants: addresses passed to the kernel were returned by it; sizes were rounded here to whole
// pages with overflow checked. This file never dereferences an address.

import Glibc

/// Address space from the kernel: mmap(2).
public enum SystemMemory {
    /// Bytes of a page of the processor. 4,096 on x86-64; 16 or 64 KiB on some aarch64 kernels.
    public static let pageSize = max(4096, Int(sysconf(Int32(truncatingIfNeeded: _SC_PAGESIZE))))

    /// `byteCount` rounded up to whole pages, or nil if that overflows.
    public static func roundedUp(_ byteCount: Int) -> Int? {
        let (sum, overflow) = byteCount.addingReportingOverflow(pageSize - 1)
        return overflow ? nil : sum & ~(pageSize - 1)
    }

    /// Reserves address space that may not be touched yet and costs no memory.
    public static func reserve(_ byteCount: Int) -> UnsafeMutableRawPointer? {
        unsafe map(byteCount, protection: PROT_NONE)
    }

    /// Zeroed memory that becomes resident only where it is written.
    public static func allocate(_ byteCount: Int) -> UnsafeMutableRawPointer? {
        unsafe map(byteCount, protection: PROT_READ | PROT_WRITE)
    }

    private static func map(_ byteCount: Int, protection: Int32) -> UnsafeMutableRawPointer? {
        guard byteCount > 0 else { return nil }
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        let address = unsafe mmap(nil, byteCount, protection, flags, -1, 0)
        return unsafe address == MAP_FAILED ? nil : address
    }

    /// Makes `byteCount` bytes of a reservation readable and writable; whole pages only.
    public static func commit(_ address: UnsafeMutableRawPointer, _ byteCount: Int) -> Bool {
        unsafe byteCount == 0 || mprotect(address, byteCount, PROT_READ | PROT_WRITE) == 0
    }

    /// Returns whole pages to the system; afterwards they read as zeros, or as the file that is
    /// mapped there. False if the system refuses, for example for locked memory.
    @discardableResult
    public static func discard(_ address: UnsafeMutableRawPointer, _ byteCount: Int) -> Bool {
        unsafe byteCount == 0 || madvise(address, byteCount, MADV_DONTNEED) == 0
    }

    public static func release(_ address: UnsafeMutableRawPointer, _ byteCount: Int) {
        if byteCount > 0 { unsafe munmap(address, byteCount) }
    }

    /// Replaces the mapping at `address` by zeros; false if the system refuses.
    public static func replaceByZeros(_ address: UnsafeMutableRawPointer, _ byteCount: Int) -> Bool
    {
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED
        return unsafe byteCount == 0
            || mmap(address, byteCount, PROT_READ | PROT_WRITE, flags, -1, 0) != MAP_FAILED
    }
}
