// Conditional branches, and what they fuse with: comparisons, tests, loads, the ends of loops.

extension Translator {
    /// Emits a branch on the topmost operand, which it pops: taken when the condition holds, or when
    /// it does not if `negated`.
    ///
    /// - Parameter loop: the loop that it branches back to; forward otherwise.
    /// - Returns: the instruction, and where its offset goes; the latter is negative if a fused
    ///   loop end has its offset already.
    mutating func conditionalBranch(
        negated: Bool, loop: Int? = nil
    ) -> (instruction: Int, half: Int) {
        branch(on: operand(pop()), negated, loop)
    }

    /// The same for a condition that was popped. May take back the instructions that computed it.
    private mutating func branch(
        on condition: Operand, _ negated: Bool, _ loop: Int?
    ) -> (instruction: Int, half: Int) {
        if let fused = branchOnLoad(condition, negated, loop) { return fused }
        if isLastResult(condition) {
            let test = last
            switch test.kind {
            case .equalZero: return branchOnZero(test, negated, loop)
            case .castTest where loop == nil: return branchOnTest(test, negated)
            case .compare:
                if let fused = branchOnComparison(test, negated, loop) { return fused }
            case .and:
                if let fused = branchOnBits(test, negated, loop) { return fused }
            case .vectorTest:
                rewind()
                if test.b.slot >= 0, test.operation == VectorOpcodes.anyTrue,
                    let fused = branchOnLanes(
                        test.b.slot, Int(test.b.bits), negated: negated,
                        direction: direction(loop))
                {
                    return fused
                }
                return at(
                    emit(
                        .vectorTestBranch(test.operation, negated ? 1 : 0, direction(loop)),
                        word: codeWord(0, test.a.slot)))
            default: break
            }
        }
        if let loop, let fused = endLoopOnZero(condition, negated, loop) { return fused }
        var value = condition
        if value.form == .immediate { moveToSlot(&value) }
        let fromRegister = value.form == .register
        if fromRegister { takeFromRegister(value, .integer) }
        return at(
            emit(
                .branchIf(negated ? 1 : 0, fromRegister ? 1 : 0, direction(loop)),
                word: codeWord(0, value.slot)))
    }

    /// Whether a popped operand is what the last instruction made.
    private mutating func isLastResult(_ operand: Operand) -> Bool {
        operand.isTemporary && operand.form != .immediate && last.end == code.count
            && last.destination == operand.slot && last.destination >= operandBase
            && last.kind != .copy && last.kind != .constant
    }

    /// The offset of a branch is in the upper half of word 1.
    private mutating func at(_ start: Int) -> (instruction: Int, half: Int) {
        (start, 2 * (start + 1) + 1)
    }

    private mutating func direction(_ loop: Int?) -> Int { loop == nil ? 0 : 1 }

    /// `eqz` before the branch: the branch tests the operand for zero itself, or what made the
    /// operand becomes part of the branch.
    private mutating func branchOnZero(
        _ test: Emitted, _ negated: Bool, _ loop: Int?
    ) -> (instruction: Int, half: Int) {
        rewind()
        if !test.is64 { return branch(on: test.a, !negated, loop) }
        if isLastResult(test.a), last.kind == .and,
            let fused = branchOnBits(last, !negated, loop)
        {
            return fused
        }
        let condition = integerCondition(comparison: 10, negated: negated)
        let fromRegister = test.a.form == .register
        if fromRegister { takeFromRegister(test.a, .integer) }
        return at(
            emit(
                .integerBranch(condition, fromRegister ? 3 : 1, direction(loop)),
                word: codeWord(0, test.a.slot)))
    }

    // MARK: Comparisons

    private mutating func branchOnComparison(
        _ test: Emitted, _ negated: Bool, _ loop: Int?
    ) -> (instruction: Int, half: Int)? {
        if test.a.form == .immediate || test.b.form == .register { return nil }
        let isInteger = test.valueClass == .integer
        let isWide =
            test.b.form == .immediate
            && (!isInteger || !fitsSigned16(test.b.bits, is64: test.is64))
        rewind()
        if let loop, isInteger, let fused = endLoop(test, negated, loop, isWide: isWide) {
            return fused
        }
        let isRegister = test.a.form == .register
        if isInteger, !isWide, !test.is64 {
            let condition = integerCondition(comparison: test.operation, negated: negated)
            if let fused = branchOnLoad(test, condition, loop) { return fused }
        }
        if isRegister { takeFromRegister(test.a, test.valueClass) }
        let instruction: Instruction
        if isInteger {
            let condition = integerCondition(comparison: test.operation, negated: negated)
            let form =
                isWide
                ? (isRegister ? 5 : 4)
                : (isRegister ? 2 : 0) + (test.b.form == .immediate ? 1 : 0)
            instruction = .integerBranch(condition, form, direction(loop))
        } else {
            let condition = floatCondition(comparison: test.operation, negated: negated)
            let form = (isRegister ? 2 : 0) + (isWide ? 1 : 0)
            instruction = .floatBranch(condition, form, direction(loop))
        }
        let first = isRegister ? 0 : test.a.slot
        if isWide { return at(emit(instruction, word: codeWord(0, first), test.b.bits)) }
        let second =
            test.b.form == .immediate ? Int(truncatingIfNeeded: test.b.bits) : test.b.slot
        return at(emit(instruction, word: codeWord(second, first)))
    }

    /// `and` before the branch: any bit set, or none.
    private mutating func branchOnBits(
        _ test: Emitted, _ negated: Bool, _ loop: Int?
    ) -> (instruction: Int, half: Int)? {
        if test.a.form == .immediate || test.b.form == .register { return nil }
        let isImmediate = test.b.form == .immediate
        // The condition looks at 32 bits.
        if test.is64 && !(isImmediate && test.b.bits <= UInt64(UInt32.max)) { return nil }
        let isWide = isImmediate && !fitsSigned16(test.b.bits, is64: test.is64)
        rewind()
        let condition = testCondition(negated: negated)
        if !isWide, !test.is64, let fused = branchOnLoad(test, condition, loop) { return fused }
        let isRegister = test.a.form == .register
        if isRegister { takeFromRegister(test.a, .integer) }
        let first = isRegister ? 0 : test.a.slot
        if isWide {
            return at(
                emit(
                    .integerBranch(condition, isRegister ? 5 : 4, direction(loop)),
                    word: codeWord(0, first), test.b.bits))
        }
        let form = (isRegister ? 2 : 0) + (isImmediate ? 1 : 0)
        let second = isImmediate ? Int(truncatingIfNeeded: test.b.bits) : test.b.slot
        return at(
            emit(
                .integerBranch(condition, form, direction(loop)), word: codeWord(second, first)))
    }

    /// An addition to the compared local before the comparison: addition, comparison and the branch
    /// back are one instruction.
    private mutating func endLoop(
        _ test: Emitted, _ negated: Bool, _ loop: Int, isWide: Bool
    ) -> (instruction: Int, half: Int)? {
        let sum = last
        guard sum.kind == .increment || sum.kind == .incrementBySlot, sum.end == code.count,
            sum.is64 == test.is64, !test.a.isTemporary, test.a.slot == sum.destination,
            // The limit is read before the sum is stored.
            test.b.form == .immediate || test.b.slot != sum.destination
        else { return nil }
        let comparison =
            negated ? negatedComparison(test.operation) : test.operation
        let distance = labels[loop].start - sum.start
        let bySlot = sum.kind == .incrementBySlot ? 1 : 0
        if isWide {
            code.removeSubrange(sum.start...)
            let start = emit(
                .addBranchWide(comparison, bySlot),
                word: codeWord(
                    sum.destination, sum.operation, signed: Int(truncatingIfNeeded: test.b.bits)),
                0)
            setOffset(2 * (start + 2) + 1, from: start, to: labels[loop].start)
            afterLoopEnd(sum.destination)
            return (start, -1)
        }
        guard distance >= Int(Int16.min) else { return nil }
        let isImmediate = test.b.form == .immediate
        let limit = isImmediate ? Int(truncatingIfNeeded: test.b.bits) : test.b.slot
        code.removeSubrange(sum.start...)
        let start = emit(
            .addBranch(comparison, bySlot, isImmediate ? 1 : 0),
            word: codeWord(sum.destination, sum.operation, limit, distance))
        afterLoopEnd(sum.destination)
        return (start, -1)
    }

    /// A loop that counts down to zero: the sum itself is the condition.
    private mutating func endLoopOnZero(
        _ condition: Operand, _ negated: Bool, _ loop: Int
    ) -> (instruction: Int, half: Int)? {
        guard !condition.isTemporary else { return nil }
        var test = Emitted()
        test.operation = 1  // i32.ne
        test.a = condition
        test.b = Operand(form: .immediate, slot: -1, isTemporary: true)
        return endLoop(test, negated, loop, isWide: false)
    }

    /// The sum is in its slot and in the accumulator.
    private mutating func afterLoopEnd(_ slot: Int) {
        registers.integer = RegisterContent(slot: slot)
        previous = Emitted()
        last = Emitted()
    }

    // MARK: Loads

    /// A load before the branch: one instruction loads and branches on the value.
    private mutating func branchOnLoad(
        _ condition: Operand, _ negated: Bool, _ loop: Int?
    ) -> (instruction: Int, half: Int)? {
        guard isLastLoad(condition) else { return nil }
        let isTemporary = last.kind == .load
        let start = last.start
        let axis = last.operation / 2
        code[start] =
            Instruction.loadBranch(
                axis, last.a.form == .register ? 1 : 0, negated ? 1 : 0, direction(loop),
                isTemporary ? 1 : 0
            ).handler
        code.append(0)
        let half = 2 * (start + 2) + 1
        if isTemporary { registers.integer = RegisterContent() }
        previous = Emitted()
        last = Emitted()
        return (start, half)
    }

    /// Whether the last instruction loaded this operand, in a way that fuses with branches:
    /// i32.load, load8_u and load16_u are operations 0, 2 and 4.
    private mutating func isLastLoad(_ operand: Operand) -> Bool {
        guard last.end == code.count, last.destination == operand.slot,
            last.operation == 0 || last.operation == 2 || last.operation == 4
        else { return false }
        return last.kind == .loadToLocal && !operand.isTemporary
            || last.kind == .load && isLastResult(operand)
    }

    /// A load before the comparison `test`, which was taken back: all three are one instruction.
    private mutating func branchOnLoad(
        _ test: Emitted, _ condition: Int, _ loop: Int?
    ) -> (instruction: Int, half: Int)? {
        guard isLastLoad(test.a), test.b.form == .immediate || test.b.slot != test.a.slot
        else { return nil }
        let start = last.start, destination = last.destination
        let isImmediate = test.b.form == .immediate
        let right = isImmediate ? Int(truncatingIfNeeded: test.b.bits) : test.b.slot
        code[start] =
            Instruction.loadCompareBranch(
                last.operation / 2, last.a.form == .register ? 1 : 0, condition,
                isImmediate ? 1 : 0, direction(loop)
            ).handler
        code[start + 1] = code[start + 1] & ~0xffff | codeWord(right)
        code.append(codeWord(destination))
        registers.integer = RegisterContent(slot: test.a.isTemporary ? -1 : destination)
        previous = Emitted()
        last = Emitted()
        return (start, 2 * (start + 2) + 1)
    }
}
