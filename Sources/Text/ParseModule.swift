import WasmDecoder

/// The module of a text (`.wat`) in the binary format.
///
/// The text is `(module ...)` or the fields of a module without that around them; also
/// `(module binary "...")`, whose bytes are given as they are, and `(module quote "...")`.
/// Identifiers go into the name section. What can be written down but is not valid (wrong types,
/// numbers of things that do not exist) is for validation to refuse. Cost: proportional to the
/// length of the text.
///
/// - Throws: the first error found; if it is in a quoted module, with the place of that module.
///
/// Specification: 6 (text format).
public func parseModule(_ text: [UInt8]) throws(TextError) -> [UInt8] {
    var text = text
    var outermostQuote: Range<Int>?
    while true {
        do {
            let parsed = try parse(text, allowed: .all)
            guard let quote = parsed.quote else { return parsed.bytes }
            outermostQuote = outermostQuote ?? quote
            text = parsed.bytes
        } catch {
            throw TextError(error.reason, outermostQuote ?? error.range)
        }
    }
}

/// The module of a quoted text, which must not be binary or quoted itself.
func parseQuotedModule(_ text: [UInt8]) throws(TextError) -> [UInt8] {
    try parse(text, allowed: .fields).bytes
}

/// The module in a range of a script that was checked to be UTF-8: `(module ...)`, with
/// `definition` if the script says so, or bare fields.
func parseModule(_ script: ModuleBytes, _ range: Range<Int>) throws(TextError) -> [UInt8] {
    defer { withExtendedLifetime(script) {} }
    return try parse(Lexer(checked: script, range), allowed: .fieldsOfScript).bytes
}

/// Which forms of `(module ...)` may stand in a text.
private enum ModuleForms {
    case fields
    /// Also `(module definition ...)`.
    case fieldsOfScript
    /// Also `(module binary ...)` and `(module quote ...)`.
    case all
}

private struct ParsedText {
    /// A binary module, or the text of one.
    var bytes: [UInt8]
    /// Where the text is quoted, if it is text.
    var quote: Range<Int>?
}

private func parse(_ text: [UInt8], allowed: ModuleForms) throws(TextError) -> ParsedText {
    try text.withUnsafeBufferPointer { (bytes) throws(TextError) in
        try parse(try Lexer(bytes), allowed: allowed)
    }
}

private func parse(_ lexer: Lexer, allowed: ModuleForms) throws(TextError) -> ParsedText {
    var parser = ModuleParser(try TokenList(lexer))
    guard parser.opens(.module) else {
        return ParsedText(bytes: try parser.module(until: parser.tokens.tokens.count - 1))
    }
    let form = parser.token
    let close = Int(form.link)
    if parser.tokens[close + 1].kind != .end {
        throw TextError(.expected(.endOfText), parser.tokens[close + 1].range)
    }
    parser.cursor += 2
    if allowed == .fieldsOfScript { _ = parser.keywordIfPresent(.definition) }
    parser.names.module = try parser.entityName()
    guard allowed == .all, parser.token.kind == .word else {
        return ParsedText(bytes: try parser.module(until: close))
    }
    let isBinary = parser.keywordIfPresent(.binary)
    if !isBinary, !parser.keywordIfPresent(.quote) { throw parser.unexpected(.moduleField) }
    let content = try parser.strings()
    let quote = Int(form.start)..<Int(parser.tokens[close].end)
    try parser.expectClose()
    return ParsedText(bytes: content, quote: isBinary ? nil : quote)
}
