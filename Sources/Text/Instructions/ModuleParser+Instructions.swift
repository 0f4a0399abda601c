import WasmDecoder

/// Instructions, plain and folded. Everything that is open is a frame on a stack.
///
/// Specification: 6.5 (instructions).
extension ModuleParser {
    /// `instr*` up to the closing parenthesis that nothing in it opened; it stays.
    mutating func instructions() throws(TextError) {
        while true {
            if token.kind == .close, function.frames.isEmpty { return try refuseBranchHint() }
            try step()
        }
    }

    /// One instruction in parentheses.
    mutating func foldedInstruction() throws(TextError) {
        repeat { try step() } while !function.frames.isEmpty
    }

    /// Reads as much as changes the stack of frames at most once.
    private mutating func step() throws(TextError) {
        switch token.kind {
        case .word: try plainInstruction()
        case .open: try openingParenthesis()
        case .close: try closingParenthesis()
        default: throw unexpected(function.frames.last?.kind.expectation ?? .instruction)
        }
    }

    private mutating func push(_ frame: InstructionFrame) throws(TextError) {
        if function.frames.count >= TextLimits.nesting {
            throw TextError(.nestingTooDeep, token.range)
        }
        function.frames.append(frame)
    }

    private func opcode(_ token: ModuleToken) throws(TextError) -> Opcode {
        switch token.word {
        case .instruction(let opcode): return opcode
        case .keyword: break
        case .other:
            if token.kind == .word { throw TextError(.unknownInstruction, token.range) }
        }
        throw TextError(.expected(.instruction), token.range)
    }

    private mutating func setLast(_ kind: InstructionFrame.Kind) {
        function.frames[function.frames.count - 1].kind = kind
    }

    // MARK: Plain instructions

    private mutating func plainInstruction() throws(TextError) {
        if let kind = function.frames.last?.kind, !kind.allowsPlainInstructions {
            throw unexpected(kind.expectation)
        }
        let opcode = try opcode(token)
        record(try branchHint(for: opcode, isFolded: false))
        function.mark(cursor)
        cursor += 1
        switch opcode {
        case .block, .loop, .tryTable: try flatBlock(opcode, .flatBlock)
        case .if: try flatBlock(opcode, .flatIf)
        case .try: try flatBlock(opcode, .flatTry)
        case .else:
            try expectFrame([.flatIf])
            function.code.opcode(.else)
            setLast(.flatElse)
            try repeatedLabel()
        case .catch:
            try expectFrame([.flatTry, .flatCatch])
            try instruction(.catch)
            setLast(.flatCatch)
        case .catchAll:
            try expectFrame([.flatTry, .flatCatch])
            function.code.opcode(.catchAll)
            setLast(.flatCatchAll)
        case .delegate:
            try expectFrame([.flatTry])
            popLabel()
            try instruction(.delegate)
            function.frames.removeLast()
        case .end:
            try expectFrame([
                .flatBlock, .flatIf, .flatElse, .flatTry, .flatCatch, .flatCatchAll,
            ])
            function.code.opcode(.end)
            try repeatedLabel()
            popLabel()
            function.frames.removeLast()
        default: try instruction(opcode)
        }
    }

    /// The innermost frame must be of one of the kinds, for the word before the cursor to be here.
    private func expectFrame(_ kinds: [InstructionFrame.Kind]) throws(TextError) {
        guard let kind = function.frames.last?.kind, kinds.contains(kind) else {
            throw TextError(.expected(.instruction), tokens[cursor - 1].range)
        }
    }

    private mutating func flatBlock(
        _ opcode: Opcode, _ kind: InstructionFrame.Kind
    ) throws(TextError) {
        var frame = InstructionFrame(kind: kind)
        try blockHead(opcode, &frame)
        pushLabel(&frame)
        try push(frame)
    }

    /// The identifier that may follow `else` and `end`: that of the block.
    private mutating func repeatedLabel() throws(TextError) {
        let range = token.range
        guard let symbol = identifierIfPresent() else { return }
        if function.frames.last?.label != symbol { throw TextError(.labelMismatch, range) }
    }

    // MARK: Blocks

    /// Label, block type and catch clauses; the label is not open yet.
    private mutating func blockHead(
        _ opcode: Opcode, _ frame: inout InstructionFrame
    ) throws(TextError) {
        frame.label = identifierIfPresent()
        frame.name = try nameAnnotation() ?? frame.label
        function.code.opcode(opcode)
        try blockType()
        if opcode == .tryTable { try catchClauses() }
    }

    private mutating func pushLabel(_ frame: inout InstructionFrame) {
        if let name = frame.name, let outer = function.index {
            names.labels.append(.init(outer: outer, index: function.blockCount, name: name))
        }
        frame.shadowed = function.pushLabel(frame.label)
    }

    private mutating func popLabel() {
        guard let frame = function.frames.last else { return }
        function.popLabel(frame.label, shadowed: frame.shadowed)
    }

    private mutating func blockType() throws(TextError) {
        if let index = try explicitType() {
            try checkInlineType(of: index, parameters: .refused)
            return function.code.signed(Int64(index))
        }
        let type = try inlineFunctionType(parameters: .refused)
        if type.encoding == [0, 0] {
            function.code.byte(0x40)
        } else if let result = type.singleResult {
            function.code.valueType(result)
        } else {
            let index = typeIndex(of: type)
            function.code.signed(Int64(index))
        }
    }

    private mutating func catchClauses() throws(TextError) {
        var count = 0
        var clauses = ByteWriter()
        while token.kind == .open {
            let kind: CatchClause.Kind
            switch tokens[cursor + 1].word {
            case .instruction(.catch): kind = .catch
            case .keyword(.catchRef): kind = .catchRef
            case .instruction(.catchAll): kind = .catchAll
            case .keyword(.catchAllRef): kind = .catchAllRef
            default: return finish()
            }
            cursor += 2
            clauses.byte(kind.rawValue)
            if kind == .catch || kind == .catchRef { clauses.index(try index(of: .tag)) }
            clauses.index(try label())
            try expectClose()
            count += 1
        }
        finish()

        func finish() {
            function.code.count(count)
            function.code.append(clauses)
        }
    }

    // MARK: Parentheses

    private mutating func openingParenthesis() throws(TextError) {
        let head = tokens[cursor + 1]
        switch function.frames.last?.kind {
        case .foldedIf where head.word == .keyword(.then):
            cursor += 2
            resume()
            var frame = function.frames.removeLast()
            pushLabel(&frame)
            frame.kind = .then
            function.frames.append(frame)
            return
        case .afterThen where head.word == .instruction(.else):
            function.mark(cursor + 1)
            cursor += 2
            function.code.opcode(.else)
            return setLast(.else)
        case .foldedTry where head.word == .keyword(.do):
            cursor += 2
            return setLast(.do)
        case .afterDo, .afterCatch: return try foldedCatch(head)
        case .afterThen, .afterElse, .foldedTry, .afterCatchAll, .afterDelegate:
            throw unexpected(function.frames.last?.kind.expectation ?? .closingParenthesis)
        default: try openInstruction(head)
        }
    }

    private mutating func foldedCatch(_ head: ModuleToken) throws(TextError) {
        function.mark(cursor + 1)
        switch head.word {
        case .instruction(.catch):
            cursor += 2
            try instruction(.catch)
            setLast(.catch)
        case .instruction(.catchAll):
            cursor += 2
            function.code.opcode(.catchAll)
            setLast(.catchAll)
        case .instruction(.delegate) where function.frames.last?.kind == .afterDo:
            cursor += 2
            popLabel()
            try instruction(.delegate)
            try expectClose()
            setLast(.afterDelegate)
        default:
            throw unexpected(.catchClause)
        }
    }

    private mutating func openInstruction(_ head: ModuleToken) throws(TextError) {
        let opcode = try opcode(head)
        let hint = try branchHint(for: opcode, isFolded: true)
        let start = function.code.count
        var frame = InstructionFrame(
            kind: .foldedInstruction, token: cursor + 1, pendingStart: function.pending.count,
            hint: hint)
        cursor += 2
        switch opcode {
        case .block, .loop, .tryTable, .try:
            function.mark(frame.token)
            try blockHead(opcode, &frame)
            pushLabel(&frame)
            frame.kind = opcode == .try ? .foldedTry : .foldedBlock
        case .if:
            try blockHead(opcode, &frame)
            function.postpone(from: start)
            frame.kind = .foldedIf
        case .else, .catch, .catchAll, .delegate, .end:
            throw TextError(.expected(.instruction), head.range)
        default:
            try instruction(opcode)
            if token.kind == .close {
                // No operands follow: it can stay where it is.
                if let hint { record(hint, at: start) }
                function.mark(frame.token, at: start)
                cursor += 1
                return
            }
            function.postpone(from: start)
        }
        try push(frame)
    }

    private mutating func closingParenthesis() throws(TextError) {
        try refuseBranchHint()
        switch function.frames.last?.kind {
        case .foldedInstruction:
            resume()
            function.frames.removeLast()
        case .foldedBlock, .afterThen, .afterElse, .afterDo, .afterCatch, .afterCatchAll:
            function.mark(cursor)
            function.code.opcode(.end)
            popLabel()
            function.frames.removeLast()
        case .afterDelegate: function.frames.removeLast()
        case .then: setLast(.afterThen)
        case .else: setLast(.afterElse)
        case .do: setLast(.afterDo)
        case .catch: setLast(.afterCatch)
        case .catchAll: setLast(.afterCatchAll)
        case .foldedIf: throw unexpected(.thenClause)
        case .foldedTry: throw unexpected(.doClause)
        default: throw unexpected(.end)
        }
        cursor += 1
    }

    /// Writes the instruction that waited for its operands.
    private mutating func resume() {
        guard let frame = function.frames.last else { return }
        record(frame.hint)
        function.mark(frame.token)
        function.resume(from: frame.pendingStart)
    }

    // MARK: Branch hints

    private mutating func record(_ hint: UInt8?) {
        if let hint { record(hint, at: function.code.count) }
    }

    private mutating func record(_ hint: UInt8, at offset: Int) {
        function.hints.append((offset, hint))
    }
}
