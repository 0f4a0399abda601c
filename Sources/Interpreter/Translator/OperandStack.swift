// The model of the operand stack: where operands are, and moving them where they must be.
//
// Members that only read are mutating as well, here and in the other extensions, because the
// compiler copies such a large structure for other calls.

import WasmMachine

extension Translator {
    /// Pushes an entry and returns its home slot.
    @discardableResult
    mutating func push(
        _ kind: Entry.Kind, _ valueClass: ValueClass, value: UInt64 = 0
    ) -> Int {
        let home = nextHome
        stack.append(Entry(kind: kind, valueClass: valueClass, home: home, value: value))
        if home + 2 > highestSlot { highestSlot = home + 2 }
        return home
    }

    /// The home slot of the next entry.
    var nextHome: Int {
        mutating get {
            guard let top = stack.last else { return operandBase }
            return Int(top.end)
        }
    }

    mutating func pushLocal(_ local: Int) {
        push(.local, localClasses[local], value: UInt64(local))
        stack[stack.count - 1].nextAlias = aliases[local]
        aliases[local] = Int32(truncatingIfNeeded: stack.count - 1)
    }

    mutating func pop() -> Entry {
        let entry = stack.removeLast()
        switch entry.kind {
        case .temporary, .constant: break
        case .local: aliases[entry.local] = entry.nextAlias
        case .run: return popLast(of: entry)
        }
        if flushed > stack.count { flushed = stack.count }
        return entry
    }

    /// Drops entries until `count` are left.
    mutating func truncate(to count: Int) {
        while stack.count > count {
            let entry = stack.removeLast()
            if entry.kind == .local { aliases[entry.local] = entry.nextAlias }
        }
        if flushed > count { flushed = count }
    }

    /// Drops the topmost `count` operands.
    mutating func drop(_ count: Int) {
        var left = count
        while left > 0, let top = stack.last {
            if top.kind == .run {
                left -= shorten(by: left)
            } else {
                _ = pop()
                left -= 1
            }
        }
    }

    /// Pushes values that are in their home slots.
    mutating func pushAll(_ classes: Range<Int>) {
        if classes.count <= 2 {
            for index in classes { push(.temporary, shapes.classes[index]) }
        } else {
            let home = nextHome
            let run = Entry(
                run: classes, home: home, end: home + shapes.slotCount(of: classes))
            stack.append(run)
            if Int(run.end) >= highestSlot { highestSlot = Int(run.end) + 1 }
        }
    }

    /// The slot of an entry's value; for a constant its home slot, where it is not yet stored.
    mutating func slot(of entry: Entry) -> Int {
        entry.kind == .local ? Int(localSlots[entry.local]) : Int(entry.home)
    }

    /// Stores a popped entry in a slot if it is a constant, and returns its slot.
    mutating func slotHolding(_ entry: Entry) -> Int {
        if entry.kind == .constant { emitConstant(to: Int(entry.home), entry.value) }
        return slot(of: entry)
    }

    /// Moves entry `index` to its home slot. All entries above it for the same local must have been
    /// moved.
    mutating func materialize(_ index: Int) {
        let entry = stack[index]
        switch entry.kind {
        case .temporary, .run: return
        case .local:
            aliases[entry.local] = entry.nextAlias
            emitCopy(to: Int(entry.home), of: entry)
        case .constant: emitConstant(to: Int(entry.home), entry.value)
        }
        stack[index].kind = .temporary
    }

    /// Moves the topmost `count` operands to their home slots and pops them. Returns the home of
    /// the deepest.
    mutating func take(_ count: Int) -> Int {
        var left = count
        while left > 0, !stack.isEmpty {
            let top = stack.count - 1
            if stack[top].kind == .run {
                left -= shorten(by: left)
            } else {
                materialize(top)
                stack.removeLast()
                left -= 1
            }
        }
        if flushed > stack.count { flushed = stack.count }
        return nextHome
    }

    // MARK: Runs

    /// The last value of a run that was just popped; the rest of the run is pushed again.
    @inline(never)
    private mutating func popLast(of popped: Entry) -> Entry {
        var run = popped
        let valueClass = shapes.classes[run.runClasses.upperBound - 1]
        run.shorten(by: 1, slots: valueClass.slotCount)
        if run.runCount > 0 { stack.append(run) }
        if flushed > stack.count { flushed = stack.count }
        return Entry(kind: .temporary, valueClass: valueClass, home: Int(run.end))
    }

    /// Drops up to `count` values of the topmost entry, a run. Returns the number of dropped
    /// values.
    private mutating func shorten(by count: Int) -> Int {
        let top = stack.count - 1
        let classes = stack[top].runClasses
        guard classes.count > count else {
            stack.removeLast()
            return classes.count
        }
        let dropped = (classes.upperBound - count)..<classes.upperBound
        stack[top].shorten(by: count, slots: shapes.slotCount(of: dropped))
        return count
    }

    /// Moves the topmost operands, which have these classes, to their home slots, and keeps them
    /// there: more than two as one run, so that doing it again costs nothing. Returns the home of
    /// the deepest.
    @discardableResult
    mutating func settle(_ classes: Range<Int>) -> Int {
        let count = classes.count
        if count <= 2 {
            expose(count)
            for index in ((stack.count - count)..<stack.count).reversed() { materialize(index) }
            return count == 0 ? nextHome : Int(stack[stack.count - count].home)
        }
        if let top = stack.last, top.kind == .run, top.runCount == count { return Int(top.home) }
        let home = take(count)
        stack.append(Entry(run: classes, home: home, end: home + shapes.slotCount(of: classes)))
        return home
    }

    /// Makes single entries of the topmost `count` operands; `count` is small.
    mutating func expose(_ count: Int) {
        for depth in 0..<count {
            let index = stack.count - 1 - depth
            guard index >= 0 else { return }
            if stack[index].kind == .run { return splitRun(count) }
        }
    }

    @inline(never)
    private mutating func splitRun(_ count: Int) {
        var entries: [Entry] = []
        for _ in 0..<count where !stack.isEmpty { entries.append(pop()) }
        for entry in entries.reversed() { restore(entry) }
    }

    /// Pushes a popped entry again.
    mutating func restore(_ entry: Entry) {
        if entry.kind == .local {
            pushLocal(entry.local)
        } else {
            push(entry.kind, entry.valueClass, value: entry.value)
        }
    }

    // MARK: Locals on the stack

    /// Moves all entries for locals to their homes, because the following code may assign locals on
    /// some paths only.
    mutating func flushAliases() {
        for index in (flushed..<stack.count).reversed() where stack[index].kind == .local {
            materialize(index)
        }
        flushed = stack.count
    }

    /// Moves the entries for `local` to their homes, because it is about to change.
    mutating func flushAliases(of local: Int) {
        while aliases[local] >= 0 { materialize(Int(aliases[local])) }
    }

    // MARK: Operands of instructions

    /// The operand for a popped entry, of an instruction that takes it from a slot, the accumulator
    /// or an immediate.
    mutating func operand(_ entry: Entry) -> Operand {
        let slot = slot(of: entry)
        switch entry.kind {
        case .constant:
            return Operand(form: .immediate, slot: slot, bits: entry.value, isTemporary: true)
        case .local, .temporary, .run:
            let isInRegister = registers[entry.valueClass].slot == slot
            return Operand(
                form: isInRegister && entry.valueClass != .vector ? .register : .slot, slot: slot,
                isTemporary: entry.kind == .temporary)
        }
    }

    /// The next instruction takes `operand` from the accumulator, so the producer of a temporary
    /// need not store it.
    mutating func takeFromRegister(_ operand: Operand, _ valueClass: ValueClass) {
        guard operand.isTemporary else { return }
        let content = registers[valueClass]
        if content.producer >= 0 {
            code[content.producer] = content.instruction.registerOnly.handler
        }
        registers[valueClass].slot = -1
    }

    /// Stores an immediate operand in its home slot.
    mutating func moveToSlot(_ operand: inout Operand) {
        if operand.form == .immediate { emitConstant(to: operand.slot, operand.bits) }
        operand.form = .slot
    }

    /// Whether a popped entry is the last instruction's result.
    mutating func isLastResult(_ entry: Entry) -> Bool {
        entry.kind == .temporary && last.end == code.count && last.destination == Int(entry.home)
            && last.destination >= operandBase && last.kind != .copy && last.kind != .constant
    }
}
