// Invariants: addresses passed to the kernel are of mappings that the caller owns; written bytes
// are accessible during the call.

import Glibc

/// Files in memory, without a name: memfd_create(2).
public enum AnonymousFile {
    /// Makes a file of zeros; nil if the system refuses.
    public static func create(_ byteCount: Int) -> Int32? {
        // Beyond the limit on the size of files, the process would get a signal.
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0,
            UInt64(byteCount) <= UInt64(limit.rlim_cur)
        else { return nil }
        // Closed on exec; may be sealed.
        let made = unsafe symbol_memfd_create("wasmd", 1 | 2)
        guard made >= 0, let descriptor = try? Kernel.aboveStandardStreams(made) else {
            return nil
        }
        guard ftruncate(descriptor, byteCount) == 0 else {
            self.close(descriptor)
            return nil
        }
        return descriptor
    }

    /// Writes bytes of this process; false if the system refuses.
    public static func write(
        _ descriptor: Int32, _ bytes: UnsafeRawBufferPointer, at offset: Int
    ) -> Bool {
        var done = 0
        while done < bytes.count {
            let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[done...])
            let count = unsafe pwrite(descriptor, rest.baseAddress, rest.count, offset + done)
            if count > 0 {
                done += count
            } else if count == 0 || errno != EINTR {
                return false
            }
        }
        return true
    }

    /// From now on no holder of a descriptor can change or shrink the file, so mappings of it can
    /// always be read.
    public static func seal(_ descriptor: Int32) -> Bool {
        // Seal, shrink, grow, write.
        fcntl(descriptor, F_ADD_SEALS, 1 | 2 | 4 | 8) == 0
    }

    /// Maps the file's start for reading, at any address.
    public static func map(_ descriptor: Int32, _ byteCount: Int) -> UnsafeMutableRawPointer? {
        let address = unsafe mmap(nil, byteCount, PROT_READ, MAP_PRIVATE, descriptor, 0)
        return unsafe address == MAP_FAILED ? nil : address
    }

    /// Maps the file's start at `address`, in place of the mapping there: readable and writable,
    /// changes are private. False if the system refuses.
    public static func map(
        _ descriptor: Int32, _ byteCount: Int, at address: UnsafeMutableRawPointer
    ) -> Bool {
        let flags = MAP_PRIVATE | MAP_NORESERVE | MAP_FIXED
        return unsafe mmap(address, byteCount, PROT_READ | PROT_WRITE, flags, descriptor, 0)
            != MAP_FAILED
    }

    public static func close(_ descriptor: Int32) { _ = Glibc.close(descriptor) }
}
