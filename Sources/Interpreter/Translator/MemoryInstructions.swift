// Loads, stores, bulk operations: addressing forms and other memories.

import WasmMachine

extension Translator {
    /// An addressing form of memory 0, and fields 1 to 3 (and the upper half) of word 1.
    typealias Addressing = (form: Instruction.Address, fields: CodeWord)

    /// The same for scalars, which have more forms.
    struct ScalarAddressing {
        enum Form {
            case plain(Instruction.ScalarAddress)
            /// The index is multiplied by the size of what is accessed.
            case scaled(Instruction.ScaledAddress)
        }
        var form: Form
        var fields: CodeWord

        init(_ form: Instruction.ScalarAddress, _ fields: CodeWord) {
            self.form = .plain(form)
            self.fields = fields
        }

        init(scaled form: Instruction.ScaledAddress, _ fields: CodeWord) {
            self.form = .scaled(form)
            self.fields = fields
        }

        /// Where the address is, if it is just an operand: a slot or the accumulator.
        var source: Instruction.Source? {
            switch form {
            case .plain(.slot): .slot
            case .plain(.register): .register
            default: nil
            }
        }
    }

    /// Whether instructions of the fast families reach this memory.
    mutating func isNear(_ memory: UInt32) -> Bool {
        guard memory == 0, let type = module.memories.first else { return false }
        return type.addressType == .i32
    }

    // MARK: Loads and stores

    mutating func load(_ operation: LoadOperation, _ argument: MemoryArgument) {
        let load = operation.load
        guard isNear(argument.memory) else {
            let before = registers
            let address = slotHolding(pop())
            pushResult(
                .loadFar(load), word: codeWord(0, address, Int(argument.memory)),
                third: argument.offset, operation.valueClass, before: before, droppable: false)
            return
        }
        let entry = pop()
        let addressing = scalarAddress(entry, argument.offset, scale: load.scale)
        let source = addressing.source
        if source == .slot, loadTwo(load, addressing.fields) { return }
        let instruction: Instruction
        switch addressing.form {
        case .plain(let form): instruction = .load(load, form, .toSlot)
        case .scaled(let form):
            // All sizes above a byte have scaled forms.
            guard let scaled = Instruction.ScaledLoad(load) else { return }
            instruction = .loadScaled(scaled, form, .toSlot)
        }
        pushResult(
            instruction, word: addressing.fields, operation.valueClass, before: addressRegisters)
        last.operator = .load(load)
        if let source {
            last.kind = .load
            last.a = Operand(
                form: source == .slot ? .slot : .register, slot: slot(of: entry),
                bits: argument.offset, isTemporary: entry.kind == .temporary)
        }
    }

    /// Makes one instruction of the load that was just emitted and this one, whose address is in a
    /// slot, if both are of the same kind and neither needs an accumulator.
    private mutating func loadTwo(_ load: Instruction.Load, _ fields: CodeWord) -> Bool {
        guard let pair = Instruction.LoadPair(load) else { return false }
        let first = last
        let slot = Int(truncatingIfNeeded: fields &>> 16 & 0xffff)
        guard first.kind == .load || first.kind == .loadToLocal, first.end == code.count,
            case .load(let other) = first.operator, other == load, first.a.form == .slot,
            first.destination != slot, first.destination != first.a.slot,
            code[first.start] == Instruction.load(load, .slot, .toSlot).handler
        else { return false }
        let word = code[first.start + 1]
        let before = registers
        code.removeSubrange(first.start...)
        pushResult(
            .loadTwo(pair, .toSlot), word: codeWord(0, slot) | word &<< 32,
            third: fields &>> 32 | (word &>> 32) &<< 32, .integer, before: before,
            kind: .loadTwo)
        return true
    }

    mutating func store(_ operation: StoreOperation, _ argument: MemoryArgument) {
        let store = operation.store
        let value = pop(), address = pop()
        guard isNear(argument.memory) else {
            let slot = slotHolding(address), source = slotHolding(value)
            emit(
                .storeFar(store), word: codeWord(source, slot, Int(argument.memory)),
                argument.offset)
            return
        }
        let scale = store.scale
        if move(value, scale, to: address, argument.offset) { return }
        var source = operand(value)
        if source.form == .immediate && !fitsSigned16(value.value, is64: store == .i64Store) {
            moveToSlot(&source)
        }
        if source.form == .register {
            if storeRegister(operation, source, address, argument.offset) { return }
            source.form = .slot
        }
        let addressing = scalarAddress(address, argument.offset, scale: scale)
        let isImmediate = source.form == .immediate
        let first = isImmediate ? Int(truncatingIfNeeded: source.bits) : source.slot
        let instruction: Instruction
        switch addressing.form {
        case .plain(let form): instruction = .store(store, form, isImmediate ? .immediate : .slot)
        case .scaled(let form):
            // All sizes above a byte have scaled forms.
            guard let scaled = Instruction.ScaledStore(store) else { return }
            instruction = .storeScaled(scaled, form, isImmediate ? .immediate : .slot)
        }
        emit(instruction, word: addressing.fields | codeWord(first))
    }

    /// Makes one instruction of the load that was just emitted and the store of `value`, which it
    /// loaded, if their sizes (logarithms) and addresses allow.
    private mutating func move(
        _ value: Entry, _ scale: Int, to address: Entry, _ offset: UInt64
    ) -> Bool {
        let move: Instruction.Move
        switch scale {
        case 0: move = .move8
        case 2: move = .move32
        case 3: move = .move64
        default: return false
        }
        guard last.kind == .load, last.a.form == .slot, isLastResult(value),
            address.kind != .constant, case .load(let load) = last.operator, load.scale == scale,
            offset <= 0xffff, last.a.bits <= 0xffff
        else { return false }
        let from = last.a
        rewind()
        emit(
            .move(move),
            word: codeWord(
                slot(of: address), from.slot, Int(truncatingIfNeeded: offset),
                Int(truncatingIfNeeded: from.bits)))
        registers.integer = RegisterContent()
        return true
    }

    /// Stores from the accumulator, if the address does not need it too.
    private mutating func storeRegister(
        _ operation: StoreOperation, _ source: Operand, _ address: Entry, _ offset: UInt64
    ) -> Bool {
        let valueClass = operation.valueClass
        let place = operand(address)
        let low = UInt32(truncatingIfNeeded: offset)
        let (form, fields): Addressing
        if let constant = constantAddress(place, offset) {
            (form, fields) = (.constant, constant)
        } else if valueClass != .integer && place.form == .register {
            takeFromRegister(place, .integer)
            (form, fields) = (.register, codeWord(0, 0, unsigned: low))
        } else if place.form == .register && place.slot == source.slot {
            return false
        } else {
            (form, fields) = (.slot, codeWord(0, slotHolding(address), unsigned: low))
        }
        takeFromRegister(source, valueClass)
        switch valueClass {
        case .float: emit(.storeFloatRegister(.f32Store, form), word: fields)
        case .double: emit(.storeFloatRegister(.f64Store, form), word: fields)
        default:
            emit(
                .storeRegister(operation.store, form == .constant ? .constant : .slot),
                word: fields)
        }
        return true
    }

    private mutating func constantAddress(_ place: Operand, _ offset: UInt64) -> CodeWord? {
        guard place.form == .immediate else { return nil }
        let sum = (place.bits & 0xffff_ffff) &+ offset
        return sum <= 0xffff_ffff ? codeWord(0, 0, unsigned: UInt32(truncatingIfNeeded: sum)) : nil
    }

    /// The addressing form for a popped address. May remove the instruction that computed it.
    /// `addressRegisters` is then what the accumulators held before that instruction.
    mutating func address(_ entry: Entry, _ offset: UInt64) -> Addressing {
        addressRegisters = registers
        if isLastResult(entry), offset <= 0xffff,
            let addressing = absorb(Int(truncatingIfNeeded: offset))
        {
            return addressing
        }
        return plainAddress(entry, offset)
    }

    /// The same for an access of 1 << `scale` bytes.
    private mutating func scalarAddress(
        _ entry: Entry, _ offset: UInt64, scale: Int
    ) -> ScalarAddressing {
        addressRegisters = registers
        if isLastResult(entry), offset <= 0xffff {
            let offset = Int(truncatingIfNeeded: offset)
            if let addressing = absorb(offset, scale) { return addressing }
            if let (form, fields) = absorb(offset) {
                return ScalarAddressing(.init(form), fields)
            }
        }
        let (form, fields) = plainAddress(entry, offset)
        return ScalarAddressing(.init(form), fields)
    }

    private mutating func plainAddress(_ entry: Entry, _ offset: UInt64) -> Addressing {
        let place = operand(entry)
        let low = UInt32(truncatingIfNeeded: offset)
        if let constant = constantAddress(place, offset) { return (.constant, constant) }
        if place.form == .register {
            takeFromRegister(place, .integer)
            return (.register, codeWord(0, 0, unsigned: low))
        }
        return (.slot, codeWord(0, slotHolding(entry), unsigned: low))
    }

    /// Makes the addition that was just emitted part of the address, if there is a form for it.
    private mutating func absorb(_ offset: Int) -> Addressing? {
        let sum = last
        guard !sum.is64 else { return nil }
        switch (sum.kind, sum.a.form, sum.b.form) {
        case (.add, .slot, .slot) where sum.valueClass == .integer:
            rewind()
            addressRegisters = registers
            return (.slotSlot, codeWord(0, sum.a.slot, sum.b.slot, offset))
        case (.add, .register, .slot) where sum.valueClass == .integer:
            rewind()
            addressRegisters = registers
            takeFromRegister(sum.a, .integer)
            return (.slotRegister, codeWord(0, sum.b.slot, 0, offset))
        case (.add, .slot, .immediate) where fitsSigned16(sum.b.bits, is64: false):
            guard sum.valueClass == .integer else { return nil }
            rewind()
            addressRegisters = registers
            let immediate = Int(truncatingIfNeeded: sum.b.bits)
            return (.slotImmediate, codeWord(0, sum.a.slot, immediate, offset))
        case (.add, .register, .immediate) where fitsSigned16(sum.b.bits, is64: false):
            guard sum.valueClass == .integer else { return nil }
            rewind()
            addressRegisters = registers
            takeFromRegister(sum.a, .integer)
            let immediate = Int(truncatingIfNeeded: sum.b.bits)
            return (.registerImmediate, codeWord(0, 0, immediate, offset))
        case (.shiftAdd, .register, .slot):
            let form: Instruction.Address
            switch sum.amount {
            case 1: form = .slotRegister1
            case 2: form = .slotRegister2
            case 3: form = .slotRegister3
            default: return nil
            }
            rewind()
            addressRegisters = registers
            takeFromRegister(sum.a, .integer)
            return (form, codeWord(0, sum.b.slot, 0, offset))
        default: return nil
        }
    }

    /// The same for the forms that only scalars have.
    private mutating func absorb(_ offset: Int, _ scale: Int) -> ScalarAddressing? {
        let sum = last
        guard !sum.is64, sum.valueClass == .integer else { return nil }
        let immediate = UInt32(truncatingIfNeeded: sum.b.bits)
        switch (sum.kind, sum.a.form, sum.b.form) {
        case (.add, .slot, .immediate)
        where offset == 0 && !fitsSigned16(sum.b.bits, is64: false):
            rewind()
            addressRegisters = registers
            return ScalarAddressing(.slotWide, codeWord(0, sum.a.slot, unsigned: immediate))
        case (.add, .register, .immediate):
            if let addressing = absorbShift(sum, offset, scale) { return addressing }
            guard !fitsSigned16(sum.b.bits, is64: false) else { return nil }
            rewind()
            addressRegisters = registers
            takeFromRegister(sum.a, .integer)
            return ScalarAddressing(.registerWide, codeWord(0, offset, unsigned: immediate))
        case (.shiftAdd, .slot, .slot) where scale > 0 && sum.amount == scale:
            rewind()
            addressRegisters = registers
            return ScalarAddressing(
                scaled: .slotIndex, codeWord(0, sum.b.slot, sum.a.slot, offset))
        case (.shiftAdd, .slot, .register) where scale > 0 && sum.amount == scale:
            rewind()
            addressRegisters = registers
            takeFromRegister(sum.b, .integer)
            return ScalarAddressing(scaled: .registerIndex, codeWord(0, 0, sum.a.slot, offset))
        default: return nil
        }
    }

    /// An element of a static array: the sum of the shifted index and the array's address.
    private mutating func absorbShift(
        _ sum: Emitted, _ offset: Int, _ scale: Int
    ) -> ScalarAddressing? {
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
        return ScalarAddressing(
            scaled: isRegister ? .registerIndexWide : .slotIndexWide,
            codeWord(
                0, isRegister ? offset : shift.a.slot,
                unsigned: UInt32(truncatingIfNeeded: sum.b.bits)))
    }

    // MARK: Size, growth, bulk

    mutating func memorySize(_ memory: UInt32) {
        let before = registers
        if module.memories[Int(memory)].isShared {
            // Other threads may have grown it: growing by 0 pages returns the current size.
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
        // The handler reloads the accumulators after growth.
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
