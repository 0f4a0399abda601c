// Exceptions. Handlers are recorded in the `CatchTable`; entering and leaving a region emits
// nothing.
//
// A handler is the label of its clause. When it is reached, the operands below the label are where
// they were when the region began, and the content of the accumulators is unknown.

extension Translator {
    /// Returns why an instruction that is not about exceptions is refused.
    mutating func exceptionInstruction(
        _ opcode: Opcode
    ) throws(DecodingError) -> TranslationError? {
        switch opcode {
        case .throw: throwException(try reader.unsigned32())
        case .throwRef:
            emit(.throwReference, word: codeWord(0, slotHolding(pop())))
            isUnreachable = true
        case .tryTable: try tryTable()
        case .try:
            open(.try, try reader.blockType())
            labels[labels.count - 1].assignedAtEntry = assigned
            openRegion(handlers.addRegion(in: region))
        case .catch: openCatch(try reader.unsigned32())
        case .catchAll: openCatch(nil)
        case .rethrow: rethrow(try reader.unsigned32())
        case .delegate: delegate(try reader.unsigned32())
        default: return .unsupported(opcode)
        }
        return nil
    }

    private mutating func payloadShape(_ tag: UInt32) -> FunctionShape {
        shapes[module.tags[Int(tag)]]
    }

    private mutating func throwException(_ tag: UInt32) {
        let first = take(payloadShape(tag).parameters.count)
        emit(.throwException, word: codeWord(first, 0, unsigned: tag))
        isUnreachable = true
    }

    // MARK: Regions

    /// The region that the code about to be emitted belongs to.
    var region: Int {
        mutating get { labels.last?.region ?? CatchTable.none }
    }

    /// From here on, code of the innermost construct belongs to `own`.
    private mutating func openRegion(_ own: Int) {
        labels[labels.count - 1].region = own
        labels[labels.count - 1].ownRegion = own
        enterRegion()
    }

    /// Code from here on belongs to the region of the innermost construct.
    mutating func enterRegion() { mark(region) }

    /// Code from here on belongs to no region: a tail call leaves the function's handlers.
    mutating func leaveRegions() { mark(CatchTable.none) }

    private mutating func mark(_ region: Int) {
        guard handlers.mark(code.count, region) else { return }
        // No instruction emitted before may move into the region, or out of it.
        last = Emitted()
        previous = Emitted()
    }

    // MARK: try_table

    private mutating func tryTable() throws(DecodingError) {
        let type = try reader.blockType()
        let own = handlers.addRegion(in: region)
        // The labels do not count the block itself, which is opened after them.
        for _ in 0..<(try reader.catchClauseCount()) { add(try reader.catchClause(), to: own) }
        open(.tryTable, type)
        openRegion(own)
    }

    private mutating func add(_ clause: CatchClause, to region: Int) {
        let label = labelIndex(clause.label)
        let home = label == 0 ? 0 : labels[label].home
        let isLoop = labels[label].kind == .loop
        let slots = clause.hasTag ? payloadShape(clause.tag).parameterSlots : 0
        let keepsReference = clause.kind == .catchRef || clause.kind == .catchAllRef
        let index = handlers.add(
            CatchTable.Clause(
                tag: clause.hasTag ? Int32(truncatingIfNeeded: clause.tag) : -1,
                payload: Int32(truncatingIfNeeded: home),
                reference: keepsReference ? Int32(truncatingIfNeeded: home + slots) : -1,
                target: Int32(
                    truncatingIfNeeded: isLoop ? labels[label].start : labels[label].clause)),
            to: region)
        guard !isLoop else { return }
        labels[label].clause = index
        // Any instruction of the body may throw, so locals that it assigns may not be assigned at
        // the label.
        noteAssigned(label)
    }

    /// For clauses whose label is the function's: the payload is in the slots of the results.
    mutating func returnCaught(_ clause: Int) {
        handlers.resolve(clause, to: code.count)
        probeCall(isReturn: true)
        let header = shape.headerIndex
        let count = shape.results.count
        if count == 1, case let result = shapes.classes[shape.results.lowerBound],
            result != .vector
        {
            // The caller expects a single result in its accumulator, too.
            emit(.returnValue(result.accumulator, .slot), word: codeWord(header, 0))
        } else {
            emit(.returnNone, word: codeWord(header))
        }
    }

    // MARK: Legacy exceptions

    /// Ends the body of a `try`, or one of its catch bodies, and begins a catch body: for
    /// exceptions with a tag or for all others. Below the payload is an operand for a reference to
    /// the exception, which is stored if `rethrow` needs it.
    private mutating func openCatch(_ tag: UInt32?) {
        let index = labels.count - 1
        if !isUnreachable {
            moveOperands(labels[index].results, to: labels[index].home)
            noteAssigned(index)
            emitBranch(to: index)
        }
        if labels[index].kind == .try {
            labels[index].kind = .catch
            labels[index].region = labels[index - 1].region
            enterRegion()
        }
        bindLabel()
        isUnreachable = false
        truncate(to: labels[index].height)
        assigned = labels[index].assignedAtEntry
        let slot = push(.temporary, .integer)
        let clause = handlers.add(
            CatchTable.Clause(
                tag: tag.map { Int32(truncatingIfNeeded: $0) } ?? -1,
                payload: Int32(truncatingIfNeeded: slot + 1), reference: -1,
                target: Int32(truncatingIfNeeded: code.count)),
            to: labels[index].ownRegion)
        labels[index].caught = (clause, slot)
        if let tag { pushAll(payloadShape(tag).parameters) }
    }

    private mutating func rethrow(_ depth: UInt32) {
        let (clause, slot) = labels[labelIndex(depth)].caught
        handlers.keepReference(of: clause, in: slot)
        emit(.throwReference, word: codeWord(0, slot))
        isUnreachable = true
    }

    /// Ends a `try` whose exceptions go to the handlers of another label. `depth` is counted from
    /// the construct around the `try`.
    private mutating func delegate(_ depth: UInt32) {
        let index = labels.count - 1
        let target = labels[index - 1 - Int(depth)].region
        handlers.setParent(target, of: labels[index].ownRegion)
        close()
    }
}
