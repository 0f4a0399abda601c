// Locals, globals, tables and references.

import WasmMachine

extension Translator {
    /// The number of a local in the translator's lists, by its index.
    @inline(__always)
    mutating func local(_ index: UInt32) -> Int {
        let index = Int(index)
        return index < writtenLocals ? index : farLocal(index)
    }

    /// The number of a local that is not in the lists yet; adds it.
    @inline(never)
    private mutating func farLocal(_ index: Int) -> Int {
        if let known = farNumbers[index] { return known }
        var low = 0
        var high = farLocals.count - 1
        while low < high {
            let middle = (low + high) / 2
            if farLocals[middle].end <= index { low = middle + 1 } else { high = middle }
        }
        let group = farLocals[low]
        let slot = group.slot + (index - group.first) * group.valueClass.slotCount
        localSlots.append(Int32(truncatingIfNeeded: slot))
        localClasses.append(group.valueClass)
        aliases.append(-1)
        farNumbers[index] = aliases.count - 1
        return aliases.count - 1
    }

    mutating func localGet(_ local: Int) {
        if !assigned.contains(local) {
            zeroSlots.add(Int(localSlots[local]), localClasses[local].slotCount)
        }
        pushLocal(local)
    }

    mutating func localSet(_ local: Int, tee: Bool) {
        let target = Int(localSlots[local])
        let entry = pop()
        assigned.insert(local)
        // Old values of the local would have to be saved between the two loads.
        let isWritable = last.kind != .loadTwo || aliases[local] < 0
        if isLastResult(entry), entry.valueClass == localClasses[local], isWritable {
            retarget(to: local)
        } else {
            // The value may be that of this local; then nothing changes.
            if entry.kind == .local && entry.local == local {
                if tee { pushLocal(local) }
                return
            }
            flushAliases(of: local)
            if entry.kind == .constant {
                emitConstant(to: target, entry.value)
            } else {
                emitCopy(to: target, of: entry)
            }
        }
        if tee { pushLocal(local) }
    }

    /// Lets the last instruction write `local` instead of its home slot.
    private mutating func retarget(to local: Int) {
        let target = Int(localSlots[local])
        if aliases[local] >= 0 {
            // Earlier reads of the local need its old value: save it before the instruction.
            let words = Array(code[last.start...])
            let instruction = last
            let after = registers
            code.removeSubrange(last.start...)
            registers = last.before
            let start = code.count
            flushAliases(of: local)
            let saved = code.count - start
            registers = after
            forgetSavedSlots(from: start)
            last = instruction
            last.start += saved
            last.end += saved
            previous = Emitted()
            code.append(contentsOf: words)
            for valueClass in [ValueClass.integer, .float, .double]
            where registers[valueClass].producer == instruction.start {
                registers[valueClass].producer = last.start
            }
        }
        code[last.start + 1] = code[last.start + 1] & ~0xffff | codeWord(target)
        let home = last.destination
        registers.forget(slot: target)
        if last.valueClass == .vector { registers.forget(slot: target + 1) }
        for valueClass in [ValueClass.integer, .float, .double]
        where registers[valueClass].slot == home {
            // The accumulator has the local's value, but its slot must be written.
            registers[valueClass].slot = target
            registers[valueClass].producer = -1
        }
        last.destination = target
        noteRetargeted(target)
    }

    /// The copies that were emitted from `start` on wrote home slots, which the accumulators may
    /// hold.
    private mutating func forgetSavedSlots(from start: Int) {
        var index = start
        while index < code.count {
            let fields = code[index + 1]
            let isTwo = code[index] == Instruction.copyTwo.handler
            let destination = Int(UInt16(truncatingIfNeeded: fields))
            registers.forget(slot: destination)
            if isTwo { registers.forget(slot: Int(UInt16(truncatingIfNeeded: fields &>> 32))) }
            if code[index] == Instruction.vectorCopy.handler {
                registers.forget(slot: destination + 1)
            }
            index += 2
        }
    }

    /// Recognises additions in place to a local, and loads of one, for the next fusion.
    private mutating func noteRetargeted(_ target: Int) {
        let instruction = last
        last.kind = .other
        switch instruction.kind {
        case .load: last.kind = .loadToLocal
        case .vectorCompare: last.kind = .vectorCompare
        case .vectorBinary:
            last.kind = .vectorBinaryToLocal
            fuseTwo()
        case .add where isGlobalSum(instruction), .subtract where isGlobalSum(instruction):
            let amount = Int(truncatingIfNeeded: instruction.b.bits)
            last.kind = .globalSum
            last.amount = instruction.kind == .add ? amount : -amount
        case .add where instruction.valueClass == .integer && instruction.a.form != .immediate:
            // The local itself is in its slot, even if the accumulator was used.
            let a = instruction.a, b = instruction.b
            if b.form == .immediate {
                if a.slot == target, fitsSigned16(b.bits, is64: instruction.is64) {
                    fuseIncrement(target, instruction)
                } else if !instruction.is64, a.form == .slot || !a.isTemporary {
                    fuseSum(target, instruction)
                }
            } else if a.slot == target {
                last.kind = .incrementBySlot
                last.amount = b.slot
            } else if b.slot == target, a.form == .slot || !a.isTemporary {
                last.kind = .incrementBySlot
                last.amount = a.slot
            }
        default: break
        }
    }

    /// `slot = slot + immediate`: fuses with another such instruction before it.
    private mutating func fuseSum(_ target: Int, _ instruction: Emitted) {
        let first = previous
        guard first.kind == .sumToLocal || first.kind == .increment && !first.is64,
            first.end == instruction.start, instruction.a.slot != first.destination
        else {
            last.kind = .sumToLocal
            return
        }
        let source =
            first.kind == .increment ? first.destination : first.a.slot
        code.removeSubrange(first.start...)
        let start = code.count
        code.append(Instruction.sumTwo.handler)
        code.append(codeWord(target, instruction.a.slot, first.destination, source))
        code.append(instruction.b.bits & 0xffff_ffff | first.b.bits &<< 32)
        replaceWindow(start)
    }

    /// Whether this adds an immediate to the global that was read just before.
    private mutating func isGlobalSum(_ sum: Emitted) -> Bool {
        sum.valueClass == .integer && !sum.is64 && sum.a.form == .register && sum.a.isTemporary
            && sum.b.form == .immediate && previous.kind == .globalGet
            && previous.end == sum.start
    }

    /// `slot += immediate`: fuses with an increment or a copy before it, if possible.
    private mutating func fuseIncrement(_ target: Int, _ instruction: Emitted) {
        let amount = Int(truncatingIfNeeded: instruction.b.bits)
        if previous.kind == .increment, previous.end == instruction.start,
            previous.is64 == instruction.is64
        {
            let first = previous
            code.removeSubrange(first.start...)
            let start = code.count
            code.append(Instruction.addTwo(instruction.is64 ? .i64 : .i32).handler)
            code.append(codeWord(first.destination, first.amount, target, amount))
            replaceWindow(start)
        } else if previous.kind == .copy, previous.end == instruction.start, !instruction.is64,
            previous.a.slot == target
        {
            let copy = previous
            code.removeSubrange(copy.start...)
            let start = code.count
            code.append(Instruction.postIncrement.handler)
            code.append(
                codeWord(copy.destination, target, signed: Int(Int32(truncatingIfNeeded: amount))))
            replaceWindow(start)
        } else {
            last.kind = .increment
            last.amount = amount
        }
    }

    /// One instruction replaced the last two.
    mutating func replaceWindow(_ start: Int) {
        previous = Emitted()
        last = Emitted()
        last.kind = .other
        last.start = start
        last.end = code.count
        registers.integer.producer = -1
    }

    // MARK: Globals

    private mutating func globalPlace(_ global: Int) -> Instruction.GlobalPlace {
        global < layout.importedGlobalCount ? .imported : .own
    }

    mutating func globalGet(_ global: Int) {
        let valueClass = ValueClass(module.globals[global].value)
        let offset = UInt32(truncatingIfNeeded: layout.globalOffsets[global])
        if valueClass == .vector { return vectorGlobalGet(globalPlace(global), offset) }
        pushResult(
            .globalGet(valueClass.accumulator, globalPlace(global), .toSlot),
            word: codeWord(0, 0, unsigned: offset), valueClass, before: registers,
            kind: valueClass == .integer ? .globalGet : .other)
        last.amount = global
    }

    mutating func globalSet(_ global: Int) {
        let entry = pop()
        let offset = UInt32(truncatingIfNeeded: layout.globalOffsets[global])
        let place = globalPlace(global)
        if entry.valueClass == .vector { return vectorGlobalSet(place, offset, entry) }
        if place == .own, offset <= 0xffff, globalSetSum(global, entry, Int(offset)) { return }
        var value = operand(entry)
        if value.form == .immediate { moveToSlot(&value) }
        guard value.form == .register else {
            emit(.globalSet(place, .slot), word: codeWord(0, value.slot, unsigned: offset))
            return
        }
        takeFromRegister(value, entry.valueClass)
        let fields = codeWord(0, 0, unsigned: offset)
        switch entry.valueClass {
        case .float: emit(.globalSetFloat(.float, place), word: fields)
        case .double: emit(.globalSetFloat(.double, place), word: fields)
        default: emit(.globalSet(place, .register), word: fields)
        }
    }

    /// Fuses with the addition before it, as when functions change the stack pointer, which
    /// compilers keep in a global.
    private mutating func globalSetSum(_ global: Int, _ entry: Entry, _ offset: Int) -> Bool {
        let sum = last, get = previous
        if sum.kind == .globalSum, sum.end == code.count, get.amount == global,
            entry.kind == .local, Int(localSlots[entry.local]) == sum.destination
        {
            code.removeSubrange(get.start...)
            let start = emit(
                .globalAdd, word: codeWord(sum.destination, offset, signed: sum.amount))
            replaceWindow(start)
            return true
        }
        guard isLastResult(entry), sum.kind == .add, sum.valueClass == .integer, !sum.is64,
            sum.b.form == .immediate, sum.a.form == .slot || !sum.a.isTemporary
        else { return false }
        rewind()
        emit(
            .globalSetSum,
            word: codeWord(offset, sum.a.slot, signed: Int(truncatingIfNeeded: sum.b.bits)))
        return true
    }

    // MARK: Tables

    mutating func tableGet(_ table: UInt32) {
        let before = registers
        let index = slotHolding(pop())
        pushResult(
            .tableGet, word: codeWord(0, index, Int(table)), .integer, before: before,
            droppable: false)
    }

    mutating func tableSet(_ table: UInt32) {
        let value = pop(), index = pop()
        let place = slotHolding(index), source = slotHolding(value)
        emit(.tableSet, word: codeWord(place, source, Int(table)))
    }

    mutating func tableSize(_ table: UInt32) {
        pushResult(
            .tableSize, word: codeWord(0, 0, Int(table)), .integer, before: registers,
            droppable: false)
    }

    mutating func tableGrow(_ table: UInt32) {
        let before = registers
        let delta = pop(), value = pop()
        let source = slotHolding(value), count = slotHolding(delta)
        let is64 = module.tables[Int(table)].addressType == .i64
        pushResult(
            .tableGrow, word: codeWord(0, source, count, Int(table) << 1 | (is64 ? 1 : 0)),
            .integer,
            before: before, droppable: false)
    }

    // MARK: References

    mutating func functionReference(_ function: UInt32) {
        pushResult(
            .functionReference, word: codeWord(0, 0, unsigned: function), .integer,
            before: registers,
            droppable: false)
    }

    /// Traps if the topmost reference is null; it stays.
    mutating func nullCheck() {
        let entry = pop()
        let slot = slotHolding(entry)
        emit(.nullCheck, word: codeWord(0, slot))
        switch entry.kind {
        case .local: pushLocal(entry.local)
        case .constant, .temporary, .run:
            push(.temporary, .integer)
            registers.keepStores()
        }
    }

    // MARK: Wide arithmetic

    /// `i64.add128` and the like: two results, which must be next to each other.
    mutating func wide(_ operation: Instruction.Wide) {
        let operandCount =
            switch operation {
            case .i64Add128, .i64Sub128: 4
            case .i64MulWideS, .i64MulWideU: 2
            }
        var slots = [0, 0, 0, 0]
        for index in (0..<operandCount).reversed() { slots[index] = slotHolding(pop()) }
        let low = push(.temporary, .integer)
        push(.temporary, .integer)
        emit(
            .wide(operation), word: codeWord(low, slots[0], slots[1]),
            codeWord(slots[2], slots[3]))
        registers.forget(slot: low)
        registers.forget(slot: low + 1)
    }
}
