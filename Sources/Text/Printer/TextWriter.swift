import WasmDecoder

/// The text that a printer makes, byte by byte; it is read only when it is complete.
struct TextWriter {
    private(set) var bytes: [UInt8] = []
    private var lineStart = 0

    /// A line break and the deepest indentation.
    private static let indentation = [0x0a] + [UInt8](repeating: 0x20, count: 2 * deepestLevel)
    /// Deeper levels are not indented further: the text stays linear in the depth of nesting.
    private static let deepestLevel = 40

    init(capacity: Int) { bytes.reserveCapacity(capacity) }

    /// How many bytes the current line has.
    var column: Int { bytes.count - lineStart }

    /// A new line, two spaces for each level.
    @inline(__always)
    mutating func newline(_ level: Int) {
        let count = 1 + 2 * max(0, min(level, Self.deepestLevel))
        lineStart = bytes.count + 1
        Self.indentation.withUnsafeBufferPointer {
            bytes.append(contentsOf: UnsafeBufferPointer(rebasing: $0.prefix(count)))
        }
    }

    @inline(__always)
    mutating func byte(_ byte: UInt8) { bytes.append(byte) }

    @inline(__always)
    mutating func space() { bytes.append(0x20) }

    @inline(__always)
    mutating func write(_ text: StaticString) {
        if text.hasPointerRepresentation {
            let buffer = UnsafeBufferPointer(
                start: text.utf8Start, count: text.utf8CodeUnitCount)
            bytes.append(contentsOf: buffer)
        } else {
            text.withUTF8Buffer { bytes.append(contentsOf: $0) }
        }
    }

    mutating func write(_ text: String) { bytes.append(contentsOf: text.utf8) }

    mutating func write(_ slice: ArraySlice<UInt8>) { bytes.append(contentsOf: slice) }

    // MARK: Numbers

    @inline(__always)
    mutating func number(_ value: UInt32) { number(UInt64(value)) }

    mutating func number(_ value: Int64) {
        if value < 0 { byte(0x2d) }
        number(value.magnitude)
    }

    mutating func number(_ value: UInt64) {
        if value < 10 { return byte(0x30 | UInt8(truncatingIfNeeded: value)) }
        var power: UInt64 = 10
        while value / power >= 10 { power *= 10 }
        while power > 0 {
            byte(0x30 | UInt8(truncatingIfNeeded: value / power % 10))
            power /= 10
        }
    }

    /// `0x` and at least `digits` digits.
    mutating func hexadecimal(_ value: UInt64, digits: Int = 1) {
        write("0x")
        var count = max(digits, 1)
        while count < 16, value >> UInt64(4 * count) != 0 { count += 1 }
        while count > 0 {
            count -= 1
            byte(Self.hexadecimalDigit(UInt8(truncatingIfNeeded: value >> UInt64(4 * count)) & 15))
        }
    }

    private static func hexadecimalDigit(_ value: UInt8) -> UInt8 {
        value < 10 ? 0x30 + value : 0x57 + value
    }

    // MARK: Strings and identifiers

    /// A string literal of arbitrary bytes: what is not printable ASCII is escaped.
    mutating func string(_ content: some Sequence<UInt8>) {
        byte(0x22)
        for value in content { escaped(value) }
        byte(0x22)
    }

    /// A string literal of valid UTF-8: what people can read stays as it is.
    mutating func string(utf8 content: [UInt8]) {
        byte(0x22)
        for scalar in String(decoding: content, as: UTF8.self).unicodeScalars {
            if scalar.isASCII {
                escaped(UInt8(truncatingIfNeeded: scalar.value))
            } else if Self.isLegible(scalar) {
                bytes.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
            } else {
                write("\\u{")
                write(String(scalar.value, radix: 16))
                byte(0x7d)
            }
        }
        byte(0x22)
    }

    /// `$name`, or `$"name"` for one with characters that no plain identifier has.
    ///
    /// `name` must be valid UTF-8 and must not be empty.
    mutating func identifier(_ name: [UInt8]) {
        byte(0x24)
        if name.allSatisfy(isIdentifierCharacter) {
            bytes.append(contentsOf: name)
        } else {
            string(utf8: name)
        }
    }

    private mutating func escaped(_ value: UInt8) {
        switch value {
        case 0x22, 0x5c:
            byte(0x5c)
            byte(value)
        case 0x20...0x7e:
            byte(value)
        default:
            byte(0x5c)
            byte(Self.hexadecimalDigit(value >> 4))
            byte(Self.hexadecimalDigit(value & 15))
        }
    }

    /// Characters that a terminal or editor would obey instead of showing them are not.
    private static func isLegible(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator,
            .paragraphSeparator:
            false
        default: true
        }
    }
}
