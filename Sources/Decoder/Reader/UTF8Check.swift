/// Position of the first sequence that is not UTF-8 as Unicode defines it (no overlong forms, no
/// surrogates, nothing above U+10FFFF), or nil if there is none.
///
/// Specification: 5.2.4 (names).
package func firstInvalidUTF8(_ bytes: UnsafeBufferPointer<UInt8>) -> Int? {
    var index = 0
    while index < bytes.count {
        let lead = bytes[index]
        if lead < 0x80 {
            index += 1
            continue
        }
        guard let form = SequenceForm(lead: lead), index + form.length <= bytes.count,
            form.second.contains(bytes[index + 1])
        else { return index }
        for position in index + 2..<index + form.length
        where bytes[position] & 0xc0 != 0x80 {
            return index
        }
        index += form.length
    }
    return nil
}

/// What a lead byte says about its sequence (table 3-7 of the Unicode standard).
private struct SequenceForm {
    let length: Int
    /// What the second byte may be; the others are 0x80 to 0xbf.
    let second: ClosedRange<UInt8>

    init?(lead: UInt8) {
        switch lead {
        case 0xc2...0xdf: (length, second) = (2, 0x80...0xbf)
        case 0xe0: (length, second) = (3, 0xa0...0xbf)
        case 0xed: (length, second) = (3, 0x80...0x9f)
        case 0xe1...0xef: (length, second) = (3, 0x80...0xbf)
        case 0xf0: (length, second) = (4, 0x90...0xbf)
        case 0xf1...0xf3: (length, second) = (4, 0x80...0xbf)
        case 0xf4: (length, second) = (4, 0x80...0x8f)
        default: return nil
        }
    }
}
