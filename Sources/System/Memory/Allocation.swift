import Glibc

// Invariant: memory that is resized or freed was allocated here, and is not used afterwards.

/// Memory of the C library's allocator, which can do what Swift's cannot: return nil, start with
/// zeros that take no space until they are touched, and grow without a copy.
public enum Allocation {
    /// Zeroed memory for `count` elements; nil if memory is exhausted. Aligned to 16: calloc(3).
    @inlinable
    @inline(__always)
    public static func zeroed(_ count: Int, stride: Int) -> UnsafeMutableRawPointer? {
        unsafe calloc(count, stride)
    }

    /// Makes an allocation larger or smaller; nil if memory is exhausted, and then the old one is
    /// still valid. Moves the pages of large allocations instead of copying: realloc(3).
    @inlinable
    @inline(__always)
    public static func resized(
        _ old: UnsafeMutableRawPointer?, _ byteCount: Int
    ) -> UnsafeMutableRawPointer? {
        unsafe realloc(old, byteCount)
    }

    /// Frees memory; does nothing for nil: free(3).
    @inlinable
    @inline(__always)
    public static func free(_ start: UnsafeMutableRawPointer?) { unsafe Glibc.free(start) }
}
