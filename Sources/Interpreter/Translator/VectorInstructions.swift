// Vector instructions. Vectors have no accumulator: operands come from two adjacent slots, results go
// to two, and the last result can go to a local instead, as everywhere.

extension Translator {
    mutating func vector(_ operation: VectorOperation) throws(DecodingError) {
        switch operation {
        case .load(let index): vectorLoad(index, try reader.memoryArgument())
        case .store: vectorStore(try reader.memoryArgument())
        case .loadLane(let scalar, let lane):
            let argument = try reader.memoryArgument()
            let vector = pop()
            // What the load pushes is where the address was, below the vector's home.
            load(scalar, argument)
            replaceLane(lane, Int(try reader.byte()), of: vector, by: pop())
        case .storeLane(let scalar, let index):
            let argument = try reader.memoryArgument()
            extractLane(index, Int(try reader.byte()))
            store(scalar, argument)
        case .constant:
            let (low, high) = try reader.vector128()
            vectorConstant(low, high)
        case .shuffle:
            let (low, high) = try reader.vector128()
            let b = pop(), a = pop()
            shuffle(Shuffle(lanes: (low, high), a: slot(of: a), b: slot(of: b)))
        case .swizzle: vectorBinary(.vectorSwizzle)
        case .splat(let index): splat(index)
        case .extract(let index): extractLane(index, Int(try reader.byte()))
        case .replace(let index):
            let lane = Int(try reader.byte())
            let value = pop(), vector = pop()
            replaceLane(index, lane, of: vector, by: value)
        case .unary(let instruction):
            let before = registers
            let a = slot(of: pop())
            pushVector(instruction, word: codeWord(0, a), before: before)
        case .binary(let index): vectorBinary(index)
        case .compare(let index): vectorCompare(index)
        case .plain(let instruction): vectorBinary(instruction)
        case .ternary(let instruction):
            let before = registers
            let c = slot(of: pop()), b = slot(of: pop()), a = slot(of: pop())
            pushVector(instruction, word: codeWord(0, a, b, c), before: before)
        case .shift(let index): vectorShift(index)
        case .test(let index):
            let before = registers
            let a = slot(of: pop())
            let comparison = last
            pushResult(
                .vectorTest(index, 0), word: codeWord(0, a), .integer, before: before,
                kind: .vectorTest)
            last.operation = index
            last.a.slot = a
            if comparison.kind == .vectorCompare, comparison.end == last.start,
                comparison.destination == a
            {
                last.b.slot = comparison.start
                last.b.bits = UInt64(comparison.operation)
            }
        }
    }

    /// Emits an instruction with a vector result in the slots from `word`'s field 0 on, and pushes it.
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

    private mutating func vectorBinary(_ index: Int) {
        let right = pop(), left = pop()
        if fuseIntoVector(index, left, right) { return }
        let before = registers
        let a = slot(of: left), b = slot(of: right)
        pushVector(
            .vectorBinary(index, 0), word: codeWord(0, a, b), before: before, kind: .vectorBinary)
        last.operation = index
        last.a.slot = a
        last.b.slot = b
    }

    private mutating func vectorCompare(_ index: Int) {
        let right = pop(), left = pop()
        if isLastResult(right), last.kind == .vectorConstant {
            takeConstant(.vectorCompare(index, 1), left)
            last.kind = .vectorCompare
            last.operation = 2 * index + 1
            return
        }
        // i8x16.eq also takes an operand from memory, on either side.
        if index == 0, isLastResult(right) || isLastResult(left), last.kind == .vectorLoad {
            return takeLoaded(
                .vectorCompareLoad(last.operation), isLastResult(right) ? left : right)
        }
        let before = registers
        let a = slot(of: left), b = slot(of: right)
        pushVector(
            .vectorCompare(index, 0), word: codeWord(0, a, b), before: before, kind: .vectorCompare)
        last.operation = 2 * index
    }

    private mutating func vectorShift(_ index: Int) {
        let before = registers
        let count = pop(), vector = pop()
        let a = slot(of: vector)
        let amount = operand(count)
        switch amount.form {
        case .immediate:
            let bits = Int(amount.bits & 63)
            if isLastResult(vector), fuseShift(index, bits) { return }
            pushVector(
                .vectorShift(index, 2), word: codeWord(0, a, bits), before: before,
                kind: .vectorShift)
            last.operation = index
            last.a.slot = a
            last.b.slot = bits
        case .register:
            takeFromRegister(amount, .integer)
            pushVector(.vectorShift(index, 1), word: codeWord(0, a), before: before)
        case .slot:
            pushVector(.vectorShift(index, 0), word: codeWord(0, a, amount.slot), before: before)
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
            .vectorSelect(fromRegister ? 1 : 0),
            word: codeWord(0, slot(of: left), slot(of: right), chosen.slot), before: before)
    }

    mutating func vectorGlobalGet(_ place: Int, _ offset: UInt32) {
        pushVector(
            .vectorGlobalGet(place), word: codeWord(0, 0, unsigned: offset), before: registers)
    }

    mutating func vectorGlobalSet(_ place: Int, _ offset: UInt32, _ entry: Entry) {
        emit(.vectorGlobalSet(place), word: codeWord(0, slot(of: entry), unsigned: offset))
    }

    // MARK: Lanes

    /// Positions on the axes: i8x16 i16x8 i32x4 i64x2 f32x4 f64x2.
    private mutating func splat(_ index: Int) {
        let before = registers
        let entry = pop()
        let value = operand(entry)
        switch value.form {
        case .immediate:
            let width = [8, 16, 32, 64, 32, 64][index]
            let lane = value.bits & (UInt64.max &>> UInt64(64 - width))
            let word = lane &* (UInt64.max / (UInt64.max &>> UInt64(64 - width)))
            vectorConstant(word, word)
        case .slot:
            // Floats are as integers of their width.
            let integer = index < 4 ? index : index - 2
            pushVector(.vectorSplat(integer, 0), word: codeWord(0, value.slot), before: before)
        case .register:
            takeFromRegister(value, entry.valueClass)
            pushVector(
                index < 4 ? .vectorSplat(index, 1) : .vectorSplatFloat(index - 4), word: 0,
                before: before)
        }
    }

    /// Positions on the axis of `vectorExtract`.
    private mutating func extractLane(_ index: Int, _ lane: Int) {
        let before = registers
        let size = [1, 1, 2, 2, 4, 8, 4, 8][index]
        let offset = 8 * slot(of: pop()) + size * lane
        pushResult(
            .vectorExtract(index, 0),
            word: codeWord(0, 0, unsigned: UInt32(truncatingIfNeeded: offset)),
            index == 6 ? .float : index == 7 ? .double : .integer, before: before)
    }

    /// Positions as for `splat`.
    private mutating func replaceLane(
        _ index: Int, _ lane: Int, of vector: Entry, by entry: Entry
    ) {
        let before = registers
        let width = [8, 16, 32, 64, 32, 64][index]
        let ones = (UInt64.max &>> UInt64(64 - width)) &<< UInt64(lane * width & 63)
        let (low, high) = lane * width < 64 ? (ones, 0) : (0, ones)
        let a = slot(of: vector)
        var value = operand(entry)
        if value.form == .immediate { moveToSlot(&value) }
        guard value.form == .register else {
            let integer = index < 4 ? index : index - 2
            pushVector(
                .vectorReplace(integer, 0), word: codeWord(0, a, value.slot), low, high,
                before: before)
            return
        }
        takeFromRegister(value, entry.valueClass)
        pushVector(
            index < 4 ? .vectorReplace(index, 1) : .vectorReplaceFloat(index - 4),
            word: codeWord(0, a), low, high, before: before)
    }

    // MARK: Memory

    private mutating func vectorLoad(_ index: Int, _ argument: MemoryArgument) {
        guard isNear(argument.memory) else {
            let before = registers
            let address = slotHolding(pop())
            pushVector(
                .vectorLoadFar(index), word: codeWord(0, address, Int(argument.memory)),
                argument.offset, before: before)
            return
        }
        let addressing = address(pop(), argument.offset)
        pushVector(
            .vectorLoad(index, addressing.form), word: addressing.fields, before: addressRegisters)
        guard let form = operandForms[addressing.form] else { return }
        if VectorOpcodes.extendingLoads.contains(index) {
            last.kind = .vectorExtendingLoad
            last.operation = 4 * (index - VectorOpcodes.extendingLoads.lowerBound) + form
            return
        }
        guard index == 0 else { return }
        last.kind = .vectorLoad
        last.operation = form
        // Where the address is, also if the instruction has it from the accumulator.
        let isRegister = form == 1
        last.a = Operand(
            form: isRegister ? .register : .slot,
            slot: isRegister
                ? addressRegisters.integer.slot : Int(addressing.fields &>> 16 & 0xffff),
            bits: argument.offset, isTemporary: false)
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
            last.operation < VectorOpcodes.storingCount
        {
            return storeResult(source, at: pop(), argument.offset)
        }
        let isLast = isLastResult(value)
        let place = pop()
        if isLast, updateInPlace(place, argument.offset) { return }
        let addressing = address(place, argument.offset)
        emit(.vectorStore(addressing.form), word: addressing.fields | codeWord(source))
    }

    // MARK: Shuffles

    /// Most shuffles of compiled code are of a kind that needs few machine instructions.
    private mutating func shuffle(_ shuffle: Shuffle) {
        let before = registers
        if let (low, high) = shuffle.halves {
            pushVector(.vectorJoin, word: codeWord(0, low, high), before: before)
        } else if let (index, a, b) = shuffle.zip {
            pushVector(.vectorZip(index), word: codeWord(0, a, b), before: before)
        } else if let (isHigh, a, b, bits) = shuffle.window {
            pushVector(
                .vectorWindow(isHigh ? 1 : 0), word: codeWord(0, a, b, bits), before: before)
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
