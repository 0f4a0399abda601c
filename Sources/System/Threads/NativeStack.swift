// Invariants: addresses are compared, and never read or written. `remembered` is set before the second
// thread, and never changed again.

import Glibc

/// The native stack of the running thread.
public enum NativeStack {
    /// The running thread, to tell whether a result of `lowestAddress` is still valid.
    @inlinable
    public static var thread: UInt { UInt(pthread_self()) }

    /// The lowest address that the running thread's stack may grow to, or nil if it is not known.
    /// Slow on the main thread (the C library reads the process's memory map).
    public static func lowestAddress() -> UInt? { bounds?.lowest }

    private struct Bounds {
        let thread: UInt
        let lowest: UInt
        let byteCount: UInt
    }

    /// Those of the thread that asked for it before it restricted itself.
    nonisolated(unsafe) private static var remembered: Bounds?

    /// Keeps the bounds of the running thread, the only one, which cannot be found out once the
    /// process may not read its memory map.
    static func remember() { remembered = bounds }

    private static var bounds: Bounds? {
        var attributes = pthread_attr_t()
        guard symbol_pthread_getattr_np(pthread_self(), &attributes) == 0 else {
            return remembered.flatMap { $0.thread == thread ? $0 : nil }
        }
        defer { pthread_attr_destroy(&attributes) }
        var address: UnsafeMutableRawPointer?
        var byteCount = 0
        guard pthread_attr_getstack(&attributes, &address, &byteCount) == 0 else { return nil }
        return Bounds(
            thread: thread, lowest: UInt(bitPattern: address), byteCount: UInt(byteCount))
    }

    /// An address near the caller's frame, to compare with `lowestAddress`.
    @inline(never)
    public static func currentAddress() -> UInt {
        unsafe withUnsafeTemporaryAllocation(byteCount: 8, alignment: 8) {
            UInt(bitPattern: $0.baseAddress)
        }
    }

    /// The same for the frame that this is inlined into, in one machine instruction.
    @inlinable
    @inline(__always)
    public static func address() -> UInt {
        var place: UInt8 = 0
        return unsafe _withUnprotectedUnsafeMutablePointer(to: &place) { UInt(bitPattern: $0) }
    }

    /// Whether an address is in the running thread's stack; true if that is not known.
    public static func contains(_ address: UInt) -> Bool {
        guard let bounds else { return true }
        return address &- bounds.lowest < bounds.byteCount
    }
}
