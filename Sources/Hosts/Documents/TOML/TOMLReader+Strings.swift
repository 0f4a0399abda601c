extension TOMLReader {
    /// Reads a string of one line or, after three quotes, of several.
    mutating func string(_ quote: UInt8) throws(TOMLError) -> String {
        guard at + 2 < bytes.count, bytes[at + 1] == quote, bytes[at + 2] == quote else {
            return quote == UInt8(ascii: "'") ? try literalString() : try basicString()
        }
        at += 3
        _ = try lineEnd()
        return try content(quote, isMultiline: true)
    }

    mutating func basicString() throws(TOMLError) -> String {
        at += 1
        return try content(UInt8(ascii: "\""), isMultiline: false)
    }

    mutating func literalString() throws(TOMLError) -> String {
        at += 1
        return try content(UInt8(ascii: "'"), isMultiline: false)
    }

    private mutating func content(
        _ quote: UInt8, isMultiline: Bool
    ) throws(TOMLError) -> String {
        var result: [UInt8] = []
        while let byte = peek() {
            if byte == quote {
                if !isMultiline {
                    at += 1
                    return String(decoding: result, as: UTF8.self)
                }
                // Up to two quotes may stand before the three that end the string.
                var count = 0
                while count < 5, at < bytes.count, bytes[at] == quote {
                    count += 1
                    at += 1
                }
                for _ in 0..<(count >= 3 ? count - 3 : count) { result.append(quote) }
                if count >= 3 { return String(decoding: result, as: UTF8.self) }
            } else if byte == UInt8(ascii: "\\"), quote == UInt8(ascii: "\"") {
                try escape(&result, isMultiline: isMultiline)
            } else if isMultiline, byte == 0x0a || byte == 0x0d {
                // Line ends are as they are written, but for CR LF.
                guard try lineEnd() else { throw error(.controlCharacter(byte)) }
                result.append(0x0a)
            } else if byte.isTOMLControl {
                throw error(.controlCharacter(byte))
            } else {
                result.append(byte)
                at += 1
            }
        }
        throw error(.unexpectedEnd)
    }

    private mutating func escape(
        _ result: inout [UInt8], isMultiline: Bool
    ) throws(TOMLError) {
        let start = at
        at += 1
        guard let byte = peek() else { throw error(.unexpectedEnd) }
        at += 1
        switch byte {
        case UInt8(ascii: "b"): result.append(0x08)
        case UInt8(ascii: "t"): result.append(0x09)
        case UInt8(ascii: "n"): result.append(0x0a)
        case UInt8(ascii: "f"): result.append(0x0c)
        case UInt8(ascii: "r"): result.append(0x0d)
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): result.append(byte)
        case UInt8(ascii: "u"): try scalar(4, &result, start)
        case UInt8(ascii: "U"): try scalar(8, &result, start)
        case 0x20, 0x09, 0x0a, 0x0d:
            // A backslash at the end of a line removes all white space that follows.
            at -= 1
            skipSpace()
            guard isMultiline, try lineEnd() else { throw error(.malformedEscape, at: start) }
            repeat { skipSpace() } while try lineEnd()
        default: throw error(.malformedEscape, at: start)
        }
    }

    private mutating func scalar(
        _ digits: Int, _ result: inout [UInt8], _ start: Int
    ) throws(TOMLError) {
        var value: UInt32 = 0
        for _ in 0..<digits {
            guard let digit = peek()?.hexDigit else { throw error(.malformedEscape, at: start) }
            value = value << 4 | UInt32(truncatingIfNeeded: digit)
            at += 1
        }
        guard let scalar = Unicode.Scalar(value), let units = UTF8.encode(scalar) else {
            throw error(.malformedEscape, at: start)
        }
        result.append(contentsOf: units)
    }
}
