// Calls. Arguments are in consecutive home slots, where the callee's frame begins.

import WasmMachine

extension Translator {
    /// Pops the arguments of a call to their homes; returns the distance of the callee's frame.
    private mutating func popArguments(_ callee: FunctionShape) -> Int {
        let frame = take(callee.parameters.count)
        let end = frame + callee.headerIndex + 2
        if end > highestSlot { highestSlot = end }
        return frame
    }

    /// Pushes the results of a call on the model; a single one is also in its accumulator.
    private mutating func pushResults(_ callee: FunctionShape) {
        registers = Registers()
        last = Emitted()
        previous = Emitted()
        pushAll(callee.results)
        if callee.results.count == 1, let result = stack.last, result.valueClass != .vector {
            registers[result.valueClass].slot = Int(result.home)
        }
    }

    private mutating func entryAddress(_ definedFunction: Int) -> CodeWord {
        UInt64(UInt(bitPattern: entries + definedFunction))
    }

    private mutating func importOffset(_ function: Int) -> CodeWord {
        codeWord(
            0, 0, unsigned: UInt32(truncatingIfNeeded: ContextLayout.importedFunction(function)))
    }

    mutating func call(_ function: UInt32) {
        let callee = shapes[module.functions[Int(function)]]
        let frame = popArguments(callee)
        let place = codeWord(frame, callee.headerIndex)
        let defined = Int(function) - module.importedFunctionCount
        if defined < 0 {
            emit(.callImport, word: importOffset(Int(function)), place)
        } else {
            emit(.call, word: entryAddress(defined), place)
        }
        pushResults(callee)
    }

    mutating func callIndirect(_ type: TypeIndex, _ table: UInt32) {
        let callee = shapes[type]
        let index = pop()
        var selector = operand(index)
        if selector.form == .immediate { moveToSlot(&selector) }
        // Arguments may be copied now; copies do not change the accumulator.
        let frame = popArguments(callee)
        let isNear = table == 0
        if !isNear { selector.form = .slot }
        let fromRegister = selector.form == .register
        if fromRegister { takeFromRegister(selector, .integer) }
        let typed = codeWord(0, selector.slot, unsigned: typeIDs[Int(type)])
        if isNear {
            emit(
                .callIndirect(fromRegister ? .register : .slot), word: typed,
                codeWord(frame, callee.headerIndex))
        } else {
            emit(
                .callIndirectFar, word: typed, codeWord(frame, callee.headerIndex, unsigned: table))
        }
        pushResults(callee)
    }

    mutating func callReference(_ type: TypeIndex) {
        let callee = shapes[type]
        let reference = pop()
        let slot = slotHolding(reference)
        let frame = popArguments(callee)
        emit(.callReference, word: codeWord(0, slot), codeWord(frame, callee.headerIndex))
        pushResults(callee)
    }

    // MARK: Tail calls

    /// Word 2 of a tail call.
    private mutating func replacement(_ callee: FunctionShape, _ frame: Int) -> CodeWord {
        codeWord(frame, callee.headerIndex, shape.headerIndex, callee.parameterSlots)
    }

    /// Emits a return of the results of a callee that could not replace this frame and was called
    /// instead; they are where its arguments were.
    private mutating func returnResults(_ callee: FunctionShape) {
        pushResults(callee)
        emitReturn(isObserved: false)
        enterRegion()
        isUnreachable = true
    }

    mutating func returnCall(_ function: UInt32) {
        let callee = shapes[module.functions[Int(function)]]
        let frame = popArguments(callee)
        probeCall(isReturn: true)
        let defined = Int(function) - module.importedFunctionCount
        if defined < 0 {
            leaveRegions()
            emit(.returnCallImport, word: importOffset(Int(function)), replacement(callee, frame))
            returnResults(callee)
        } else {
            emit(.returnCall, word: entryAddress(defined), replacement(callee, frame))
            isUnreachable = true
        }
    }

    mutating func returnCallIndirect(_ type: TypeIndex, _ table: UInt32) {
        let callee = shapes[type]
        let index = slotHolding(pop())
        let frame = popArguments(callee)
        probeCall(isReturn: true)
        leaveRegions()
        emit(
            .returnCallIndirect, word: codeWord(0, index, unsigned: typeIDs[Int(type)]),
            replacement(callee, frame))
        code.append(UInt64(table))
        returnResults(callee)
    }

    mutating func returnCallReference(_ type: TypeIndex) {
        let callee = shapes[type]
        let slot = slotHolding(pop())
        let frame = popArguments(callee)
        probeCall(isReturn: true)
        leaveRegions()
        emit(.returnCallReference, word: codeWord(0, slot), replacement(callee, frame))
        returnResults(callee)
    }

    // MARK: Branches on null

    /// Branches without the reference if it is null, and keeps it otherwise.
    mutating func branchOnNull(_ depth: UInt32) {
        let reference = pop()
        let slot = slotHolding(reference)
        let label = labelIndex(depth)
        prepareOperands(of: label)
        skipping {
            $0.branchOnReference(slot, whenNull: false)
        } taken: {
            $0.branchWithOperands(label)
        }
        repush(reference)
    }

    /// Branches with the reference if it is not null, and drops it otherwise.
    mutating func branchOnNonNull(_ depth: UInt32) {
        let reference = pop()
        let slot = slotHolding(reference)
        let label = labelIndex(depth)
        repush(reference)
        prepareOperands(of: label)
        skipping {
            $0.branchOnReference(slot, whenNull: true)
        } taken: {
            $0.branchWithOperands(label)
        }
        _ = pop()
    }

    /// Pushes the same entry again, now certainly in a slot.
    mutating func repush(_ entry: Entry) {
        if entry.kind == .local {
            pushLocal(entry.local)
        } else {
            push(.temporary, entry.valueClass)
        }
    }

    private mutating func branchOnReference(
        _ slot: Int, whenNull: Bool
    ) -> (instruction: Int, half: Int) {
        // The immediate is 0, as null is.
        let start = emit(
            .integerBranch(whenNull ? .i64Eq : .i64Ne, .slotImmediate, .forward),
            word: codeWord(0, slot))
        return (start, 2 * (start + 1) + 1)
    }
}
