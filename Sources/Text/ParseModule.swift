import WasmDecoder

/// The module of a text (`.wat`) in the binary format.
///
/// The text is `(module ...)` or the fields of a module without that around them; also
/// `(module binary "...")`, whose bytes are given as they are, and `(module quote "...")`.
/// Identifiers go into the name section. What can be written down but is not valid (wrong types,
/// numbers of things that do not exist) is for validation to refuse. Cost: proportional to the
/// length of the text.
///
/// - Throws: the first error found; in a quoted module, with a position in the quoted text.
///
/// Specification: 6 (text format).
public func parseModule(_ text: [UInt8]) throws(TextError) -> [UInt8] {
    var text = text
    while true {
        switch try parse(text, allowed: .all) {
        case .module(let module): return module
        case .quoted(let quoted): text = quoted
        }
    }
}

/// The module of a quoted text, which must not be binary or quoted itself.
func parseQuotedModule(_ text: [UInt8]) throws(TextError) -> [UInt8] {
    switch try parse(text, allowed: .fields) {
    case .module(let module), .quoted(let module): return module
    }
}

/// The module in a range of a script that was checked to be UTF-8: `(module ...)`, with
/// `definition` if the script says so, or bare fields.
func parseModule(_ script: ModuleBytes, _ range: Range<Int>) throws(TextError) -> [UInt8] {
    switch try parse(Lexer(checked: script, range), allowed: .fieldsOfScript) {
    case .module(let module), .quoted(let module): return module
    }
}

/// Which forms of `(module ...)` may stand in a text.
private enum ModuleForms {
    case fields
    /// Also `(module definition ...)`.
    case fieldsOfScript
    /// Also `(module binary ...)` and `(module quote ...)`.
    case all
}

private enum ParsedText {
    case module([UInt8])
    case quoted([UInt8])
}

private func parse(_ text: [UInt8], allowed: ModuleForms) throws(TextError) -> ParsedText {
    try text.withUnsafeBufferPointer { (bytes) throws(TextError) in
        try parse(try Lexer(bytes), allowed: allowed)
    }
}

private func parse(_ lexer: Lexer, allowed: ModuleForms) throws(TextError) -> ParsedText {
    var parser = ModuleParser(try TokenList(lexer))
    guard parser.opens(.module) else {
        return .module(try parser.module(until: parser.tokens.tokens.count - 1))
    }
    let close = Int(parser.token.link)
    if parser.tokens[close + 1].kind != .end {
        throw TextError(.expected(.endOfText), parser.tokens[close + 1].range)
    }
    parser.cursor += 2
    if allowed == .fieldsOfScript { _ = parser.keywordIfPresent(.definition) }
    parser.names.module = try parser.entityName()
    if allowed == .all, parser.token.kind == .word {
        let isBinary = parser.keywordIfPresent(.binary)
        if isBinary || parser.keywordIfPresent(.quote) {
            let content = try parser.strings()
            try parser.expectClose()
            return isBinary ? .module(content) : .quoted(content)
        }
    }
    return .module(try parser.module(until: close))
}
