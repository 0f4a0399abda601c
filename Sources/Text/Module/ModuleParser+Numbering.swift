/// The first pass: what identifiers stand for.
extension ModuleParser {
    mutating func numberDefinitions(until end: Int) throws(TextError) {
        var hasDefinitions = false
        while cursor < end {
            try expectOpen(.moduleField)
            let open = cursor - 1
            guard case .keyword(let keyword) = token.word, keyword.isModuleField else {
                throw unexpected(.moduleField)
            }
            cursor += 1
            switch keyword {
            case .type: try define(in: .type)
            case .rec: try numberRecursiveTypes()
            case .elem: try define(in: .elementSegment)
            case .data: try define(in: .dataSegment)
            case .import:
                if hasDefinitions { throw TextError(.importAfterDefinition, tokens[open].range) }
                try numberImport()
            case .func, .table, .memory, .global, .tag:
                try numberEntity(keyword, until: Int(tokens[open].link), &hasDefinitions)
            default: break
            }
            cursor = Int(tokens[open].link) + 1
        }
    }

    /// Numbers the next thing of a kind, with the identifier at the cursor if there is one.
    private mutating func define(in space: TextError.IndexSpace) throws(TextError) {
        let token = token
        if !spaces.define(identifierIfPresent(), in: space) {
            throw TextError(.duplicateIdentifier(space), token.range)
        }
    }

    private mutating func numberRecursiveTypes() throws(TextError) {
        while token.kind == .open {
            let close = Int(token.link)
            cursor += 1
            guard keywordIfPresent(.type) else { throw unexpected(.typeDefinition) }
            try define(in: .type)
            cursor = close + 1
        }
    }

    /// The cursor is after `(import`. What is wrong in it, the third pass says.
    private mutating func numberImport() throws(TextError) {
        while token.kind == .string { cursor += 1 }
        guard token.kind == .open else { return }
        cursor += 1
        guard case .keyword(let keyword) = token.word, let space = keyword.entitySpace else {
            return
        }
        cursor += 1
        try define(in: space)
    }

    /// The cursor is after `(func` and others; `close` is where the field ends.
    private mutating func numberEntity(
        _ keyword: Keyword, until close: Int, _ hasDefinitions: inout Bool
    ) throws(TextError) {
        guard let space = keyword.entitySpace else { return }
        let start = cursor
        try define(in: space)
        while opens(.export) { cursor = Int(token.link) + 1 }
        if opens(.import) {
            if hasDefinitions { throw TextError(.importAfterDefinition, tokens[start - 2].range) }
            return
        }
        hasDefinitions = true
        // Inline segments have no identifier, but take an index.
        guard keyword == .table || keyword == .memory else { return }
        while cursor < close {
            if opens(.elem) { _ = spaces.define(nil, in: .elementSegment) }
            if opens(.data) { _ = spaces.define(nil, in: .dataSegment) }
            cursor = token.kind == .open ? Int(token.link) + 1 : cursor + 1
        }
    }
}

extension Keyword {
    /// The kind of entity that `(func` and others define or import.
    var entitySpace: TextError.IndexSpace? {
        switch self {
        case .func: .function
        case .table: .table
        case .memory: .memory
        case .global: .global
        case .tag: .tag
        default: nil
        }
    }
}
