// Loads, stores, bulk operations: addressing forms and other memories.

extension Translator {
    /// An address that one of the addressing forms of memory 0 covers.
    struct Addressing {
        /// Position on the axis `scalarAddressForms`, or on that of the scaled forms.
        var form: Int
        var isScaled = false
        /// Fields 1 to 3 (and the upper half) of word 1.
        var fields: CodeWord
    }

    private enum Form {
        static let slot = 0, register = 1, constant = 2, slotImmediate = 3, registerImmediate = 4
        static let slotSlot = 5, slotRegister = 6, slotWide = 10, registerWide = 11
        // Scaled:
        static let slotSlots = 0, registerSlots = 1, slotsWide = 2, registersWide = 3,
            scaledCount = 4
    }

    /// Whether instructions of the fast families reach this memory.
    mutating func isNear(_ memory: UInt32) -> Bool {
        guard memory == 0, let type = module.memories.first else { return false }
        return type.addressType == .i32
    }

    // MARK: Loads and stores

    mutating func load(_ raw: Int, _ argument: MemoryArgument) {
        let (operation, valueClass) = loadOperation(raw)
        guard isNear(argument.memory) else {
            let before = registers
            let address = slotHolding(pop())
            pushResult(
                .loadFar(operation), word: codeWord(0, address, Int(argument.memory)),
                third: argument.offset, valueClass, before: before, droppable: false)
            return
        }
        let entry = pop()
        let addressing = address(entry, argument.offset, scale: loadScale(operation))
        if loadTwo(operation, addressing) { return }
        pushResult(
            addressing.isScaled
                ? .loadScaled(scaledLoad(operation) * Form.scaledCount + addressing.form, 0)
                : .load(operation, addressing.form, 0),
            word: addressing.fields, valueClass, before: addressRegisters)
        last.operation = operation
        if addressing.form <= Form.register, !addressing.isScaled {
            last.kind = .load
            last.a = Operand(
                form: addressing.form == Form.slot ? .slot : .register, slot: slot(of: entry),
                bits: argument.offset, isTemporary: entry.kind == .temporary)
        }
    }

    /// Makes one instruction of the load that was just emitted and this one, if both are of a kind
    /// and neither needs an accumulator.
    private mutating func loadTwo(_ operation: Int, _ addressing: Addressing) -> Bool {
        let first = last
        let axis: Int
        switch operation {
        case 0: axis = 0
        case 2: axis = 1
        case 5: axis = 2
        default: return false
        }
        let slot = Int(truncatingIfNeeded: addressing.fields &>> 16 & 0xffff)
        guard first.kind == .load || first.kind == .loadToLocal, first.end == code.count,
            first.operation == operation, first.a.form == .slot,
            addressing.form == Form.slot, !addressing.isScaled, first.destination != slot,
            first.destination != first.a.slot,
            code[first.start] == Instruction.load(operation, Form.slot, 0).handler
        else { return false }
        let word = code[first.start + 1]
        let before = registers
        code.removeSubrange(first.start...)
        pushResult(
            .loadTwo(axis, 0), word: codeWord(0, slot) | word &<< 32,
            third: addressing.fields &>> 32 | (word &>> 32) &<< 32, .integer, before: before,
            kind: .loadTwo)
        return true
    }

    mutating func store(_ raw: Int, _ argument: MemoryArgument) {
        let (operation, valueClass) = storeOperation(raw)
        let value = pop(), address = pop()
        guard isNear(argument.memory) else {
            let slot = slotHolding(address), source = slotHolding(value)
            emit(
                .storeFar(operation), word: codeWord(source, slot, Int(argument.memory)),
                argument.offset)
            return
        }
        if move(value, storeScale(operation), to: address, argument.offset) { return }
        var source = operand(value)
        if source.form == .immediate && !fitsSigned16(value.value, is64: operation == 3) {
            moveToSlot(&source)
        }
        if source.form == .register {
            if storeRegister(operation, valueClass, source, address, argument.offset) { return }
            source.form = .slot
        }
        let scale = storeScale(operation)
        let addressing = self.address(address, argument.offset, scale: scale)
        let first = source.form == .immediate ? Int(truncatingIfNeeded: source.bits) : source.slot
        let isImmediate = source.form == .immediate ? 1 : 0
        emit(
            addressing.isScaled
                ? .storeScaled((scale - 1) * Form.scaledCount + addressing.form, isImmediate)
                : .store(operation, addressing.form, isImmediate),
            word: addressing.fields | codeWord(first))
    }

    /// Makes one instruction of the load that was just emitted and the store of `value`, which it
    /// loaded, if their sizes (logarithms) and addresses allow.
    private mutating func move(
        _ value: Entry, _ scale: Int, to address: Entry, _ offset: UInt64
    ) -> Bool {
        guard scale != 1, last.kind == .load, last.a.form == .slot, isLastResult(value),
            address.kind != .constant,
            loadScale(last.operation) == scale, offset <= 0xffff, last.a.bits <= 0xffff
        else { return false }
        let from = last.a
        rewind()
        emit(
            .move(max(scale - 1, 0)),
            word: codeWord(
                slot(of: address), from.slot, Int(truncatingIfNeeded: offset),
                Int(truncatingIfNeeded: from.bits)))
        registers.integer = RegisterContent()
        return true
    }

    /// Stores the accumulator, if the address does not need it too.
    private mutating func storeRegister(
        _ operation: Int, _ valueClass: ValueClass, _ source: Operand, _ address: Entry,
        _ offset: UInt64
    ) -> Bool {
        let place = operand(address)
        var fields: CodeWord
        var form: Int
        if let constant = constantAddress(place, offset) {
            (form, fields) = (Form.constant, constant)
        } else if valueClass != .integer && place.form == .register {
            takeFromRegister(place, .integer)
            (form, fields) = (
                Form.register, codeWord(0, 0, unsigned: UInt32(truncatingIfNeeded: offset))
            )
        } else if place.form == .register && place.slot == source.slot {
            return false
        } else {
            let slot = slotHolding(address)
            (form, fields) = (
                Form.slot, codeWord(0, slot, unsigned: UInt32(truncatingIfNeeded: offset))
            )
        }
        takeFromRegister(source, valueClass)
        if valueClass == .integer {
            emit(.storeRegister(operation, form == Form.constant ? 1 : 0), word: fields)
        } else {
            emit(.storeFloatRegister(valueClass == .double ? 1 : 0, form), word: fields)
        }
        return true
    }

    private mutating func constantAddress(_ place: Operand, _ offset: UInt64) -> CodeWord? {
        guard place.form == .immediate else { return nil }
        let sum = (place.bits & 0xffff_ffff) &+ offset
        return sum <= 0xffff_ffff ? codeWord(0, 0, unsigned: UInt32(truncatingIfNeeded: sum)) : nil
    }

    /// The addressing form for a popped address. May take back the instruction that computed it.
    /// What the accumulators held before it is then in `addressRegisters`.
    ///
    /// - Parameter scale: logarithm of the size of what is accessed; nil for vectors, which do not
    ///   have all forms.
    mutating func address(_ entry: Entry, _ offset: UInt64, scale: Int? = nil) -> Addressing {
        addressRegisters = registers
        if isLastResult(entry), offset <= 0xffff {
            let offset = Int(truncatingIfNeeded: offset)
            if let scale, let addressing = absorb(offset, scale) { return addressing }
            if let addressing = absorb(offset) { return addressing }
        }
        let place = operand(entry)
        let low = UInt32(truncatingIfNeeded: offset)
        if let constant = constantAddress(place, offset) {
            return Addressing(form: Form.constant, fields: constant)
        }
        if place.form == .register {
            takeFromRegister(place, .integer)
            return Addressing(form: Form.register, fields: codeWord(0, 0, unsigned: low))
        }
        return Addressing(form: Form.slot, fields: codeWord(0, slotHolding(entry), unsigned: low))
    }

    /// Makes the addition that was just emitted part of the address, if there is a form for it.
    private mutating func absorb(_ offset: Int) -> Addressing? {
        let sum = last
        guard !sum.is64 else { return nil }
        switch (sum.kind, sum.a.form, sum.b.form) {
        case (.add, .slot, .slot) where sum.valueClass == .integer:
            rewind()
            addressRegisters = registers
            return Addressing(
                form: Form.slotSlot, fields: codeWord(0, sum.a.slot, sum.b.slot, offset))
        case (.add, .register, .slot) where sum.valueClass == .integer:
            rewind()
            addressRegisters = registers
            takeFromRegister(sum.a, .integer)
            return Addressing(form: Form.slotRegister, fields: codeWord(0, sum.b.slot, 0, offset))
        case (.add, .slot, .immediate) where fitsSigned16(sum.b.bits, is64: false):
            guard sum.valueClass == .integer else { return nil }
            rewind()
            addressRegisters = registers
            return Addressing(
                form: Form.slotImmediate,
                fields: codeWord(0, sum.a.slot, Int(truncatingIfNeeded: sum.b.bits), offset))
        case (.add, .register, .immediate) where fitsSigned16(sum.b.bits, is64: false):
            guard sum.valueClass == .integer else { return nil }
            rewind()
            addressRegisters = registers
            takeFromRegister(sum.a, .integer)
            return Addressing(
                form: Form.registerImmediate,
                fields: codeWord(0, 0, Int(truncatingIfNeeded: sum.b.bits), offset))
        case (.shiftAdd, .register, .slot) where (1...3).contains(sum.operation):
            rewind()
            addressRegisters = registers
            takeFromRegister(sum.a, .integer)
            return Addressing(
                form: Form.slotRegister + sum.operation, fields: codeWord(0, sum.b.slot, 0, offset))
        default: return nil
        }
    }

    /// The same for the forms that only scalars have.
    private mutating func absorb(_ offset: Int, _ scale: Int) -> Addressing? {
        let sum = last
        guard !sum.is64, sum.valueClass == .integer else { return nil }
        let immediate = UInt32(truncatingIfNeeded: sum.b.bits)
        switch (sum.kind, sum.a.form, sum.b.form) {
        case (.add, .slot, .immediate)
        where offset == 0 && !fitsSigned16(sum.b.bits, is64: false):
            rewind()
            addressRegisters = registers
            return Addressing(
                form: Form.slotWide, fields: codeWord(0, sum.a.slot, unsigned: immediate))
        case (.add, .register, .immediate):
            if let addressing = absorbShift(sum, offset, scale) { return addressing }
            guard !fitsSigned16(sum.b.bits, is64: false) else { return nil }
            rewind()
            addressRegisters = registers
            takeFromRegister(sum.a, .integer)
            return Addressing(
                form: Form.registerWide, fields: codeWord(0, offset, unsigned: immediate))
        case (.shiftAdd, .slot, .slot) where scale > 0 && sum.operation == scale:
            rewind()
            addressRegisters = registers
            return Addressing(
                form: Form.slotSlots, isScaled: true,
                fields: codeWord(0, sum.b.slot, sum.a.slot, offset))
        case (.shiftAdd, .slot, .register) where scale > 0 && sum.operation == scale:
            rewind()
            addressRegisters = registers
            takeFromRegister(sum.b, .integer)
            return Addressing(
                form: Form.registerSlots, isScaled: true,
                fields: codeWord(0, 0, sum.a.slot, offset))
        default: return nil
        }
    }

    /// An element of a static array: the sum is of the index, shifted, and the array's address.
    private mutating func absorbShift(_ sum: Emitted, _ offset: Int, _ scale: Int) -> Addressing? {
        let shift = previous
        guard scale > 0, shift.kind == .shiftLeft, shift.end == sum.start, !shift.is64,
            sum.a.isTemporary, shift.destination == sum.a.slot, shift.b.form == .immediate,
            shift.b.bits & 31 == UInt64(scale), shift.a.form != .immediate
        else { return nil }
        let isRegister = shift.a.form == .register
        guard isRegister || offset == 0 else { return nil }
        rewind()
        rewind()
        addressRegisters = registers
        if isRegister { takeFromRegister(shift.a, .integer) }
        return Addressing(
            form: isRegister ? Form.registersWide : Form.slotsWide, isScaled: true,
            fields: codeWord(
                0, isRegister ? offset : shift.a.slot,
                unsigned: UInt32(truncatingIfNeeded: sum.b.bits)))
    }

    // MARK: Size, growth, bulk

    mutating func memorySize(_ memory: UInt32) {
        let before = registers
        if module.memories[Int(memory)].isShared {
            // Other threads may have grown it: growing by nothing asks how large it is now.
            push(.constant, .integer, value: 0)
            memoryGrow(memory)
        } else if isNear(memory), module.memories.first?.pageSizeLog2 == 16 {
            pushResult(.memorySize, word: 0, .integer, before: before, droppable: false)
        } else {
            let shift =
                Int(memory) < module.memories.count
                ? Int(module.memories[Int(memory)].pageSizeLog2) : 16
            pushResult(
                .memorySizeFar, word: codeWord(0, 0, Int(memory), shift), .integer, before: before,
                droppable: false)
        }
    }

    mutating func memoryGrow(_ memory: UInt32) {
        let before = registers
        let delta = slotHolding(pop())
        let is64 = module.memories[Int(memory)].addressType == .i64
        pushResult(
            .memoryGrow, word: codeWord(0, delta, Int(memory), is64 ? 1 : 0), .integer,
            before: before, droppable: false)
        // Going on after growth reloads the accumulators.
        let slot = registers.integer
        registers = Registers()
        registers.integer = slot
    }

    mutating func memoryCopy(to destination: UInt32, from source: UInt32) {
        if isNear(destination) && isNear(source) {
            emitThreeSlots(.memoryCopy)
        } else {
            emitBulk(.memoryCopy, destination, source)
        }
    }

    mutating func memoryFill(_ memory: UInt32) {
        if isNear(memory) { emitThreeSlots(.memoryFill) } else { emitBulk(.memoryFill, memory, 0) }
    }

    private mutating func emitThreeSlots(_ instruction: Instruction) {
        let third = pop(), second = pop(), first = pop()
        let fields = codeWord(slotHolding(first), slotHolding(second), slotHolding(third))
        emit(instruction, word: fields)
    }

    /// An operation of the runtime on three operands and two indices.
    mutating func emitBulk(_ operation: BulkOperation, _ first: UInt32, _ second: UInt32) {
        let third = pop(), middle = pop(), bottom = pop()
        let fields = codeWord(
            slotHolding(bottom), slotHolding(middle), slotHolding(third), operation.rawValue)
        emit(.bulk, word: fields, UInt64(first) | UInt64(second) &<< 32)
    }
}
