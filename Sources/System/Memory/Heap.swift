/// The memory of the C library's allocator.
public enum Heap {
    /// Gives pages that hold nothing back to the system: what a burst of work took is otherwise kept
    /// for the next one. Takes milliseconds after a burst.
    public static func trim() { _ = symbol_malloc_trim(0) }
}
