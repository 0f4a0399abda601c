/// A word of a definition in the schema.
enum Token: Hashable, Sendable {
    /// A keyword or an unquoted name, in lower case.
    case word([UInt8])
    /// A quoted name.
    case quoted([UInt8])
    case text([UInt8])
    case number([UInt8])
    case sign(UInt8)

    /// The name, if it may be one.
    var name: [UInt8]? {
        switch self {
        case .word(let name), .quoted(let name), .text(let name): name
        case .number, .sign: nil
        }
    }

    func isWord(_ word: String) -> Bool { self == .word(Array(word.utf8)) }
    func isSign(_ sign: Unicode.Scalar) -> Bool { self == .sign(UInt8(ascii: sign)) }
}

extension Token {
    /// The words of a text; nil if a quote or comment does not end.
    static func all(_ text: [UInt8]) -> [Token]? {
        var tokens: [Token] = []
        var position = 0
        while position < text.count {
            let byte = text[position]
            switch byte {
            case 9, 10, 12, 13, 32: position += 1
            case UInt8(ascii: "-") where text[position...].starts(with: "--".utf8):
                position = text[position...].firstIndex(of: 10) ?? text.count
            case UInt8(ascii: "/") where text[position...].starts(with: "/*".utf8):
                position += 2
                while !text[position...].starts(with: "*/".utf8) {
                    guard position < text.count else { return nil }
                    position += 1
                }
                position += 2
            case UInt8(ascii: "'"), UInt8(ascii: "\""), UInt8(ascii: "`"), UInt8(ascii: "["):
                guard let content = quoted(text, &position) else { return nil }
                tokens.append(byte == UInt8(ascii: "'") ? .text(content) : .quoted(content))
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                tokens.append(.number(word(text, &position)))
            case _ where isWordByte(byte): tokens.append(.word(lowercased(word(text, &position))))
            default:
                tokens.append(.sign(byte))
                position += 1
            }
        }
        return tokens
    }

    private static func isWordByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "$"),
            0x80...0xff:
            true
        default: false
        }
    }

    private static func word(_ text: [UInt8], _ position: inout Int) -> [UInt8] {
        let start = position
        while position < text.count, isWordByte(text[position]) || text[position] == 0x2e {
            // A point is a part of a number only.
            if text[position] == 0x2e, !(0x30...0x39).contains(text[start]) { break }
            position += 1
        }
        return Array(text[start..<position])
    }

    /// What is between quotes; two of them stand for one.
    private static func quoted(_ text: [UInt8], _ position: inout Int) -> [UInt8]? {
        let end = text[position] == UInt8(ascii: "[") ? UInt8(ascii: "]") : text[position]
        var content: [UInt8] = []
        position += 1
        while position < text.count {
            let byte = text[position]
            position += 1
            if byte != end {
                content.append(byte)
            } else if end != UInt8(ascii: "]"), position < text.count, text[position] == end {
                content.append(byte)
                position += 1
            } else {
                return content
            }
        }
        return nil
    }

    /// Names are compared without the case of ASCII letters.
    static func lowercased(_ name: [UInt8]) -> [UInt8] {
        name.map { (0x41...0x5a).contains($0) ? $0 | 0x20 : $0 }
    }
}
