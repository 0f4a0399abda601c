// The model of the operand stack: where operands are, and getting them where they must be.
//
// Members that only read are mutating as well, here and in the other extensions: the compiler
// copies so large a structure for a call of any other kind.

extension Translator {
    /// Pushes an entry and answers its home slot.
    @discardableResult
    mutating func push(
        _ kind: Entry.Kind, _ valueClass: ValueClass, value: UInt64 = 0
    ) -> Int {
        let home = nextHome
        stack.append(Entry(kind: kind, valueClass: valueClass, home: Int32(home), value: value))
        if home + 2 > highestSlot { highestSlot = home + 2 }
        return home
    }

    /// The home slot of the next entry.
    var nextHome: Int {
        mutating get {
            guard let top = stack.last else { return operandBase }
            return Int(top.home) + top.valueClass.slotCount
        }
    }

    mutating func pushLocal(_ local: Int) {
        push(.local, localClasses[local], value: UInt64(local))
        stack[stack.count - 1].nextAlias = aliases[local]
        aliases[local] = Int32(truncatingIfNeeded: stack.count - 1)
    }

    mutating func pop() -> Entry {
        let entry = stack.removeLast()
        if entry.kind == .local { aliases[entry.local] = entry.nextAlias }
        if flushed > stack.count { flushed = stack.count }
        if settled > stack.count { settled = stack.count }
        return entry
    }

    /// Drops entries until `count` are left.
    mutating func truncate(to count: Int) {
        while stack.count > max(count, settled) { _ = pop() }
        guard stack.count > count else { return }
        stack.removeLast(stack.count - count)
        flushed = min(flushed, count)
        settled = count
    }

    /// Pushes values that are in their home slots.
    mutating func pushAll(_ classes: Range<Int>) {
        let isSettled = settled == stack.count
        var home = nextHome
        for index in classes {
            let valueClass = shapes.classes[index]
            stack.append(
                Entry(
                    kind: .temporary, valueClass: valueClass, home: Int32(truncatingIfNeeded: home))
            )
            home += valueClass.slotCount
        }
        if home + 1 > highestSlot { highestSlot = home + 1 }
        if isSettled { settled = stack.count }
    }

    /// The slot that holds an entry's value; for a constant its home, where it is not yet.
    mutating func slot(of entry: Entry) -> Int {
        entry.kind == .local ? Int(localSlots[entry.local]) : Int(entry.home)
    }

    /// Puts a popped entry into a slot, if it is a constant, and answers the slot.
    mutating func slotHolding(_ entry: Entry) -> Int {
        if entry.kind == .constant { emitConstant(to: Int(entry.home), entry.value) }
        return slot(of: entry)
    }

    /// Moves entry `index` to its home slot. Every entry above it that stands for the same local
    /// must have been moved.
    mutating func materialize(_ index: Int) {
        let entry = stack[index]
        switch entry.kind {
        case .temporary: return
        case .local:
            aliases[entry.local] = entry.nextAlias
            emitCopy(to: Int(entry.home), of: entry)
        case .constant: emitConstant(to: Int(entry.home), entry.value)
        }
        stack[index].kind = .temporary
    }

    /// Moves the topmost `count` entries to their home slots.
    mutating func materializeTop(_ count: Int) {
        let first = stack.count - count
        for index in (max(first, settled)..<stack.count).reversed() { materialize(index) }
        if settled >= first { settled = stack.count }
    }

    /// The topmost `count` entries that may not be in their homes.
    mutating func unsettledTop(_ count: Int) -> ArraySlice<Entry> {
        stack[max(stack.count - count, settled)...]
    }

    /// Moves everything that stands for a local to its home: code that follows may assign locals on
    /// some ways and not on others.
    mutating func flushAliases() {
        for index in (flushed..<stack.count).reversed() where stack[index].kind == .local {
            materialize(index)
        }
        flushed = stack.count
    }

    /// Moves the entries that stand for `local` to their homes, because it is about to change.
    mutating func flushAliases(of local: Int) {
        while aliases[local] >= 0 { materialize(Int(aliases[local])) }
    }

    // MARK: Operands of instructions

    /// How an instruction that takes its operand from a slot, the accumulator or an immediate gets
    /// this popped entry.
    mutating func operand(_ entry: Entry) -> Operand {
        let slot = slot(of: entry)
        switch entry.kind {
        case .constant:
            return Operand(form: .immediate, slot: slot, bits: entry.value, isTemporary: true)
        case .local, .temporary:
            let isInRegister = registers[entry.valueClass].slot == slot
            return Operand(
                form: isInRegister && entry.valueClass != .vector ? .register : .slot, slot: slot,
                isTemporary: entry.kind == .temporary)
        }
    }

    /// The instruction about to be emitted takes `operand` from the accumulator: what made a
    /// temporary need not store it.
    mutating func takeFromRegister(_ operand: Operand, _ valueClass: ValueClass) {
        guard operand.isTemporary else { return }
        let content = registers[valueClass]
        if content.producer >= 0 {
            code[content.producer] = content.instruction.registerOnly.handler
        }
        registers[valueClass].slot = -1
    }

    /// Puts an immediate operand into its home slot.
    mutating func moveToSlot(_ operand: inout Operand) {
        if operand.form == .immediate { emitConstant(to: operand.slot, operand.bits) }
        operand.form = .slot
    }

    /// Whether a popped entry is what the last instruction made.
    mutating func isLastResult(_ entry: Entry) -> Bool {
        entry.kind == .temporary && last.end == code.count && last.destination == Int(entry.home)
            && last.destination >= operandBase && last.kind != .copy && last.kind != .constant
    }
}
