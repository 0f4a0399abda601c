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
    try assembleModule(text).bytes
}

/// A module that was made of its text.
public struct AssembledModule: Sendable {
    /// The module in the binary format.
    public var bytes: [UInt8]
    /// Custom sections that the text has and the module has not: they hold offsets into the code of
    /// the module that the text was printed from, and the text was changed since.
    public var droppedSections: [Name] = []
}

/// The same as ``parseModule(_:)``, and what was left out.
public func assembleModule(_ text: [UInt8]) throws(TextError) -> AssembledModule {
    do {
        try checkFormat(text)
        return try assembleQuoted(text)
    } catch {
        throw error.located(in: text)
    }
}

/// Refuses what is no text in UTF-8, by its first bytes. Nothing at all is a text.
func checkFormat(_ text: [UInt8]) throws(TextError) {
    guard let format = FileFormat(text.prefix(16)), format != .empty else { return }
    throw TextError(.foreignFormat(format), at: 0)
}

private func assembleQuoted(_ text: [UInt8]) throws(TextError) -> AssembledModule {
    var text = text
    var outermostQuote: Range<Int>?
    while true {
        do {
            let parsed = try parse(text, allowed: .all)
            guard let quote = parsed.quote else { return parsed.module }
            outermostQuote = outermostQuote ?? quote
            text = parsed.module.bytes
        } catch {
            throw TextError(error.reason, outermostQuote ?? error.range)
        }
    }
}

/// Where in the text of a module an instruction is that validation found in the binary.
///
/// Cost: that of parsing the module again.
///
/// - Parameters:
///   - text: the module's.
///   - function: the index of the function, imports counted.
///   - offset: of the instruction in the function's body, from the body's first byte.
/// - Returns: nil if there is no such function in the text itself, but only in what it quotes.
public func placeOfInstruction(
    in text: [UInt8], function: UInt32, offset: Int
) -> TextPlace? {
    let position = InstructionPosition(function: function, offset: offset)
    return try? parse(text, allowed: .all, seeking: position).found
}

/// The places of all instructions, and of entries of sections, in the text of a module.
///
/// - Throws: also if the text quotes its module.
func placesOfInstructions(in text: [UInt8]) throws(TextError) -> TextMap.Places {
    try text.withUnsafeBufferPointer { (bytes) throws(TextError) in
        let parsed = try parse(try Lexer(bytes), allowed: .fields, recordsPlaces: true)
        return parsed.places
    }
}

/// The same in a range of a script.
func placeOfInstruction(
    in script: ModuleBytes, _ range: Range<Int>, function: UInt32, offset: Int
) -> TextPlace? {
    defer { withExtendedLifetime(script) {} }
    let position = InstructionPosition(function: function, offset: offset)
    let lexer = Lexer(checked: script, range)
    return try? parse(lexer, allowed: .fieldsOfScript, seeking: position).found
}

/// The module of a quoted text, which must not be binary or quoted itself.
func parseQuotedModule(_ text: [UInt8]) throws(TextError) -> [UInt8] {
    try parse(text, allowed: .fields).module.bytes
}

/// The module in a range of a script that was checked to be UTF-8: `(module ...)`, with
/// `definition` if the script says so, or bare fields.
func parseModule(_ script: ModuleBytes, _ range: Range<Int>) throws(TextError) -> [UInt8] {
    defer { withExtendedLifetime(script) {} }
    return try parse(Lexer(checked: script, range), allowed: .fieldsOfScript).module.bytes
}

/// Which forms of `(module ...)` may be in a text.
private enum ModuleForms {
    case fields
    /// Also `(module definition ...)`.
    case fieldsOfScript
    /// Also `(module binary ...)` and `(module quote ...)`.
    case all
}

private struct ParsedText {
    /// A module; its bytes are the text of one if that is quoted.
    var module: AssembledModule
    /// Where the text is quoted, if it is text.
    var quote: Range<Int>?
    /// The place of the instruction that was asked for.
    var found: TextPlace?
    var places = TextMap.Places()
}

private func parse(
    _ text: [UInt8], allowed: ModuleForms, seeking position: InstructionPosition? = nil
) throws(TextError) -> ParsedText {
    try text.withUnsafeBufferPointer { (bytes) throws(TextError) in
        try parse(try Lexer(bytes), allowed: allowed, seeking: position)
    }
}

private func parse(
    _ lexer: Lexer, allowed: ModuleForms, seeking position: InstructionPosition? = nil,
    recordsPlaces: Bool = false
) throws(TextError) -> ParsedText {
    var parser = ModuleParser(try TokenList(lexer))
    parser.sought = position
    if recordsPlaces { parser.places = PlaceRecorder() }
    guard parser.opens(.module) else {
        let module = try parser.module(until: parser.tokens.tokens.count - 1)
        return ParsedText(module: module, found: parser.found, places: parser.foundPlaces)
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
        let module = try parser.module(until: close)
        return ParsedText(module: module, found: parser.found, places: parser.foundPlaces)
    }
    let isBinary = parser.keywordIfPresent(.binary)
    if !isBinary, !parser.keywordIfPresent(.quote) { throw parser.unexpected(.moduleField) }
    let content = try parser.strings()
    let quote = Int(form.start)..<Int(parser.tokens[close].end)
    try parser.expectClose()
    return ParsedText(
        module: AssembledModule(bytes: content), quote: isBinary ? nil : quote)
}
