// Invariants: `base` is the start of `byteCount` accessible bytes that stay so until the store dies
// (memories never move or shrink); every accessor checks its range before it touches a byte.

/// An access outside of the linear memory.
public struct GuestMemoryError: Error, Hashable, Sendable {
    public let address: UInt64
    public let count: UInt64

    @inlinable
    public init(address: UInt64, count: UInt64) {
        self.address = address
        self.count = count
    }
}

/// A view of the bytes of a linear memory, valid while the store lives.
///
/// Growing the memory leaves the view valid, but it does not show the new bytes.
public struct GuestMemory {
    public let base: UnsafeMutableRawPointer
    public let byteCount: Int

    init(_ record: MemoryRecord) {
        base = record.base
        byteCount = Int(bitPattern: record.byteCount)
    }

    /// Whether `count` bytes from `address` on are in the memory.
    @inlinable
    public func contains(_ address: UInt64, count: UInt64) -> Bool {
        let size = UInt64(UInt(bitPattern: byteCount))
        return count <= size && address <= size &- count
    }

    /// The `count` bytes from `address` on.
    ///
    /// - Throws: `GuestMemoryError` if they are not all in the memory.
    @inlinable
    public func bytes(
        at address: UInt64, count: UInt64
    ) throws(GuestMemoryError) -> UnsafeMutableRawBufferPointer {
        guard contains(address, count: count) else {
            throw GuestMemoryError(address: address, count: count)
        }
        return UnsafeMutableRawBufferPointer(
            start: base + Int(truncatingIfNeeded: address), count: Int(truncatingIfNeeded: count))
    }

    /// The `count` bytes from `address` on, for the 32-bit addresses that most guests use.
    @inlinable
    public func bytes(
        at address: UInt32, count: UInt32
    ) throws(GuestMemoryError) -> UnsafeMutableRawBufferPointer {
        try bytes(at: UInt64(address), count: UInt64(count))
    }

    /// Reads an integer in little endian order; `address` need not be aligned.
    ///
    /// - Throws: `GuestMemoryError` if it is not all in the memory.
    @inlinable
    public func load<T: FixedWidthInteger & BitwiseCopyable>(
        at address: UInt64, as type: T.Type = T.self
    ) throws(GuestMemoryError) -> T {
        let source = try bytes(at: address, count: UInt64(MemoryLayout<T>.size))
        return T(littleEndian: UnsafeRawBufferPointer(source).loadUnaligned(as: T.self))
    }

    /// Reads an integer in little endian order at a 32-bit address.
    @inlinable
    public func load<T: FixedWidthInteger & BitwiseCopyable>(
        at address: UInt32, as type: T.Type = T.self
    ) throws(GuestMemoryError) -> T {
        try load(at: UInt64(address), as: type)
    }

    /// Writes an integer in little endian order; `address` need not be aligned.
    ///
    /// - Throws: `GuestMemoryError` if it is not all in the memory; nothing is written then.
    @inlinable
    public func store<T: FixedWidthInteger & BitwiseCopyable>(
        _ value: T, at address: UInt64
    ) throws(GuestMemoryError) {
        let target = try bytes(at: address, count: UInt64(MemoryLayout<T>.size))
        target.storeBytes(of: value.littleEndian, as: T.self)
    }

    /// Writes an integer in little endian order at a 32-bit address.
    @inlinable
    public func store<T: FixedWidthInteger & BitwiseCopyable>(
        _ value: T, at address: UInt32
    ) throws(GuestMemoryError) {
        try store(value, at: UInt64(address))
    }

    /// Copies `count` bytes from `address` on.
    ///
    /// - Throws: `GuestMemoryError` if they are not all in the memory.
    public func read(at address: UInt64, count: UInt64) throws(GuestMemoryError) -> [UInt8] {
        Array(try bytes(at: address, count: count))
    }

    /// Writes `content` from `address` on.
    ///
    /// - Throws: `GuestMemoryError` if it does not fit; nothing is written then.
    public func write(_ content: [UInt8], at address: UInt64) throws(GuestMemoryError) {
        try bytes(at: address, count: UInt64(content.count)).copyBytes(from: content)
    }

    /// The text between `address` and `address + count`, with malformed UTF-8 replaced.
    ///
    /// - Throws: `GuestMemoryError` if it is not all in the memory.
    public func string(at address: UInt64, count: UInt64) throws(GuestMemoryError) -> String {
        String(decoding: try bytes(at: address, count: count), as: UTF8.self)
    }
}

extension GuestMemoryError: CustomStringConvertible {
    public var description: String {
        "\(count) bytes at 0x\(String(address, radix: 16)) are not all in the memory"
    }
}
