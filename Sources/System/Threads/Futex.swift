// Invariant: `word` points at four aligned bytes that are valid until the call returns.

import Glibc
import Synchronization

/// Parks threads until a word changes: futex(2).
public enum Futex {
    public typealias Word = UnsafeMutablePointer<Atomic<UInt32>>

    private static let waitPrivate = 0 | 128
    private static let wakePrivate = 1 | 128

    /// Parks the thread while `word` has the value `expected`. May return early.
    ///
    /// - Parameter nanoseconds: the longest wait; nil for no limit.
    public static func wait(_ word: Word, while expected: UInt32, nanoseconds: Int64?) {
        guard let nanoseconds else {
            _ = unsafe call(word, waitPrivate, Int(expected), nil)
            return
        }
        var time = timespec()
        time.tv_sec = Int(nanoseconds / 1_000_000_000)
        time.tv_nsec = Int(nanoseconds % 1_000_000_000)
        unsafe withUnsafePointer(to: &time) {
            _ = unsafe call(word, waitPrivate, Int(expected), $0)
        }
    }

    /// Wakes the threads that wait on `word`. May be called from a signal handler.
    public static func wake(_ word: Word) {
        _ = unsafe call(word, wakePrivate, Int(Int32.max), nil)
    }

    private static func call(
        _ word: Word, _ operation: Int, _ value: Int, _ timeout: UnsafePointer<timespec>?
    ) -> Int {
        symbol_syscall(
            SYS_futex, Int(bitPattern: word), operation, value, Int(bitPattern: timeout), 0, 0)
    }
}
