import WasmMachine

/// How the translator handles a vector instruction, with its row in the instruction table. The
/// generated `OperatorRows.swift` maps instructions to these.
enum VectorOperation {
    case load(Instruction.VectorLoad)
    case store
    case constant
    case shuffle
    case splat(LaneShape)
    case extract(Instruction.VectorExtract)
    case replace(LaneShape)
    case unary(Instruction)
    case binary(Instruction.VectorBinary)
    case compare(Instruction.VectorComparison)
    /// Two operands, no other forms.
    case plain(Instruction)
    case ternary(Instruction)
    case shift(Instruction.VectorShift)
    case test(Instruction.VectorTest)
    /// A scalar load, and the shape of the lane that gets the value.
    case loadLane(Instruction.Load, Instruction.IntegerShape)
    /// The instruction that extracts the lane, and a scalar store.
    case storeLane(Instruction.VectorExtract, Instruction.Store)
}

/// A shape of v128 whose lanes are set from scalars.
enum LaneShape {
    case integer(Instruction.IntegerShape)
    case float(Instruction.FloatShape)

    /// The shape of integers of the same width: floats in slots are handled as integers.
    var integerShape: Instruction.IntegerShape {
        switch self {
        case .integer(let shape): shape
        case .float(.f32x4): .i32x4
        case .float(.f64x2): .i64x2
        }
    }

    /// Bits of a lane.
    var width: Int { 8 &<< integerShape.scale }
}
