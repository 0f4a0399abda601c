import Glibc

// The C library's loops over bytes, which use the processor's widest instructions.
//
// Invariant: `count` bytes at each pointer are accessible.

/// Filling, moving, comparing and searching bytes; inlined, so that each is one call of the C
/// library.
public enum Bytes {
    /// Sets `count` bytes to `value`: memset(3).
    @inlinable
    @inline(__always)
    public static func fill(
        _ start: UnsafeMutableRawPointer, _ count: Int, with value: UInt8
    ) {
        unsafe memset(start, Int32(truncatingIfNeeded: value), count)
    }

    /// Moves `count` bytes; the ranges may overlap: memmove(3).
    @inlinable
    @inline(__always)
    public static func move(
        to target: UnsafeMutableRawPointer, from source: UnsafeRawPointer, _ count: Int
    ) {
        unsafe memmove(target, source, count)
    }

    /// Whether `count` bytes are equal: memcmp(3).
    @inlinable
    @inline(__always)
    public static func areEqual(
        _ first: UnsafeRawPointer, _ second: UnsafeRawPointer, _ count: Int
    ) -> Bool {
        unsafe memcmp(first, second, count) == 0
    }

    /// The order of `count` bytes as unsigned numbers: negative, 0 or positive. memcmp(3).
    @inlinable
    @inline(__always)
    public static func compare(
        _ first: UnsafeRawPointer, _ second: UnsafeRawPointer, _ count: Int
    ) -> Int32 {
        unsafe memcmp(first, second, count)
    }

    /// The distance to the first byte with the value; nil if none of `count` bytes has it:
    /// memchr(3).
    @inlinable
    @inline(__always)
    public static func index(
        of value: UInt8, in start: UnsafeRawPointer, _ count: Int
    ) -> Int? {
        unsafe memchr(start, Int32(truncatingIfNeeded: value), count).map {
            unsafe start.distance(to: UnsafeRawPointer($0))
        }
    }
}
