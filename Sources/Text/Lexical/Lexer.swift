import WasmDecoder

// Soundness: the buffer outlives the lexer (the entry points hold it for the whole call) and every
// access follows a comparison with `bytes.count`.

/// What a token is, as far as its characters tell.
enum TokenKind: UInt8 {
    case open, close
    /// Starts with a small letter: keywords, `inf`, `nan`.
    case word
    /// Starts with a digit or a sign; whether it is a number is for the reader of numbers.
    case number
    /// `$name` or `$"name"`.
    case identifier
    case string
    /// Well-formed characters that stand for nothing; also `$` and `$""`, which are allowed in
    /// annotations only.
    case reserved
    case end
}

struct Token {
    var kind: TokenKind
    var start: Int
    var end: Int
    var range: Range<Int> { start..<end }
}

/// Cuts a text into tokens; comments and annotations are skipped.
///
/// Specification: 6.3 (lexical format).
struct Lexer {
    private(set) var bytes: UnsafeBufferPointer<UInt8>
    private(set) var cursor = 0
    /// Whether `next` puts the annotations that have a meaning in `annotations`.
    var recordsAnnotations = false
    var annotations: [Annotation.Found] = []

    /// - Throws: `malformedUTF8`; all of the text is checked here, once. `textTooLarge`.
    init(_ bytes: UnsafeBufferPointer<UInt8>) throws(TextError) {
        self.bytes = bytes
        guard bytes.count <= TextLimits.bytes else { throw TextError(.textTooLarge, at: 0) }
        if let position = firstInvalidUTF8(bytes) { throw TextError(.malformedUTF8, at: position) }
    }

    /// A lexer for a range of a text that was checked before.
    init(checked text: ModuleBytes, _ range: Range<Int>) {
        bytes = UnsafeBufferPointer(start: text.base, count: range.upperBound)
        cursor = range.lowerBound
    }

    /// A lexer for a part of the same text.
    func part(_ range: Range<Int>) -> Lexer {
        var lexer = self
        lexer.cursor = range.lowerBound
        lexer.bytes = UnsafeBufferPointer(rebasing: bytes[..<range.upperBound])
        lexer.recordsAnnotations = false
        return lexer
    }

    mutating func skipAll() { cursor = bytes.count }

    /// Goes back to a position where a token starts.
    mutating func rewind(to position: Int) { cursor = position }

    /// The next token that is not in an annotation.
    mutating func next() throws(TextError) -> Token {
        while true {
            let token = try raw()
            guard token.kind == .open, cursor < bytes.count, bytes[cursor] == 0x40 else {
                return token
            }
            try skipAnnotation(from: token.start)
        }
    }

    /// The reader is at the `@` of an annotation; anything balanced may follow its name, also `(@)`.
    private mutating func skipAnnotation(from start: Int) throws(TextError) {
        cursor += 1
        let nameStart = cursor
        let name = try raw()
        guard name.start == nameStart, name.kind != .open, name.kind != .close, name.kind != .end,
            name.end - name.start > (name.kind == .string ? 2 : 0)
        else { throw TextError(.emptyAnnotationName, start..<nameStart) }
        let kind = try annotationKind(name)
        var depth = 1
        var contentEnd = cursor
        while depth > 0 {
            contentEnd = cursor
            let token = try raw()
            switch token.kind {
            case .open: depth += 1
            case .close: depth -= 1
            case .end: throw TextError(.unclosedAnnotation, start..<nameStart)
            default: break
            }
        }
        if recordsAnnotations, let kind {
            annotations.append(
                Annotation.Found(kind: kind, range: start..<cursor, content: name.end..<contentEnd))
        }
    }

    /// - Throws: `malformedUTF8` if the name is a string that is none.
    private func annotationKind(_ name: Token) throws(TextError) -> Annotation.Kind? {
        guard name.kind == .string else { return Annotation.Kind(name: bytes[name.range]) }
        var decoded: [UInt8] = []
        try appendName(name, to: &decoded)
        return Annotation.Kind(name: decoded)
    }

    private mutating func raw() throws(TextError) -> Token {
        try skipSpace()
        let start = cursor
        guard start < bytes.count else { return Token(kind: .end, start: start, end: start) }
        switch bytes[start] {
        case 0x28:
            cursor += 1
            return Token(kind: .open, start: start, end: cursor)
        case 0x29:
            cursor += 1
            return Token(kind: .close, start: start, end: cursor)
        case 0x2c, 0x3b, 0x5b, 0x5d, 0x7b, 0x7d:
            cursor += 1
            return Token(kind: .reserved, start: start, end: cursor)
        default:
            return try word(from: start)
        }
    }

    /// The longest run of identifier characters and strings.
    private mutating func word(from start: Int) throws(TextError) -> Token {
        var strings = 0
        var stringStart = start
        var stringEnd = start
        while cursor < bytes.count {
            if isIdentifierCharacter(bytes[cursor]) {
                cursor += 1
            } else if bytes[cursor] == 0x22 {
                strings += 1
                stringStart = cursor
                try skipString()
                stringEnd = cursor
            } else {
                break
            }
        }
        guard cursor > start else { throw TextError(.unexpectedCharacter, at: start) }
        var kind = TokenKind.reserved
        let first = bytes[start]
        if strings == 0 {
            switch first {
            case 0x61...0x7a: kind = .word
            case 0x30...0x39, 0x2b, 0x2d: kind = .number
            case 0x24:
                if cursor > start + 1 { kind = .identifier }
            default: break
            }
        } else if strings == 1, stringEnd == cursor {
            if stringStart == start { kind = .string }
            // The name must not be empty.
            if stringStart == start + 1, first == 0x24, cursor - stringStart > 2 {
                kind = .identifier
            }
        }
        return Token(kind: kind, start: start, end: cursor)
    }

    private mutating func skipSpace() throws(TextError) {
        while cursor < bytes.count {
            switch bytes[cursor] {
            case 0x20, 0x09, 0x0a, 0x0d:
                cursor += 1
            case 0x3b where follows(0x3b):
                while cursor < bytes.count, bytes[cursor] != 0x0a, bytes[cursor] != 0x0d {
                    cursor += 1
                }
            case 0x28 where follows(0x3b):
                try skipBlockComment()
            default:
                return
            }
        }
    }

    /// Whether the byte after the current one is `byte`.
    private func follows(_ byte: UInt8) -> Bool {
        cursor + 1 < bytes.count && bytes[cursor + 1] == byte
    }

    private mutating func skipBlockComment() throws(TextError) {
        let start = cursor
        var depth = 0
        repeat {
            guard cursor + 1 < bytes.count else {
                throw TextError(.unclosedComment, start..<start + 2)
            }
            if bytes[cursor] == 0x28, bytes[cursor + 1] == 0x3b {
                depth += 1
                cursor += 2
            } else if bytes[cursor] == 0x3b, bytes[cursor + 1] == 0x29 {
                depth -= 1
                cursor += 2
            } else {
                cursor += 1
            }
        } while depth > 0
    }

    /// Reads from the opening quotation mark to after the closing one.
    private mutating func skipString() throws(TextError) {
        let start = cursor
        cursor += 1
        while cursor < bytes.count {
            switch bytes[cursor] {
            case 0x22:
                cursor += 1
                return
            case 0x5c:
                cursor = try escape(at: cursor).end
            case 0..<0x20, 0x7f:
                throw TextError(
                    bytes[cursor] == 0x0a ? .unclosedString : .unexpectedCharacter, at: cursor)
            default:
                cursor += 1
            }
        }
        throw TextError(.unclosedString, at: start)
    }

    /// What the escape at a backslash means: a byte (`isScalar` false) or a Unicode scalar value.
    private func escape(
        at start: Int
    ) throws(TextError) -> (value: UInt32, isScalar: Bool, end: Int) {
        let malformed = TextError(.malformedEscape, start..<min(start + 2, bytes.count))
        guard start + 1 < bytes.count else { throw malformed }
        let next = bytes[start + 1]
        switch next {
        case 0x74: return (0x09, false, start + 2)
        case 0x6e: return (0x0a, false, start + 2)
        case 0x72: return (0x0d, false, start + 2)
        case 0x22, 0x27, 0x5c: return (UInt32(next), false, start + 2)
        case 0x75: return try scalarEscape(at: start, orElse: malformed)
        default:
            guard let high = hexadecimalDigit(next), start + 2 < bytes.count,
                let low = hexadecimalDigit(bytes[start + 2])
            else { throw malformed }
            return (UInt32(high << 4 | low), false, start + 3)
        }
    }

    /// `\u{...}`: digits may be parted by single underscores.
    private func scalarEscape(
        at start: Int, orElse malformed: TextError
    ) throws(TextError) -> (value: UInt32, isScalar: Bool, end: Int) {
        var index = start + 2
        guard index < bytes.count, bytes[index] == 0x7b else { throw malformed }
        var value: UInt32 = 0
        var afterDigit = false
        while true {
            index += 1
            guard index < bytes.count else { throw malformed }
            if let digit = hexadecimalDigit(bytes[index]) {
                value = value << 4 | UInt32(digit)
                afterDigit = true
                if value >= 0x11_0000 { throw malformed }
            } else if afterDigit, bytes[index] == 0x5f {
                afterDigit = false
            } else {
                break
            }
        }
        guard afterDigit, bytes[index] == 0x7d, !(0xd800..<0xe000).contains(value) else {
            throw malformed
        }
        return (value, true, index + 1)
    }

    /// Appends the bytes that a string token stands for.
    func appendString(_ token: Token, to result: inout [UInt8]) throws(TextError) {
        var index = token.start + 1
        let end = token.end - 1
        while index < end {
            guard bytes[index] == 0x5c else {
                result.append(bytes[index])
                index += 1
                continue
            }
            let escape = try escape(at: index)
            if escape.isScalar, let scalar = Unicode.Scalar(escape.value) {
                result.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
            } else {
                result.append(UInt8(truncatingIfNeeded: escape.value))
            }
            index = escape.end
        }
    }

    /// Appends the name that a string token stands for.
    ///
    /// - Throws: `malformedUTF8`.
    func appendName(_ token: Token, to result: inout [UInt8]) throws(TextError) {
        let start = result.count
        try appendString(token, to: &result)
        let isMalformed = result.withUnsafeBufferPointer { bytes in
            firstInvalidUTF8(UnsafeBufferPointer(rebasing: bytes[start...])) != nil
        }
        if isMalformed { throw TextError(.malformedUTF8, token.range) }
    }

    /// Appends what an identifier token stands for, without the dollar sign.
    func appendIdentifier(_ token: Token, to result: inout [UInt8]) throws(TextError) {
        let start = token.start + 1
        if bytes[start] == 0x22 {
            do {
                try appendName(Token(kind: .string, start: start, end: token.end), to: &result)
            } catch {
                throw TextError(error.reason, token.range)
            }
        } else {
            result.append(contentsOf: bytes[start..<token.end])
        }
    }

    /// Whether a token is `$` or `$""`.
    func isEmptyIdentifier(_ token: Token) -> Bool {
        guard token.kind == .reserved, bytes[token.start] == 0x24 else { return false }
        let name = bytes[token.start + 1..<token.end]
        return name.isEmpty || name.elementsEqual([0x22, 0x22])
    }
}

/// Letters, digits and `!#$%&'*+-./:<=>?@\^_`|~`: one bit for each of the ASCII characters.
@inline(__always)
func isIdentifierCharacter(_ byte: UInt8) -> Bool {
    let low: UInt64 = 0xf7ff_ecfa_0000_0000
    let high: UInt64 = 0x57ff_ffff_d7ff_ffff
    if byte < 64 { return low >> UInt64(byte) & 1 != 0 }
    return byte < 128 && high >> UInt64(byte &- 64) & 1 != 0
}

@inline(__always)
func hexadecimalDigit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 0x30...0x39: byte &- 0x30
    case 0x41...0x46: byte &- 0x37
    case 0x61...0x66: byte &- 0x57
    default: nil
    }
}
