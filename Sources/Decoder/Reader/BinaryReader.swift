// Soundness: `base`, `cursor` and `end` point into the bytes of one `ModuleBytes`, which the caller
// keeps alive. `base` <= `cursor` <= `end` <= `fileEnd` always: `init` and `offset` clamp what they
// are given, and every method compares with `end` (integers: `fileEnd`, and then with `end`) before
// it reads or moves. `entries` is never freed.

/// Reads the values of the binary format one after another, up to the end of a range.
///
/// A reader is a position and knows nothing of what it has read, but for `hasRedundantForms`; copies
/// are independent. After a method has thrown, the position is somewhere in what it tried to read.
///
/// - Important: it does not keep the bytes alive: the `ModuleBytes` must outlive it.
///
/// Specification: 5.2 (values) to 5.4 (instructions).
public struct BinaryReader {
    @usableFromInline let base: UnsafePointer<UInt8>
    @usableFromInline var cursor: UnsafePointer<UInt8>
    @usableFromInline let end: UnsafePointer<UInt8>
    /// End of the bytes of the module; only tells errors apart.
    @usableFromInline let fileEnd: UnsafePointer<UInt8>
    /// Of the plain opcodes: one for each byte.
    @usableFromInline let entries: UnsafePointer<OpcodeEntry>
    /// The features that are off, and the highest bit: an `OpcodeEntry` that meets none is usable.
    @usableFromInline let refused: UInt32
    @usableFromInline let maximumLocals: UInt32
    @usableFromInline let maximumLabels: UInt32
    /// Whether a number or type that was read takes more bytes than it needs, or is an index that
    /// was clamped. Set, never reset; numbers of one byte and other shortest forms do not touch it.
    public internal(set) var hasRedundantForms = false

    /// Reads `range` of `bytes`, as far as it is inside the file.
    ///
    /// Opcodes and types that need other features than `features` are refused.
    public init(
        _ bytes: ModuleBytes, range: ByteRange, features: Features,
        limits: DecodingLimits = .default
    ) {
        let start = min(max(range.start, 0), bytes.count)
        base = bytes.base
        cursor = bytes.base + start
        end = bytes.base + min(max(range.end, start), bytes.count)
        fileEnd = bytes.base + bytes.count
        entries = OpcodePage.plain.entries
        refused = ~features.rawValue | 1 << 31
        maximumLocals = UInt32(clamping: limits.locals)
        maximumLabels = UInt32(clamping: limits.labels)
    }

    /// Position of the next byte, from the start of the file. What it is set to is clamped to the
    /// file's part before the end of the range.
    @inlinable public var offset: Int {
        get { cursor - base }
        set { cursor = base + min(max(newValue, 0), end - base) }
    }

    /// Where the range ends, from the start of the file.
    @inlinable public var endOffset: Int { end - base }
    @inlinable public var isAtEnd: Bool { cursor == end }
    /// Bytes that are left.
    @inlinable public var remaining: Int { end - cursor }

    /// Throws `featureRequired` at `offset` unless all of `features` are on.
    @inlinable
    public func require(_ features: Features, at offset: Int) throws(DecodingError) {
        if features.rawValue & refused != 0 {
            throw .requires(Features(rawValue: features.rawValue & refused), at: offset)
        }
    }

    /// An error at the next byte.
    @usableFromInline
    func failure(_ reason: DecodingError.Reason) -> DecodingError {
        DecodingError(reason, at: offset)
    }

    // MARK: Bytes

    /// The next byte, without moving; nil at the end.
    @inlinable public var nextByte: UInt8? { cursor == end ? nil : cursor.pointee }

    @inlinable @inline(__always)
    public mutating func byte() throws(DecodingError) -> UInt8 {
        guard cursor != end else { throw failure(.unexpectedEnd) }
        let byte = cursor.pointee
        cursor += 1
        return byte
    }

    /// Moves over `count` bytes; throws if there are fewer, or if `count` is negative.
    @inlinable
    public mutating func skip(_ count: Int) throws(DecodingError) {
        guard count >= 0, count <= end - cursor else { throw failure(.unexpectedEnd) }
        cursor += count
    }

    /// The bits of an f32: four bytes, little endian.
    @inlinable
    public mutating func float32Bits() throws(DecodingError) -> UInt32 {
        guard end - cursor >= 4 else { throw DecodingError(.unexpectedEnd, at: endOffset) }
        let bits = UnsafeRawPointer(cursor).loadUnaligned(as: UInt32.self)
        cursor += 4
        return UInt32(littleEndian: bits)
    }

    /// The bits of an f64: eight bytes, little endian.
    @inlinable
    public mutating func float64Bits() throws(DecodingError) -> UInt64 {
        guard end - cursor >= 8 else { throw DecodingError(.unexpectedEnd, at: endOffset) }
        let bits = UnsafeRawPointer(cursor).loadUnaligned(as: UInt64.self)
        cursor += 8
        return UInt64(littleEndian: bits)
    }

    /// Sixteen bytes: a v128 constant or the lanes of a shuffle; byte 0 is the lowest of `low`.
    @inlinable
    public mutating func vector128() throws(DecodingError) -> (low: UInt64, high: UInt64) {
        (try float64Bits(), try float64Bits())
    }

    // MARK: Integers (5.2.2)

    @inlinable @inline(__always)
    public mutating func unsigned32() throws(DecodingError) -> UInt32 {
        if cursor != end, cursor.pointee < 0x80 {
            let byte = cursor.pointee
            cursor += 1
            return UInt32(truncatingIfNeeded: byte)
        }
        return UInt32(truncatingIfNeeded: try longUnsigned(bits: 32))
    }

    @inlinable @inline(__always)
    public mutating func unsigned64() throws(DecodingError) -> UInt64 {
        if cursor != end, cursor.pointee < 0x80 {
            let byte = cursor.pointee
            cursor += 1
            return UInt64(truncatingIfNeeded: byte)
        }
        return try longUnsigned(bits: 64)
    }

    @inlinable @inline(__always)
    public mutating func signed32() throws(DecodingError) -> Int32 {
        if cursor != end, cursor.pointee < 0x80 {
            let byte = cursor.pointee
            cursor += 1
            return Int32(truncatingIfNeeded: Int8(bitPattern: byte &<< 1) &>> 1)
        }
        return Int32(truncatingIfNeeded: try longSigned(bits: 32))
    }

    @inlinable
    public mutating func signed33() throws(DecodingError) -> Int64 { try longSigned(bits: 33) }

    @inlinable
    public mutating func signed64() throws(DecodingError) -> Int64 { try longSigned(bits: 64) }

    /// An integer of `bits` bits in at most (bits + 6) / 7 bytes.
    ///
    /// One that goes on after the range is read to its end, so that a malformed one is found out
    /// as such; only then the range counts.
    @usableFromInline @inline(never)
    mutating func longUnsigned(bits: UInt64) throws(DecodingError) -> UInt64 {
        // Most have two bytes, which all widths allow; with a last byte of 0 one is too many.
        if end - cursor >= 2, cursor.pointee >= 0x80, cursor[1] &- 1 < 0x7f {
            let result = UInt64(cursor.pointee & 0x7f) | UInt64(cursor[1]) &<< 7
            cursor += 2
            return result
        }
        var result: UInt64 = 0
        var shift: UInt64 = 0
        var next = cursor
        while next != fileEnd {
            let byte = next.pointee
            result |= UInt64(byte & 0x7f) &<< shift
            let left = bits &- shift
            if left <= 7 {
                // The last byte that there may be.
                if byte >= 0x80 { throw failure(.integerRepresentationTooLong, at: next) }
                if UInt64(byte) &>> left != 0 { throw failure(.integerTooLarge, at: next) }
            }
            next += 1
            if byte < 0x80 {
                if byte == 0, next - cursor > 1 { hasRedundantForms = true }
                try move(to: next)
                return result
            }
            shift &+= 7
        }
        throw DecodingError(.unexpectedEnd, at: endOffset)
    }

    /// The same for two's complement; unused bits must repeat the sign.
    @usableFromInline @inline(never)
    mutating func longSigned(bits: UInt64) throws(DecodingError) -> Int64 {
        guard end - cursor >= 4 else { return try anySigned(bits: bits) }
        if cursor.pointee < 0x80 {
            defer { cursor += 1 }
            return Int64(Int8(bitPattern: cursor.pointee &<< 1) &>> 1)
        }
        // Two to four bytes, which all widths allow: the seven bits of each, side by side.
        let word = UInt32(
            littleEndian: UnsafeRawPointer(cursor).loadUnaligned(as: UInt32.self))
        let ends = ~word & 0x8080_8080
        guard ends != 0 else { return try anySigned(bits: bits) }
        let count = (UInt32(truncatingIfNeeded: ends.trailingZeroBitCount) &+ 1) &>> 3
        let low = (word & 0x7f) | (word &>> 1 & 0x3f80)
        let packed = low | (word &>> 2 & 0x1f_c000) | (word &>> 3 & 0xfe0_0000)
        let unused = 32 &- 7 &* count
        let value = Int32(bitPattern: packed &<< unused) &>> Int32(truncatingIfNeeded: unused)
        // Whether a byte less would hold it: then it is read where that is noted.
        let upper = value &>> Int32(truncatingIfNeeded: 7 &* count &- 8)
        guard upper != 0, upper != -1 else { return try anySigned(bits: bits) }
        cursor += Int(truncatingIfNeeded: count)
        return Int64(value)
    }

    private mutating func anySigned(bits: UInt64) throws(DecodingError) -> Int64 {
        var result: UInt64 = 0
        var shift: UInt64 = 0
        var next = cursor
        while next != fileEnd {
            let byte = next.pointee
            result |= UInt64(byte & 0x7f) &<< shift
            let left = bits &- shift
            if left <= 7 {
                if byte >= 0x80 { throw failure(.integerRepresentationTooLong, at: next) }
                // Seven bits, sign-extended: all from the sign bit on must be equal.
                let upper = Int8(bitPattern: byte &<< 1) &>> Int8(truncatingIfNeeded: left)
                if upper != 0, upper != -1 { throw failure(.integerTooLarge, at: next) }
            }
            next += 1
            shift &+= 7
            if byte < 0x80 {
                if byte == 0 || byte == 0x7f, next - cursor > 1,
                    ((next - 2).pointee & 0x40 == 0) == (byte == 0)
                {
                    hasRedundantForms = true
                }
                try move(to: next)
                let unused = shift < 64 ? 64 &- shift : 0
                return Int64(bitPattern: result &<< unused) &>> Int64(bitPattern: unused)
            }
        }
        throw DecodingError(.unexpectedEnd, at: endOffset)
    }

    private mutating func move(to next: UnsafePointer<UInt8>) throws(DecodingError) {
        guard next <= end else { throw DecodingError(.unexpectedEnd, at: endOffset) }
        cursor = next
    }

    private func failure(
        _ reason: DecodingError.Reason, at position: UnsafePointer<UInt8>
    ) -> DecodingError {
        DecodingError(reason, at: position - base)
    }

    // MARK: Vectors and names (5.1.3, 5.2.4)

    /// The length of a vector; at least one byte is left for each element.
    @inlinable
    public mutating func count() throws(DecodingError) -> Int {
        let position = offset
        let count = Int(try unsigned32())
        if count > remaining { throw tooLong(at: position) }
        return count
    }

    /// The vector that starts at `position` has more elements than there are bytes.
    @usableFromInline
    func tooLong(at position: Int) -> DecodingError {
        isAtEnd ? failure(.unexpectedEnd) : DecodingError(.lengthOutOfBounds, at: position)
    }

    /// A name: valid UTF-8. Copies its bytes.
    public mutating func name() throws(DecodingError) -> Name {
        let bytes = try nameBytes()
        return Name(utf8: Array(bytes))
    }

    /// Checks a name; the buffer is valid as long as the module's bytes.
    mutating func nameBytes() throws(DecodingError) -> UnsafeBufferPointer<UInt8> {
        let count = try count()
        let bytes = UnsafeBufferPointer(start: cursor, count: count)
        if let position = firstInvalidUTF8(bytes) {
            throw DecodingError(.malformedUTF8, at: offset + position)
        }
        cursor += count
        return bytes
    }
}
