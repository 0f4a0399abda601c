extension JSONReader {
    /// Reads the string at the position; nil if its end has not been reached.
    mutating func string(_ bytes: [UInt8], upTo end: Int) throws(JSONError) -> String? {
        if scanned == 0 {
            scanned = 1
            hasEscapes = false
        }
        var at = position + scanned
        // A step that resumes a long string looks at a bounded number of bytes too.
        while at < end {
            let byte = bytes[at]
            if byte == UInt8(ascii: "\"") { break }
            if byte == UInt8(ascii: "\\") {
                hasEscapes = true
                guard at + 1 < bytes.count else { break }
                at += 2
            } else if byte < 0x20 {
                throw error(.controlCharacter(byte), at: at)
            } else {
                at += 1
            }
        }
        guard at < bytes.count, bytes[at] == UInt8(ascii: "\"") else {
            scanned = at - position
            if scanned > options.limits.stringBytes {
                throw error(.limit(.stringBytes, options.limits.stringBytes), at: position)
            }
            if end == bytes.count, isComplete { throw error(.unexpectedEnd, at: bytes.count) }
            return nil
        }
        let content = position + 1..<at
        if content.count > options.limits.stringBytes {
            throw error(.limit(.stringBytes, options.limits.stringBytes), at: position)
        }
        let text: String?
        if hasEscapes {
            let characters = try unescape(bytes, content)
            text = String(validUTF8: characters, 0..<characters.count)
        } else {
            text = String(validUTF8: bytes, content)
        }
        guard let text else {
            throw error(.malformedUTF8, at: content.lowerBound + bytes[content].validUTF8Count)
        }
        scanned = 0
        position = at + 1
        return text
    }

    private func unescape(
        _ bytes: [UInt8], _ range: Range<Int>
    ) throws(JSONError) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(range.count)
        var at = range.lowerBound
        while at < range.upperBound {
            let byte = bytes[at]
            guard byte == UInt8(ascii: "\\") else {
                let start = at
                while at < range.upperBound, bytes[at] != UInt8(ascii: "\\") { at += 1 }
                result.append(contentsOf: bytes[start..<at])
                continue
            }
            guard at + 1 < range.upperBound else { throw error(.malformedEscape, at: at) }
            switch bytes[at + 1] {
            case UInt8(ascii: "\""): result.append(UInt8(ascii: "\""))
            case UInt8(ascii: "\\"): result.append(UInt8(ascii: "\\"))
            case UInt8(ascii: "/"): result.append(UInt8(ascii: "/"))
            case UInt8(ascii: "b"): result.append(0x08)
            case UInt8(ascii: "f"): result.append(0x0c)
            case UInt8(ascii: "n"): result.append(0x0a)
            case UInt8(ascii: "r"): result.append(0x0d)
            case UInt8(ascii: "t"): result.append(0x09)
            case UInt8(ascii: "u"):
                var unit = try codeUnit(bytes, at, range)
                if unit & 0xfc00 == 0xd800 {
                    let low = try? codeUnit(bytes, at + 6, range)
                    guard let low, low & 0xfc00 == 0xdc00 else {
                        throw error(.loneSurrogate, at: at)
                    }
                    unit = 0x10000 + (unit & 0x3ff) << 10 + low & 0x3ff
                    at += 6
                }
                guard let scalar = Unicode.Scalar(unit) else {
                    throw error(.loneSurrogate, at: at)
                }
                result.append(contentsOf: UTF8.encode(scalar) ?? UTF8.CodeUnits())
                at += 4
            default: throw error(.malformedEscape, at: at)
            }
            at += 2
        }
        return result
    }

    /// The number of `\uXXXX` at a place.
    private func codeUnit(
        _ bytes: [UInt8], _ at: Int, _ range: Range<Int>
    ) throws(JSONError) -> UInt32 {
        guard at + 6 <= range.upperBound, bytes[at] == UInt8(ascii: "\\"),
            bytes[at + 1] == UInt8(ascii: "u")
        else { throw error(.malformedEscape, at: at) }
        var unit: UInt32 = 0
        for index in at + 2..<at + 6 {
            guard let digit = bytes[index].hexDigit else { throw error(.malformedEscape, at: at) }
            unit = unit << 4 | UInt32(truncatingIfNeeded: digit)
        }
        return unit
    }
}

extension String {
    /// The text that the bytes are; nil if they are no UTF-8.
    init?(validUTF8 bytes: [UInt8], _ range: Range<Int>) {
        do throws(UTF8.ValidationError) {
            self.init(copying: try UTF8Span(validating: bytes.span.extracting(range)))
        } catch {
            return nil
        }
    }
}

extension Unicode.UTF8 {
    typealias CodeUnits = Unicode.UTF8.EncodedScalar
}

extension ArraySlice<UInt8> {
    /// How many bytes from the start are whole scalars of UTF-8.
    var validUTF8Count: Int {
        var parser = Unicode.UTF8.ForwardParser()
        var iterator = makeIterator()
        var count = 0
        while case .valid(let scalar) = parser.parseScalar(from: &iterator) {
            count += scalar.count
        }
        return count
    }
}
