// Structures, arrays and i31.

import WasmMachine
import WasmValidator

/// How fields and elements in storage are read and written.
private struct FieldAccess {
    /// Not used for vectors, which have instructions of their own.
    var read: Instruction.FieldRead
    /// From slots, and from the integer accumulator.
    var write: Instruction.FieldWrite
    var valueClass: ValueClass
    /// Values have 64 bits.
    var is64 = false

    init(_ storage: FieldStorage, isSigned: Bool) {
        switch storage {
        case .i8: (read, write, valueClass) = (isSigned ? .i8Signed : .i8Unsigned, .i8, .integer)
        case .i16:
            (read, write, valueClass) = (isSigned ? .i16Signed : .i16Unsigned, .i16, .integer)
        case .i32: (read, write, valueClass) = (.i32, .i32, .integer)
        case .i64, .reference: (read, write, valueClass, is64) = (.i64, .i64, .integer, true)
        case .f32: (read, write, valueClass) = (.f32, .i32, .float)
        case .f64: (read, write, valueClass) = (.f64, .i64, .double)
        case .v128: (read, write, valueClass) = (.i64, .i64, .vector)
        }
    }
}

extension Translator {
    /// Structures and arrays. Returns why an instruction is refused.
    mutating func aggregates(_ opcode: Opcode) throws(DecodingError) -> TranslationError? {
        switch opcode {
        case .anyConvertExtern, .externConvertAny: break  // the same bits
        case .structNew: structNew(try reader.unsigned32())
        case .structNewDefault: structNewDefault(try reader.unsigned32())
        case .structGet, .structGetS, .structGetU:
            let type = try reader.unsigned32()
            structGet(type, try reader.unsigned32(), isSigned: opcode == .structGetS)
        case .structSet:
            let type = try reader.unsigned32()
            structSet(type, try reader.unsigned32())
        case .arrayGet, .arrayGetS, .arrayGetU:
            arrayGet(try reader.unsigned32(), isSigned: opcode == .arrayGetS)
        case .arraySet: arraySet(try reader.unsigned32())
        case .arrayNew: aggregate(.arrayNew, try reader.unsigned32())
        case .arrayNewDefault: aggregate(.arrayNewDefault, try reader.unsigned32())
        case .arrayFill: aggregate(.arrayFill, try reader.unsigned32())
        case .arrayNewFixed: try indexedAggregate(.arrayNewFixed)
        case .arrayNewData: try indexedAggregate(.arrayNewData)
        case .arrayNewElem: try indexedAggregate(.arrayNewElements)
        case .arrayInitData: try indexedAggregate(.arrayInitData)
        case .arrayInitElem: try indexedAggregate(.arrayInitElements)
        case .arrayCopy: try indexedAggregate(.arrayCopy)
        default: return try casts(opcode)
        }
        return nil
    }

    private mutating func indexedAggregate(
        _ operation: AggregateOperation
    ) throws(DecodingError) {
        let type = try reader.unsigned32()
        aggregate(operation, type, index: try reader.unsigned32())
    }

    // MARK: Layouts

    private mutating func layout(_ type: TypeIndex) -> StructureLayout {
        if let known = structureLayouts[type] { return known }
        guard case .structure(let fields) = module.types[Int(type)].composite else {
            return StructureLayout([])
        }
        let layout = StructureLayout(fields)
        structureLayouts[type] = layout
        return layout
    }

    private mutating func elementStorage(_ type: TypeIndex) -> FieldStorage {
        guard case .array(let element) = module.types[Int(type)].composite else { return .i8 }
        return FieldStorage(element.storage)
    }

    // MARK: New structures

    /// Reads fields from where they are: from homes and from locals.
    private mutating func structNew(_ type: TypeIndex) {
        let layout = layout(type)
        guard layout.fields.count <= Self.fieldLimit else { return largeStructNew(type, layout) }
        expose(layout.fields.count)
        let first = stack.count - layout.fields.count
        var wide: [CodeWord] = []
        var narrow: [CodeWord] = []
        for (index, field) in layout.fields.enumerated() {
            let slot = slotHolding(stack[first + index])
            if field.offset + 8 <= layout.byteCount {
                wide.append(codeWord(slot, 0, signed: field.offset))
                if field.storage == .v128 {
                    wide.append(codeWord(slot + 1, 0, signed: field.offset + 8))
                }
            } else {
                let size = field.storage.byteCountLog2
                narrow.append(codeWord(slot, size, signed: field.offset))
            }
        }
        let sizeClass = SizeClass.containing(layout.byteCount)
        pushCell(
            .structNew, type, operands: layout.fields.count,
            codeWord(HeapOffset.freeList(sizeClass), wide.count, narrow.count, sizeClass))
        code.append(contentsOf: wide)
        code.append(contentsOf: narrow)
        last.end = code.count
    }

    /// Structures with more fields are made like arrays, by an instruction of four words. Otherwise
    /// a thousand fields, pushed by a single call, would take a thousand words of code for each
    /// such structure.
    private static let fieldLimit = 32

    private mutating func largeStructNew(_ type: TypeIndex, _ layout: StructureLayout) {
        let end = nextHome
        let base = take(layout.fields.count)
        pushResult(
            .aggregate, word: codeWord(0, base, AggregateOperation.structNew.rawValue, end),
            third: UInt64(ObjectKind.structure.header(typeIDs[Int(type)])) | UInt64(type) &<< 32,
            .integer, before: registers, droppable: false)
        code.append(0)
        last.end = code.count
        noteWork(layout.fields.count)
    }

    private mutating func structNewDefault(_ type: TypeIndex) {
        let layout = layout(type)
        let sizeClass = SizeClass.containing(layout.byteCount)
        pushCell(
            .structNewDefault, type, operands: 0,
            codeWord(HeapOffset.freeList(sizeClass), layout.byteCount / 8, 0, sizeClass))
        noteWork(layout.byteCount / 64)
    }

    private mutating func pushCell(
        _ instruction: Instruction, _ type: TypeIndex, operands: Int, _ third: CodeWord
    ) {
        // A collection scans the frame up to here: the operands are still in use.
        let end = nextHome
        drop(operands)
        pushResult(
            instruction, word: codeWord(0, end, unsigned: typeIDs[Int(type)]), third: third,
            .integer, before: registers, droppable: false)
    }

    // MARK: Fields

    private mutating func structGet(_ type: TypeIndex, _ index: UInt32, isSigned: Bool) {
        let field = layout(type).fields[Int(index)]
        let access = FieldAccess(field.storage, isSigned: isSigned)
        let entry = pop()
        guard access.valueClass != .vector else {
            let slot = slotHolding(entry)
            pushVector(.structGetVector) { codeWord($0, slot, signed: field.offset) }
            return
        }
        let before = registers
        var source = operand(entry)
        if source.form == .immediate { moveToSlot(&source) }
        let fromRegister = source.form == .register
        if fromRegister { takeFromRegister(source, .integer) }
        pushResult(
            .structGet(access.read, fromRegister ? .register : .slot, .toSlot),
            word: codeWord(0, source.slot, signed: field.offset), access.valueClass,
            before: before)
    }

    /// Emits an instruction with a result of two slots.
    private mutating func pushVector(_ instruction: Instruction, _ word: (Int) -> CodeWord) {
        let home = push(.temporary, .vector)
        emit(instruction, word: word(home))
        registers.forget(slots: home..<(home + 2))
    }

    private mutating func structSet(_ type: TypeIndex, _ index: UInt32) {
        let field = layout(type).fields[Int(index)]
        let access = FieldAccess(field.storage, isSigned: false)
        let right = pop(), left = pop()
        guard access.valueClass != .vector else {
            let object = slotHolding(left), source = slotHolding(right)
            emit(.structSetVector, word: codeWord(source, object, signed: field.offset))
            return
        }
        var value = operand(right), object = operand(left)
        if object.form == .immediate { moveToSlot(&object) }
        if value.form == .immediate
            && (access.valueClass != .integer || !fitsSigned16(value.bits, is64: access.is64))
        {
            moveToSlot(&value)
        }
        let isFloat = access.valueClass != .integer
        if value.form == .register && object.form == .register && !isFloat { value.form = .slot }
        let takesObject = object.form == .register && (isFloat || value.form == .slot)
        if takesObject { takeFromRegister(object, .integer) }
        let first =
            value.form == .immediate ? Int(truncatingIfNeeded: value.bits) : value.slot
        let word = codeWord(first, object.slot, signed: field.offset)
        guard value.form == .register else {
            let form: Instruction.FieldWriteForm =
                value.form == .immediate ? .slotImmediate : takesObject ? .registerSlot : .slotSlot
            emit(.structSet(access.write, form), word: word)
            return
        }
        takeFromRegister(value, access.valueClass)
        if isFloat {
            emit(
                .structSetFloat(
                    access.valueClass == .double ? .double : .float,
                    takesObject ? .register : .slot), word: word)
        } else {
            emit(.structSet(access.write, .slotRegister), word: word)
        }
    }

    // MARK: Elements

    private mutating func arrayGet(_ type: TypeIndex, isSigned: Bool) {
        let access = FieldAccess(elementStorage(type), isSigned: isSigned)
        let right = pop(), left = pop()
        guard access.valueClass != .vector else {
            let array = slotHolding(left), index = slotHolding(right)
            pushVector(.arrayGetVector) { codeWord($0, array, index) }
            return
        }
        let before = registers
        var array = operand(left), index = operand(right)
        if array.form == .immediate { moveToSlot(&array) }
        if index.form == .immediate { moveToSlot(&index) }
        var form = Instruction.PairForm.slotSlot
        if array.form == .register && index.form == .slot {
            form = .registerSlot
            takeFromRegister(array, .integer)
        } else if index.form == .register && array.form == .slot {
            form = .slotRegister
            takeFromRegister(index, .integer)
        }
        pushResult(
            .arrayGet(access.read, form, .toSlot), word: codeWord(0, array.slot, index.slot),
            access.valueClass, before: before)
    }

    private mutating func arraySet(_ type: TypeIndex) {
        let access = FieldAccess(elementStorage(type), isSigned: false)
        let top = pop(), middle = pop(), bottom = pop()
        guard access.valueClass != .vector else {
            let array = slotHolding(bottom), index = slotHolding(middle)
            emit(.arraySetVector, word: codeWord(slotHolding(top), array, index))
            return
        }
        var value = operand(top), index = operand(middle), array = operand(bottom)
        if value.form == .immediate { moveToSlot(&value) }
        if index.form == .immediate { moveToSlot(&index) }
        if array.form == .immediate { moveToSlot(&array) }
        let word = codeWord(value.slot, array.slot, index.slot)
        if access.valueClass != .integer, value.form == .register {
            takeFromRegister(value, access.valueClass)
            emit(.arraySetFloat(access.valueClass == .double ? .double : .float), word: word)
            return
        }
        // One local may be several of these operands, but the accumulator holds only one of them.
        let inRegister = [array, index, value].filter { $0.form == .register }
        var form = Instruction.ElementWriteForm.slotSlotSlot
        if access.valueClass == .integer || value.form != .register, inRegister.count == 1 {
            form =
                array.form == .register
                ? .registerSlotSlot
                : index.form == .register ? .slotRegisterSlot : .slotSlotRegister
            takeFromRegister(inRegister[0], .integer)
        }
        emit(.arraySet(access.write, form), word: word)
    }

    // MARK: Whole arrays

    private mutating func aggregate(
        _ operation: AggregateOperation, _ type: TypeIndex, index: UInt32 = 0
    ) {
        let count = operation.operandCount ?? Int(index)
        let end = nextHome
        let base = take(count)
        let word = codeWord(0, base, operation.rawValue, end)
        let header = ObjectKind.array.header(typeIDs[Int(type)])
        let third = UInt64(header) | UInt64(index) &<< 32
        if operation.hasResult {
            pushResult(
                .aggregate, word: word, third: third, .integer, before: registers,
                droppable: false)
        } else {
            emit(.aggregate, word: word, third)
            registers.integer = RegisterContent()
        }
        code.append(UInt64(elementStorage(type).rawValue))
        last.end = code.count
    }
}
