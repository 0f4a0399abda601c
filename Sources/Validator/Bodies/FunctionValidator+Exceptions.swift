import WasmDecoder

/// Exceptions (3.4.2), and the instructions for them before 3.0.
extension FunctionValidator {
    mutating func exceptionInstruction(_ opcode: Opcode) throws(Stop) {
        switch opcode {
        case .throw:
            try pop(try tagParameters(try unsigned32()))
            markUnreachable()
        case .throwRef:
            try pop(.ref(.exn, nullable: true))
            markUnreachable()
        case .tryTable: try tryTable()
        case .try: try enter(.try)
        case .catch:
            let parameters = try tagParameters(try unsigned32())
            try catchBranch(.catch)
            try push(parameters)
        case .catchAll: try catchBranch(.catchAll)
        case .rethrow: try rethrow()
        default: try delegate()
        }
    }

    private mutating func tagParameters(
        _ index: UInt32
    ) throws(Stop) -> ModuleTables.TypeList {
        guard module.tags.contains(index) else { throw fail(.unknown(.tag, index)) }
        return module.parameters(module.tags[Int(index)])
    }

    private mutating func tryTable() throws(Stop) {
        let type: BlockType
        var clauses: Int
        do {
            type = try reader.blockType()
            clauses = try reader.catchClauseCount()
        } catch { throw malformed(error) }
        // The labels of the clauses do not count the block itself.
        while clauses > 0 {
            let clause: CatchClause
            do { clause = try reader.catchClause() } catch { throw malformed(error) }
            try check(clause)
            clauses -= 1
        }
        try enter(.tryTable, type)
    }

    /// The label must take the exception's values, followed by a reference to it if
    /// the clause asks for that.
    private mutating func check(_ clause: CatchClause) throws(Stop) {
        var label = try labelTypes(clause.label)
        if clause.kind == .catchRef || clause.kind == .catchAllRef {
            guard let last = label.last,
                registry.matches(.ref(.exn, nullable: false), last)
            else { throw mismatch(.labelTypes) }
            label = label.withoutLast
        }
        if clause.hasTag {
            let parameters = try tagParameters(clause.tag)
            guard matches(parameters, label) else { throw mismatch(.labelTypes) }
        } else if label.count != 0 {
            throw mismatch(.labelTypes)
        }
    }

    // MARK: Before 3.0

    private mutating func catchBranch(_ kind: Frame.Kind) throws(Stop) {
        let current = frame.pointee.kind
        guard current == .try || current == .catch else { throw misplaced() }
        try finishBlock()
        beginBranch(kind)
    }

    private mutating func rethrow() throws(Stop) {
        let label = try unsigned32()
        let kind = try labelled(label).pointee.kind
        guard kind == .catch || kind == .catchAll else { throw fail(.invalidRethrowLabel) }
        markUnreachable()
    }

    /// Ends a `try`; the label is counted from the block around it.
    private mutating func delegate() throws(Stop) {
        let label = try unsigned32()
        guard frame.pointee.kind == .try else { throw misplaced() }
        guard Int(label) < frames.count - 1 else { throw fail(.unknown(.label, label)) }
        try finishBlock()
        try leaveBlock()
    }
}
