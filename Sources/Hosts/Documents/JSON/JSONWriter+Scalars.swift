extension JSONWriter {
    /// Writes a value that holds no other, and nothing around it.
    mutating func appendScalar(_ value: Document, comma: Bool = false) {
        switch value {
        case .string(let value):
            appendString(value, comma: comma)
            return
        case .integer(let value):
            appendDecimal(
                value.magnitude, fractionDigits: 0, isNegative: value < 0, comma: comma)
            return
        case .double(let value) where appendShortDecimal(value, comma: comma): return
        default: if comma { bytes.append(UInt8(ascii: ",")) }
        }
        switch value {
        case .null, .array, .object: append("null")
        case .boolean(let value): append(value ? "true" : "false")
        case .integer(let value): appendInteger(value)
        case .integer32(let value): appendInteger(Int64(value))
        case .unsigned(let value): appendDigits(value)
        case .double(let value): appendDouble(value)
        case .string(let value): appendString(value)
        case .dateTime(let value): appendString(value.description)
        case .bytes(let value): appendBytes(value)
        case .foreign(let value):
            append("{\"$bson\":{\"type\":")
            appendDigits(UInt64(value.type))
            append(",\"bytes\":\"")
            bytes.appendBase64(value.payload)
            append("\"}}")
        }
    }

    private mutating func appendBytes(_ value: [UInt8]) {
        if options.bytes == .object { append("{\"$binary\":") }
        bytes.append(UInt8(ascii: "\""))
        bytes.appendBase64(value)
        bytes.append(UInt8(ascii: "\""))
        if options.bytes == .object { bytes.append(UInt8(ascii: "}")) }
    }

    mutating func append(_ text: StaticString) {
        text.withUTF8Buffer { text in unsafe bytes.append(contentsOf: text) }
    }

    mutating func appendInteger(_ value: Int64) {
        appendDecimal(value.magnitude, fractionDigits: 0, isNegative: value < 0)
    }

    mutating func appendDigits(_ value: UInt64) {
        appendDecimal(value, fractionDigits: 0, isNegative: false)
    }

    /// Writes `value` / 10 ^ `fractionDigits`, at most 18 of which are after the point.
    private mutating func appendDecimal(
        _ value: UInt64, fractionDigits: Int, isNegative: Bool, comma: Bool = false
    ) {
        // A comma, a sign, 20 digits and a point, from the end.
        var text = InlineArray<24, UInt8>(repeating: 0)
        var start = text.count
        var rest = value
        var count = 0
        repeat {
            if count == fractionDigits, count > 0 {
                start -= 1
                text[start] = UInt8(ascii: ".")
            }
            start -= 1
            text[start] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
            count += 1
        } while rest > 0 || count <= fractionDigits
        if isNegative {
            start -= 1
            text[start] = UInt8(ascii: "-")
        }
        if comma {
            start -= 1
            text[start] = UInt8(ascii: ",")
        }
        bytes.append(addingCapacity: text.count) { (output: inout OutputSpan<UInt8>) in
            for index in start..<text.count { output.append(text[index]) }
        }
    }

    mutating func appendDouble(_ value: Double) {
        guard value.isFinite else {
            switch options.nonFinite {
            case .null: append("null")
            case .text:
                append(value.isNaN ? "\"NaN\"" : value < 0 ? "\"-Infinity\"" : "\"Infinity\"")
            }
            return
        }
        bytes.append(contentsOf: value.description.utf8)
    }

    /// Writes a double that is a decimal of at most 15 digits with 1 to 6 of them after the point.
    /// Decimals of 15 digits differ as doubles, so that this is the shortest.
    private mutating func appendShortDecimal(_ value: Double, comma: Bool) -> Bool {
        let magnitude = value.magnitude
        guard magnitude < 1e9, magnitude >= 1e-3 || magnitude == 0 else { return false }
        // Below 2^50, so that the products and sums are off by less than a half.
        var decimal = UInt64(magnitude * 1e6 + 0.5)
        guard Double(decimal) / 1e6 == magnitude else { return false }
        var digits = 6
        while digits > 1, decimal % 10 == 0 {
            decimal /= 10
            digits -= 1
        }
        appendDecimal(
            decimal, fractionDigits: digits, isNegative: value.sign == .minus, comma: comma)
        return true
    }

    /// Writes a string with its quotes, after a comma, before a colon.
    mutating func appendString(_ text: String, comma: Bool = false, colon: Bool = false) {
        let characters = text.utf8.span
        let count = characters.count
        var index = 0
        if count <= Self.copiedBytes {
            bytes.append(addingCapacity: Self.copiedBytes + 4) {
                (output: inout OutputSpan<UInt8>) in
                if comma { output.append(UInt8(ascii: ",")) }
                output.append(UInt8(ascii: "\""))
                while index < count, !characters[index].needsEscape {
                    output.append(characters[index])
                    index += 1
                }
                if index == count {
                    output.append(UInt8(ascii: "\""))
                    if colon { output.append(UInt8(ascii: ":")) }
                }
            }
            if index == count { return }
        } else {
            if comma { bytes.append(UInt8(ascii: ",")) }
            bytes.append(UInt8(ascii: "\""))
            while index < count, !characters[index].needsEscape { index += 1 }
            if index == count {
                bytes.append(contentsOf: text.utf8)
            } else {
                index = 0
            }
        }
        while index < count {
            appendCharacter(characters[index])
            index += 1
        }
        bytes.append(UInt8(ascii: "\""))
        if colon { bytes.append(UInt8(ascii: ":")) }
    }

    /// Longest string that is copied byte by byte.
    private static let copiedBytes = 28

    private mutating func appendCharacter(_ byte: UInt8) {
        guard byte.needsEscape else {
            bytes.append(byte)
            return
        }
        bytes.append(UInt8(ascii: "\\"))
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes.append(byte)
        case 0x0a: bytes.append(UInt8(ascii: "n"))
        case 0x0d: bytes.append(UInt8(ascii: "r"))
        case 0x09: bytes.append(UInt8(ascii: "t"))
        default:
            append("u00")
            bytes.append(byte >> 4 | UInt8(ascii: "0"))
            let low = byte & 15
            bytes.append(low < 10 ? UInt8(ascii: "0") + low : UInt8(ascii: "a") + (low - 10))
        }
    }
}

extension UInt8 {
    @inline(__always)
    var needsEscape: Bool {
        self < 0x20 || self == UInt8(ascii: "\"") || self == UInt8(ascii: "\\") || self == 0x7f
    }
}

extension [UInt8] {
    /// Appends the bytes in base64, with padding.
    ///
    /// Specification: RFC 4648, section 4.
    mutating func appendBase64(_ bytes: [UInt8]) {
        reserveCapacity(count + (bytes.count + 2) / 3 * 4)
        var at = 0
        while at < bytes.count {
            let rest = bytes.count - at
            let second = rest > 1 ? bytes[at + 1] : 0
            let third = rest > 2 ? bytes[at + 2] : 0
            append(Self.base64Letter(bytes[at] >> 2))
            append(Self.base64Letter((bytes[at] & 3) << 4 | second >> 4))
            append(rest > 1 ? Self.base64Letter((second & 15) << 2 | third >> 6) : 0x3d)
            append(rest > 2 ? Self.base64Letter(third & 63) : 0x3d)
            at += 3
        }
    }

    private static func base64Letter(_ value: UInt8) -> UInt8 {
        switch value {
        case 0..<26: UInt8(ascii: "A") + value
        case 26..<52: UInt8(ascii: "a") + (value - 26)
        case 52..<62: UInt8(ascii: "0") + (value - 52)
        case 62: UInt8(ascii: "+")
        default: UInt8(ascii: "/")
        }
    }
}
