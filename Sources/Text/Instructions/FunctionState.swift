import WasmDecoder

/// What the parser of instructions keeps while it is in a function or constant expression.
struct FunctionState {
    /// The locals and instructions of the function.
    var code = ByteWriter()
    /// Opcodes and immediates of folded instructions whose operands are being parsed, the innermost
    /// last.
    var pending = ByteWriter()
    /// Blocks and folded instructions that are open, the innermost last.
    var frames: [InstructionFrame] = []
    /// The function index; nil in constant expressions.
    var index: UInt32?
    /// Branch hints: offset and value of each.
    var hints: [(offset: Int, value: UInt8)] = []
    /// Where in `code` instructions start, and the tokens that they were made of; nil if that
    /// is not needed.
    private(set) var marks: [(offset: Int, token: Int)]?

    /// How many labels there are, and at which depth each identifier is.
    private var labelDepth: UInt32 = 0
    private var labels = IdentifierMap()
    /// How many blocks began.
    private(set) var blockCount: UInt32 = 0
    private var locals = IdentifierMap()
    private var namedLocals: [Symbol] = []
    private let symbolCount: Int

    init(symbolCount: Int) { self.symbolCount = symbolCount }

    mutating func begin(_ index: UInt32?, recordsPlaces: Bool = false) {
        self.index = index
        marks = recordsPlaces ? [] : nil
        code.removeAll()
        hints.removeAll()
        blockCount = 0
        for symbol in namedLocals { locals.set(symbol, to: nil, symbolCount: symbolCount) }
        namedLocals.removeAll(keepingCapacity: true)
    }

    /// False if the identifier is taken.
    mutating func defineLocal(_ symbol: Symbol, _ index: UInt32) -> Bool {
        if locals[symbol] != nil { return false }
        locals.set(symbol, to: index, symbolCount: symbolCount)
        namedLocals.append(symbol)
        return true
    }

    func local(_ symbol: Symbol) -> UInt32? { locals[symbol] }

    // MARK: Labels

    /// Opens a label; gives what its identifier stood for before.
    mutating func pushLabel(_ symbol: Symbol?) -> UInt32? {
        defer {
            labelDepth += 1
            blockCount += 1
        }
        guard let symbol else { return nil }
        let shadowed = labels[symbol]
        labels.set(symbol, to: labelDepth, symbolCount: symbolCount)
        return shadowed
    }

    mutating func popLabel(_ symbol: Symbol?, shadowed: UInt32?) {
        labelDepth -= 1
        if let symbol { labels.set(symbol, to: shadowed, symbolCount: symbolCount) }
    }

    /// The label with an identifier, counted from the innermost.
    func label(_ symbol: Symbol) -> UInt32? {
        guard let depth = labels[symbol] else { return nil }
        return labelDepth - 1 - depth
    }

    // MARK: Places

    /// The instruction that comes next in the code, or starts at `offset`, was made of a token.
    mutating func mark(_ token: Int, at offset: Int? = nil) {
        marks?.append((offset ?? code.count, token))
    }

    /// The token that the instruction at an offset of the code was made of, counted in what the
    /// module's code became.
    func token(at offset: Int, _ shifts: PaddingShifts) -> Int? {
        marks?.last { shifts.shifted($0.offset) <= offset }?.token
    }

    // MARK: Folded instructions

    /// Moves the end of the code, from `start`, to the instructions that wait for their operands.
    mutating func postpone(from start: Int) {
        pending.append(code.bytes[start...])
        code.bytes.removeSubrange(start...)
    }

    /// Appends what was postponed last.
    mutating func resume(from start: Int) {
        code.append(pending.bytes[start...])
        pending.bytes.removeSubrange(start...)
    }
}

/// An open block or folded instruction.
struct InstructionFrame {
    enum Kind {
        /// Operands up to the closing parenthesis.
        case foldedInstruction
        /// `block`, `loop`, `try_table`.
        case foldedBlock
        /// Operands up to `(then`.
        case foldedIf
        /// In `(then`, after it, in `(else`, after it.
        case then, afterThen, `else`, afterElse
        /// Before `(do`.
        case foldedTry
        case `do`, afterDo, `catch`, afterCatch, catchAll, afterCatchAll, afterDelegate
        /// Blocks up to `end`.
        case flatBlock, flatIf, flatElse, flatTry, flatCatch, flatCatchAll

        /// Whether instructions may be here that are not in parentheses.
        var allowsPlainInstructions: Bool {
            switch self {
            case .foldedInstruction, .foldedIf, .afterThen, .afterElse, .foldedTry, .afterDo,
                .afterCatch, .afterCatchAll, .afterDelegate:
                false
            default: true
            }
        }

        /// What has to be here if a plain instruction may not.
        var expectation: TextError.Expectation {
            switch self {
            case .foldedInstruction: .foldedInstruction
            case .foldedIf: .thenClause
            case .foldedTry: .doClause
            case .afterDo, .afterCatch: .catchClause
            default: .closingParenthesis
            }
        }
    }

    var kind: Kind
    var label: Symbol?
    /// The name of the label in the name section.
    var name: Symbol?
    var shadowed: UInt32?
    /// The token of the instruction, and where in `pending` it starts.
    var token = 0
    var pendingStart = 0
    var hint: UInt8?
}
