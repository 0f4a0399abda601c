// Vector instructions that become one with the instruction before them.

/// Positions on the axis of operands in memory (S R SI SS), by position on `addressForms`.
let operandForms: [Int?] = [0, 1, nil, 2, nil, 3, nil, nil, nil, nil]

extension Translator {
    /// Tries to make one instruction of the last one and a binary operation on popped operands.
    mutating func fuseIntoVector(_ index: Int, _ left: Entry, _ right: Entry) -> Bool {
        let isRight = isLastResult(right)
        guard isRight || isLastResult(left) else { return false }
        let other = isRight ? left : right
        let canBeSecond = isRight || index < VectorOpcodes.commutativeCount
        switch last.kind {
        case .vectorConstant where canBeSecond:
            takeConstant(.vectorBinary(index, 1), other)
        case .vectorLoad where canBeSecond && index < VectorOpcodes.loadingCount:
            let form = last.operation
            if VectorOpcodes.multiplications.contains(index),
                multiplyLoads(index - VectorOpcodes.multiplications.lowerBound, other)
            {
                return true
            }
            takeLoaded(.vectorBinaryLoad(index, form), other)
            if VectorOpcodes.multiplications.contains(index) {
                last.kind = .vectorMultiplyLoad
                last.operation = (index - VectorOpcodes.multiplications.lowerBound) * 4 + form
            } else if index < VectorOpcodes.updatingCount, form < 2 {
                last.kind = .vectorLoadedBinary
                last.operation = index
            }
        case .vectorExtendingLoad where canBeSecond:
            let (load, form) = last.operation.quotientAndRemainder(dividingBy: 4)
            guard let position = VectorOpcodes.extendingBinary(index, load: load) else {
                return false
            }
            let isProduct = VectorOpcodes.multiplications.contains(index)
            if isProduct, multiplyLoads(VectorOpcodes.multiplications.count + load, other) {
                return true
            }
            takeLoaded(.vectorBinaryExtend(position, form), other)
            if isProduct {
                last.kind = .vectorMultiplyLoad
                last.operation = 4 * (VectorOpcodes.multiplications.count + load) + form
            }
        case .vectorBinary:
            let first = VectorOpcodes.binary[last.operation]
            guard
                let position = VectorPairs.position(
                    first, VectorOpcodes.binary[index], isReversed: isRight)
            else { return false }
            takePair(.vectorPair(position), other)
        case .vectorShift:
            guard
                let position = VectorPairs.shiftPosition(
                    VectorOpcodes.shift[last.operation], VectorOpcodes.binary[index])
            else { return false }
            takePair(.vectorShiftPair(position), other)
        case .vectorMultiplyLoad
        where index == VectorOpcodes.additionsOfProducts[last.operation / 4]:
            let factor = code[last.end - 1]
            code.removeLast()
            takeLoaded(
                .vectorMultiplyAddLoad(last.operation / 4, last.operation % 4),
                factor | codeWord(0, slot(of: other)))
        default: return false
        }
        return true
    }

    /// The constant that was just written to a slot becomes the second operand.
    mutating func takeConstant(_ instruction: Instruction, _ first: Entry) {
        let low = code[last.start + 2], high = code[last.start + 3]
        rewind()
        pushVector(
            instruction, word: codeWord(0, slot(of: first)), low, high, before: registers)
    }

    /// The load that was just emitted becomes `instruction`, which loads its second operand by itself.
    mutating func takeLoaded(_ instruction: Instruction, _ first: Entry) {
        takeLoaded(instruction, codeWord(slot(of: first)))
    }

    /// Tries to make one instruction of the last two loads and the product of what they loaded.
    private mutating func multiplyLoads(_ product: Int, _ other: Entry) -> Bool {
        let first = previous, second = last
        // Forms S and SI: word 1 as it is, but for what it writes, serves as word 2.
        let forms = [0, nil, 1, nil]
        guard first.kind == second.kind, first.end == second.start,
            first.operation / 4 == second.operation / 4, other.kind == .temporary,
            first.destination == Int(other.home), let a = forms[first.operation % 4],
            let b = forms[second.operation % 4]
        else { return false }
        let operands = code[second.start + 1] & ~0xffff | codeWord(spareSlots(first.destination))
        code.removeSubrange(second.start...)
        last = first
        previous = Emitted()
        takeLoaded(.vectorMultiplyLoads(product, a, b), operands)
        return true
    }

    /// Slots for what an instruction keeps while it runs, when its result goes to `home`: those of no
    /// operand, since an access out of bounds may be tried again.
    private mutating func spareSlots(_ home: Int) -> Int {
        // Operands are at the same home and, if there are two, behind it.
        let slot = home + 4
        highestSlot = max(highestSlot, slot + 2)
        return slot
    }

    /// The same with the whole word behind the load's.
    private mutating func takeLoaded(_ instruction: Instruction, _ operands: CodeWord) {
        let start = last.start
        let destination = push(.temporary, .vector)
        code[start] = instruction.handler
        code[start + 1] = code[start + 1] & ~0xffff | codeWord(destination)
        code.append(operands)
        last.kind = .other
        last.end = code.count
        last.destination = destination
        registers.forget(slots: destination..<(destination + 2))
    }

    /// The last operation and another one on its result and `third` become one instruction.
    private mutating func takePair(_ instruction: Instruction, _ third: Entry) {
        let first = last
        rewind()
        pushVector(
            instruction, word: codeWord(0, first.a.slot, first.b.slot, slot(of: third)),
            before: registers)
    }

    /// Tries to make one instruction of the last one, whose result was popped, and a shift of it.
    mutating func fuseShift(_ index: Int, _ bits: Int) -> Bool {
        guard last.kind == .vectorBinary,
            let position = VectorPairs.sumPosition(
                VectorOpcodes.binary[last.operation], VectorOpcodes.shift[index])
        else { return false }
        let sum = last
        rewind()
        pushVector(
            .vectorPairShift(position), word: codeWord(0, sum.a.slot, sum.b.slot, bits),
            before: registers)
        return true
    }

    /// Stores the result of the last operation, which was popped from slot `home`: it need not be there.
    mutating func storeResult(_ home: Int, at place: Entry, _ offset: UInt64) {
        let result = last
        rewind()
        let addressing = address(place, offset)
        let operands = codeWord(result.a.slot, result.b.slot)
        if let form = operandForms[addressing.form] {
            emit(
                .vectorBinaryStore(result.operation, form), word: addressing.fields, operands)
        } else {
            emit(
                .vectorBinary(result.operation, 0),
                word: codeWord(home, result.a.slot, result.b.slot))
            registers.forget(slots: home..<(home + 2))
            emit(.vectorStore(addressing.form), word: addressing.fields | codeWord(home))
        }
    }

    /// Whether the last operation loaded an operand from where its result is to be stored, the popped
    /// address `place` with `offset`: then one instruction loads and stores.
    mutating func updateInPlace(_ place: Entry, _ offset: UInt64) -> Bool {
        guard last.kind == .vectorLoadedBinary, place.kind == .local,
            last.a.slot == slot(of: place), last.a.bits == offset
        else { return false }
        if multiplyInPlace(last.a.slot, offset) { return true }
        // Form S or R.
        let form = last.a.form == .register ? 1 : 0
        code[last.start] = Instruction.vectorUpdate(last.operation, form).handler
        last.kind = .other
        last.destination = -1
        return true
    }

    /// Whether a product of an operand in memory was made just before, for the sum that the last
    /// operation makes at `place` plus `offset`: then one instruction does both.
    private mutating func multiplyInPlace(_ place: Int, _ offset: UInt64) -> Bool {
        let product = previous
        guard product.kind == .vectorMultiplyLoad, product.end == last.start,
            product.destination >= operandBase,
            code[last.end - 1] == codeWord(product.destination),
            last.operation == VectorOpcodes.additionsOfProducts[product.operation / 4]
        else { return false }
        code.removeSubrange(last.start...)
        let (index, form) = product.operation.quotientAndRemainder(dividingBy: 4)
        code[product.start] = Instruction.vectorMultiplyUpdate(index, form).handler
        code[product.end - 1] |= codeWord(
            0, place, unsigned: UInt32(truncatingIfNeeded: offset))
        code[product.start + 1] =
            code[product.start + 1] & ~0xffff | codeWord(spareSlots(product.destination))
        previous = Emitted()
        last = product
        last.kind = .other
        last.destination = -1
        return true
    }

    /// The last operation and the one before have both written locals: one instruction for both.
    mutating func fuseTwo() {
        let first = previous, second = last
        guard first.kind == .vectorBinaryToLocal, first.end == second.start,
            let position = VectorOpcodes.two(first.operation, second.operation)
        else { return }
        code.removeSubrange(first.start...)
        let start = code.count
        code.append(Instruction.vectorTwo(position).handler)
        code.append(codeWord(second.destination, first.a.slot, first.b.slot, first.destination))
        code.append(codeWord(second.a.slot, second.b.slot))
        replaceWindow(start)
    }

    /// The comparison at `start` keeps its result and branches if a lane holds, or none: answers
    /// the instruction and where its offset goes.
    mutating func branchOnLanes(
        _ start: Int, _ comparison: Int, negated: Bool, direction: Int
    ) -> (instruction: Int, half: Int)? {
        let (index, form) = comparison.quotientAndRemainder(dividingBy: 2)
        guard let position = VectorOpcodes.branchComparison(index) else { return nil }
        code[start] =
            Instruction.vectorCompareBranch(position, form, negated ? 1 : 0, direction).handler
        last = Emitted()
        previous = Emitted()
        // Operands in slots leave no room in word 1.
        guard form == 0 else { return (start, 2 * (start + 1) + 1) }
        code.append(0)
        return (start, 2 * (start + 2) + 1)
    }
}
