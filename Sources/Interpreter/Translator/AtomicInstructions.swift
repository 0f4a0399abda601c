// Atomic accesses. Operands are taken from slots: fusing would gain nothing beside what the
// processor does to keep other threads in step.

extension Translator {
    /// An instruction of page 0xFE: 7 loads, 7 stores, and 7 of each read-modify-write operation.
    mutating func atomic(_ opcode: Opcode) throws(DecodingError) {
        if opcode == .atomicFence {
            try reader.skipImmediates(of: opcode)
            emit(.atomicFence, word: 0)
            return
        }
        let argument = try reader.memoryArgument()
        switch opcode {
        case .memoryAtomicNotify:
            atomicAccess(.atomicNotify, argument, operands: 1, hasResult: true)
        case .memoryAtomicWait32:
            atomicAccess(.atomicWait, argument, operands: 2, hasResult: true, size: 4)
        case .memoryAtomicWait64:
            atomicAccess(.atomicWait, argument, operands: 2, hasResult: true, size: 8)
        default:
            let number = Int(opcode.rawValue) - Int(Opcode.i32AtomicLoad.rawValue)
            // The order of instructions in each group: 32, 64, 8, 16, 8, 16, 32 bits.
            let width = [2, 3, 0, 1, 0, 1, 2][number % 7]
            switch number / 7 {
            case 0: atomicAccess(.atomicLoad(width), argument, operands: 0, hasResult: true)
            case 1: atomicAccess(.atomicStore(width), argument, operands: 1, hasResult: false)
            case 8:
                atomicAccess(
                    .atomicCompareExchange(width), argument, operands: 2, hasResult: true)
            case let group:
                atomicAccess(
                    .atomicModify((group - 2) * 4 + width), argument, operands: 1, hasResult: true)
            }
        }
    }

    private mutating func atomicAccess(
        _ instruction: Instruction, _ argument: MemoryArgument, operands: Int, hasResult: Bool,
        size: UInt64 = 0
    ) {
        let before = registers
        let second = operands > 1 ? slotHolding(pop()) : 0
        let first = operands > 0 ? slotHolding(pop()) : 0
        let address = slotHolding(pop())
        let memory = UInt64(argument.memory) | size &<< 32
        if hasResult {
            pushResult(
                instruction, word: codeWord(0, address, first, second), third: argument.offset,
                .integer, before: before, droppable: false)
            code.append(memory)
            last.end = code.count
        } else {
            emit(instruction, word: codeWord(first, address), argument.offset)
            code.append(memory)
            last.end = code.count
        }
    }
}
