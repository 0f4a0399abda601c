// Vector instructions that become one with the instruction before them.

/// Positions on the axis of operands in memory (S R SI SS), by position on `addressForms`.
let operandForms: [Int?] = [0, 1, nil, 2, nil, 3, nil, nil, nil, nil]

extension Translator {
    /// Tries to make one instruction of the last one and a binary operation on popped operands.
    mutating func fuseIntoVector(_ index: Int, _ left: Entry, _ right: Entry) -> Bool {
        let isCommutative = index < VectorOpcodes.commutativeCount
        let other: Entry
        if isLastResult(right) {
            other = left
        } else if isCommutative, isLastResult(left) {
            other = right
        } else {
            return false
        }
        switch last.kind {
        case .vectorConstant:
            takeConstant(.vectorBinary(index, 1), other)
        case .vectorLoad where index < VectorOpcodes.loadingCount:
            let form = last.operation
            takeLoaded(.vectorBinaryLoad(index, form), other)
            if VectorOpcodes.multiplications.contains(index) {
                last.kind = .vectorMultiplyLoad
                last.operation = (index - VectorOpcodes.multiplications.lowerBound) * 4 + form
            }
        case .vectorMultiply where index == VectorOpcodes.additionsOfProducts[last.operation]:
            let product = last
            rewind()
            pushVector(
                .vectorMultiplyAdd(product.operation),
                word: codeWord(0, product.a.slot, product.b.slot, slot(of: other)),
                before: registers)
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

    /// The same with the word that names the operands in slots.
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
}
