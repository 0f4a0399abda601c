import WasmDecoder

/// Reads the tokens of a script one by one, with one token of lookahead.
struct TokenCursor {
    private(set) var lexer: Lexer
    private var ahead: Token?
    /// The end of the last token that was read.
    private(set) var position: Int
    private let words = WordTable.shared

    init(_ lexer: Lexer) {
        self.lexer = lexer
        position = lexer.cursor
    }

    var bytes: UnsafeBufferPointer<UInt8> { lexer.bytes }

    mutating func next() throws(TextError) -> Token {
        let token = try peek()
        ahead = nil
        position = token.end
        return token
    }

    mutating func peek() throws(TextError) -> Token {
        if let ahead { return ahead }
        let token = try lexer.next()
        ahead = token
        return token
    }

    mutating func skipAll() {
        lexer.skipAll()
        ahead = nil
        position = lexer.cursor
    }

    /// Goes after the closing parenthesis that belongs to the opening one at `start`, or to the
    /// end if there is none.
    mutating func skipForm(at start: Int) {
        lexer.rewind(to: start)
        ahead = nil
        do {
            _ = try next()
            try skipToClose(of: start)
        } catch {
            skipAll()
        }
    }

    /// Reads up to the closing parenthesis of the form that `start` opened.
    mutating func skipToClose(of start: Int) throws(TextError) {
        var depth = 1
        while depth > 0 {
            switch try next().kind {
            case .open: depth += 1
            case .close: depth -= 1
            case .end: throw TextError(.unclosedParenthesis, at: start)
            default: break
            }
        }
    }

    // MARK: What tokens mean

    func word(_ token: Token) -> WordMeaning {
        guard token.kind == .word else { return .other }
        return words.word(UnsafeBufferPointer(rebasing: bytes[token.range]))
    }

    /// The error for a token that cannot be where it does.
    func unexpected(_ token: Token, _ expectation: TextError.Expectation) -> TextError {
        TextError(
            lexer.isEmptyIdentifier(token) ? .emptyIdentifier : .expected(expectation),
            token.range)
    }

    mutating func keywordIfPresent(_ keyword: Keyword) throws(TextError) -> Bool {
        guard word(try peek()) == .keyword(keyword) else { return false }
        _ = try next()
        return true
    }

    mutating func expectOpen(_ expectation: TextError.Expectation) throws(TextError) -> Token {
        let token = try next()
        guard token.kind == .open else { throw unexpected(token, expectation) }
        return token
    }

    /// Reads a parenthesis and a keyword, if both are there.
    mutating func openIfPresent(_ keyword: Keyword) throws(TextError) -> Bool {
        guard try peek().kind == .open else { return false }
        let before = self
        _ = try next()
        if try keywordIfPresent(keyword) { return true }
        self = before
        return false
    }

    mutating func expectClose() throws(TextError) {
        let token = try next()
        guard token.kind == .close else { throw unexpected(token, .closingParenthesis) }
    }

    mutating func closeIfPresent() throws(TextError) -> Bool {
        guard try peek().kind == .close else { return false }
        _ = try next()
        return true
    }

    mutating func identifierIfPresent() throws(TextError) -> [UInt8]? {
        let token = try peek()
        guard token.kind == .identifier else { return nil }
        _ = try next()
        var name: [UInt8] = []
        try lexer.appendIdentifier(token, to: &name)
        return name
    }

    mutating func identifier() throws(TextError) -> [UInt8] {
        guard let name = try identifierIfPresent() else {
            throw unexpected(try next(), .identifier)
        }
        return name
    }

    /// A string that is UTF-8.
    mutating func name() throws(TextError) -> Name {
        let token = try next()
        guard token.kind == .string else { throw unexpected(token, .string) }
        var name: [UInt8] = []
        try lexer.appendName(token, to: &name)
        return Name(utf8: name)
    }

    /// The bytes of all strings up to the closing parenthesis, which is read too.
    mutating func stringsToClose() throws(TextError) -> [UInt8] {
        var result: [UInt8] = []
        while try !closeIfPresent() {
            let token = try next()
            guard token.kind == .string else { throw unexpected(token, .string) }
            try lexer.appendString(token, to: &result)
        }
        return result
    }
}
