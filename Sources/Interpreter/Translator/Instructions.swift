// One WebAssembly instruction at a time.

import WasmMachine

extension Translator {
    /// Reads and translates the next instruction.
    mutating func step() throws(TranslationError) {
        do throws(DecodingError) {
            if let refusal = try instruction(try reader.opcode()) { pending = refusal }
        } catch {
            throw .malformed(error)
        }
        if let refusal = pending {
            pending = nil
            throw refusal
        }
    }

    /// Control, variables and constants, which are the most frequent; then the others. Returns why
    /// an instruction is refused.
    private mutating func instruction(
        _ opcode: Opcode
    ) throws(DecodingError) -> TranslationError? {
        switch opcode {
        case .unreachable:
            emit(.unreachable, word: 0)
            isUnreachable = true
        case .nop: break
        case .block: open(.block, try reader.blockType())
        case .loop: open(.loop, try reader.blockType())
        case .if: open(.if, try reader.blockType())
        case .else: openElse()
        case .end: close()
        case .br: branch(try reader.unsigned32())
        case .brIf: branchIf(try reader.unsigned32())
        case .brTable: try branchTable()
        case .return:
            emitReturn()
            isUnreachable = true
        case .call: call(try reader.unsigned32())
        case .callIndirect:
            let type = try reader.unsigned32()
            callIndirect(type, try reader.unsigned32())
        case .returnCall: returnCall(try reader.unsigned32())
        case .returnCallIndirect:
            let type = try reader.unsigned32()
            returnCallIndirect(type, try reader.unsigned32())
        case .callRef: callReference(try reader.unsigned32())
        case .returnCallRef: returnCallReference(try reader.unsigned32())
        case .drop: _ = pop()
        case .select: select()
        case .selectTyped:
            try reader.skipImmediates(of: opcode)
            select()
        case .localGet: localGet(local(try reader.unsigned32()))
        case .localSet: localSet(local(try reader.unsigned32()), tee: false)
        case .localTee: localSet(local(try reader.unsigned32()), tee: true)
        case .globalGet: globalGet(Int(try reader.unsigned32()))
        case .globalSet: globalSet(Int(try reader.unsigned32()))
        case .i32Const:
            let value = try reader.signed32()
            push(.constant, .integer, value: UInt64(UInt32(bitPattern: value)))
        case .i64Const:
            push(.constant, .integer, value: UInt64(bitPattern: try reader.signed64()))
        case .f32Const: push(.constant, .float, value: UInt64(try reader.float32Bits()))
        case .f64Const: push(.constant, .double, value: try reader.float64Bits())
        case .i64ExtendI32U: break  // slots are zero-extended
        case .i32ReinterpretF32, .i64ReinterpretF64: reinterpret(as: .integer)
        case .f32ReinterpretI32: reinterpret(as: .float)
        case .f64ReinterpretI64: reinterpret(as: .double)
        default: return try row(opcode)
        }
        return nil
    }

    /// Instructions that are rows of the instruction table.
    private mutating func row(_ opcode: Opcode) throws(DecodingError) -> TranslationError? {
        if let operation = BinaryOperation(opcode) {
            binary(operation)
        } else if let operation = LoadOperation(opcode) {
            load(operation, try reader.memoryArgument())
            return nil
        } else if let operation = StoreOperation(opcode) {
            store(operation, try reader.memoryArgument())
            return nil
        } else if let operation = UnaryOperation(opcode) {
            unary(operation)
        } else if let operation = VectorOperation(opcode) {
            try vector(operation)
        } else {
            return try memoriesAndReferences(opcode)
        }
        if options.contains(.canonicalNaNs) { canonicalize(after: opcode) }
        return nil
    }

    private mutating func memoriesAndReferences(
        _ opcode: Opcode
    ) throws(DecodingError) -> TranslationError? {
        switch opcode {
        case .memorySize: memorySize(try reader.memoryIndex())
        case .memoryGrow: memoryGrow(try reader.memoryIndex())
        case .memoryCopy:
            let destination = try reader.memoryIndex()
            memoryCopy(to: destination, from: try reader.memoryIndex())
        case .memoryFill: memoryFill(try reader.memoryIndex())
        case .memoryInit:
            let segment = try reader.unsigned32()
            emitBulk(.memoryInit, try reader.memoryIndex(), segment)
        case .dataDrop:
            let segment = try reader.unsigned32()
            emit(.dropSegment, word: codeWord(0, 0, unsigned: segment))
        case .tableGet: tableGet(try reader.unsigned32())
        case .tableSet: tableSet(try reader.unsigned32())
        case .tableSize: tableSize(try reader.unsigned32())
        case .tableGrow: tableGrow(try reader.unsigned32())
        case .tableFill: emitBulk(.tableFill, try reader.unsigned32(), 0)
        case .tableCopy:
            let destination = try reader.unsigned32()
            emitBulk(.tableCopy, destination, try reader.unsigned32())
        case .tableInit:
            let segment = try reader.unsigned32()
            emitBulk(.tableInit, try reader.unsigned32(), segment)
        case .elemDrop:
            let segment = try reader.unsigned32()
            emit(.dropSegment, word: codeWord(1, 0, unsigned: segment))
        case .refNull:
            _ = try reader.heapType()
            push(.constant, .integer, value: 0)
        case .refFunc: functionReference(try reader.unsigned32())
        case .refAsNonNull: nullCheck()
        case .brOnNull: branchOnNull(try reader.unsigned32())
        case .brOnNonNull: branchOnNonNull(try reader.unsigned32())
        case .i64Add128: wide(.i64Add128)
        case .i64Sub128: wide(.i64Sub128)
        case .i64MulWideS: wide(.i64MulWideS)
        case .i64MulWideU: wide(.i64MulWideU)
        case .memoryAtomicNotify, .memoryAtomicWait32, .memoryAtomicWait64, .atomicFence:
            try waiting(opcode)
        default:
            guard let operation = AtomicOperation(opcode) else { return try aggregates(opcode) }
            atomic(operation, try reader.memoryArgument())
        }
        return nil
    }
}
