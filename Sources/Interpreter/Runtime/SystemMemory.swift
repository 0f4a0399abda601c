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

    /// Gives whole pages back to the system; they read as zeros, or as the file that is mapped there,
    /// afterwards. False if the system refuses, as it does for memory that is locked.
    @discardableResult
    static func discard(_ address: UnsafeMutableRawPointer, _ byteCount: Int) -> Bool {
        byteCount == 0 || madvise(address, byteCount, MADV_DONTNEED) == 0
    }

    static func release(_ address: UnsafeMutableRawPointer, _ byteCount: Int) {
        if byteCount > 0 { munmap(address, byteCount) }
    }

    /// Puts zeros in place of whatever was mapped at `address`; false if the system refuses.
    static func replaceByZeros(_ address: UnsafeMutableRawPointer, _ byteCount: Int) -> Bool {
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED
        return byteCount == 0
            || mmap(address, byteCount, PROT_READ | PROT_WRITE, flags, -1, 0) != MAP_FAILED
    }
}

/// Files without a name, which stay in memory.
enum MemoryFile {
    /// Makes a file of zeros; nil if the system refuses.
    static func create(_ byteCount: Int) -> Int32? {
        // A process with a limit on the size of files would be sent a signal.
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0,
            UInt64(byteCount) <= UInt64(limit.rlim_cur)
        else { return nil }
        // Closed on exec; may be sealed.
        let descriptor = DescriptorNumber.aboveStandardStreams(createMemoryFile("wasmd", 1 | 2))
        guard descriptor >= 0 else { return nil }
        guard ftruncate(descriptor, byteCount) == 0 else {
            close(descriptor)
            return nil
        }
        return descriptor
    }

    /// Writes bytes of this process; false if the system refuses.
    static func write(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer, at offset: Int) -> Bool
    {
        var done = 0
        while done < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
            let count = pwrite(descriptor, rest.baseAddress, rest.count, offset + done)
            if count > 0 {
                done += count
            } else if count == 0 || errno != EINTR {
                return false
            }
        }
        return true
    }

    /// From now on the file neither changes nor shrinks, whoever gets hold of it: what is mapped of
    /// it can be read always.
    static func seal(_ descriptor: Int32) -> Bool {
        // F_ADD_SEALS: seal, shrink, grow, write.
        fcntl(descriptor, 1033, 1 | 2 | 4 | 8) == 0
    }

    /// Maps the file's start for reading, anywhere.
    static func map(_ descriptor: Int32, _ byteCount: Int) -> UnsafeMutableRawPointer? {
        let address = mmap(nil, byteCount, PROT_READ, MAP_PRIVATE, descriptor, 0)
        return address == MAP_FAILED ? nil : address
    }

    /// Maps the file's start in place of what was mapped at `address`: readable, and what is
    /// written stays private. False if the system refuses.
    static func map(
        _ descriptor: Int32, _ byteCount: Int, at address: UnsafeMutableRawPointer
    ) -> Bool {
        let flags = MAP_PRIVATE | MAP_NORESERVE | MAP_FIXED
        return mmap(address, byteCount, PROT_READ | PROT_WRITE, flags, descriptor, 0) != MAP_FAILED
    }

    static func close(_ descriptor: Int32) { _ = Glibc.close(descriptor) }
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

    /// The same for the frame that this is inlined into, in an instruction.
    @inline(__always) static func address() -> UInt {
        var place: UInt8 = 0
        return _withUnprotectedUnsafeMutablePointer(to: &place) { UInt(bitPattern: $0) }
    }

    /// Whether an address is in the running thread's stack; true if that is not known.
    static func contains(_ address: UInt) -> Bool {
        var attributes = pthread_attr_t()
        guard attributesOfRunningThread(pthread_self(), &attributes) == 0 else { return true }
        defer { pthread_attr_destroy(&attributes) }
        var start: UnsafeMutableRawPointer?
        var byteCount = 0
        guard pthread_attr_getstack(&attributes, &start, &byteCount) == 0 else { return true }
        return address &- UInt(bitPattern: start) < UInt(byteCount)
    }
}

// A GNU extension that the C library's module hides; two words in, an int out, so that Swift's
// calling convention and C's agree.
@_silgen_name("pthread_getattr_np")
private func attributesOfRunningThread(
    _ thread: pthread_t, _ attributes: UnsafeMutablePointer<pthread_attr_t>
) -> Int32

// Another one: an address and a word in, an int out.
@_silgen_name("memfd_create")
private func createMemoryFile(_ name: UnsafePointer<CChar>, _ flags: UInt32) -> Int32
