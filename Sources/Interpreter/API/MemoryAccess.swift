// Invariants: pointers come from `range`, which checks bounds; they are used only while the handle
// keeps memory and store alive, which the code extends explicitly. Other threads may write to the
// bytes of a shared memory at any time, so values are copied before they are checked.

import WasmSystem

/// A number in linear memory: little-endian, as in the processors that wasmd supports.
///
/// Only for types for which every bit pattern is a value, since guests choose the bits: not `Bool`,
/// not enumerations.
public protocol MemoryNumber: BitwiseCopyable {}

extension Int8: MemoryNumber {}
extension UInt8: MemoryNumber {}
extension Int16: MemoryNumber {}
extension UInt16: MemoryNumber {}
extension Int32: MemoryNumber {}
extension UInt32: MemoryNumber {}
extension Int64: MemoryNumber {}
extension UInt64: MemoryNumber {}
extension Float: MemoryNumber {}
extension Double: MemoryNumber {}
extension SIMD16: MemoryNumber where Scalar == UInt8 {}

/// Reading and writing. Addresses and counts are integers of any type; those of `Int32`, which
/// guests pass, count as unsigned. A range that is not completely in the memory throws
/// `AccessError.memoryOutOfBounds`, and nothing is read or written.
extension Memory {
    /// Reads a number; the address need not be aligned.
    ///
    ///     let count = try memory.load(at: address, as: UInt32.self)
    @inlinable
    public func load<Number: MemoryNumber>(
        at address: some FixedWidthInteger, as type: Number.Type = Number.self
    ) throws(AccessError) -> Number {
        let start = try range(address, MemoryLayout<Number>.size)
        defer { extendLifetime(self) }
        return UnsafeRawPointer(start).loadUnaligned(as: Number.self)
    }

    /// Writes a number; the address need not be aligned.
    ///
    ///     try memory.store(3.5 as Double, at: address)
    @inlinable
    public func store<Number: MemoryNumber>(
        _ number: Number, at address: some FixedWidthInteger
    ) throws(AccessError) {
        let start = try range(address, MemoryLayout<Number>.size)
        defer { extendLifetime(self) }
        start.storeBytes(of: number, as: Number.self)
    }

    /// Reads `count` consecutive numbers.
    ///
    ///     let samples = try memory.loadArray(of: Float.self, at: address, count: 256)
    @inlinable
    public func loadArray<Number: MemoryNumber>(
        of type: Number.Type = Number.self, at address: some FixedWidthInteger,
        count: some FixedWidthInteger
    ) throws(AccessError) -> [Number] {
        let count = UInt64(unsigned: count)
        let (size, overflow) = count.multipliedReportingOverflow(
            by: UInt64(MemoryLayout<Number>.stride))
        let start = try range(address, overflow ? UInt64.max : size)
        defer { extendLifetime(self) }
        let number = Int(truncatingIfNeeded: count)
        return [Number](unsafeUninitializedCapacity: number) { buffer, initialized in
            UnsafeMutableRawBufferPointer(buffer).copyMemory(
                from: UnsafeRawBufferPointer(start: start, count: Int(truncatingIfNeeded: size)))
            initialized = number
        }
    }

    @available(*, deprecated, renamed: "loadArray(of:at:count:)")
    @inlinable
    public func loadArray<Number: MemoryNumber>(
        of type: Number.Type = Number.self, count: some FixedWidthInteger,
        at address: some FixedWidthInteger
    ) throws(AccessError) -> [Number] {
        try loadArray(of: type, at: address, count: count)
    }

    /// Writes consecutive numbers.
    ///
    ///     try memory.store(contentsOf: [1, 2, 3] as [UInt16], at: address)
    @inlinable
    public func store<Number: MemoryNumber>(
        contentsOf numbers: [Number], at address: some FixedWidthInteger
    ) throws(AccessError) {
        let size = numbers.count * MemoryLayout<Number>.stride
        let start = try range(address, size)
        defer { extendLifetime(self) }
        numbers.withUnsafeBytes { bytes in
            UnsafeMutableRawBufferPointer(start: start, count: size).copyMemory(from: bytes)
        }
    }

    /// Sets `count` bytes to `value`.
    public func fill(
        at address: some FixedWidthInteger, count: some FixedWidthInteger, with value: UInt8 = 0
    ) throws(AccessError) {
        let start = try range(address, count)
        defer { extendLifetime(self) }
        Bytes.fill(start, Int(truncatingIfNeeded: UInt64(unsigned: count)), with: value)
    }
}

/// Text.
extension Memory {
    /// Reads text of `count` bytes of UTF-8.
    ///
    ///     linker.define("env", "log") {
    ///         (caller: borrowing Caller, address: UInt32, count: UInt32) in
    ///         print(try caller.memory.loadString(at: address, count: count))
    ///     }
    ///
    /// - Throws: `AccessError.memoryOutOfBounds`, or `.malformedText` if it is not UTF-8.
    public func loadString(
        at address: some FixedWidthInteger, count: some FixedWidthInteger
    ) throws(AccessError) -> String {
        let bytes = try loadArray(of: UInt8.self, at: address, count: count)
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw .malformedText(address: UInt64(unsigned: address))
        }
        return text
    }

    /// Reads text that ends with a byte 0, as in C.
    ///
    /// - Parameters:
    ///   - address: of the text's first byte.
    ///   - limit: the most bytes of the text.
    /// - Throws: `AccessError.unterminatedText` if there is no 0 within the limit and the memory,
    ///   `.malformedText` if it is no UTF-8.
    public func loadCString(
        at address: some FixedWidthInteger, limit: Int = 1 << 20
    ) throws(AccessError) -> String {
        let address = UInt64(unsigned: address)
        let size = UInt64(UInt(bitPattern: byteCount))
        guard address <= size else { throw .memoryOutOfBounds(address: address, count: 1) }
        // One more byte than the text: the 0.
        let most = min(size - address, UInt64(max(limit, 0)) + 1)
        let start = try range(address, most)
        defer { extendLifetime(self) }
        guard let count = Bytes.index(of: 0, in: start, Int(truncatingIfNeeded: most)) else {
            throw .unterminatedText(address: address)
        }
        return try loadString(at: address, count: count)
    }

    /// Writes text as UTF-8, without a terminator.
    ///
    /// - Returns: how many bytes were written.
    @discardableResult
    public func storeString(
        _ text: String, at address: some FixedWidthInteger
    ) throws(AccessError) -> Int {
        let bytes = Array(text.utf8)
        try store(contentsOf: bytes, at: address)
        return bytes.count
    }

    /// Writes text as UTF-8 and a 0 after it.
    ///
    /// - Returns: how many bytes were written, the 0 included.
    @discardableResult
    public func storeCString(
        _ text: String, at address: some FixedWidthInteger
    ) throws(AccessError) -> Int {
        let bytes = Array(text.utf8) + [0]
        try store(contentsOf: bytes, at: address)
        return bytes.count
    }
}

/// Views of the bytes without a copy. They are valid during `body`, which must not run a guest.
/// Throws `AccessError` for bounds, and errors of `body` unchanged.
extension Memory {
    /// Passes `count` bytes to `body` for reading.
    ///
    ///     let first = try memory.withBytes(at: address, count: 4096) { bytes in
    ///         bytes.indices.first { bytes[$0] == 0x0a }
    ///     }
    public func withBytes<Result>(
        at address: some FixedWidthInteger, count: some FixedWidthInteger,
        _ body: (Span<UInt8>) throws -> Result
    ) throws -> Result {
        let count = UInt64(unsigned: count)
        let start = try range(address, count)
        let bytes = UnsafeBufferPointer(
            start: start.assumingMemoryBound(to: UInt8.self),
            count: Int(truncatingIfNeeded: count))
        return try withExtendedLifetime(self) { try body(bytes.span) }
    }

    /// Passes `count` bytes to `body` for reading and writing.
    ///
    ///     try memory.withMutableBytes(at: address, count: 16) { bytes in
    ///         for index in bytes.indices { bytes[index] ^= 0xff }
    ///     }
    public func withMutableBytes<Result>(
        at address: some FixedWidthInteger, count: some FixedWidthInteger,
        _ body: (inout MutableSpan<UInt8>) throws -> Result
    ) throws -> Result {
        let count = UInt64(unsigned: count)
        let start = try range(address, count)
        let bytes = UnsafeMutableBufferPointer(
            start: start.assumingMemoryBound(to: UInt8.self),
            count: Int(truncatingIfNeeded: count))
        return try withExtendedLifetime(self) {
            var span = bytes.mutableSpan
            return try body(&span)
        }
    }
}

extension Memory {
    /// The start of `count` bytes at `address`; throws unless all are in the memory.
    @inlinable
    func range(
        _ address: some FixedWidthInteger, _ count: some FixedWidthInteger
    ) throws(AccessError) -> UnsafeMutableRawPointer {
        try checkedRange(UInt64(unsigned: address), UInt64(unsigned: count))
    }

    @usableFromInline
    func checkedRange(
        _ address: UInt64, _ count: UInt64
    ) throws(AccessError) -> UnsafeMutableRawPointer {
        storage.refresh()
        let bytes = GuestMemory(storage.record.pointee)
        guard bytes.contains(at: address, count: count) else {
            throw .memoryOutOfBounds(address: address, count: count)
        }
        return bytes.base + Int(truncatingIfNeeded: address)
    }
}

extension UInt64 {
    /// The bits of an integer as an unsigned number of the same width.
    @inlinable
    init<Source: FixedWidthInteger>(unsigned source: Source) {
        self.init(clamping: Source.Magnitude(truncatingIfNeeded: source))
    }
}
