import Glibc

// Invariant: what is resized or freed was allocated here, and nobody uses it afterwards.

/// Memory of the C library's allocator, for what the language's own allocation cannot do: fail, begin
/// with zeros that take no space until they are touched, and grow without a copy.
public enum Allocation {
    /// Zeroed memory for `count` elements; nil without memory. Aligned to 16: calloc(3).
    @inlinable
    @inline(__always)
    public static func zeroed(_ count: Int, stride: Int) -> UnsafeMutableRawPointer? {
        calloc(count, stride)
    }

    /// Makes an allocation larger or smaller; nil without memory, and then the old one stays. Moves
    /// the pages of large ones instead of copying them: realloc(3).
    @inlinable
    @inline(__always)
    public static func resized(
        _ old: UnsafeMutableRawPointer?, _ byteCount: Int
    ) -> UnsafeMutableRawPointer? {
        realloc(old, byteCount)
    }

    /// Gives memory back; nil is none: free(3).
    @inlinable
    @inline(__always)
    public static func free(_ start: UnsafeMutableRawPointer?) { Glibc.free(start) }
}
