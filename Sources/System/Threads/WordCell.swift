// Invariant: the word is allocated from init to deinit, and whoever waits on it holds the object.

import Synchronization

/// A number that threads wait for to change: futex(2).
public final class WordCell: @unchecked Sendable {
    private let word: Futex.Word

    public init() {
        word = .allocate(capacity: 1)
        word.initialize(to: Atomic(0))
    }

    deinit {
        word.deinitialize(count: 1)
        word.deallocate()
    }

    public var value: UInt32 { word.pointee.load(ordering: .acquiring) }

    /// Adds 1, and wakes all threads that wait.
    public func advance() {
        word.pointee.add(1, ordering: .acquiringAndReleasing)
        Futex.wake(word)
    }

    /// Parks the thread while the number is `expected`. May return early.
    public func wait(while expected: UInt32, nanoseconds: Int64?) {
        Futex.wait(word, while: expected, nanoseconds: nanoseconds)
    }
}
