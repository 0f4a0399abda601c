// Conditional branches, and their fusions with comparisons, tests, loads and the ends of loops.

import WasmMachine

extension Translator {
    /// Emits a branch on the topmost operand, which it pops: taken when the condition holds, or
    /// when it does not if `negated`.
    ///
    /// - Parameter loop: the loop that it branches back to; forward otherwise.
    /// - Returns: the instruction, and where its offset goes; the latter is negative if a fused
    ///   loop end has its offset already.
    mutating func conditionalBranch(
        negated: Bool, loop: Int? = nil
    ) -> (instruction: Int, half: Int) {
        branch(on: operand(pop()), negated, loop)
    }

    /// The same for a condition that was popped. May remove the instructions that computed it.
    private mutating func branch(
        on condition: Operand, _ negated: Bool, _ loop: Int?
    ) -> (instruction: Int, half: Int) {
        if let fused = branchOnLoad(condition, negated, loop) { return fused }
        if isLastResult(condition) {
            let test = last
            switch test.kind {
            case .equalZero: return branchOnZero(test, negated, loop)
            case .castTest:
                if loop == nil, case .castTest(let target) = test.operator {
                    return branchOnTest(test, target, negated)
                }
            case .compare:
                if let fused = branchOnComparison(test, negated, loop) { return fused }
            case .and:
                if let fused = branchOnBits(test, negated, loop) { return fused }
            case .vectorTest:
                if let fused = branchOnVectorTest(test, negated, loop) { return fused }
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
                .branchIf(
                    .init(negated: negated), fromRegister ? .register : .slot, direction(loop)),
                word: codeWord(0, value.slot)))
    }

    /// Whether a popped operand is the result of the last instruction.
    private mutating func isLastResult(_ operand: Operand) -> Bool {
        operand.isTemporary && operand.form != .immediate && last.end == code.count
            && last.destination == operand.slot && last.destination >= operandBase
            && last.kind != .copy && last.kind != .constant
    }

    /// The offset of a branch is in the upper half of word 1.
    private mutating func at(_ start: Int) -> (instruction: Int, half: Int) {
        (start, 2 * (start + 1) + 1)
    }

    private mutating func direction(_ loop: Int?) -> Instruction.Direction {
        loop == nil ? .forward : .loop
    }

    /// `eqz` before the branch: the branch tests the operand for zero itself, or fuses with the
    /// instruction that made the operand.
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
        let fromRegister = test.a.form == .register
        if fromRegister { takeFromRegister(test.a, .integer) }
        return at(
            emit(
                .integerBranch(
                    negated ? .i64Ne : .i64Eq, fromRegister ? .registerImmediate : .slotImmediate,
                    direction(loop)),
                word: codeWord(0, test.a.slot)))
    }

    // MARK: Comparisons

    private mutating func branchOnComparison(
        _ test: Emitted, _ negated: Bool, _ loop: Int?
    ) -> (instruction: Int, half: Int)? {
        if test.a.form == .immediate || test.b.form == .register { return nil }
        switch test.operator {
        case .binary(.integerCompare(let comparison)):
            return branchOnIntegers(test, negated ? comparison.negated : comparison, loop)
        case .binary(.floatCompare(let comparison)):
            let condition = Instruction.FloatCondition(comparison)
            return branchOnFloats(test, negated ? condition.negated : condition, loop)
        default: return nil
        }
    }

    private mutating func branchOnIntegers(
        _ test: Emitted, _ comparison: Instruction.IntegerComparison, _ loop: Int?
    ) -> (instruction: Int, half: Int) {
        let isWide =
            test.b.form == .immediate && !fitsSigned16(test.b.bits, is64: test.is64)
        rewind()
        if let loop, let fused = endLoop(test, comparison, loop, isWide: isWide) { return fused }
        let condition = Instruction.IntegerCondition(comparison)
        if !isWide, !test.is64, let fused = branchOnLoad(test, condition, loop) { return fused }
        return branch(on: test, condition, isWide: isWide, loop)
    }

    private mutating func branchOnFloats(
        _ test: Emitted, _ condition: Instruction.FloatCondition, _ loop: Int?
    ) -> (instruction: Int, half: Int) {
        rewind()
        let isRegister = test.a.form == .register
        if isRegister { takeFromRegister(test.a, test.valueClass) }
        let first = isRegister ? 0 : test.a.slot
        if test.b.form == .immediate {
            return at(
                emit(
                    .floatBranch(
                        condition, isRegister ? .registerWide : .slotWide, direction(loop)),
                    word: codeWord(0, first), test.b.bits))
        }
        return at(
            emit(
                .floatBranch(condition, isRegister ? .registerSlot : .slotSlot, direction(loop)),
                word: codeWord(test.b.slot, first)))
    }

    /// Branches on the operands of `test`, two integers, whose comparison was removed from the
    /// code.
    private mutating func branch(
        on test: Emitted, _ condition: Instruction.IntegerCondition, isWide: Bool, _ loop: Int?
    ) -> (instruction: Int, half: Int) {
        let isRegister = test.a.form == .register
        if isRegister { takeFromRegister(test.a, .integer) }
        let first = isRegister ? 0 : test.a.slot
        if isWide {
            return at(
                emit(
                    .integerBranch(
                        condition, isRegister ? .registerWide : .slotWide, direction(loop)),
                    word: codeWord(0, first), test.b.bits))
        }
        let form: Instruction.BranchForm
        let second: Int
        if test.b.form == .immediate {
            form = isRegister ? .registerImmediate : .slotImmediate
            second = Int(truncatingIfNeeded: test.b.bits)
        } else {
            form = isRegister ? .registerSlot : .slotSlot
            second = test.b.slot
        }
        return at(
            emit(
                .integerBranch(condition, form, direction(loop)), word: codeWord(second, first)))
    }

    /// `and` before the branch: any bit set, or none.
    private mutating func branchOnBits(
        _ test: Emitted, _ negated: Bool, _ loop: Int?
    ) -> (instruction: Int, half: Int)? {
        if test.a.form == .immediate || test.b.form == .register { return nil }
        let isImmediate = test.b.form == .immediate
        // The condition tests 32 bits.
        if test.is64 && !(isImmediate && test.b.bits <= UInt64(UInt32.max)) { return nil }
        let isWide = isImmediate && !fitsSigned16(test.b.bits, is64: test.is64)
        rewind()
        let condition: Instruction.IntegerCondition = negated ? .i32TestNot : .i32Test
        if !isWide, !test.is64, let fused = branchOnLoad(test, condition, loop) { return fused }
        return branch(on: test, condition, isWide: isWide, loop)
    }

    /// An addition to the compared local before the comparison: addition, comparison and the branch
    /// back are one instruction.
    private mutating func endLoop(
        _ test: Emitted, _ comparison: Instruction.IntegerComparison, _ loop: Int, isWide: Bool
    ) -> (instruction: Int, half: Int)? {
        let sum = last
        guard sum.kind == .increment || sum.kind == .incrementBySlot, sum.end == code.count,
            sum.is64 == test.is64, !test.a.isTemporary, test.a.slot == sum.destination,
            // The fused instruction reads the limit before it stores the sum.
            test.b.form == .immediate || test.b.slot != sum.destination
        else { return nil }
        let distance = labels[loop].start - sum.start
        let addend: Instruction.Addend = sum.kind == .incrementBySlot ? .slot : .immediate
        if isWide {
            code.removeSubrange(sum.start...)
            let start = emit(
                .addBranchWide(comparison, addend),
                word: codeWord(
                    sum.destination, sum.amount, signed: Int(truncatingIfNeeded: test.b.bits)),
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
            .addBranch(comparison, addend, isImmediate ? .immediate : .slot),
            word: codeWord(sum.destination, sum.amount, limit, distance))
        afterLoopEnd(sum.destination)
        return (start, -1)
    }

    /// A loop that counts down to zero: the sum itself is the condition.
    private mutating func endLoopOnZero(
        _ condition: Operand, _ negated: Bool, _ loop: Int
    ) -> (instruction: Int, half: Int)? {
        guard !condition.isTemporary else { return nil }
        var test = Emitted()
        test.a = condition
        test.b = Operand(form: .immediate, slot: -1, isTemporary: true)
        return endLoop(test, negated ? .i32Eq : .i32Ne, loop, isWide: false)
    }

    /// The sum is in its slot and in the accumulator.
    private mutating func afterLoopEnd(_ slot: Int) {
        registers.integer = RegisterContent(slot: slot)
        previous = Emitted()
        last = Emitted()
    }

    // MARK: Vectors

    /// A test of a vector before the branch, and perhaps the comparison before it.
    private mutating func branchOnVectorTest(
        _ test: Emitted, _ negated: Bool, _ loop: Int?
    ) -> (instruction: Int, half: Int)? {
        let sense = Instruction.BranchSense(negated: negated)
        let tested: Instruction.VectorTest
        switch test.operator {
        case .vectorTest(let vectorTest):
            rewind()
            tested = vectorTest
        case .anyTrue(let comparison, let form):
            rewind()
            if let fused = branchOnLanes(test.b.slot, comparison, form, sense, direction(loop)) {
                return fused
            }
            tested = .v128AnyTrue
        default: return nil
        }
        return at(
            emit(
                .vectorTestBranch(tested, sense, direction(loop)), word: codeWord(0, test.a.slot)))
    }

    // MARK: Loads

    /// A load before the branch: one instruction loads and branches on the value.
    private mutating func branchOnLoad(
        _ condition: Operand, _ negated: Bool, _ loop: Int?
    ) -> (instruction: Int, half: Int)? {
        guard let load = lastLoad(condition) else { return nil }
        let isTemporary = last.kind == .load
        let start = last.start
        code[start] =
            Instruction.loadBranch(
                load, last.a.form == .register ? .register : .slot, .init(negated: negated),
                direction(loop), isTemporary ? .toRegister : .toSlot
            ).handler
        code.append(0)
        let half = 2 * (start + 2) + 1
        if isTemporary { registers.integer = RegisterContent() }
        previous = Emitted()
        last = Emitted()
        return (start, half)
    }

    /// The last instruction, if it loaded this operand in a way that fuses with branches.
    private mutating func lastLoad(_ operand: Operand) -> Instruction.BranchedLoad? {
        guard last.end == code.count, last.destination == operand.slot,
            last.kind == .loadToLocal && !operand.isTemporary
                || last.kind == .load && isLastResult(operand),
            case .load(let load) = last.operator
        else { return nil }
        return Instruction.BranchedLoad(load)
    }

    /// A load before the comparison `test`, which was removed: all three are one instruction.
    private mutating func branchOnLoad(
        _ test: Emitted, _ condition: Instruction.IntegerCondition, _ loop: Int?
    ) -> (instruction: Int, half: Int)? {
        guard let load = lastLoad(test.a),
            test.b.form == .immediate || test.b.slot != test.a.slot,
            let condition = Instruction.LoadedCondition(condition)
        else { return nil }
        let start = last.start, destination = last.destination
        let isImmediate = test.b.form == .immediate
        let right = isImmediate ? Int(truncatingIfNeeded: test.b.bits) : test.b.slot
        code[start] =
            Instruction.loadCompareBranch(
                load, last.a.form == .register ? .register : .slot, condition,
                isImmediate ? .immediate : .slot, direction(loop)
            ).handler
        code[start + 1] = code[start + 1] & ~0xffff | codeWord(right)
        code.append(codeWord(destination))
        registers.integer = RegisterContent(slot: test.a.isTemporary ? -1 : destination)
        previous = Emitted()
        last = Emitted()
        return (start, 2 * (start + 2) + 1)
    }
}
