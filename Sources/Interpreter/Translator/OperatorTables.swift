// Which register instruction a numeric instruction of WebAssembly becomes. The indices are
// positions on the operator axes of `Sources/InstructionSet`.

/// A binary operator and the family its instructions are in.
struct BinaryOperation {
    enum Family {
        case integerCommutative
        case integerOrdered
        case division
        case integerCompare
        case floatCommutative
        case floatOrdered
        case floatCompare
    }

    var family: Family
    var operation: Int
    var operandClass: ValueClass
    var is64: Bool
    /// How the next instruction may fuse with this one.
    var kind = Emitted.Kind.other

    var isComparison: Bool { family == .integerCompare || family == .floatCompare }
    var resultClass: ValueClass { isComparison ? .integer : operandClass }

    /// The operation that gives the same result for swapped operands, or nil.
    var swapped: BinaryOperation? {
        var result = self
        switch family {
        case .integerCommutative, .floatCommutative: return self
        case .integerOrdered, .division, .floatOrdered: return nil
        case .integerCompare:
            let base = operation < 10 ? 0 : 10
            result.operation = base + swappedIntegerComparison[operation - base]
        case .floatCompare:
            let base = operation < 6 ? 0 : 6
            result.operation = base + swappedFloatComparison[operation - base]
        }
        return result
    }

    /// The instruction with operands in these forms and a slot destination, if there is one.
    func instruction(_ a: Operand.Form, _ b: Operand.Form) -> Instruction? {
        let form: Int
        switch (a, b) {
        case (.slot, .slot): form = 0
        case (.slot, .immediate): form = 1
        case (.register, .slot): form = 2
        case (.register, .immediate): form = 3
        case (.slot, .register): form = 4
        case (.immediate, .slot): form = 5
        case (.immediate, .register): form = 6
        default: return nil
        }
        switch family {
        case .integerCommutative: return form < 4 ? .integerCommutative(operation, form, 0) : nil
        case .integerOrdered: return .integerOrdered(operation, form, 0)
        case .division: return .division(operation, form)
        case .integerCompare: return form < 4 ? .integerCompare(operation, form, 0) : nil
        case .floatCommutative: return form < 4 ? .floatCommutative(operation, form, 0) : nil
        case .floatOrdered: return .floatOrdered(operation, form, 0)
        case .floatCompare: return form < 4 ? .floatCompare(operation, form, 0) : nil
        }
    }
}

/// eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u
private let swappedIntegerComparison = [0, 1, 4, 5, 2, 3, 8, 9, 6, 7]
/// eq ne lt gt le ge
private let swappedFloatComparison = [0, 1, 3, 2, 5, 4]
/// The opposite condition of integers: comparisons, then test and test_not.
private let negatedCondition = [1, 0, 8, 9, 6, 7, 4, 5, 2, 3, 11, 10]
/// The opposite condition of floats: eq ne lt gt le ge, then not_lt not_gt not_le not_ge.
private let negatedFloatCondition = [1, 0, 6, 7, 8, 9, 2, 3, 4, 5]

/// The condition on the axis of `integerBranch` for a comparison, negated if wanted.
func integerCondition(comparison: Int, negated: Bool) -> Int {
    let (base, index) = comparison < 10 ? (0, comparison) : (12, comparison - 10)
    return base + (negated ? negatedCondition[index] : index)
}

/// The comparison whose truth is the negation of `comparison`.
func negatedComparison(_ comparison: Int) -> Int {
    let base = comparison < 10 ? 0 : 10
    return base + negatedCondition[comparison - base]
}

/// The same for `floatBranch`.
func floatCondition(comparison: Int, negated: Bool) -> Int {
    let (base, index) = comparison < 6 ? (0, comparison) : (10, comparison - 6)
    return base + (negated ? negatedFloatCondition[index] : index)
}

/// `i32.test` or its negation, on the axis of `integerBranch`.
func testCondition(negated: Bool) -> Int { negated ? 11 : 10 }

/// The operation of a binary numeric instruction by its opcode (0x46 to 0xa6), or nil.
func binaryOperation(_ raw: Int) -> BinaryOperation? {
    switch raw {
    case 0x46...0x4f:
        return BinaryOperation(
            family: .integerCompare, operation: raw - 0x46, operandClass: .integer, is64: false,
            kind: .compare)
    case 0x51...0x5a:
        return BinaryOperation(
            family: .integerCompare, operation: raw - 0x51 + 10, operandClass: .integer, is64: true,
            kind: .compare)
    case 0x5b...0x60:
        return BinaryOperation(
            family: .floatCompare, operation: raw - 0x5b, operandClass: .float, is64: false,
            kind: .compare)
    case 0x61...0x66:
        return BinaryOperation(
            family: .floatCompare, operation: raw - 0x61 + 6, operandClass: .double, is64: true,
            kind: .compare)
    case 0x6a...0x78: return integerOperation(raw - 0x6a, is64: false)
    case 0x7c...0x8a: return integerOperation(raw - 0x7c, is64: true)
    case 0x92...0x98: return floatOperation(raw - 0x92, .float)
    case 0xa0...0xa6: return floatOperation(raw - 0xa0, .double)
    default: return nil
    }
}

/// add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u rotl rotr
private func integerOperation(_ index: Int, is64: Bool) -> BinaryOperation? {
    func make(
        _ family: BinaryOperation.Family, _ operation: Int, _ count: Int,
        _ kind: Emitted.Kind? = nil
    ) -> BinaryOperation {
        BinaryOperation(
            family: family, operation: operation + (is64 ? count : 0), operandClass: .integer,
            is64: is64, kind: kind ?? .other)
    }
    switch index {
    case 0: return make(.integerCommutative, 0, 5, .add)
    case 1: return make(.integerOrdered, 0, 6, .subtract)
    case 2: return make(.integerCommutative, 1, 5, .multiply)
    case 3...6: return make(.division, index - 3, 4)
    case 7: return make(.integerCommutative, 2, 5, .and)
    case 8, 9: return make(.integerCommutative, index - 5, 5)
    case 10: return make(.integerOrdered, 1, 6, .shiftLeft)
    case 11: return make(.integerOrdered, 2, 6)
    case 12: return make(.integerOrdered, 3, 6, .shiftRightUnsigned)
    case 13, 14: return make(.integerOrdered, index - 9, 6)
    default: return nil
    }
}

/// add sub mul div min max copysign
private func floatOperation(_ index: Int, _ valueClass: ValueClass) -> BinaryOperation? {
    let is64 = valueClass == .double
    func make(
        _ family: BinaryOperation.Family, _ operation: Int, _ count: Int,
        _ kind: Emitted.Kind? = nil
    ) -> BinaryOperation {
        BinaryOperation(
            family: family, operation: operation + (is64 ? count : 0), operandClass: valueClass,
            is64: is64, kind: kind ?? .other)
    }
    switch index {
    case 0: return make(.floatCommutative, 0, 4, .add)
    case 1: return make(.floatOrdered, 0, 3, .subtract)
    case 2: return make(.floatCommutative, 1, 4, .multiply)
    case 3: return make(.floatOrdered, 1, 3)
    case 4: return make(.floatCommutative, 2, 4)
    case 5: return make(.floatCommutative, 3, 4)
    case 6: return make(.floatOrdered, 2, 3)
    default: return nil
    }
}

/// A unary operator: the instruction with a slot source and slot destination.
struct UnaryOperation {
    var instruction: Instruction
    var operandClass: ValueClass
    var resultClass: ValueClass
    var kind = Emitted.Kind.other
    var is64 = false

    /// From the register to a slot: two instructions further, see the axes.
    var fromRegister: Instruction { Instruction(instruction.number + 2) }
}

private func integerUnary(_ index: Int, _ kind: Emitted.Kind = .other, is64: Bool = false)
    -> UnaryOperation
{
    UnaryOperation(
        instruction: .integerUnary(index, 0, 0), operandClass: .integer, resultClass: .integer,
        kind: kind, is64: is64)
}

private func truncation(_ index: Int, saturating: Bool) -> UnaryOperation {
    UnaryOperation(
        instruction: saturating ? .truncateSaturating(index, 0, 0) : .truncate(index, 0, 0),
        operandClass: index & 2 == 0 ? .float : .double, resultClass: .integer)
}

/// The operation of a unary numeric instruction, or nil: plain opcodes, and saturating conversions
/// (0x200 to 0x207). `i64.extend_i32_u` and reinterpretations are not here: they cost nothing.
func unaryOperation(_ raw: Int) -> UnaryOperation? {
    switch raw {
    case 0x45: return integerUnary(10, .equalZero)
    case 0x50: return integerUnary(11, .equalZero, is64: true)
    case 0x67...0x69: return integerUnary(raw - 0x67)
    case 0x79...0x7b: return integerUnary(raw - 0x79 + 5)
    case 0xa7: return integerUnary(12, .wrap)
    case 0xac, 0xc4: return integerUnary(13)
    case 0xc0, 0xc1: return integerUnary(raw - 0xc0 + 3)
    case 0xc2, 0xc3: return integerUnary(raw - 0xc2 + 8)
    case 0x8b...0x91:
        return UnaryOperation(
            instruction: .floatUnary(raw - 0x8b, 0, 0), operandClass: .float, resultClass: .float)
    case 0x99...0x9f:
        return UnaryOperation(
            instruction: .floatUnary(raw - 0x99 + 7, 0, 0), operandClass: .double,
            resultClass: .double)
    case 0xa8...0xab: return truncation(raw - 0xa8, saturating: false)
    case 0xae...0xb1: return truncation(raw - 0xae + 4, saturating: false)
    case 0x200...0x207: return truncation(raw - 0x200, saturating: true)
    case 0xb2...0xb5:
        return UnaryOperation(
            instruction: .floatConvert(raw - 0xb2, 0, 0), operandClass: .integer,
            resultClass: .float)
    case 0xb6:
        return UnaryOperation(
            instruction: .floatConvert(8, 0, 0), operandClass: .double, resultClass: .float)
    case 0xb7...0xba:
        return UnaryOperation(
            instruction: .floatConvert(raw - 0xb7 + 4, 0, 0), operandClass: .integer,
            resultClass: .double)
    case 0xbb:
        return UnaryOperation(
            instruction: .floatConvert(9, 0, 0), operandClass: .float, resultClass: .double)
    default: return nil
    }
}

/// A load by its opcode (0x28 to 0x35): position on the axis of `load`, and class of the result.
func loadOperation(_ raw: Int) -> (operation: Int, valueClass: ValueClass) {
    switch raw {
    case 0x29: (5, .integer)
    case 0x2a: (9, .float)
    case 0x2b: (10, .double)
    case 0x2c: (1, .integer)
    case 0x2d, 0x31: (2, .integer)
    case 0x2e: (3, .integer)
    case 0x2f, 0x33: (4, .integer)
    case 0x30: (6, .integer)
    case 0x32: (7, .integer)
    case 0x34: (8, .integer)
    default: (0, .integer)  // i32.load, i64.load32_u
    }
}

/// The logarithm of the size of what a load reads.
func loadScale(_ operation: Int) -> Int {
    switch operation {
    case 1, 2, 6: 0
    case 3, 4, 7: 1
    case 5, 10: 3
    default: 2
    }
}

/// The position of a load among those with scaled addresses: all but those of single bytes.
func scaledLoad(_ operation: Int) -> Int {
    switch operation {
    case 0: 0
    case 3, 4, 5: operation - 2
    default: operation - 3
    }
}

/// The logarithm of the size of what a store writes.
func storeScale(_ operation: Int) -> Int { operation }

/// A store by its opcode (0x36 to 0x3e): position on the axis of `store`, and class of the value.
func storeOperation(_ raw: Int) -> (operation: Int, valueClass: ValueClass) {
    switch raw {
    case 0x37: (3, .integer)
    case 0x38: (2, .float)
    case 0x39: (3, .double)
    case 0x3a, 0x3c: (0, .integer)
    case 0x3b, 0x3d: (1, .integer)
    default: (2, .integer)  // i32.store, i64.store32
    }
}
