// Vector instructions that fuse with the instruction before them.

import WasmMachine

extension Translator {
    /// Tries to make one instruction of the last one and a binary operation on popped operands.
    mutating func fuseIntoVector(
        _ binary: Instruction.VectorBinary, _ left: Entry, _ right: Entry
    ) -> Bool {
        let isRight = isLastResult(right)
        guard isRight || isLastResult(left) else { return false }
        let other = isRight ? left : right
        let canBeSecond = isRight || binary.isCommutative
        if last.kind == .vectorConstant, canBeSecond {
            takeConstant(.vectorBinary(binary, .slotConstant), other)
            return true
        }
        switch (last.kind, last.operator) {
        case (.vectorLoad, .vectorLoad(let address)) where canBeSecond:
            return takeOperand(of: binary, address, other)
        case (.vectorExtendingLoad, .extendingLoad(let load, let address)) where canBeSecond:
            return takeExtended(load, of: binary, address, other)
        case (.vectorBinary, .vectorBinary(let first)):
            guard let pair = Instruction.VectorPair(first, binary, isReversed: isRight) else {
                return false
            }
            takePair(.vectorPair(pair), other)
        case (.vectorShift, .vectorShift(let shift)):
            guard let pair = Instruction.VectorShiftPair(shift, binary) else { return false }
            takePair(.vectorShiftPair(pair), other)
        case (.vectorMultiplyLoad, .product(let product, let address))
        where binary == product.addition:
            let factor = code[last.end - 1]
            code.removeLast()
            takeLoaded(
                .vectorMultiplyAddLoad(product, address), factor | codeWord(0, slot(of: other)))
        default: return false
        }
        return true
    }

    /// The second operand of `binary` is what was just loaded.
    private mutating func takeOperand(
        of binary: Instruction.VectorBinary, _ address: Instruction.OperandAddress, _ other: Entry
    ) -> Bool {
        guard let loading = Instruction.VectorLoadingBinary(binary) else { return false }
        let product = Instruction.LoadedProduct(binary)
        if let product, multiplyLoads(product, other) { return true }
        takeLoaded(.vectorBinaryLoad(loading, address), other)
        if let product {
            last.kind = .vectorMultiplyLoad
            last.operator = .product(product, address)
        } else if let update = Instruction.VectorUpdate(binary),
            Instruction.Source(address) != nil
        {
            last.kind = .vectorLoadedBinary
            last.operator = .vectorUpdate(update)
        }
        return true
    }

    /// The same for a load of half a vector, which was extended to one.
    private mutating func takeExtended(
        _ load: Instruction.VectorLoad, of binary: Instruction.VectorBinary,
        _ address: Instruction.OperandAddress, _ other: Entry
    ) -> Bool {
        guard let extended = Instruction.VectorExtendedBinary(binary, load) else { return false }
        let product = Instruction.LoadedProduct(binary, load)
        if let product, multiplyLoads(product, other) { return true }
        takeLoaded(.vectorBinaryExtend(extended, address), other)
        if let product {
            last.kind = .vectorMultiplyLoad
            last.operator = .product(product, address)
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

    /// The load that was just emitted becomes `instruction`, which loads its second operand by
    /// itself.
    mutating func takeLoaded(_ instruction: Instruction, _ first: Entry) {
        takeLoaded(instruction, codeWord(slot(of: first)))
    }

    /// Tries to make one instruction of the last two loads and the product of what they loaded.
    private mutating func multiplyLoads(
        _ product: Instruction.LoadedProduct, _ other: Entry
    ) -> Bool {
        let first = previous, second = last
        // In forms S and SI, word 1 except its destination serves as word 2.
        guard first.kind == second.kind, first.end == second.start,
            let (a, b) = Self.factorAddresses(first.operator, second.operator),
            other.kind == .temporary, first.destination == Int(other.home)
        else { return false }
        let operands = code[second.start + 1] & ~0xffff | codeWord(spareSlots(first.destination))
        code.removeSubrange(second.start...)
        last = first
        previous = Emitted()
        takeLoaded(.vectorMultiplyLoads(product, a, b), operands)
        return true
    }

    /// The addresses of two loads of the same kind, if an instruction can have both.
    private static func factorAddresses(
        _ first: Emitted.Operator, _ second: Emitted.Operator
    ) -> (Instruction.FactorAddress, Instruction.FactorAddress)? {
        let addresses: (Instruction.OperandAddress, Instruction.OperandAddress)
        switch (first, second) {
        case (.vectorLoad(let a), .vectorLoad(let b)): addresses = (a, b)
        case (.extendingLoad(let load, let a), .extendingLoad(let other, let b)) where load == other:
            addresses = (a, b)
        default: return nil
        }
        guard let a = Instruction.FactorAddress(addresses.0),
            let b = Instruction.FactorAddress(addresses.1)
        else { return nil }
        return (a, b)
    }

    /// Slots for values that an instruction keeps while it runs, when its result goes to `home`. No
    /// operand is in them, since an access out of bounds may be tried again.
    private mutating func spareSlots(_ home: Int) -> Int {
        // Operands are at the same home and, if there are two, after it.
        let slot = home + 4
        highestSlot = max(highestSlot, slot + 2)
        return slot
    }

    /// The same with the whole word that follows those of the load.
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
    mutating func fuseShift(_ shift: Instruction.VectorShift, _ bits: Int) -> Bool {
        guard last.kind == .vectorBinary, case .vectorBinary(let binary) = last.operator,
            let pair = Instruction.VectorPairShift(binary, shift)
        else { return false }
        let sum = last
        rewind()
        pushVector(
            .vectorPairShift(pair), word: codeWord(0, sum.a.slot, sum.b.slot, bits),
            before: registers)
        return true
    }

    /// Stores the result of the last operation, which was popped from slot `home` and need not be
    /// there.
    mutating func storeResult(
        of binary: Instruction.VectorBinary, _ storing: Instruction.VectorStoringBinary,
        _ home: Int, at place: Entry, _ offset: UInt64
    ) {
        let result = last
        rewind()
        let addressing = address(place, offset)
        let operands = codeWord(result.a.slot, result.b.slot)
        if let form = Instruction.OperandAddress(addressing.form) {
            emit(.vectorBinaryStore(storing, form), word: addressing.fields, operands)
        } else {
            emit(
                .vectorBinary(binary, .slotSlot),
                word: codeWord(home, result.a.slot, result.b.slot))
            registers.forget(slots: home..<(home + 2))
            emit(.vectorStore(addressing.form), word: addressing.fields | codeWord(home))
        }
    }

    /// Whether the last operation loaded an operand from the place where its result is to be
    /// stored, the popped address `place` with `offset`: then one instruction loads and stores.
    mutating func updateInPlace(_ place: Entry, _ offset: UInt64) -> Bool {
        guard last.kind == .vectorLoadedBinary, case .vectorUpdate(let update) = last.operator,
            place.kind == .local, last.a.slot == slot(of: place), last.a.bits == offset
        else { return false }
        if multiplyInPlace(update, last.a.slot, offset) { return true }
        let form: Instruction.Source = last.a.form == .register ? .register : .slot
        code[last.start] = Instruction.vectorUpdate(update, form).handler
        last.kind = .other
        last.destination = -1
        return true
    }

    /// Whether a product with an operand in memory was made just before, for the sum that the last
    /// operation stores at `place` plus `offset`: then one instruction does both.
    private mutating func multiplyInPlace(
        _ update: Instruction.VectorUpdate, _ place: Int, _ offset: UInt64
    ) -> Bool {
        let product = previous
        guard product.kind == .vectorMultiplyLoad, product.end == last.start,
            product.destination >= operandBase,
            code[last.end - 1] == codeWord(product.destination),
            case .product(let multiplication, let address) = product.operator,
            update == Instruction.VectorUpdate(multiplication.addition)
        else { return false }
        code.removeSubrange(last.start...)
        code[product.start] = Instruction.vectorMultiplyUpdate(multiplication, address).handler
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

    /// Makes one instruction of the last operation and the one before, if both have written locals.
    mutating func fuseTwo() {
        let first = previous, second = last
        guard first.kind == .vectorBinaryToLocal, first.end == second.start,
            case .vectorBinary(let a) = first.operator,
            case .vectorBinary(let b) = second.operator, let two = Instruction.VectorTwo(a, b)
        else { return }
        code.removeSubrange(first.start...)
        let start = code.count
        code.append(Instruction.vectorTwo(two).handler)
        code.append(codeWord(second.destination, first.a.slot, first.b.slot, first.destination))
        code.append(codeWord(second.a.slot, second.b.slot))
        replaceWindow(start)
    }

    /// The comparison at `start` keeps its result and branches if it holds in any lane, or in none:
    /// returns the instruction and where its offset goes.
    mutating func branchOnLanes(
        _ start: Int, _ comparison: Instruction.VectorComparison, _ form: Instruction.VectorForm,
        _ sense: Instruction.BranchSense, _ direction: Instruction.Direction
    ) -> (instruction: Int, half: Int)? {
        guard let comparison = Instruction.VectorBranchComparison(comparison) else { return nil }
        code[start] =
            Instruction.vectorCompareBranch(comparison, form, sense, direction).handler
        last = Emitted()
        previous = Emitted()
        // Operands in slots leave no room in word 1.
        guard form == .slotSlot else { return (start, 2 * (start + 1) + 1) }
        code.append(0)
        return (start, 2 * (start + 2) + 1)
    }
}
