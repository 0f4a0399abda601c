import WasmDecoder

/// Annotations that have a meaning.
///
/// Specification: 7.7 (custom sections).
extension ModuleParser {
    /// The annotations of a kind directly before the token at the cursor; they count as used.
    mutating func takeAnnotations(_ kind: Annotation.Kind) -> [Annotation] {
        var found: [Annotation] = []
        var place = firstAnnotation(before: cursor)
        while place < tokens.annotations.count, tokens.annotations[place].tokenIndex == cursor {
            if tokens.annotations[place].kind == kind, !tokens.annotations[place].isUsed {
                tokens.annotations[place].isUsed = true
                found.append(tokens.annotations[place])
            }
            place += 1
        }
        return found
    }

    /// The place of the first annotation at a token or after it.
    private func firstAnnotation(before token: Int) -> Int {
        var low = 0
        var high = tokens.annotations.count
        while low < high {
            let middle = (low + high) / 2
            if tokens.annotations[middle].tokenIndex < token {
                low = middle + 1
            } else {
                high = middle
            }
        }
        return low
    }

    /// Whether there is nothing to look for, which is so in almost every text.
    var hasNoAnnotations: Bool { tokens.annotations.isEmpty }

    /// At the end: all must have been where they have a meaning.
    func checkAnnotations() throws(TextError) {
        guard let annotation = tokens.annotations.first(where: { !$0.isUsed }) else { return }
        let reason: TextError.Reason =
            annotation.kind == .branchHint
            ? .malformedAnnotation(.outsideOfFunction) : .misplacedAnnotation
        throw TextError(reason, annotation.range)
    }

    // MARK: Names

    /// An identifier, a `(@name "...")` or both, which then wins: the name for the name section.
    mutating func entityName() throws(TextError) -> Symbol? {
        let identifier = identifierIfPresent()
        return try nameAnnotation() ?? identifier
    }

    /// `(@name "...")`, if it is here.
    mutating func nameAnnotation() throws(TextError) -> Symbol? {
        if hasNoAnnotations { return nil }
        let found = takeAnnotations(.name)
        guard let annotation = found.first else { return nil }
        if found.count > 1 { throw TextError(.duplicateAnnotation, found[1].range) }
        var content = lexer(annotation)
        let name = try sectionName(&content, annotation)
        try expectEnd(&content)
        return tokens.symbols.intern(name)
    }

    // MARK: Custom sections

    /// All `(@custom ...)` between two fields.
    mutating func customAnnotations() throws(TextError) {
        if hasNoAnnotations { return }
        var place = firstAnnotation(before: cursor)
        // Both kinds keep their order.
        while place < tokens.annotations.count, tokens.annotations[place].tokenIndex == cursor {
            let annotation = tokens.annotations[place]
            if !annotation.isUsed, annotation.kind == .custom || annotation.kind == .names {
                tokens.annotations[place].isUsed = true
                if annotation.kind == .custom {
                    try customSection(annotation)
                } else {
                    try placeOfNames(annotation)
                }
            }
            place += 1
        }
        try encodingAnnotations()
    }

    /// `"name" placement? "content"*`.
    private mutating func customSection(_ annotation: Annotation) throws(TextError) {
        var content = lexer(annotation)
        let name = try sectionName(&content, annotation)
        var placement = ModuleSections.Placement.last
        var bytes: [UInt8] = []
        var token = try content.next()
        if token.kind == .open {
            placement = try self.placement(&content)
            token = try content.next()
        }
        while token.kind == .string {
            try content.appendString(token, to: &bytes)
            token = try content.next()
        }
        if token.kind != .end {
            throw TextError(.malformedAnnotation(.unexpectedToken), token.range)
        }
        sections.addCustom(name, bytes, at: placement)
    }

    /// The cursor is after the parenthesis of `(before first)`, `(after last)`, `(before section)` or
    /// `(after section)`.
    func placement(
        _ content: inout Lexer
    ) throws(TextError) -> ModuleSections.Placement {
        let side = try content.next()
        let place = try content.next()
        let isBefore: Bool
        switch word(side) {
        case .keyword(.before): isBefore = true
        case .keyword(.after): isBefore = false
        default: throw TextError(.malformedAnnotation(.malformedPlacement), side.range)
        }
        let placement: ModuleSections.Placement
        switch word(place) {
        case .keyword(.first) where isBefore: placement = .first
        case .keyword(.last) where !isBefore: placement = .last
        case let word:
            guard case .keyword(let keyword) = word, let kind = keyword.section else {
                throw TextError(.malformedAnnotation(.malformedSection), place.range)
            }
            placement = isBefore ? .init(before: kind) : .init(after: kind)
        }
        let close = try content.next()
        if close.kind != .close {
            throw TextError(.malformedAnnotation(.malformedPlacement), close.range)
        }
        return placement
    }

    // MARK: Branch hints

    /// The hint (0 or 1) for the instruction that starts at the cursor, with its parenthesis if it
    /// has one, if there is a hint.
    mutating func branchHint(for opcode: Opcode, isFolded: Bool) throws(TextError) -> UInt8? {
        if hasNoAnnotations { return nil }
        var hint: UInt8?
        try takeHints(&hint, isTarget: opcode == .if || opcode == .brIf)
        if isFolded {
            cursor += 1
            try takeHints(&hint, isTarget: opcode == .if || opcode == .brIf)
            cursor -= 1
        }
        return hint
    }

    /// Refuses hints before something that is no instruction.
    mutating func refuseBranchHint() throws(TextError) {
        if hasNoAnnotations { return }
        var hint: UInt8?
        try takeHints(&hint, isTarget: false)
    }

    private mutating func takeHints(_ hint: inout UInt8?, isTarget: Bool) throws(TextError) {
        for annotation in takeAnnotations(.branchHint) {
            if hint != nil { throw TextError(.duplicateAnnotation, annotation.range) }
            var content = lexer(annotation)
            var bytes: [UInt8] = []
            var token = try content.next()
            while token.kind == .string {
                try content.appendString(token, to: &bytes)
                token = try content.next()
            }
            guard token.kind == .end, bytes == [0] || bytes == [1] else {
                throw TextError(.malformedAnnotation(.malformedHint), annotation.range)
            }
            if !isTarget { throw TextError(.malformedAnnotation(.invalidTarget), annotation.range) }
            hint = bytes.first
        }
    }

    // MARK: Tokens

    func lexer(_ annotation: Annotation) -> Lexer {
        tokens.lexer.part(annotation.content)
    }

    func word(_ token: Token) -> WordMeaning {
        guard token.kind == .word else { return .other }
        return WordTable.shared.word(UnsafeBufferPointer(rebasing: tokens.bytes[token.range]))
    }

    private func sectionName(
        _ content: inout Lexer, _ annotation: Annotation
    ) throws(TextError) -> [UInt8] {
        let token = try content.next()
        guard token.kind == .string else {
            throw TextError(.malformedAnnotation(.missingName), annotation.range)
        }
        var name: [UInt8] = []
        do {
            try content.appendName(token, to: &name)
        } catch {
            throw TextError(.malformedAnnotation(.malformedName), token.range)
        }
        return name
    }

    func expectEnd(_ content: inout Lexer) throws(TextError) {
        let token = try content.next()
        if token.kind != .end {
            throw TextError(.malformedAnnotation(.unexpectedToken), token.range)
        }
    }
}

extension Keyword {
    /// The section that the placement of a custom section names.
    var section: SectionKind? {
        switch self {
        case .type: .type
        case .import: .import
        case .func: .function
        case .table: .table
        case .memory: .memory
        case .tag: .tag
        case .global: .global
        case .export: .export
        case .start: .start
        case .elem: .element
        case .datacount: .dataCount
        case .code: .code
        case .data: .data
        default: nil
        }
    }
}
