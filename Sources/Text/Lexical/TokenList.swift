import WasmDecoder

/// The number of an identifier in the text of a module; equal identifiers have the same.
typealias Symbol = UInt32

/// A token of a module's text, in 16 bytes.
struct ModuleToken {
    var kind: TokenKind
    var word: WordMeaning = .other
    var start: UInt32
    var end: UInt32
    /// For an opening parenthesis the place of the closing one in the list, for an identifier its
    /// symbol.
    var link: UInt32 = 0

    var range: Range<Int> { Int(start)..<Int(end) }
}

/// All tokens of the text of a module, with parentheses paired and identifiers numbered.
struct TokenList {
    let lexer: Lexer
    /// The last is of kind `end`.
    private(set) var tokens: [ModuleToken] = []
    /// What identifiers stand for, by symbol.
    var symbols = Interner()
    /// The annotations that have a meaning, in order.
    var annotations: [Annotation] = []

    /// Reads all tokens that `lexer` has.
    ///
    /// - Throws: also `unclosedParenthesis`, and `expected` for a closing one too many.
    init(_ source: Lexer) throws(TextError) {
        var lexer = source
        lexer.recordsAnnotations = true
        let words = WordTable.shared
        let bytes = lexer.bytes
        var open: [Int] = []
        var name: [UInt8] = []
        tokens.reserveCapacity((bytes.count - lexer.cursor) / 4)
        while true {
            let token = try lexer.next()
            if !lexer.annotations.isEmpty {
                for found in lexer.annotations {
                    annotations.append(Annotation(found, before: tokens.count))
                }
                lexer.annotations.removeAll()
            }
            var entry = ModuleToken(
                kind: token.kind, start: UInt32(truncatingIfNeeded: token.start),
                end: UInt32(truncatingIfNeeded: token.end))
            switch token.kind {
            case .open: open.append(tokens.count)
            case .close:
                guard let start = open.popLast() else {
                    throw TextError(.expected(.endOfText), token.range)
                }
                tokens[start].link = UInt32(truncatingIfNeeded: tokens.count)
            case .word:
                entry.word = words.word(UnsafeBufferPointer(rebasing: bytes[token.range]))
            case .identifier:
                if bytes[token.start + 1] == 0x22 {
                    name.removeAll(keepingCapacity: true)
                    try lexer.appendIdentifier(token, to: &name)
                    entry.link = symbols.intern(name)
                } else {
                    entry.link = symbols.intern(
                        UnsafeBufferPointer(rebasing: bytes[token.start + 1..<token.end]))
                }
            case .end:
                if let start = open.last {
                    throw TextError(.unclosedParenthesis, tokens[start].range)
                }
            default: break
            }
            tokens.append(entry)
            if token.kind == .end { break }
        }
        self.lexer = lexer
    }

    var bytes: UnsafeBufferPointer<UInt8> { lexer.bytes }

    @inline(__always)
    subscript(index: Int) -> ModuleToken { tokens[index] }

    /// The token as the lexer's functions take it.
    func token(_ index: Int) -> Token {
        let token = tokens[index]
        return Token(kind: token.kind, start: Int(token.start), end: Int(token.end))
    }
}
