// Invariant: the word is allocated from init to deinit, and whoever waits on it holds the object.

import Synchronization

/// A number that threads wait for to change: futex(2).
@safe public final class WordCell: @unchecked Sendable {
    private let word: Futex.Word

    /// - Parameter number: the number at the start; it wraps after `UInt32.max`.
    public init(_ number: UInt32 = 0) {
        unsafe word = .allocate(capacity: 1)
        unsafe word.initialize(to: Atomic(number))
    }

    deinit {
        unsafe word.deinitialize(count: 1)
        unsafe word.deallocate()
    }

    public var value: UInt32 { unsafe word.pointee.load(ordering: .acquiring) }

    /// Adds 1, and wakes all threads that wait.
    public func advance() {
        unsafe word.pointee.wrappingAdd(1, ordering: .acquiringAndReleasing)
        unsafe Futex.wake(word)
    }

    /// Parks the thread while the number is `expected`. May return early.
    public func wait(while expected: UInt32, nanoseconds: Int64?) {
        unsafe Futex.wait(word, while: expected, nanoseconds: nanoseconds)
    }
}
