// Blocks, branches and returns.

import WasmMachine

extension Translator {
    // MARK: Blocks

    /// Opens a block, loop or if. Operands that are locals are moved to their homes, since only
    /// some of the construct's paths may assign the locals.
    mutating func open(_ kind: Label.Kind, _ type: BlockType) {
        let condition = kind == .if ? pop() : nil
        let types = labelTypes(type)
        flushAliases()
        let home = settle(types.parameters)
        let height = stack.count - (types.parameters.count <= 2 ? types.parameters.count : 1)
        var label = Label(
            kind: kind, height: height, home: home, parameters: types.parameters,
            results: types.results)
        label.region = region
        if let condition {
            restore(condition)
            let (instruction, half) = conditionalBranch(negated: true)
            fixups.append(Fixup(next: -1, instruction: instruction, half: half))
            label.elseFixup = fixups.count - 1
            registers.keepStores()
            label.assignedAtEntry = assigned
        }
        if kind == .loop {
            // Charge here rather than in the loop.
            if code.count - lastCharge >= Self.chargedWords / 2 { chargeStretch() }
            bindLabel()
            label.start = code.count
        }
        labels.append(label)
    }

    mutating func labelTypes(_ type: BlockType) -> (
        parameters: Range<Int>, results: Range<Int>
    ) {
        switch type {
        case .empty: return (0..<0, 0..<0)
        case .value(let type): return (0..<0, shapes.singleResult(ValueClass(type)))
        case .type(let index): return (shapes[index].parameters, shapes[index].results)
        }
    }

    mutating func openElse() {
        let index = labels.count - 1
        if !isUnreachable {
            moveOperands(labels[index].results, to: labels[index].home)
            noteAssigned(index)
            emitBranch(to: index)
        }
        bindLabel()
        isUnreachable = false
        resolve(labels[index].elseFixup)
        labels[index].elseFixup = -1
        truncate(to: labels[index].height)
        pushAll(labels[index].parameters)
        assigned = labels[index].assignedAtEntry
    }

    /// Closes the innermost construct; the function's own ends the translation.
    mutating func close() {
        let label = labels[labels.count - 1]
        if label.kind == .function {
            if !isUnreachable { emitReturn() }
            if label.clause >= 0 { returnCaught(label.clause) }
            labels.removeLast()
            return
        }
        if !isUnreachable {
            moveOperands(label.results, to: label.home)
            if label.kind != .loop { noteAssigned(labels.count - 1) }
        }
        let isTarget = label.fixup >= 0 || label.elseFixup >= 0 || label.clause >= 0
        if label.elseFixup >= 0 {
            // No else part: if the condition was false, the parameters are the results.
            resolve(label.elseFixup)
            assigned = label.assignedAtEntry
            noteAssigned(labels.count - 1)
            isUnreachable = false
        }
        if label.fixup >= 0 {
            resolve(label.fixup)
            isUnreachable = false
        }
        if label.clause >= 0 {
            handlers.resolve(label.clause, to: code.count)
            isUnreachable = false
        }
        if let merged = labels[labels.count - 1].assignedAtEnd { assigned = merged }
        labels.removeLast()
        enterRegion()
        truncate(to: label.height)
        if isTarget || label.kind == .loop { bindLabel() } else { registers.keepStores() }
        pushAll(label.results)
        // Results were moved, or are where they were; the window is not valid for their entries.
        last = Emitted()
        previous = Emitted()
    }

    // MARK: Moving operands to a label

    /// Emits moves of the topmost operands, which have these classes and stay on the model, to the
    /// slots from `home` on. More than two must be in their homes already or are moved there.
    mutating func moveOperands(_ classes: Range<Int>, to home: Int) {
        let count = classes.count
        if count == 0 { return }
        if count > 2 {
            emitCopyRange(to: home, from: settle(classes), shapes.slotCount(of: classes))
            return
        }
        expose(count)
        var target = home
        for index in (stack.count - count)..<stack.count {
            let entry = stack[index]
            if entry.kind == .constant {
                emitConstant(to: target, entry.value)
            } else {
                emitCopy(to: target, of: entry)
            }
            target += entry.valueClass.slotCount
        }
    }

    /// Whether the topmost operands are elsewhere than in the slots from `home` on. More than two
    /// must be settled.
    mutating func needsMove(_ classes: Range<Int>, to home: Int) -> Bool {
        let count = classes.count
        if count == 0 { return false }
        if count > 2 { return nextHome - shapes.slotCount(of: classes) != home }
        expose(count)
        let operands = stack[(stack.count - count)...]
        return Int(operands[operands.startIndex].home) != home
            || operands.contains { $0.kind != .temporary }
    }

    /// The classes of the operands that a branch to `label` carries.
    mutating func carried(_ label: Int) -> Range<Int> {
        labels[label].kind == .loop ? labels[label].parameters : labels[label].results
    }

    // MARK: Branches

    mutating func labelIndex(_ depth: UInt32) -> Int { labels.count - 1 - Int(depth) }

    /// Emits a branch to a label whose operands are in place. A copy or constant just before it
    /// becomes part of it.
    mutating func emitBranch(to label: Int) {
        let direction: Instruction.Direction = labels[label].kind == .loop ? .loop : .forward
        let start: Int
        if last.kind == .copy, last.end == code.count {
            start = last.start
            code[start] = Instruction.copyBranch(direction).handler
        } else if last.kind == .constant, last.end == code.count {
            start = last.start
            let constant = code[start + 1] &>> 32
            code[start] = Instruction.constantBranch(direction).handler
            code[start + 1] = code[start + 1] & 0xffff | constant &<< 16
        } else {
            start = emit(.branch(direction), word: 0)
        }
        last = Emitted()
        previous = Emitted()
        if labels[label].kind == .loop {
            setOffset(2 * (start + 1) + 1, from: start, to: labels[label].start)
        } else {
            fixups.append(
                Fixup(next: labels[label].fixup, instruction: start, half: 2 * (start + 1) + 1))
            labels[label].fixup = fixups.count - 1
        }
    }

    mutating func branch(_ depth: UInt32) {
        branchWithOperands(labelIndex(depth))
        isUnreachable = true
    }

    /// Moves operands, then branches or returns.
    mutating func branchWithOperands(_ label: Int) {
        if label == 0 {
            emitReturn()
            return
        }
        moveOperands(carried(label), to: labels[label].home)
        if labels[label].kind != .loop { noteAssigned(label) }
        emitBranch(to: label)
    }

    mutating func branchIf(_ depth: UInt32) {
        let label = labelIndex(depth)
        let classes = carried(label)
        let condition = pop()
        if classes.count > 2 { settle(classes) }
        if label == 0 || needsMove(classes, to: labels[label].home) {
            prepareOperands(of: label)
            if label == 0 || needsMove(classes, to: labels[label].home) {
                restore(condition)
                skipping {
                    $0.conditionalBranch(negated: true)
                } taken: {
                    $0.branchWithOperands(label)
                }
                return
            }
        }
        restore(condition)
        let loop = labels[label].kind == .loop ? label : nil
        let (instruction, half) = conditionalBranch(negated: false, loop: loop)
        if half >= 0 { connect(label, instruction, half: half) }
        registers.keepStores()
    }

    /// Moves the operands of a branch so far that the branch itself need not change the model,
    /// since the code that it emits runs on one of two paths only.
    mutating func prepareOperands(of label: Int) {
        let classes = carried(label)
        if classes.count > 2 || (label == 0 && returnOverlaps(classes.count)) { settle(classes) }
    }

    /// Emits `branch`, which jumps over what `taken` emits.
    mutating func skipping(
        _ branch: (inout Translator) -> (instruction: Int, half: Int),
        taken: (inout Translator) -> Void
    ) {
        let (instruction, half) = branch(&self)
        registers.keepStores()
        let saved = registers
        let assignedBefore = assigned
        last = Emitted()
        previous = Emitted()
        taken(&self)
        setOffset(half, from: instruction, to: code.count)
        registers = saved
        assigned = assignedBefore
        last = Emitted()
        previous = Emitted()
    }

    /// Every target's offset is in the table; the moves for targets that need some follow the
    /// table, once for each label.
    mutating func branchTable() throws(DecodingError) {
        let targets = try reader.labelCount()
        let index = pop()
        var selector = operand(index)
        if selector.form == .immediate { moveToSlot(&selector) }
        // All targets carry the same number of operands of the same classes; whether they need
        // moves depends on where the operands are.
        let classes = carried(labelIndex(try peekLabel()))
        let count = classes.count
        if count == 1 { expose(1) }
        let home = count == 1 ? Int(stack[stack.count - 1].home) : settle(classes)
        let areInHomes = count != 1 || stack[stack.count - 1].kind == .temporary
        // An addition to the index before the branch becomes part of it.
        var addend = 0
        if isLastResult(index), last.kind == .add, last.valueClass == .integer, !last.is64,
            last.a.form != .immediate, last.b.form == .immediate,
            fitsSigned16(last.b.bits, is64: false)
        {
            selector = last.a
            addend = Int(truncatingIfNeeded: last.b.bits)
            rewind()
        }
        if selector.form == .register { takeFromRegister(selector, .integer) }
        let isRegister = selector.form == .register
        let form: Instruction.TableIndex =
            addend == 0
            ? isRegister ? .register : .slot : isRegister ? .registerImmediate : .slotImmediate
        let start = emit(
            .branchTable(form),
            word: codeWord(addend, selector.slot, unsigned: UInt32(truncatingIfNeeded: targets)))
        let table = code.count
        code.append(contentsOf: repeatElement(0, count: (targets + 2) / 2))
        registers = Registers()
        for position in 0...targets {
            let label = labelIndex(try reader.unsigned32())
            let half = 2 * table + position
            if label != 0, count == 0 || (areInHomes && labels[label].home == home) {
                connect(label, start, half: half)
            } else if labels[label].stub.table == table {
                setOffset(half, from: start, to: labels[label].stub.word)
            } else {
                labels[label].stub = (table, code.count)
                setOffset(half, from: start, to: code.count)
                bindLabel()
                branchWithOperands(label)
            }
        }
        isUnreachable = true
    }

    private mutating func peekLabel() throws(DecodingError) -> UInt32 {
        var ahead = reader
        return try ahead.unsigned32()
    }

    // MARK: Returns

    /// Whether writing two results to the slots from 0 on would overwrite one that is not moved
    /// yet.
    private mutating func returnOverlaps(_ count: Int) -> Bool {
        guard count == 2 else { return false }
        expose(2)
        return stack[(stack.count - 2)...].contains {
            $0.kind == .local && Int(localSlots[$0.local]) < shape.resultSlots
        }
    }

    /// Emits a return of the topmost operands, which stay on the model.
    ///
    /// - Parameter isObserved: whether it is a return of the function, and not that of a tail call.
    mutating func emitReturn(isObserved: Bool = true) {
        if isObserved { probeCall(isReturn: true) }
        let header = shape.headerIndex
        let count = shape.results.count
        if count == 1 { expose(1) }
        if count == 0 {
            emit(.returnNone, word: codeWord(header))
        } else if count == 1, let entry = stack.last, entry.valueClass != .vector {
            returnSingle(entry, header)
        } else {
            if returnOverlaps(count) { settle(shape.results) }
            moveOperands(shape.results, to: 0)
            emit(.returnNone, word: codeWord(header))
        }
        last = Emitted()
        previous = Emitted()
    }

    private mutating func returnSingle(_ entry: Entry, _ header: Int) {
        var value = operand(entry)
        if value.form == .immediate {
            if entry.valueClass == .integer && entry.value <= 0xffff_ffff {
                let bits = UInt32(truncatingIfNeeded: entry.value)
                emit(.returnConstant, word: codeWord(header, 0, unsigned: bits))
                return
            }
            moveToSlot(&value)
        }
        let fromRegister = value.form == .register
        if fromRegister { takeFromRegister(value, entry.valueClass) }
        emit(
            .returnValue(entry.valueClass.accumulator, fromRegister ? .register : .slot),
            word: codeWord(header, value.slot))
    }
}
