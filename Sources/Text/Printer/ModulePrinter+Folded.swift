import WasmDecoder

/// Instructions in folded form (6.5.11).
extension ModulePrinter {
    /// Where the text of a folded body has arrived.
    struct FoldedState {
        /// Where the innermost parenthesis is.
        var level: Int
        /// The root of the tree that is being printed in one line.
        var lineRoot: Int?
        /// Whether there are no lines at all.
        var isInline = false
        /// Blocks that have begun so far.
        var ordinal = 0
    }

    /// Prints the body that `folding` was prepared with.
    mutating func printFolded(
        _ body: ByteRange, _ hints: BranchHintMap.Hints?, _ state: inout FoldedState
    ) throws(DecodingError) {
        var reader = module.reader(of: body)
        for instruction in 0..<folding.count where !out.isStopped {
            var root = folding.largestTree(at: instruction)
            while let tree = root {
                try open(tree, &reader, &state, hints?[folding.position(tree) - body.start])
                root = folding.smallerTree(than: tree)
            }
            reader.offset = folding.position(instruction)
            try pass(instruction, &reader, &state)
        }
    }

    /// The opening parenthesis of a tree and the instruction that is its root.
    private mutating func open(
        _ root: Int, _ reader: inout BinaryReader, _ state: inout FoldedState,
        _ hint: Bool?
    ) throws(DecodingError) {
        separate(state)
        if let hint {
            write(hint: hint)
            separate(state)
        }
        if state.lineRoot == nil, folding.isShort(root) { state.lineRoot = root }
        reader.offset = folding.position(root)
        offset(reader.offset)
        parenthesis(&state)
        let opcode = try reader.opcode()
        switch opcode {
        case .block, .loop, .if, .tryTable, .try:
            let ordinal = folding.ordinal(ofIf: root) ?? state.ordinal
            try blockStart(opcode, labels.label(ordinal), &reader)
        default:
            try instruction(opcode, &reader)
        }
    }

    /// What is at the place of an instruction itself, after its operands.
    private mutating func pass(
        _ index: Int, _ reader: inout BinaryReader, _ state: inout FoldedState
    ) throws(DecodingError) {
        let opcode = try reader.opcode()
        switch opcode {
        case .block, .loop, .tryTable:
            enter(opcode, &state)
        case .if, .try:
            enter(opcode, &state)
            separate(state)
            parenthesis(&state)
            out.write(opcode == .if ? "then" : "do")
        case .else, .catch, .catchAll:
            _ = labels.proceed(to: opcode)
            close(&state)
            separate(state)
            offset(folding.position(index))
            parenthesis(&state)
            try instruction(opcode, &reader)
        case .delegate:
            _ = labels.pop()
            close(&state)
            separate(state)
            parenthesis(&state)
            try instruction(opcode, &reader)
            close(&state)
            close(&state)
        case .end:
            switch labels.pop()?.opcode {
            case .block, .loop, .tryTable: break
            default: close(&state)
            }
            close(&state)
        default:
            close(&state)
            if state.lineRoot == index { state.lineRoot = nil }
        }
    }

    private mutating func enter(_ opcode: Opcode, _ state: inout FoldedState) {
        labels.push(opcode, labels.label(state.ordinal))
        state.ordinal += 1
    }

    private mutating func separate(_ state: FoldedState) {
        if state.isInline || state.lineRoot != nil {
            out.space()
        } else {
            out.newline(state.level)
        }
    }

    private mutating func parenthesis(_ state: inout FoldedState) {
        out.byte(0x28)
        state.level += 1
    }

    private mutating func close(_ state: inout FoldedState) {
        out.byte(0x29)
        state.level -= 1
    }

    // MARK: Constant expressions

    /// A space and the instructions, folded and in one line.
    mutating func write(_ expression: ConstantExpression) throws(DecodingError) {
        try folding.prepare(module.reader(of: expression.range), arities, results: 1)
        var state = FoldedState(level: 2, isInline: true)
        try printFolded(expression.range, nil, &state)
    }

    /// The same in `(keyword ...)`, which is left out around a single folded instruction.
    mutating func write(
        _ expression: ConstantExpression, in keyword: StaticString
    ) throws(DecodingError) {
        try folding.prepare(module.reader(of: expression.range), arities, results: 1)
        var state = FoldedState(level: 2, isInline: true)
        let isBare = folding.isOneTree
        if !isBare {
            out.write(" (")
            out.write(keyword)
        }
        try printFolded(expression.range, nil, &state)
        if !isBare { out.byte(0x29) }
    }
}
