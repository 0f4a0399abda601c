// Soundness: this file lends the bytes of arrays, spans and literals to the standard library and to
// comparisons, for the length of a call. Indices into a literal are below its `utf8CodeUnitCount`,
// words of eight bytes are loaded only where eight bytes are left, and no pointer leaves a
// function.

/// A set of ASCII characters, as a bit each. Bytes from 128 on are in none.
struct ByteSet {
    let low: UInt64
    let high: UInt64

    @inline(__always)
    func contains(_ byte: UInt8) -> Bool {
        let word = byte & 0x40 == 0 ? low : high
        return byte < 0x80 && (word >> UInt64(byte & 0x3f)) & 1 == 1
    }

    /// `token`, RFC 9110 5.6.2.
    @inline(__always)
    static var token: ByteSet { ByteSet(low: 0x03ff_6cfa_0000_0000, high: 0x57ff_ffff_c7ff_fffe) }
    /// `unreserved`, RFC 3986 2.3.
    @inline(__always)
    static var unreserved: ByteSet {
        ByteSet(low: 0x03ff_6000_0000_0000, high: 0x47ff_fffe_87ff_fffe)
    }
    /// `pchar` without percent encoding, RFC 3986 3.3.
    @inline(__always)
    static var path: ByteSet { ByteSet(low: 0x2fff_7fd2_0000_0000, high: 0x47ff_fffe_87ff_ffff) }
    /// `reg-name` with the percent sign, RFC 3986 3.2.2.
    @inline(__always)
    static var name: ByteSet { ByteSet(low: 0x2bff_7ff2_0000_0000, high: 0x47ff_fffe_87ff_fffe) }
    /// `etagc` below 128, RFC 9110 8.8.3.
    @inline(__always)
    static var entityTag: ByteSet {
        ByteSet(low: 0xffff_fffa_0000_0000, high: 0x7fff_ffff_ffff_ffff)
    }
}

/// Characters that the grammar names.
enum ASCII {
    static var tab: UInt8 { 0x09 }
    static var lineFeed: UInt8 { 0x0a }
    static var carriageReturn: UInt8 { 0x0d }
    static var space: UInt8 { 0x20 }
    static var quote: UInt8 { 0x22 }
    static var percent: UInt8 { 0x25 }
    static var comma: UInt8 { 0x2c }
    static var minus: UInt8 { 0x2d }
    static var dot: UInt8 { 0x2e }
    static var slash: UInt8 { 0x2f }
    static var zero: UInt8 { 0x30 }
    static var colon: UInt8 { 0x3a }
    static var semicolon: UInt8 { 0x3b }
    static var equals: UInt8 { 0x3d }
    static var question: UInt8 { 0x3f }
    static var backslash: UInt8 { 0x5c }
    static var underscore: UInt8 { 0x5f }
}

extension UInt8 {
    /// The lower-case letter of an upper-case one of ASCII, else the byte itself.
    @inline(__always)
    var lowercase: UInt8 { self &- 0x41 < 26 ? self | 0x20 : self }

    @inline(__always)
    var uppercase: UInt8 { self &- 0x61 < 26 ? self & 0xdf : self }

    /// 0 to 9, or nil.
    @inline(__always)
    var digit: UInt8? { self &- 0x30 < 10 ? self &- 0x30 : nil }

    @inline(__always)
    var hexDigit: UInt8? {
        if self &- 0x30 < 10 { return self &- 0x30 }
        let letter = self | 0x20
        return letter &- 0x61 < 6 ? letter &- 0x57 : nil
    }

    /// Whether a field value may hold the byte: VCHAR, obs-text, SP and HTAB (RFC 9110 5.5).
    @inline(__always)
    var isFieldByte: Bool { self >= 0x20 ? self != 0x7f : self == 0x09 }

    /// SP or HTAB.
    @inline(__always)
    var isBlank: Bool { self == 0x20 || self == 0x09 }
}

extension [UInt8] {
    /// Appends the bytes of a literal.
    @inline(__always)
    mutating func append(text: StaticString) {
        unsafe append(
            contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// Appends bytes that a caller lends.
    @inline(__always)
    mutating func append(span: borrowing Span<UInt8>, _ range: Range<Int>) {
        let part = span.extracting(range)
        unsafe part.withUnsafeBufferPointer { unsafe append(contentsOf: $0) }
    }

    init(_ text: StaticString) {
        self = []
        append(text: text)
    }

    /// Appends a number in decimal.
    mutating func append(decimal value: UInt64) {
        if value < 10 {
            append(ASCII.zero &+ UInt8(truncatingIfNeeded: value))
            return
        }
        var divisor: UInt64 = 1
        while value / divisor >= 10 { divisor &*= 10 }
        while divisor > 0 {
            append(ASCII.zero &+ UInt8(truncatingIfNeeded: value / divisor % 10))
            divisor /= 10
        }
    }

    /// Appends a number in hexadecimal, in lower case, without leading zeros.
    mutating func append(hexadecimal value: UInt64) {
        var shift: UInt64 = 60
        while shift > 0, value >> shift == 0 { shift &-= 4 }
        while true {
            append(hexDigit: UInt8(truncatingIfNeeded: value >> shift) & 15)
            if shift == 0 { return }
            shift &-= 4
        }
    }

    /// Appends a digit of 0 to 15, in lower case.
    mutating func append(hexDigit value: UInt8) {
        append(value < 10 ? value &+ 0x30 : value &+ 0x57)
    }

    /// Appends a number below 100 with two digits.
    mutating func append(twoDigits value: Int) {
        append(ASCII.zero &+ UInt8(truncatingIfNeeded: value / 10 % 10))
        append(ASCII.zero &+ UInt8(truncatingIfNeeded: value % 10))
    }

    mutating func appendLineEnd() {
        append(ASCII.carriageReturn)
        append(ASCII.lineFeed)
    }
}

extension Collection<UInt8> where Index == Int {
    /// Whether the bytes are those of a literal in lower case, ignoring the case of letters in
    /// them.
    @inline(__always)
    func equals(lowercase text: StaticString) -> Bool {
        guard count == text.utf8CodeUnitCount else { return false }
        let start = unsafe text.utf8Start
        var position = 0
        for byte in self {
            if unsafe byte.lowercase != start[position] { return false }
            position &+= 1
        }
        return true
    }

    /// Whether the bytes are those of a literal.
    func equals(_ text: StaticString) -> Bool {
        guard count == text.utf8CodeUnitCount else { return false }
        let start = unsafe text.utf8Start
        var position = 0
        for byte in self {
            if unsafe byte != start[position] { return false }
            position &+= 1
        }
        return true
    }

    /// Whether the bytes are the same, ignoring the case of ASCII letters.
    func equalsIgnoringCase(_ other: some Collection<UInt8>) -> Bool {
        count == other.count && zip(self, other).allSatisfy { $0.lowercase == $1.lowercase }
    }
}

extension Span<UInt8> {
    /// Whether a range holds a literal.
    @inline(__always)
    func equals(_ range: Range<Int>, _ text: StaticString) -> Bool {
        guard range.count == text.utf8CodeUnitCount else { return false }
        let start = unsafe text.utf8Start
        for offset in 0..<range.count {
            if unsafe self[range.lowerBound &+ offset] != start[offset] { return false }
        }
        return true
    }

    /// Whether a range holds a literal in lower case, ignoring the case of letters in it.
    @inline(__always)
    func equals(_ range: Range<Int>, lowercase text: StaticString) -> Bool {
        guard range.count == text.utf8CodeUnitCount else { return false }
        let start = unsafe text.utf8Start
        for offset in 0..<range.count {
            if unsafe self[range.lowerBound &+ offset].lowercase != start[offset] { return false }
        }
        return true
    }
}

extension Span<UInt8> {
    /// The first index of a line feed in a range, or the range's end. Eight bytes at a time.
    @inline(__always)
    func firstLineFeed(_ range: Range<Int>) -> Int {
        let part = extracting(range)
        return unsafe part.withUnsafeBytes { bytes in
            var index = 0
            while bytes.count &- index >= 8 {
                let word = unsafe bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)
                // A byte that is zero afterwards is a line feed.
                let other = word.littleEndian ^ 0x0a0a_0a0a_0a0a_0a0a
                let zeros = (other &- 0x0101_0101_0101_0101) & ~other & 0x8080_8080_8080_8080
                if zeros != 0 { return range.lowerBound &+ index &+ zeros.trailingZeroBitCount / 8 }
                index &+= 8
            }
            while index < bytes.count, unsafe bytes[index] != ASCII.lineFeed { index &+= 1 }
            return range.lowerBound &+ index
        }
    }

    /// The first index of a byte that may not be in a field value, or the range's end.
    @inline(__always)
    func firstNonFieldByte(_ range: Range<Int>) -> Int {
        let part = extracting(range)
        return unsafe part.withUnsafeBytes { bytes in
            var index = 0
            while bytes.count &- index >= 8 {
                let word = unsafe bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)
                // Marks bytes below 0x20, and those that are 0x7f; a tab is marked as well, and a
                // byte after a marked one may be: the bytes of such a word are looked at one by
                // one.
                let low = (word &- 0x2020_2020_2020_2020) & ~word
                let other = word ^ 0x7f7f_7f7f_7f7f_7f7f
                let delete = (other &- 0x0101_0101_0101_0101) & ~other
                if (low | delete) & 0x8080_8080_8080_8080 != 0 {
                    for offset in index..<(index &+ 8) where unsafe !bytes[offset].isFieldByte {
                        return range.lowerBound &+ offset
                    }
                }
                index &+= 8
            }
            while index < bytes.count, unsafe bytes[index].isFieldByte { index &+= 1 }
            return range.lowerBound &+ index
        }
    }
}

extension ArraySlice<UInt8> {
    /// The slice without SP and HTAB at both ends.
    var trimmed: ArraySlice<UInt8> {
        var slice = self
        while let first = slice.first, first.isBlank { slice.removeFirst() }
        while let last = slice.last, last.isBlank { slice.removeLast() }
        return slice
    }

    /// The text, with bytes that are no UTF-8 repaired: for messages to people only.
    var text: String { String(decoding: self, as: UTF8.self) }
}
