import WasmDecoder

/// An instruction in the binary format: its function, and the offset in the function's body.
struct InstructionPosition {
    var function: UInt32
    var offset: Int
}

/// Parses the text of one module.
///
/// Identifiers may be used before they are defined. So all tokens are read first, then the fields
/// are gone through three times: what they define is numbered, types are parsed, and then all else.
/// Nothing recurses: instructions have a stack of their own, all else has a fixed depth.
struct ModuleParser {
    var tokens: TokenList
    /// The place of the next token.
    var cursor: Int
    var spaces: IndexSpaces
    /// Field indices by type and symbol.
    var fields: [FieldName: UInt32] = [:]
    var types = TypeTable()
    var sections = ModuleSections()
    var names = NameRecorder()
    var function: FunctionState
    /// How many entities of each kind the third pass has met.
    var defined = DefinedCounts()
    /// Whether a function names a data segment.
    var needsDataCount = false
    /// Branch hints by function, each the encoded offset, size and hint.
    var branchHints: [(function: UInt32, count: Int, content: ByteWriter)] = []
    /// Functions with named locals whose number of parameters was not known.
    var uncertainLocals: [(type: UInt32, token: Int)] = []
    /// The instruction whose place is asked for, and its place.
    var sought: InstructionPosition?
    var found: TextPlace?
    /// Notes where everything is, if that is asked for.
    var places: PlaceRecorder?
    /// How many bytes the body has that was added last.
    var bodySize = 0
    var foundPlaces = TextMap.Places()

    struct FieldName: Hashable {
        var type: UInt32
        var field: Symbol
    }

    struct DefinedCounts {
        var functions: UInt32 = 0
        var tables: UInt32 = 0
        var memories: UInt32 = 0
        var globals: UInt32 = 0
        var tags: UInt32 = 0
        var elementSegments: UInt32 = 0
        var dataSegments: UInt32 = 0
    }

    init(_ tokens: TokenList) {
        self.tokens = tokens
        cursor = 0
        spaces = IndexSpaces(symbolCount: tokens.symbols.count)
        function = FunctionState(symbolCount: tokens.symbols.count)
    }

    /// Parses the fields from the cursor to the token at `end` (a closing parenthesis, or the end
    /// of the text) and encodes the module.
    mutating func module(until end: Int) throws(TextError) -> AssembledModule {
        let start = cursor
        try numberDefinitions(until: end)
        cursor = start
        try typeDefinitions(until: end)
        cursor = start
        while cursor < end {
            try customAnnotations()
            let head = cursor + 1
            try field()
            if var recorder = places {
                places = nil
                sections.notePlaces(of: head, in: &recorder)
                places = recorder
            }
        }
        try customAnnotations()
        for (type, token) in uncertainLocals where types.parameterCount(at: type) ?? 0 > 0 {
            throw TextError(.unknownType, tokens[token].range)
        }
        try checkAnnotations()
        finishSections()
        let (encoded, dropped) = sections.encode()
        if let places {
            foundPlaces = places.entries(tokens) { sections.entryOffsets($0, in: encoded) }
        }
        return AssembledModule(bytes: encoded.bytes.bytes, droppedSections: dropped)
    }

    private mutating func finishSections() {
        if needsDataCount {
            let count = sections.count(.data)
            sections.add(.dataCount) { $0.count(count) }
        }
        if !branchHints.isEmpty {
            var content = ByteWriter()
            content.count(branchHints.count)
            for hints in branchHints {
                content.index(hints.function)
                content.count(hints.count)
                content.append(hints.content)
            }
            sections.addCustom(
                Array("metadata.code.branch_hint".utf8), content.bytes,
                at: ModuleSections.Placement(before: .code))
        }
        sections.addNames(names.encode(tokens.symbols))
    }

    /// The third pass: one field.
    private mutating func field() throws(TextError) {
        try expectOpen(.moduleField)
        let head = cursor
        guard case .keyword(let keyword) = tokens[head].word, keyword.isModuleField else {
            throw unexpected(.moduleField)
        }
        cursor += 1
        switch keyword {
        case .type, .rec:
            // Parsed before; its closing parenthesis is left.
            cursor = Int(tokens[head - 1].link)
        case .import: try importField()
        case .func: try functionField()
        case .table: try tableField()
        case .memory: try memoryField()
        case .global: try globalField()
        case .tag: try tagField()
        case .export: try exportField()
        case .start: try startField()
        case .elem: try elementField()
        default: try dataField()
        }
        try expectClose()
    }
}

// MARK: - Tokens

extension ModuleParser {
    var token: ModuleToken { tokens[cursor] }

    /// The bytes of the text, for readers of numbers.
    var numbers: NumberReader { NumberReader(bytes: tokens.bytes) }

    /// The error for the token at the cursor, which cannot be there.
    func unexpected(_ expectation: TextError.Expectation) -> TextError {
        let head = token.kind == .open ? tokens[cursor + 1] : token
        switch head.word {
        case .keyword(.exact), .keyword(.describes), .keyword(.descriptor):
            return TextError(.unsupportedProposal, head.range)
        default: break
        }
        let isEmpty = tokens.lexer.isEmptyIdentifier(tokens.token(cursor))
        return TextError(isEmpty ? .emptyIdentifier : .expected(expectation), token.range)
    }

    mutating func expectOpen(_ expectation: TextError.Expectation) throws(TextError) {
        guard token.kind == .open else { throw unexpected(expectation) }
        cursor += 1
    }

    mutating func expectClose() throws(TextError) {
        guard token.kind == .close else { throw unexpected(.closingParenthesis) }
        cursor += 1
    }

    /// Whether a parenthesis and a keyword follow.
    func opens(_ keyword: Keyword) -> Bool {
        token.kind == .open && tokens[cursor + 1].word == .keyword(keyword)
    }

    /// Reads a parenthesis and a keyword, if both follow.
    mutating func openIfPresent(_ keyword: Keyword) -> Bool {
        guard opens(keyword) else { return false }
        cursor += 2
        return true
    }

    mutating func keywordIfPresent(_ keyword: Keyword) -> Bool {
        guard token.word == .keyword(keyword) else { return false }
        cursor += 1
        return true
    }

    mutating func identifierIfPresent() -> Symbol? {
        guard token.kind == .identifier else { return nil }
        defer { cursor += 1 }
        return token.link
    }

    /// The bytes of a string that is UTF-8.
    mutating func name() throws(TextError) -> [UInt8] {
        guard token.kind == .string else { throw unexpected(.string) }
        var name: [UInt8] = []
        try tokens.lexer.appendName(tokens.token(cursor), to: &name)
        cursor += 1
        return name
    }

    /// The bytes of all strings that follow.
    mutating func strings() throws(TextError) -> [UInt8] {
        var result: [UInt8] = []
        while token.kind == .string {
            try tokens.lexer.appendString(tokens.token(cursor), to: &result)
            cursor += 1
        }
        return result
    }

    /// An unsigned integer of 32 bits.
    mutating func unsigned32() throws(TextError) -> UInt32 {
        guard token.kind == .number else { throw unexpected(.integer) }
        let value = try numbers.unsigned(tokens.token(cursor), 32)
        cursor += 1
        return UInt32(truncatingIfNeeded: value)
    }

    mutating func unsigned64() throws(TextError) -> UInt64 {
        guard token.kind == .number else { throw unexpected(.integer) }
        let value = try numbers.unsigned(tokens.token(cursor), 64)
        cursor += 1
        return value
    }

    /// Whether an index could follow.
    var isAtIndex: Bool { token.kind == .identifier || token.kind == .number }

    /// A number, or an identifier of the kind.
    mutating func index(of space: TextError.IndexSpace) throws(TextError) -> UInt32 {
        guard token.kind == .identifier else {
            guard token.kind == .number else { throw unexpected(.index) }
            return try unsigned32()
        }
        guard let index = spaces.index(of: token.link, in: space) else {
            throw TextError(.unknownIdentifier(space), token.range)
        }
        cursor += 1
        return index
    }
}
