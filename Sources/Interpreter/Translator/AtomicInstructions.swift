// Atomic accesses. Operands are taken from slots: fusing would save nothing compared with what the
// processor does to synchronise threads.

import WasmMachine

extension Translator {
    mutating func atomic(_ operation: AtomicOperation, _ argument: MemoryArgument) {
        switch operation {
        case .load(let width):
            atomicAccess(.atomicLoad(width), argument, operands: 0, hasResult: true)
        case .store(let width):
            atomicAccess(.atomicStore(width), argument, operands: 1, hasResult: false)
        case .modify(let modify, let width):
            atomicAccess(.atomicModify(modify, width), argument, operands: 1, hasResult: true)
        case .compareExchange(let width):
            atomicAccess(.atomicCompareExchange(width), argument, operands: 2, hasResult: true)
        }
    }

    /// `memory.atomic.notify`, `memory.atomic.wait` and `atomic.fence`.
    mutating func waiting(_ opcode: Opcode) throws(DecodingError) {
        if opcode == .atomicFence {
            try reader.skipImmediates(of: opcode)
            emit(.atomicFence, word: 0)
            return
        }
        let argument = try reader.memoryArgument()
        switch opcode {
        case .memoryAtomicWait32:
            atomicAccess(.atomicWait, argument, operands: 2, hasResult: true, size: 4)
        case .memoryAtomicWait64:
            atomicAccess(.atomicWait, argument, operands: 2, hasResult: true, size: 8)
        default: atomicAccess(.atomicNotify, argument, operands: 1, hasResult: true)
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
