import Glibc

// Invariant: `next` and `left` are what is left of the caller's buffer.

extension Kernel {
    /// Fills `buffer` with random bytes of the kernel that nobody can guess: getrandom(2).
    public static func random(_ buffer: UnsafeMutableRawBufferPointer) throws(SystemError) {
        guard var next = buffer.baseAddress else { return }
        var left = buffer.count
        while left > 0 {
            // Larger requests may be answered in part: the loop goes on where the kernel stopped.
            let count = try retrying { symbol_getrandom(next, left, 0) }
            next += count
            left -= count
        }
    }
}
