// Invariants: `base` is the start of `byteCount` bytes that are accessible until the store is freed
// (memories never move, and committed bytes stay committed); every accessor checks its range before
// it accesses a byte.

import WasmMachine

/// The bytes of a linear memory as host functions of this package see them: it retains nothing, so
/// it must not outlive the call that it was made for. Embedders use `Memory`.
///
/// Growing the memory leaves the view valid, but it does not show the new bytes.
package struct GuestMemory {
    package let base: UnsafeMutableRawPointer
    package let byteCount: Int

    init(_ record: MemoryRecord) {
        base = record.base
        byteCount = Int(bitPattern: record.byteCount)
    }

    /// Whether `count` bytes from `address` on are in the memory.
    package func contains(at address: UInt64, count: UInt64) -> Bool {
        let size = UInt64(UInt(bitPattern: byteCount))
        return count <= size && address <= size &- count
    }

    /// The `count` bytes from `address` on.
    ///
    /// - Throws: `AccessError.memoryOutOfBounds` if they are not all in the memory.
    package func bytes(
        at address: UInt64, count: UInt64
    ) throws(AccessError) -> UnsafeMutableRawBufferPointer {
        guard contains(at: address, count: count) else {
            throw .memoryOutOfBounds(address: address, count: count)
        }
        return UnsafeMutableRawBufferPointer(
            start: base + Int(truncatingIfNeeded: address), count: Int(truncatingIfNeeded: count))
    }
}
