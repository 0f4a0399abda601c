/// SHA-256 (FIPS 180-4, section 6.2), of bytes that come at once or in pieces.
///
/// ```swift
/// let digest = SHA256.hash(bytes.span)
///
/// var hash = SHA256()
/// while let piece = try await next() { hash.update(piece.span) }
/// print(hash.finish())                       // 64 hexadecimal digits
/// ```
///
/// A value of a fixed size that never allocates. Some 3 ns per byte: a task of an event loop hashes
/// at most 200 KiB at once, and more in `blocking`.
public struct SHA256: Sendable {
    private var state = SHA256State()
    /// The bytes after the last whole block: the first `pendingCount` of the block.
    private var pending = InlineArray<64, UInt8>(repeating: 0)
    private var pendingCount = 0
    /// Bytes so far, modulo 2^64.
    private var byteCount: UInt64 = 0

    public init() {}

    /// The digest of all bytes.
    public static func hash(_ bytes: RawSpan) -> Digest {
        var hash = SHA256()
        hash.update(bytes)
        return hash.finish()
    }

    /// The digest of all bytes.
    public static func hash(_ bytes: Span<UInt8>) -> Digest { unsafe hash(bytes.bytes) }

    /// The digest of all bytes.
    public static func hash(_ bytes: [UInt8]) -> Digest { unsafe hash(bytes.span.bytes) }

    /// Adds bytes after those before.
    public mutating func update(_ bytes: Span<UInt8>) { unsafe update(bytes.bytes) }

    /// Adds bytes after those before.
    public mutating func update(_ bytes: RawSpan) {
        byteCount &+= UInt64(truncatingIfNeeded: bytes.byteCount)
        var rest = bytes
        if pendingCount > 0 {
            let count = min(64 - pendingCount, rest.byteCount)
            keep(rest.extracting(first: count))
            rest = rest.extracting(droppingFirst: count)
            guard pendingCount == 64 else { return }
            unsafe state.add(blocksOf: pending.span.bytes)
            pendingCount = 0
        }
        state.add(blocksOf: rest)
        keep(rest.extracting(droppingFirst: rest.byteCount & ~63))
    }

    /// The digest of all bytes so far. More can be added afterwards: this is a copy.
    public func finish() -> Digest {
        var copy = self
        let bitCount = byteCount &* 8
        // A one bit, zeros, and the length in bits, up to a whole block.
        copy.pad(0x80)
        while copy.pendingCount != 56 { copy.pad(0) }
        for shift in stride(from: UInt64(56), through: 0, by: -8) {
            copy.pad(UInt8(truncatingIfNeeded: bitCount &>> shift))
        }
        return copy.state.digest
    }

    private mutating func keep(_ bytes: RawSpan) {
        for index in bytes.byteOffsets {
            pending[pendingCount] = unsafe bytes.unsafeLoad(fromByteOffset: index, as: UInt8.self)
            pendingCount += 1
        }
    }

    private mutating func pad(_ byte: UInt8) {
        pending[pendingCount] = byte
        pendingCount += 1
        guard pendingCount == 64 else { return }
        unsafe state.add(blocksOf: pending.span.bytes)
        pendingCount = 0
    }
}
