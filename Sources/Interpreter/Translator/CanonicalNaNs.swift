// Canonical NaNs, if the engine is configured for them: one more instruction after every operation
// that may choose among NaNs. It takes the value from the accumulator, as the next operation would.
// No fusion spans it.

import WasmMachine

extension Translator {
    /// Makes a NaN on top of the operand stack the canonical one, if `opcode` may have made
    /// another.
    mutating func canonicalize(after opcode: Opcode) {
        if let valueClass = Self.scalarResult(of: opcode) {
            let instruction = Instruction.floatCanonicalize(
                valueClass == .double ? .f64Canonicalize : .f32Canonicalize, .slot, .toSlot)
            unary(UnaryOperation(instruction, valueClass, valueClass))
        } else if let shape = Self.vectorResult(of: opcode) {
            let before = registers
            let a = slot(of: pop())
            pushVector(.vectorCanonicalize(shape), word: codeWord(0, a), before: before)
        }
    }

    /// The class of the result, if the operation may choose a NaN.
    private static func scalarResult(of opcode: Opcode) -> ValueClass? {
        switch opcode {
        case .f32Ceil, .f32Floor, .f32Trunc, .f32Nearest, .f32Sqrt, .f32Add, .f32Sub, .f32Mul,
            .f32Div, .f32Min, .f32Max, .f32DemoteF64:
            .float
        case .f64Ceil, .f64Floor, .f64Trunc, .f64Nearest, .f64Sqrt, .f64Add, .f64Sub, .f64Mul,
            .f64Div, .f64Min, .f64Max, .f64PromoteF32:
            .double
        default: nil
        }
    }

    /// The same for vectors.
    private static func vectorResult(of opcode: Opcode) -> Instruction.FloatShape? {
        switch opcode {
        case .f32x4Ceil, .f32x4Floor, .f32x4Trunc, .f32x4Nearest, .f32x4Sqrt, .f32x4Add, .f32x4Sub,
            .f32x4Mul, .f32x4Div, .f32x4Min, .f32x4Max, .f32x4DemoteF64x2Zero, .f32x4RelaxedMadd,
            .f32x4RelaxedNmadd, .f32x4RelaxedMin, .f32x4RelaxedMax:
            .f32x4
        case .f64x2Ceil, .f64x2Floor, .f64x2Trunc, .f64x2Nearest, .f64x2Sqrt, .f64x2Add, .f64x2Sub,
            .f64x2Mul, .f64x2Div, .f64x2Min, .f64x2Max, .f64x2PromoteLowF32x4, .f64x2RelaxedMadd,
            .f64x2RelaxedNmadd, .f64x2RelaxedMin, .f64x2RelaxedMax:
            .f64x2
        default: nil
        }
    }
}
