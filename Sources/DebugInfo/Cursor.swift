// Soundness: `position` <= `end` <= `bytes.count` always: `init` clamps, and every method compares
// with `end` before it reads or moves. The cursor keeps the bytes alive.

import WasmDecoder

/// A part of the debug information is damaged, or in a form that is not known here.
struct Damaged: Error {}

/// Reads the values of DWARF one after another, up to the end of a section or a part of one.
///
/// DWARF 5: 7.6 (variable-length data), 7.4 (32-bit and 64-bit formats).
struct Cursor {
    let bytes: ModuleBytes
    /// From the start of the file.
    private(set) var position: Int
    let end: Int

    init(_ bytes: ModuleBytes, _ range: ByteRange) {
        self.bytes = bytes
        position = min(max(range.start, 0), bytes.count)
        end = min(max(range.end, position), bytes.count)
    }

    var isAtEnd: Bool { position == end }
    var remaining: Int { end - position }

    mutating func skip(_ count: UInt64) throws(Damaged) {
        guard count <= UInt64(remaining) else { throw Damaged() }
        position += Int(count)
    }

    /// A cursor over the next `count` bytes, which this one moves over.
    mutating func part(_ count: UInt64) throws(Damaged) -> Cursor {
        let start = position
        try skip(count)
        return Cursor(bytes, ByteRange(start: start, end: position))
    }

    // MARK: Integers

    @inline(__always)
    mutating func byte() throws(Damaged) -> UInt8 {
        guard position < end else { throw Damaged() }
        let value = bytes.base[position]
        position += 1
        return value
    }

    /// An integer of `count` bytes, at most 8, little endian.
    mutating func unsigned(bytes count: Int) throws(Damaged) -> UInt64 {
        guard count <= remaining else { throw Damaged() }
        var value: UInt64 = 0
        for index in 0..<count {
            value |= UInt64(bytes.base[position + index]) &<< UInt64(8 * index)
        }
        position += count
        return value
    }

    /// Unsigned LEB128; bits beyond 64 are lost.
    @inline(__always)
    mutating func unsigned() throws(Damaged) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let next = try byte()
            // A smart shift: what is too far away becomes zero.
            value |= UInt64(next & 0x7f) << shift
            if next & 0x80 == 0 { return value }
            shift = min(shift + 7, 64)
        }
    }

    /// Signed LEB128; bits beyond 64 are lost.
    mutating func signed() throws(Damaged) -> Int64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let next = try byte()
            value |= UInt64(next & 0x7f) << shift
            shift = min(shift + 7, 64)
            if next & 0x80 == 0 {
                if next & 0x40 != 0 { value |= UInt64.max << shift }
                return Int64(bitPattern: value)
            }
        }
    }

    /// The length of a unit, and how many bytes offsets have in it: 4, or 8 after an escape.
    mutating func unitLength() throws(Damaged) -> (length: UInt64, offsetSize: Int) {
        let length = try unsigned(bytes: 4)
        if length == 0xffff_ffff { return (try unsigned(bytes: 8), 8) }
        guard length < 0xffff_fff0 else { throw Damaged() }
        return (length, 4)
    }

    // MARK: Strings

    /// Moves over a string that ends with a zero, and returns where it starts.
    mutating func string() throws(Damaged) -> StringPlace {
        let start = position
        while try byte() != 0 {}
        return StringPlace(position: start)
    }
}

/// Where in the file a string is, which ends with a zero. Made into a `String` when it is wanted.
struct StringPlace: Hashable {
    let position: Int

    /// Longer ones are cut off: paths have fewer, and one string may be named a million times.
    static let lengthLimit = 4096

    func text(in bytes: ModuleBytes) -> String {
        let limit = min(position + Self.lengthLimit, bytes.count)
        var end = position
        while end < limit, bytes.base[end] != 0 { end += 1 }
        return String(decoding: bytes[ByteRange(start: position, end: end)], as: UTF8.self)
    }
}
