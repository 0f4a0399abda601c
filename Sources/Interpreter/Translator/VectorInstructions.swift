// Vector instructions. Vectors have no accumulator: operands come from two adjacent slots, results
// go to two, and the last result can go to a local instead, as for other values.

import WasmMachine

extension Translator {
    mutating func vector(_ operation: VectorOperation) throws(DecodingError) {
        switch operation {
        case .load(let load): vectorLoad(load, try reader.memoryArgument())
        case .store: vectorStore(try reader.memoryArgument())
        case .loadLane(let scalar, let shape):
            let argument = try reader.memoryArgument()
            let vector = pop()
            // The result of the load is where the address was, below the vector's home.
            load(LoadOperation(scalar, .integer), argument)
            replaceLane(.integer(shape), Int(try reader.byte()), of: vector, by: pop())
        case .storeLane(let extract, let scalar):
            let argument = try reader.memoryArgument()
            extractLane(extract, Int(try reader.byte()))
            store(StoreOperation(scalar, .integer), argument)
        case .constant:
            let (low, high) = try reader.vector128()
            vectorConstant(low, high)
        case .shuffle:
            let (low, high) = try reader.vector128()
            let b = pop(), a = pop()
            shuffle(Shuffle(lanes: (low, high), a: slot(of: a), b: slot(of: b)))
        case .splat(let shape): splat(shape)
        case .extract(let extract): extractLane(extract, Int(try reader.byte()))
        case .replace(let shape):
            let lane = Int(try reader.byte())
            let value = pop(), vector = pop()
            replaceLane(shape, lane, of: vector, by: value)
        case .unary(let instruction):
            let before = registers
            let a = slot(of: pop())
            pushVector(instruction, word: codeWord(0, a), before: before)
        case .binary(let binary): vectorBinary(binary)
        case .compare(let comparison): vectorCompare(comparison)
        case .plain(let instruction): vectorBinary(instruction)
        case .ternary(let instruction):
            let before = registers
            let c = slot(of: pop()), b = slot(of: pop()), a = slot(of: pop())
            pushVector(instruction, word: codeWord(0, a, b, c), before: before)
        case .shift(let shift): vectorShift(shift)
        case .test(let test): vectorTest(test)
        }
    }

    private mutating func vectorTest(_ test: Instruction.VectorTest) {
        let before = registers
        let a = slot(of: pop())
        let comparison = last
        pushResult(
            .vectorTest(test, .toSlot), word: codeWord(0, a), .integer, before: before,
            kind: .vectorTest)
        last.operator = .vectorTest(test)
        last.a.slot = a
        if test == .v128AnyTrue, comparison.kind == .vectorCompare,
            comparison.end == last.start, comparison.destination == a,
            case .vectorCompare(let compare, let form) = comparison.operator
        {
            last.operator = .anyTrue(compare, form)
            last.b.slot = comparison.start
        }
    }

    /// Emits an instruction with a vector result in the slots from `word`'s field 0 on, and pushes
    /// it.
    mutating func pushVector(
        _ instruction: Instruction, word: CodeWord, _ more: CodeWord..., before: Registers,
        kind: Emitted.Kind = .other
    ) {
        let destination = push(.temporary, .vector)
        let start = code.count
        code.append(instruction.handler)
        code.append(word & ~0xffff | codeWord(destination))
        code.append(contentsOf: more)
        note(kind, start)
        last.destination = destination
        last.valueClass = .vector
        last.before = before
        registers.forget(slots: destination..<(destination + 2))
    }

    private mutating func vectorBinary(_ instruction: Instruction) {
        let before = registers
        let b = slot(of: pop()), a = slot(of: pop())
        pushVector(instruction, word: codeWord(0, a, b), before: before)
    }

    private mutating func vectorBinary(_ binary: Instruction.VectorBinary) {
        let right = pop(), left = pop()
        if fuseIntoVector(binary, left, right) { return }
        let before = registers
        let a = slot(of: left), b = slot(of: right)
        pushVector(
            .vectorBinary(binary, .slotSlot), word: codeWord(0, a, b), before: before,
            kind: .vectorBinary)
        last.operator = .vectorBinary(binary)
        last.a.slot = a
        last.b.slot = b
    }

    private mutating func vectorCompare(_ comparison: Instruction.VectorComparison) {
        let right = pop(), left = pop()
        if isLastResult(right), last.kind == .vectorConstant {
            takeConstant(.vectorCompare(comparison, .slotConstant), left)
            last.kind = .vectorCompare
            last.operator = .vectorCompare(comparison, .slotConstant)
            return
        }
        // i8x16.eq also takes an operand from memory, on either side.
        if comparison == .i8x16Eq, isLastResult(right) || isLastResult(left),
            case .vectorLoad(let address) = last.operator, last.kind == .vectorLoad
        {
            return takeLoaded(.vectorCompareLoad(address), isLastResult(right) ? left : right)
        }
        let before = registers
        let a = slot(of: left), b = slot(of: right)
        pushVector(
            .vectorCompare(comparison, .slotSlot), word: codeWord(0, a, b), before: before,
            kind: .vectorCompare)
        last.operator = .vectorCompare(comparison, .slotSlot)
    }

    private mutating func vectorShift(_ shift: Instruction.VectorShift) {
        let before = registers
        let count = pop(), vector = pop()
        let a = slot(of: vector)
        let amount = operand(count)
        switch amount.form {
        case .immediate:
            let bits = Int(amount.bits & 63)
            if isLastResult(vector), fuseShift(shift, bits) { return }
            pushVector(
                .vectorShift(shift, .immediate), word: codeWord(0, a, bits), before: before,
                kind: .vectorShift)
            last.operator = .vectorShift(shift)
            last.a.slot = a
            last.b.slot = bits
        case .register:
            takeFromRegister(amount, .integer)
            pushVector(.vectorShift(shift, .register), word: codeWord(0, a), before: before)
        case .slot:
            pushVector(
                .vectorShift(shift, .slot), word: codeWord(0, a, amount.slot), before: before)
        }
    }

    // MARK: Moves

    mutating func emitVectorCopy(to destination: Int, from source: Int) {
        if destination == source { return }
        emit(.vectorCopy, word: codeWord(destination, source))
        last.destination = -1
        registers.forget(slots: destination..<(destination + 2))
    }

    private mutating func vectorConstant(_ low: UInt64, _ high: UInt64) {
        pushVector(
            .vectorConstant, word: 0, low, high, before: registers, kind: .vectorConstant)
    }

    mutating func vectorSelect(_ left: Entry, _ right: Entry, _ condition: Entry) {
        let before = registers
        var chosen = operand(condition)
        if chosen.form == .immediate { moveToSlot(&chosen) }
        let fromRegister = chosen.form == .register
        if fromRegister { takeFromRegister(chosen, .integer) }
        pushVector(
            .vectorSelect(fromRegister ? .register : .slot),
            word: codeWord(0, slot(of: left), slot(of: right), chosen.slot), before: before)
    }

    mutating func vectorGlobalGet(_ place: Instruction.GlobalPlace, _ offset: UInt32) {
        pushVector(
            .vectorGlobalGet(place), word: codeWord(0, 0, unsigned: offset), before: registers)
    }

    mutating func vectorGlobalSet(
        _ place: Instruction.GlobalPlace, _ offset: UInt32, _ entry: Entry
    ) {
        emit(.vectorGlobalSet(place), word: codeWord(0, slot(of: entry), unsigned: offset))
    }

    // MARK: Lanes

    private mutating func splat(_ shape: LaneShape) {
        let before = registers
        let entry = pop()
        let value = operand(entry)
        switch value.form {
        case .immediate:
            let ones = UInt64.max &>> UInt64(64 - shape.width)
            let word = (value.bits & ones) &* (UInt64.max / ones)
            vectorConstant(word, word)
        case .slot:
            pushVector(
                .vectorSplat(shape.integerShape, .slot), word: codeWord(0, value.slot),
                before: before)
        case .register:
            takeFromRegister(value, entry.valueClass)
            let instruction: Instruction =
                switch shape {
                case .integer(let shape): .vectorSplat(shape, .register)
                case .float(let shape): .vectorSplatFloat(shape)
                }
            pushVector(instruction, word: 0, before: before)
        }
    }

    private mutating func extractLane(_ extract: Instruction.VectorExtract, _ lane: Int) {
        let before = registers
        let offset = 8 * slot(of: pop()) + lane &<< extract.scale
        let valueClass: ValueClass =
            switch extract {
            case .f32x4ExtractLane: .float
            case .f64x2ExtractLane: .double
            default: .integer
            }
        pushResult(
            .vectorExtract(extract, .toSlot),
            word: codeWord(0, 0, unsigned: UInt32(truncatingIfNeeded: offset)), valueClass,
            before: before)
    }

    private mutating func replaceLane(
        _ shape: LaneShape, _ lane: Int, of vector: Entry, by entry: Entry
    ) {
        let before = registers
        let width = shape.width
        let ones = (UInt64.max &>> UInt64(64 - width)) &<< UInt64(lane * width & 63)
        let (low, high) = lane * width < 64 ? (ones, 0) : (0, ones)
        let a = slot(of: vector)
        var value = operand(entry)
        if value.form == .immediate { moveToSlot(&value) }
        guard value.form == .register else {
            pushVector(
                .vectorReplace(shape.integerShape, .slot), word: codeWord(0, a, value.slot), low,
                high, before: before)
            return
        }
        takeFromRegister(value, entry.valueClass)
        let instruction: Instruction =
            switch shape {
            case .integer(let shape): .vectorReplace(shape, .register)
            case .float(let shape): .vectorReplaceFloat(shape)
            }
        pushVector(instruction, word: codeWord(0, a), low, high, before: before)
    }

    // MARK: Memory

    private mutating func vectorLoad(_ load: Instruction.VectorLoad, _ argument: MemoryArgument) {
        guard isNear(argument.memory) else {
            let before = registers
            let address = slotHolding(pop())
            pushVector(
                .vectorLoadFar(load), word: codeWord(0, address, Int(argument.memory)),
                argument.offset, before: before)
            return
        }
        let addressing = address(pop(), argument.offset)
        pushVector(
            .vectorLoad(load, addressing.form), word: addressing.fields, before: addressRegisters)
        guard let address = Instruction.OperandAddress(addressing.form) else { return }
        switch load {
        case .v128Load:
            last.kind = .vectorLoad
            last.operator = .vectorLoad(address)
            // Where the address is, even if the instruction takes it from the accumulator.
            let isRegister = address == .register
            last.a = Operand(
                form: isRegister ? .register : .slot,
                slot: isRegister
                    ? addressRegisters.integer.slot
                    : Int(addressing.fields &>> 16 & 0xffff),
                bits: argument.offset, isTemporary: false)
        case .v128Load8x8S, .v128Load8x8U, .v128Load16x4S, .v128Load16x4U:
            last.kind = .vectorExtendingLoad
            last.operator = .extendingLoad(load, address)
        default: break
        }
    }

    private mutating func vectorStore(_ argument: MemoryArgument) {
        let value = pop()
        let source = slot(of: value)
        guard isNear(argument.memory) else {
            let address = slotHolding(pop())
            emit(
                .vectorStoreFar, word: codeWord(source, address, Int(argument.memory)),
                argument.offset)
            return
        }
        if isLastResult(value), last.kind == .vectorBinary,
            case .vectorBinary(let binary) = last.operator,
            let storing = Instruction.VectorStoringBinary(binary)
        {
            return storeResult(of: binary, storing, source, at: pop(), argument.offset)
        }
        let isLast = isLastResult(value)
        let place = pop()
        if isLast, updateInPlace(place, argument.offset) { return }
        let addressing = address(place, argument.offset)
        emit(.vectorStore(addressing.form), word: addressing.fields | codeWord(source))
    }

    // MARK: Shuffles

    /// Most shuffles of compiled code are of kinds that need few machine instructions.
    private mutating func shuffle(_ shuffle: Shuffle) {
        let before = registers
        if let (low, high) = shuffle.halves {
            pushVector(.vectorJoin, word: codeWord(0, low, high), before: before)
        } else if let (kind, shape, a, b) = shuffle.zip {
            pushVector(.vectorZip(kind, shape), word: codeWord(0, a, b), before: before)
        } else if let (isHigh, a, b, bits) = shuffle.window {
            pushVector(
                .vectorWindow(isHigh ? .high : .low), word: codeWord(0, a, b, bits), before: before)
        } else if let offsets = shuffle.offsets(width: 4) {
            pushVector(.vectorShuffle32, word: 0, offsets[0], offsets[1], before: before)
        } else if let offsets = shuffle.offsets(width: 2) {
            pushVector(
                .vectorShuffle16, word: 0, offsets[0], offsets[1], offsets[2], offsets[3],
                before: before)
        } else if let (low, byte) = shuffle.half {
            pushVector(
                .vectorHalf, word: codeWord(0, 0, unsigned: UInt32(truncatingIfNeeded: low)),
                UInt64(truncatingIfNeeded: byte), before: before)
        } else if let offsets = shuffle.offsets(width: 1) {
            pushVector(
                .vectorShuffle8, word: 0, offsets[0], offsets[1], offsets[2], offsets[3],
                offsets[4], offsets[5], offsets[6], offsets[7], before: before)
        }
    }
}
