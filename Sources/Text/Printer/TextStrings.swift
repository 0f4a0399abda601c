/// A string literal of valid UTF-8: what people can read stays as it is.
func textString(utf8 content: [UInt8]) -> [UInt8] {
    var result: [UInt8] = [0x22]
    result.reserveCapacity(content.count + 2)
    for scalar in String(decoding: content, as: UTF8.self).unicodeScalars {
        switch scalar.value {
        case 0x22, 0x5c:
            result += [0x5c, UInt8(truncatingIfNeeded: scalar.value)]
        case 0x20...0x7e:
            result.append(UInt8(truncatingIfNeeded: scalar.value))
        case 0..<0x80:
            let value = UInt8(truncatingIfNeeded: scalar.value)
            result += [0x5c, hexadecimalDigit(of: value >> 4), hexadecimalDigit(of: value & 15)]
        default:
            if isLegible(scalar) {
                result += UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter
            } else {
                result += Array("\\u{\(String(scalar.value, radix: 16))}".utf8)
            }
        }
    }
    result.append(0x22)
    return result
}

/// `$name`, or `$"name"` for one with characters that no plain identifier has.
///
/// `name` must be valid UTF-8 and must not be empty.
func textIdentifier(_ name: [UInt8]) -> [UInt8] {
    [0x24] + (name.allSatisfy(isIdentifierCharacter) ? name : textString(utf8: name))
}

/// Characters that a terminal or editor would obey instead of showing them are not.
private func isLegible(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator,
        .paragraphSeparator:
        false
    default: true
    }
}
