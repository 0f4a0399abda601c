// Numeric instructions and selections, and how they fuse with each other.

import WasmMachine

extension Translator {
    mutating func binary(_ given: BinaryOperation) {
        var operation = given
        let right = pop(), left = pop()
        if fuseIntoBinary(operation, left, right) { return }
        let before = registers
        var a = operand(left), b = operand(right)
        if a.form == .register && b.form == .register {
            a.form = .slot  // one local twice
        }
        let wantsSwap =
            (a.form == .immediate && b.form != .immediate)
            || (a.form == .slot && b.form == .register)
        if wantsSwap, let swapped = operation.swapped {
            operation = swapped
            swap(&a, &b)
        }
        // Integers have immediates of 32 bits; one operand at least must be in a slot.
        let wide =
            a.form != .immediate && b.form == .immediate && !fitsSigned32(b.bits)
            ? operation.wide : nil
        if operation.operandClass == .integer && operation.is64 && wide == nil {
            if a.form == .immediate && !fitsSigned32(a.bits) { moveToSlot(&a) }
            if b.form == .immediate && !fitsSigned32(b.bits) { moveToSlot(&b) }
        }
        if a.form == .immediate && b.form == .immediate { moveToSlot(&a) }
        if operation.instruction(a.form, b.form) == nil {
            if a.form == .immediate {
                moveToSlot(&a)
            } else if b.form == .immediate {
                moveToSlot(&b)
            }
            if operation.instruction(a.form, b.form) == nil {
                a.form = .slot
                b.form = .slot
            }
        }
        guard var instruction = operation.instruction(a.form, b.form) else { return }
        if let wide {
            instruction = .integerWide(
                wide, a.form == .register ? .registerImmediate : .slotImmediate, .toSlot)
        }
        if a.form == .register { takeFromRegister(a, operation.operandClass) }
        if b.form == .register { takeFromRegister(b, operation.operandClass) }
        let (first, third) = encode(
            a, b, isNarrow: operation.operandClass == .integer && wide == nil)
        pushResult(
            instruction, word: first, third: third, operation.resultClass, before: before,
            kind: operation.kind, droppable: !operation.isDivision)
        last.operator = .binary(operation.operator)
        last.is64 = operation.is64
        last.a = a
        last.b = b
        last.valueClass = operation.operandClass
    }

    mutating func fitsSigned32(_ bits: UInt64) -> Bool {
        Int64(bitPattern: bits) == Int64(Int32(truncatingIfNeeded: bits))
    }

    /// Whether bits of an i32 or i64 are a signed 16-bit number.
    mutating func fitsSigned16(_ bits: UInt64, is64: Bool) -> Bool {
        let value = is64 ? Int64(bitPattern: bits) : Int64(Int32(truncatingIfNeeded: bits))
        return value == Int64(Int16(truncatingIfNeeded: value))
    }

    /// Word 1 (and word 2 for immediates of 64 bits) of a binary instruction.
    private mutating func encode(_ a: Operand, _ b: Operand, isNarrow: Bool) -> (
        CodeWord, CodeWord?
    ) {
        if a.form == .slot && b.form == .slot { return (codeWord(0, a.slot, b.slot), nil) }
        let slot = a.form == .slot ? a.slot : b.form == .slot ? b.slot : 0
        let immediate: UInt64? =
            a.form == .immediate ? a.bits : b.form == .immediate ? b.bits : nil
        guard let immediate else { return (codeWord(0, slot), nil) }
        if isNarrow {
            return (codeWord(0, slot, unsigned: UInt32(truncatingIfNeeded: immediate)), nil)
        }
        return (codeWord(0, slot), immediate)
    }

    mutating func unary(_ operation: UnaryOperation) {
        let entry = pop()
        // Two comparisons in a row: the second negates the first.
        if operation.kind == .equalZero, !operation.is64, isLastResult(entry),
            last.kind == .compare, case .binary(.integerCompare(let comparison)) = last.operator
        {
            replaceLastComparison(comparison.negated, entry)
            return
        }
        if operation.kind == .wrap, isLastResult(entry), isLastResultNarrow() {
            push(.temporary, .integer)
            return
        }
        let before = registers
        var source = operand(entry)
        if source.form == .immediate { moveToSlot(&source) }
        if source.form == .register { takeFromRegister(source, operation.operandClass) }
        pushResult(
            source.form == .register ? operation.fromRegister : operation.instruction,
            word: codeWord(0, source.slot), operation.resultClass, before: before,
            kind: operation.kind)
        last.is64 = operation.is64
        last.a = source
        last.valueClass = operation.operandClass
    }

    /// Whether the upper half of the 64 bits that the last instruction made is certainly zero.
    private mutating func isLastResultNarrow() -> Bool {
        guard last.is64, last.b.form == .immediate else { return false }
        switch last.kind {
        case .shiftRightUnsigned: return last.b.bits & 63 >= 32
        case .and: return last.b.bits <= UInt64(UInt32.max)
        default: return false
        }
    }

    /// Replaces the integer comparison that was just emitted by its opposite.
    private mutating func replaceLastComparison(
        _ opposite: Instruction.IntegerComparison, _ entry: Entry
    ) {
        let comparison = last
        let operation = BinaryOperation(
            .integerCompare(opposite), .integer, is64: comparison.is64, .compare)
        guard let instruction = operation.instruction(comparison.a.form, comparison.b.form) else {
            return
        }
        code[comparison.start] = instruction.handler
        last.operator = .binary(operation.operator)
        push(.temporary, .integer)
        registers.integer = RegisterContent(
            slot: Int(entry.home), producer: comparison.start, instruction: instruction)
    }

    /// Changes only the type of the value, which keeps its bits and its slot: emits no code.
    mutating func reinterpret(as valueClass: ValueClass) {
        guard !stack.isEmpty else { return }
        expose(1)
        stack[stack.count - 1].valueClass = valueClass
    }

    // MARK: Fusion of two operators

    /// Tries to make one instruction of the last one and this operator.
    private mutating func fuseIntoBinary(
        _ operation: BinaryOperation, _ left: Entry, _ right: Entry
    ) -> Bool {
        let first = last
        switch (first.kind, operation.kind) {
        case (.shiftRightUnsigned, .and)
        where !first.is64 && !operation.is64 && isLastResult(left) && first.b.form == .immediate
            && first.a.form != .immediate && right.kind == .constant && right.value <= 0xffff:
            rewind()
            extractBits(first, mask: Int(truncatingIfNeeded: right.value))
            return true
        case (.multiply, .add)
        where first.is64 == operation.is64
            && first.valueClass == operation.operandClass:
            if isLastResult(left) { return fuseMultiply(first, right, .add) }
            if isLastResult(right) { return fuseMultiply(first, left, .add) }
            return false
        case (.multiply, .subtract)
        where first.is64 == operation.is64 && first.valueClass == operation.operandClass
            && isLastResult(right):
            return fuseMultiply(first, left, .subtract)
        case (.shiftLeft, .add)
        where first.is64 == operation.is64 && operation.operandClass == .integer
            && first.a.form != .immediate && first.b.form == .immediate:
            if isLastResult(left) { return fuseShift(first, right) }
            if isLastResult(right) { return fuseShift(first, left) }
            return false
        default: return false
        }
    }

    private mutating func extractBits(_ shift: Emitted, mask: Int) {
        let before = registers
        let isRegister = shift.a.form == .register
        if isRegister { takeFromRegister(shift.a, .integer) }
        pushResult(
            .bitField(isRegister ? .register : .slot, .toSlot),
            word: codeWord(0, shift.a.slot, mask, Int(truncatingIfNeeded: shift.b.bits & 31)),
            .integer, before: before)
    }

    private enum Combination {
        case add
        case subtract
    }

    /// `other + a * b` or `other - a * b`.
    private mutating func fuseMultiply(
        _ product: Emitted, _ other: Entry, _ combination: Combination
    ) -> Bool {
        guard product.a.form == .slot, product.b.form == .slot, other.kind != .constant else {
            return false
        }
        rewind()
        let before = registers
        let third = operand(other)
        let type: Instruction.NumberType
        switch product.valueClass {
        case .float: type = .f32
        case .double: type = .f64
        default: type = product.is64 ? .i64 : .i32
        }
        let fields = codeWord(0, product.a.slot, product.b.slot, third.slot)
        switch combination {
        case .add:
            let fromRegister = third.form == .register
            if fromRegister { takeFromRegister(third, product.valueClass) }
            pushResult(
                .multiplyAdd(type, fromRegister ? .register : .slot, .toSlot), word: fields,
                product.valueClass, before: before)
        case .subtract:
            pushResult(
                .multiplySubtract(type, .toSlot), word: fields, product.valueClass, before: before)
        }
        return true
    }

    /// `other + (a << constant)`
    private mutating func fuseShift(_ shift: Emitted, _ other: Entry) -> Bool {
        guard other.kind != .constant else { return false }
        rewind()
        let before = registers
        let addend = operand(other)
        var form = Instruction.PairForm.slotSlot
        if shift.a.form == .register {
            form = .registerSlot
            takeFromRegister(shift.a, .integer)
        } else if addend.form == .register {
            form = .slotRegister
            takeFromRegister(addend, .integer)
        }
        let amount = Int(truncatingIfNeeded: shift.b.bits & (shift.is64 ? 63 : 31))
        pushResult(
            .shiftAdd(shift.is64 ? .i64 : .i32, form, .toSlot),
            word: codeWord(0, addend.slot, shift.a.slot, amount), .integer, before: before,
            kind: .shiftAdd)
        last.amount = amount
        last.is64 = shift.is64
        last.a = shift.a
        last.b = addend
        if form != .slotRegister { last.b.form = .slot }
        return true
    }

    // MARK: Selection

    mutating func select() {
        let condition = pop(), right = pop(), left = pop()
        let valueClass = left.valueClass
        if valueClass == .vector { return vectorSelect(left, right, condition) }
        let before = registers
        let usesImmediate =
            valueClass == .integer && right.kind == .constant
            && Int64(bitPattern: right.value) == Int64(Int16(truncatingIfNeeded: right.value))
        let a = slotHolding(left)
        let b =
            usesImmediate ? Int(Int16(truncatingIfNeeded: right.value)) : slotHolding(right)
        var chosen = operand(condition)
        if chosen.form == .immediate { moveToSlot(&chosen) }
        let fromRegister = chosen.form == .register
        if fromRegister { takeFromRegister(chosen, .integer) }
        let fields = codeWord(0, a, b, chosen.slot)
        if usesImmediate {
            pushResult(
                .selectImmediate(fromRegister ? .register : .slot, .toSlot), word: fields,
                valueClass, before: before)
        } else {
            pushResult(
                .select(valueClass.accumulator, fromRegister ? .register : .slot, .toSlot),
                word: fields, valueClass, before: before)
        }
    }
}
