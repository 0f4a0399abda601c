// Parking threads: futex(2). A port changes this file only.
//
// Invariant: `word` points at four aligned bytes that live until the call returns.

import Glibc
import Synchronization

enum Futex {
    typealias Word = UnsafeMutablePointer<Atomic<UInt32>>

    private static let waitPrivate = 0 | 128
    private static let wakePrivate = 1 | 128
    #if arch(x86_64)
        private static let number = 202
    #elseif arch(arm64)
        private static let number = 98
    #else
        #error("the number of the system call futex on this processor")
    #endif

    /// Parks the thread while `word` has the value `expected`. May return early.
    ///
    /// - Parameter nanoseconds: how long at most; nil for ever.
    static func wait(_ word: Word, while expected: UInt32, nanoseconds: Int64?) {
        guard let nanoseconds else {
            _ = systemCall(number, word, waitPrivate, Int(expected), nil, nil, 0)
            return
        }
        var time = timespec()
        time.tv_sec = Int(nanoseconds / 1_000_000_000)
        time.tv_nsec = Int(nanoseconds % 1_000_000_000)
        _ = systemCall(number, word, waitPrivate, Int(expected), &time, nil, 0)
    }

    /// Wakes who waits on `word`. May be called from a signal handler.
    static func wake(_ word: Word) {
        _ = systemCall(number, word, wakePrivate, Int(Int32.max), nil, nil, 0)
    }
}

// Variadic in C; its arguments are words, which travel alike with and without the dots.
@_silgen_name("syscall")
private func systemCall(
    _ number: Int, _ word: UnsafeMutableRawPointer, _ operation: Int, _ value: Int,
    _ timeout: UnsafePointer<timespec>?, _ second: UnsafeRawPointer?, _ third: Int
) -> Int
