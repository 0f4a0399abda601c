import Glibc

// Invariant: `next` and `left` are the unfilled part of the caller's buffer.

extension Kernel {
    /// Fills `buffer` with cryptographically secure random bytes: getrandom(2).
    public static func random(_ buffer: UnsafeMutableRawBufferPointer) throws(SystemError) {
        guard var next = buffer.baseAddress else { return }
        var left = buffer.count
        while left > 0 {
            // The kernel may fill only a part of a larger request; the loop continues there.
            let count = try retrying { unsafe symbol_getrandom(next, left, 0) }
            unsafe next += count
            left -= count
        }
    }
}
