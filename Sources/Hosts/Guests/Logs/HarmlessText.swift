/// Makes text of guests and clients harmless for people: a terminal or page shows it, and nothing in
/// it moves the cursor, changes colours, hides or reorders text.
///
/// | in the bytes | becomes |
/// |---|---|
/// | a tab | itself |
/// | control characters (C0, DEL, C1) | `\x1b`, `\u{9b}` |
/// | marks that change the direction of text, separators of lines, invisible characters | `\u{202e}` |
/// | malformed UTF-8 | U+FFFD |
/// | a backslash | itself: the result is to be read, not to be parsed |
public enum HarmlessText {
    public static func text(_ bytes: some Collection<UInt8>) -> String {
        // Nearly all lines are of printable ASCII: they are copied at once.
        if bytes.allSatisfy(isPlain) {
            return String(decoding: bytes, as: Unicode.ASCII.self)
        }
        var result = ""
        var decoder = Unicode.UTF8.ForwardParser()
        var iterator = bytes.makeIterator()
        while true {
            switch decoder.parseScalar(from: &iterator) {
            case .valid(let encoded): append(Unicode.UTF8.decode(encoded), to: &result)
            case .error(let length):
                // The parser does not say which bytes, only how many.
                for _ in 0..<length { result += "\u{fffd}" }
            case .emptyInput: return result
            }
        }
    }

    /// The same for a text, of which at most as many bytes are kept.
    public static func text(_ text: String, atMost byteCount: Int) -> String {
        guard text.utf8.count > byteCount else { return Self.text(text.utf8) }
        return Self.text(text.utf8.prefix(max(byteCount, 0))) + "..."
    }

    /// The same for bytes of which line feeds stay.
    public static func lines(_ bytes: some Collection<UInt8>) -> [UInt8] {
        if bytes.allSatisfy({ isPlain($0) || $0 == UInt8(ascii: "\n") }) { return Array(bytes) }
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        return Array(lines.map { text($0) }.joined(separator: "\n").utf8)
    }

    private static func isPlain(_ byte: UInt8) -> Bool { 0x20...0x7e ~= byte || byte == 0x09 }

    private static func append(_ scalar: Unicode.Scalar, to result: inout String) {
        switch scalar.value {
        case 0x09: result.unicodeScalars.append(scalar)
        case 0..<0x20, 0x7f:
            let digits = String(scalar.value, radix: 16)
            result += "\\x" + (digits.utf8.count < 2 ? "0" : "") + digits
        case 0x80...0x9f, 0xad, 0x61c, 0x180e, 0x200b...0x200f, 0x2028...0x202e, 0x2060...0x206f,
            0xfeff, 0xfff9...0xfffb, 0xe0000...0xe0fff:
            result += "\\u{" + String(scalar.value, radix: 16) + "}"
        default: result.unicodeScalars.append(scalar)
        }
    }
}
