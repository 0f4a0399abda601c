import WasmDecoder

/// Functions and constant expressions.
extension ModuleParser {
    /// The cursor is after `(func`.
    mutating func functionField() throws(TextError) {
        let index = defined.functions
        let head = cursor - 1
        try nameFunction()
        if try inlineExportsAndImport(.func, .function, index) { return }
        defined.functions += 1
        function.begin(index, recordsPlaces: places != nil || index == sought?.function)
        let type = try typeUse(parameters: .recorded)
        try locals(type)
        try instructions()
        function.mark(cursor)
        function.code.opcode(.end)
        sections.add(.function) { $0.index(type) }
        let shifts = addCode(try functionPadding())
        if let sought, index == sought.function {
            found = function.token(at: sought.offset, shifts)
                .map { TextPlace(tokens[$0].range) }
        }
        if places != nil { notePlaces(head, shifts) }
        if !function.hints.isEmpty { addHints(index, shifts) }
        function.begin(nil)
    }

    /// Adds the body of the function to the code section. Returns where its instructions are there.
    private mutating func addCode(_ padding: Padding?) -> PaddingShifts {
        var code = function.code.bytes
        guard let padding else {
            bodySize = code.count
            sections.add(.code) { $0.vector(code) }
            return PaddingShifts()
        }
        var shifts = PaddingShifts()
        if !padding.edits.isEmpty, let padded = padding.applied(to: code) {
            shifts = PaddingShifts(padding, in: code)
            code = padded
        }
        bodySize = code.count
        sections.add(.code) { section in
            section.count(code.count, width: padding.sizeWidth ?? 1)
            section.append(code)
        }
        return shifts
    }

    /// Notes the instructions of the body that was added last.
    private mutating func notePlaces(_ head: Int, _ shifts: PaddingShifts) {
        let end = sections.size(.code)
        places?.note(.code, upTo: end, head)
        places?.noteBody(
            at: end.bytes - bodySize,
            (function.marks ?? []).map { (shifts.shifted($0.offset), $0.token) })
    }

    private mutating func addHints(_ index: UInt32, _ shifts: PaddingShifts) {
        var content = ByteWriter()
        for hint in function.hints {
            content.count(shifts.shifted(hint.offset))
            content.count(1)
            content.byte(hint.value)
        }
        branchHints.append((index, function.hints.count, content))
    }

    /// `(local ...)*` of a function of the type.
    private mutating func locals(_ type: UInt32) throws(TextError) {
        let parameterCount = types.parameterCount(at: type)
        var index = parameterCount ?? 0
        var groups: [(count: UInt32, type: ValueType)] = []
        func add(_ type: ValueType) {
            if let last = groups.last, last.type == type {
                groups[groups.count - 1].count += 1
            } else {
                groups.append((1, type))
            }
        }
        while openIfPresent(.local) {
            let start = cursor
            let identifier = identifierIfPresent()
            let name = try nameAnnotation() ?? identifier
            if identifier != nil, parameterCount == nil { uncertainLocals.append((type, start)) }
            try nameLocal(index, identifier: identifier, name: name, at: start)
            if identifier != nil {
                add(try valueType())
                index += 1
            } else {
                while token.kind != .close {
                    add(try valueType())
                    index += 1
                }
            }
            try expectClose()
        }
        function.code.count(groups.count)
        for group in groups {
            function.code.index(group.count)
            function.code.valueType(group.type)
        }
    }

    /// Gives a parameter or local its identifier and its name.
    mutating func nameLocal(
        _ index: UInt32, identifier: Symbol?, name: Symbol?, at token: Int
    ) throws(TextError) {
        if let identifier, !function.defineLocal(identifier, index) {
            throw TextError(.duplicateIdentifier(.local), tokens[token].range)
        }
        guard let name, let outer = function.index else { return }
        names.locals.append(.init(outer: outer, index: index, name: name))
    }

    /// `instr*` up to the closing parenthesis, which stays; with the final `end`.
    mutating func expression() throws(TextError) -> [UInt8] {
        function.begin(nil)
        try instructions()
        function.code.opcode(.end)
        return function.code.bytes
    }

    /// One instruction in parentheses; with the final `end`.
    mutating func foldedExpression() throws(TextError) -> [UInt8] {
        guard token.kind == .open else { throw unexpected(.foldedInstruction) }
        function.begin(nil)
        try foldedInstruction()
        function.code.opcode(.end)
        return function.code.bytes
    }
}
