extension JSONWriter {
    /// Writes a value that holds no other, and nothing around it.
    mutating func appendScalar(_ value: Document) {
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
        bytes.append(contentsOf: text.description.utf8)
    }

    @inline(__always)
    mutating func appendInteger(_ value: Int64) {
        if value < 0 { bytes.append(UInt8(ascii: "-")) }
        appendDigits(value.magnitude)
    }

    @inline(__always)
    mutating func appendDigits(_ value: UInt64) {
        if value < 10 {
            bytes.append(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: value))
            return
        }
        let start = bytes.count
        var rest = value
        while rest > 0 {
            let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
            bytes.append(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: digit))
            rest = quotient
        }
        var low = start
        var high = bytes.count - 1
        while low < high {
            bytes.swapAt(low, high)
            low += 1
            high -= 1
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
        if appendShortDecimal(value) { return }
        bytes.append(contentsOf: value.description.utf8)
    }

    /// Writes a double that is a decimal of at most 15 digits with 1 to 6 of them after the point.
    /// Decimals of 15 digits differ as doubles, so the first that is found is the shortest.
    private mutating func appendShortDecimal(_ value: Double) -> Bool {
        let magnitude = value.magnitude
        guard magnitude < 1e9, magnitude >= 1e-3 || magnitude == 0 else { return false }
        var power = 10.0
        var divisor: UInt64 = 10
        for _ in 1...6 {
            let scaled = (magnitude * power).rounded()
            if scaled / power == magnitude, scaled < 1e15 {
                let decimal = UInt64(scaled)
                if value.sign == .minus { bytes.append(UInt8(ascii: "-")) }
                appendDigits(decimal / divisor)
                bytes.append(UInt8(ascii: "."))
                var fraction = decimal % divisor
                while divisor > 1 {
                    divisor /= 10
                    bytes.append(
                        UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: fraction / divisor))
                    fraction %= divisor
                }
                return true
            }
            power *= 10
            divisor *= 10
        }
        return false
    }

    mutating func appendString(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        var text = text
        // Strings of another encoding become UTF-8 once; ours are.
        text.makeContiguousUTF8()
        let start = bytes.count
        bytes.append(contentsOf: text.utf8)
        var at = start
        while at < bytes.count, !bytes[at].needsEscape { at += 1 }
        if at < bytes.count {
            let tail = Array(bytes[at...])
            bytes.removeSubrange(at...)
            for byte in tail { appendCharacter(byte) }
        }
        bytes.append(UInt8(ascii: "\""))
    }

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
